//! Answers to requests for hashes (BEP 52): the piece layer, which is what a magnet link lacks.

use super::queue::{RequestSlot, queues};
use super::state::View;
use super::{PeerError, Root};
use crate::geometry::{count, slot};
use crate::merkle::{MerkleHash, layer_root, pad_hash, piece_height};
use crate::wire::Message;
use crate::wire::hashes::HashMessage;
use crate::{BufferTooSmall, Geometry, PieceHashes};

/// The most hashes in an answer of ours, as BEP 52 asks for.
const MOST: u32 = 512;
/// A proof hashes the whole layer: a longer one would keep us busy for too long.
const PROVED: usize = 1 << 16;
/// More layers than any file has above its pieces.
const UNCLES: usize = 32;

/// The trees of a torrent of version 2.
#[derive(Clone, Copy)]
pub(super) struct Trees<'t> {
    pub(super) hashes: PieceHashes<'t>,
    pub(super) geometry: Geometry<'t>,
    /// Of a torrent that was given as one file.
    pub(super) root: Option<Root>,
}

impl<'t> Trees<'t> {
    /// Returns the number of the file with a root; it looks at one after the other. Two files of the same
    /// content have the same layer.
    fn find(&self, root: &MerkleHash) -> Option<u32> {
        match self.root {
            Some(Root(single)) => (single == *root).then_some(0),
            None => self.geometry.files().iter().position(|file| file.root == *root).map(count),
        }
    }

    /// Returns the root and the piece layer of a file.
    fn file(&self, number: u32) -> (MerkleHash, &'t [MerkleHash]) {
        let layer = self.hashes.layer().hashes();
        if let Some(Root(single)) = self.root {
            return (single, layer);
        }
        let Some(file) = self.geometry.files().get(slot(number)) else { return ([0; 32], &[]) };
        let pieces = file.len.div_ceil(u64::from(self.geometry.full_piece_len()));
        let end = u64::from(file.first.0).saturating_add(pieces);
        let end = u32::try_from(end).map_or(usize::MAX, slot);
        (file.root, layer.get(file.first.slot()..end).unwrap_or_default())
    }
}

impl<'t> View<'_, 't> {
    pub(super) fn trees(&self) -> Trees<'t> {
        Trees { hashes: self.core.hashes, geometry: self.core.geometry, root: self.core.root }
    }

    /// Takes in a message about hashes; returns whether it was one.
    pub(super) fn hash_message(
        &mut self,
        index: usize,
        message: &Message<'_>,
    ) -> Result<bool, PeerError> {
        let Some(message) = HashMessage::of(message)? else { return Ok(false) };
        let trees = self.trees();
        if let (HashMessage::Request(range), false) = (message, trees.hashes.layer().is_empty()) {
            let file = trees.find(&range.root).filter(|_| range.is_valid());
            let file = file.ok_or(PeerError::Hashes(range))?;
            let (_, mut uploads) = queues(self.regions.requests, self.regions.peers.len(), index);
            uploads.push(RequestSlot::hashes(&range, file)); // there is room: `is_busy`
        }
        Ok(true)
    }
}

/// Writes the answer to a request for hashes.
pub(super) fn answer_hashes(
    asked: &RequestSlot,
    trees: Trees<'_>,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let (root, layer) = trees.file(asked.file());
    let (range, geometry) = (asked.range(root), trees.geometry);
    let height = piece_height(geometry.full_piece_len());
    let padded = u32::try_from(layer.len()).unwrap_or(u32::MAX).checked_next_power_of_two();
    let end = range.index.checked_add(range.length);
    let layers = padded.map_or(0, u32::ilog2);
    let serves = range.base == u32::from(height)
        && range.length <= MOST
        && (2..=PROVED).contains(&layer.len())
        && end.zip(padded).is_some_and(|(end, padded)| end <= padded)
        && range.proof_layers < layers;
    if !serves {
        return HashMessage::Reject(range).encode(buf);
    }
    let pad = pad_hash(height);
    let node = |at: usize| layer.get(at).copied().unwrap_or(pad);
    let (start, length) = (slot(range.index), slot(range.length));
    // The siblings of the run, then of what is above it, and so on.
    let mut uncles = heapless::Vec::<MerkleHash, UNCLES>::new();
    let (mut width, mut first) = (length, start);
    for _ in 0..range.uncles() {
        let sibling = if first & width == 0 { first.saturating_add(width) } else { first & !width };
        first &= !width;
        let below = sibling.min(layer.len())..sibling.saturating_add(width).min(layer.len());
        let below = layer.get(below).unwrap_or_default();
        let spare = width.saturating_sub(below.len());
        let padding = core::iter::repeat_n(&pad, spare);
        let _ = uncles.push(layer_root(below.iter().chain(padding), pad)); // at most 32 levels
        width = width.saturating_mul(2);
    }
    // The header of a message of so many hashes, then the hashes themselves.
    let total = length.saturating_add(uncles.len());
    let needed = HashMessage::Request(range).encoded_len().saturating_add(total.saturating_mul(32));
    let room = buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    let head = HashMessage::Hashes(range, &[]).encode(room)?;
    let (front, body) = room.split_at_mut(head);
    if let Some((prefix, _)) = front.split_first_chunk_mut::<4>() {
        let len = count(needed.saturating_sub(4));
        *prefix = len.to_be_bytes();
    }
    let hashes = (start..start.saturating_add(length)).map(node).chain(uncles);
    body.as_chunks_mut::<32>().0.iter_mut().zip(hashes).for_each(|(to, hash)| *to = hash);
    Ok(needed)
}
