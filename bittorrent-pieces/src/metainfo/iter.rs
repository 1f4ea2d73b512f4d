//! The iterators that a metainfo file returns.

use super::check::root_layer;
use super::file::{Files, Span};
use super::layers::LayerIndex;
use super::tree;
use crate::bencode::{Items, Value};
use crate::block::PieceIndex;
use crate::geometry::V2File;
use crate::merkle::PieceLayer;

/// The files of a v2 torrent that are not empty, and their piece layers.
#[derive(Debug, Clone)]
pub struct V2Files<'a> {
    pub(super) walk: Option<tree::Walk<'a>>,
    pub(super) layers: LayerIndex<'a>,
    pub(super) piece_len: u32,
    pub(super) next: u64, // piece
}

impl<'a> Iterator for V2Files<'a> {
    type Item = (V2File, Option<PieceLayer<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        let file = self.walk.as_mut()?.find(|file| file.len() > 0)?;
        let len = file.len();
        let root = file.root()?;
        let first = PieceIndex(u32::try_from(self.next).ok()?);
        let piece_len = u64::from(self.piece_len).max(1);
        self.next = self.next.saturating_add(len.div_ceil(piece_len));
        let layer = if len > piece_len { self.layers.find(&root) } else { root_layer(&file) };
        Some((V2File { first, len, root }, layer))
    }
}

/// The parts of files in which a run of the content lies.
#[derive(Debug, Clone)]
pub struct Spans<'a> {
    pub(super) files: Files<'a>,
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl<'a> Iterator for Spans<'a> {
    type Item = Span<'a>;

    fn next(&mut self) -> Option<Span<'a>> {
        self.files.find_map(|file| file.overlap(self.offset, self.len))
    }
}

/// The tiers of trackers; shuffle inside a tier, try one tier after the other (BEP 12).
#[derive(Debug, Clone)]
pub struct Tiers<'a> {
    pub(super) list: Items<'a>,
    pub(super) single: Option<Value<'a>>,
}

impl<'a> Iterator for Tiers<'a> {
    type Item = Tier<'a>;

    fn next(&mut self) -> Option<Tier<'a>> {
        if let Some(single) = self.single.take() {
            return Some(Tier { list: Value::items(&single), single: single.as_bytes() });
        }
        self.list.next().map(|tier| Tier { list: tier.items(), single: None })
    }
}

/// The announce URLs of one tier, without blanks around them. Empty ones, and values that are not strings, are skipped.
#[derive(Debug, Clone)]
pub struct Tier<'a> {
    pub(super) list: Items<'a>,
    pub(super) single: Option<&'a [u8]>,
}

impl<'a> Iterator for Tier<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let single = self.single.take().and_then(trimmed);
        single.or_else(|| self.list.find_map(url))
    }
}

/// The URLs under a key whose value is one or a list of them, without blanks around them. Empty ones, and values that are
/// not strings, are skipped.
#[derive(Debug, Clone)]
pub struct Urls<'a> {
    list: Items<'a>,
    single: Option<&'a [u8]>,
}

impl<'a> Urls<'a> {
    pub(super) fn of(top: Value<'a>, key: &[u8]) -> Self {
        let value = top.find(key);
        let list = value.unwrap_or(top).items(); // a dictionary has no items
        Self { list, single: value.and_then(|value| value.as_bytes()) }
    }
}

impl<'a> Iterator for Urls<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let single = self.single.take().and_then(trimmed);
        single.or_else(|| self.list.find_map(url))
    }
}

/// Returns a URL of a list; `None` if it is empty or not a string.
pub(super) fn url(value: Value<'_>) -> Option<&[u8]> {
    trimmed(value.as_bytes()?)
}

/// Returns a URL without the blanks around it; `None` if nothing is left.
fn trimmed(url: &[u8]) -> Option<&[u8]> {
    Some(url.trim_ascii()).filter(|url| !url.is_empty())
}
