//! The files of a v2 torrent (BEP 52, "file tree").

use super::MetainfoError;
use super::file::check_element;
use crate::bencode::{Entries, Value};
use crate::merkle::{MerkleHash, PieceLayer};

/// How deep folders may lie inside each other.
pub(super) const DEPTH: usize = 16;

/// A file of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeFile<'a> {
    pub(super) names: [&'a [u8]; DEPTH],
    pub(super) depth: usize, // names in use
    pub(super) properties: Value<'a>,
}

impl TreeFile<'_> {
    pub(super) fn len(&self) -> u64 {
        let len = self.properties.find(b"length").and_then(|len| len.as_int());
        len.and_then(|len| u64::try_from(len).ok()).unwrap_or(0)
    }

    pub(super) fn root(&self) -> Option<MerkleHash> {
        self.properties.find(b"pieces root")?.as_bytes()?.try_into().ok()
    }
}

/// Walks over the files of a tree in order, without recursion.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    open: [Option<Entries<'a>>; DEPTH],
    names: [&'a [u8]; DEPTH],
    depth: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: Value<'a>) -> Self {
        let mut open = [const { None }; DEPTH];
        if let Some(first) = open.first_mut() {
            *first = Some(tree.entries());
        }
        Self { open, names: [&[]; DEPTH], depth: 1 }
    }

    /// Returns the next file, or what is wrong.
    fn step(&mut self) -> Option<Result<TreeFile<'a>, MetainfoError>> {
        loop {
            let at = self.depth.checked_sub(1)?;
            let entries = self.open.get_mut(at)?.as_mut()?;
            let Some((name, value)) = entries.next() else {
                self.depth = at;
                continue;
            };
            if name.is_empty() {
                // A file: it has no siblings, and the tree itself is none.
                let alone = entries.next().is_none();
                if at == 0 || !alone || !value.is_dict() {
                    self.depth = 0;
                    return Some(Err(MetainfoError::Tree));
                }
                return Some(Ok(TreeFile { names: self.names, depth: at, properties: value }));
            }
            let (place, room) = (self.names.get_mut(at), self.open.get_mut(self.depth));
            let (Some(place), Some(room), true) = (place, room, value.is_dict()) else {
                self.depth = 0;
                return Some(Err(MetainfoError::Tree));
            };
            (*place, *room) = (name, Some(value.entries()));
            self.depth = self.depth.saturating_add(1);
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = TreeFile<'a>;

    fn next(&mut self) -> Option<TreeFile<'a>> {
        self.step()?.ok()
    }
}

/// Checks a tree; returns the length of the content, where each file begins with a piece.
pub(super) fn check_tree(tree: Value<'_>, piece_len: u32) -> Result<u64, MetainfoError> {
    let mut walk = Walk::new(tree);
    let mut total = 0_u64;
    let mut files = 0_u64;
    while let Some(file) = walk.step() {
        let file = file?;
        for name in file.names.iter().take(file.depth) {
            check_element(name)?;
        }
        let len = super::int_of(file.properties, b"length", "length")?;
        let len = u64::try_from(len).map_err(|_| MetainfoError::Length(len))?;
        let root = file.properties.find(b"pieces root");
        let right = match file.root() {
            Some(root) => len > 0 && root != [0; 32],
            None => len == 0 && root.is_none(),
        };
        if !right {
            return Err(MetainfoError::Root);
        }
        let start = start_of(total, piece_len).ok_or(MetainfoError::TooLong)?;
        total = if len > 0 { start.checked_add(len).ok_or(MetainfoError::TooLong)? } else { total };
        files = files.saturating_add(1);
    }
    if files == 0 { Err(MetainfoError::Tree) } else { Ok(total) }
}

/// Checks that each file of more than a piece has a layer which leads to its root, and nothing else has.
pub(super) fn check_layers(
    tree: Value<'_>,
    layers: Value<'_>,
    piece_len: u32,
) -> Result<(), MetainfoError> {
    let mut long = 0_usize;
    for file in Walk::new(tree).filter(|file| file.len() > u64::from(piece_len)) {
        long = long.saturating_add(1);
        let root = file.root().ok_or(MetainfoError::Root)?;
        let layer = layer_of(layers, &root).ok_or(MetainfoError::Layer)?;
        let pieces = file.len().div_ceil(u64::from(piece_len));
        if u64::try_from(layer.len()) != Ok(pieces) || layer.root(piece_len) != root {
            return Err(MetainfoError::Layer);
        }
    }
    // Two files may be the same and share a layer, so there may be fewer.
    let known = |root: &[u8]| {
        let mut files = Walk::new(tree).filter(|file| file.len() > u64::from(piece_len));
        files.any(|file| file.root().is_some_and(|known| known == *root))
    };
    let count = layers.entries().count();
    if count > long || !layers.entries().all(|(root, _)| known(root)) {
        return Err(MetainfoError::Layer);
    }
    Ok(())
}

pub(super) fn layer_of<'a>(layers: Value<'a>, root: &MerkleHash) -> Option<PieceLayer<'a>> {
    PieceLayer::from_bytes(layers.find(root)?.as_bytes()?)
}

/// Returns where the next file begins: with the next piece.
pub(super) fn start_of(end: u64, piece_len: u32) -> Option<u64> {
    end.checked_next_multiple_of(u64::from(piece_len))
}

/// Returns the single file of a tree that has but one, on the top level, of a given name.
pub(super) fn single<'a>(tree: Value<'a>, name: &[u8]) -> Option<TreeFile<'a>> {
    let mut walk = Walk::new(tree);
    let file = walk.next()?;
    let alone = walk.next().is_none() && file.depth == 1 && file.names.first() == Some(&name);
    alone.then_some(file)
}
