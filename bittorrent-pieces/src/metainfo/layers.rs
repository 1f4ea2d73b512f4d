//! The piece layers of a v2 torrent (BEP 52, "piece layers").

use super::error::MetainfoError;
use super::tree::Walk;
use crate::bencode::{Entries, Value};
use crate::merkle::{MerkleHash, PieceLayer, layer_root, pad_hash, piece_height};

/// The number of entries whose place is remembered.
const MARKS: usize = 64;

/// The maximum number of layers that are out of order.
const UNSORTED: usize = 1_000;

/// Finds the layers of many files: it remembers the places of 64 entries, so that a search begins near the
/// entry that it is for. It takes 3.6 KB.
#[derive(Debug, Clone)]
pub(super) struct LayerIndex<'a> {
    layers: Value<'a>,
    marks: heapless::Vec<Mark<'a>, MARKS>,
    sorted: bool,
}

#[derive(Debug, Clone)]
struct Mark<'a> {
    root: &'a [u8],
    from: Entries<'a>, // begins with this root
}

impl<'a> LayerIndex<'a> {
    pub(super) fn new(layers: Value<'a>) -> Self {
        let stride = layers.entries().count().div_ceil(MARKS).max(1);
        let mut marks = heapless::Vec::new();
        let mut sorted = true;
        let mut last: &[u8] = &[];
        let mut entries = layers.entries();
        let mut number = 0_usize;
        loop {
            let from = entries.clone();
            let Some((root, _)) = entries.next() else { break };
            sorted &= last < root;
            last = root;
            if number.is_multiple_of(stride) {
                let _ = marks.push(Mark { root, from }); // there are at most 64
            }
            number = number.saturating_add(1);
        }
        Self { layers, marks, sorted }
    }

    pub(super) fn find(&self, root: &MerkleHash) -> Option<PieceLayer<'a>> {
        PieceLayer::from_bytes(self.value(root)?.as_bytes()?)
    }

    fn value(&self, root: &MerkleHash) -> Option<Value<'a>> {
        if !self.sorted {
            return self.layers.find(root);
        }
        let behind = self.marks.partition_point(|mark| mark.root <= &root[..]);
        let mut entries = self.marks.get(behind.checked_sub(1)?)?.from.clone();
        let (found, layer) = entries.find(|(key, _)| *key >= &root[..])?;
        (found == root).then_some(layer)
    }
}

/// Finds the layer of one file.
pub(super) fn find<'a>(layers: Value<'a>, root: &MerkleHash) -> Option<PieceLayer<'a>> {
    PieceLayer::from_bytes(layers.find(root)?.as_bytes()?)
}

/// Checks that the layer of each file of more than a piece has the right length and leads to its root.
/// `layerless` permits files without a layer. There are no more layers than such files.
pub(super) fn check(
    tree: Value<'_>,
    layers: Value<'_>,
    piece_len: u32,
    layerless: bool,
) -> Result<(), MetainfoError> {
    let index = LayerIndex::new(layers);
    let count = layers.entries().count();
    let named = layers.entries().all(|(root, _)| root.len() == 32);
    if !named || !index.sorted && count > UNSORTED {
        return Err(MetainfoError::Layer); // each search would walk over all
    }
    let pad = pad_hash(piece_height(piece_len));
    let mut long = 0_usize;
    for file in Walk::new(tree).filter(|file| file.len() > u64::from(piece_len)) {
        long = long.saturating_add(1);
        let root = file.root().ok_or(MetainfoError::Root)?;
        let value = index.value(&root);
        if layerless && value.is_none() {
            continue;
        }
        let layer = value.and_then(|value| value.as_bytes()).and_then(PieceLayer::from_bytes);
        let layer = layer.ok_or(MetainfoError::Layer)?;
        let pieces = file.len().div_ceil(u64::from(piece_len).max(1));
        let right = u64::try_from(layer.len()) == Ok(pieces);
        if !right || layer_root(layer.hashes(), pad) != root {
            return Err(MetainfoError::Layer);
        }
    }
    if count > long { Err(MetainfoError::Layer) } else { Ok(()) }
}
