//! The piece layers of a v2 torrent (BEP 52, "piece layers").

use super::error::MetainfoError;
use crate::bencode::Value;
use crate::index::{count, slot};
use crate::merkle::{MerkleHash, PieceLayer, pad_hash, piece_height, slice_root};

/// The number of entries whose place is remembered.
const MARKS: usize = 224;

/// The length of a root in bytes.
const ROOT: usize = 32;
/// The maximum number of layers that are out of order.
const UNSORTED: usize = 1_000;

/// Finds the layers of many files: it remembers the places of 224 entries, so that a search begins near the
/// entry that it is for. It takes 0.9 KB.
#[derive(Debug, Clone)]
pub(super) struct LayerIndex<'a> {
    layers: Value<'a>,
    marks: heapless::Vec<u32, MARKS>, // the bytes from the entry to the end
    count: usize,
    ordered: bool, // all keys are roots, in order
}

impl<'a> LayerIndex<'a> {
    /// Creates an index without marks.
    pub(super) const fn new(layers: Value<'a>) -> Self {
        Self { layers, marks: heapless::Vec::new(), count: 0, ordered: true }
    }

    /// Reads the entries, in place: the index is large.
    pub(super) fn fill(&mut self) {
        let stride = self.layers.entries().count().div_ceil(MARKS).max(1);
        let mut last: &[u8] = &[];
        let mut entries = self.layers.entries();
        loop {
            let place = count(entries.left());
            let Some((root, _)) = entries.next() else { break };
            self.ordered &= last < root && root.len() == ROOT && place < u32::MAX;
            last = root;
            if self.count.is_multiple_of(stride) {
                let _ = self.marks.push(place); // it fits, by the stride
            }
            self.count = self.count.saturating_add(1);
        }
    }

    pub(super) fn find(&self, root: &[u8]) -> Option<PieceLayer<'a>> {
        PieceLayer::from_bytes(self.value(root)?.as_bytes()?)
    }

    fn value(&self, root: &[u8]) -> Option<Value<'a>> {
        if !self.ordered {
            return self.layers.find(root);
        }
        let key = |place: u32| self.layers.last_entries(slot(place)).key();
        let behind = self.marks.partition_point(|place| key(*place).is_some_and(|key| key <= root));
        let place = *self.marks.get(behind.checked_sub(1)?)?;
        let mut entries = self.layers.last_entries(slot(place));
        let (found, layer) = entries.find(|(key, _)| *key >= root)?;
        (found == root).then_some(layer)
    }
}

/// Finds the layer of one file.
pub(super) fn find<'a>(layers: Value<'a>, root: &MerkleHash) -> Option<PieceLayer<'a>> {
    PieceLayer::from_bytes(layers.find(root)?.as_bytes()?)
}

/// Checks that each layer leads to its root.
#[inline(never)] // its tree is not in use while the files are checked
pub(super) fn check_roots(layers: Value<'_>, piece_len: u32) -> Result<(), MetainfoError> {
    let pad = pad_hash(piece_height(piece_len));
    for (root, layer) in layers.entries() {
        let layer = layer.as_bytes().and_then(PieceLayer::from_bytes);
        let layer = layer.ok_or(MetainfoError::Layer)?;
        if slice_root(layer.hashes(), pad) != *root {
            return Err(MetainfoError::Layer);
        }
    }
    Ok(())
}

/// Looks for the layer of each file of a tree.
pub(super) struct LayerCheck<'i, 'a> {
    index: &'i LayerIndex<'a>,
    piece_len: u64,
    layerless: bool, // files without a layer are permitted
    long: usize,     // files of more than a piece
}

impl<'i, 'a> LayerCheck<'i, 'a> {
    /// Checks that a search of the index takes bounded time.
    pub(super) fn new(
        index: &'i LayerIndex<'a>,
        piece_len: u32,
        layerless: bool,
    ) -> Result<Self, MetainfoError> {
        let named = || index.layers.entries().all(|(root, _)| root.len() == ROOT);
        if !index.ordered && (index.count > UNSORTED || !named()) {
            return Err(MetainfoError::Layer); // each search would walk over all
        }
        Ok(Self { index, piece_len: u64::from(piece_len), layerless, long: 0 })
    }

    /// Checks the next file of the tree.
    pub(super) fn file(&mut self, len: u64, root: &MerkleHash) -> Result<(), MetainfoError> {
        if len <= self.piece_len {
            return Ok(());
        }
        self.long = self.long.saturating_add(1);
        let value = self.index.value(root);
        if self.layerless && value.is_none() {
            return Ok(());
        }
        let layer = value.and_then(|value| value.as_bytes()).and_then(PieceLayer::from_bytes);
        let layer = layer.ok_or(MetainfoError::Layer)?;
        let right = u64::try_from(layer.len()) == Ok(len.div_ceil(self.piece_len.max(1)));
        if right { Ok(()) } else { Err(MetainfoError::Layer) }
    }

    /// Checks that each layer belongs to a file.
    pub(super) fn end(&self) -> Result<(), MetainfoError> {
        if self.index.count > self.long { Err(MetainfoError::Layer) } else { Ok(()) }
    }
}
