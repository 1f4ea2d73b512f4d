//! Answers to requests for hashes (BEP 52): of the piece layer, which is what a magnet link lacks, and of the
//! leaves, which identify the bad block of a piece.

use super::content::TorrentContent;
use super::queue::RequestSlot;
use crate::block::BLOCK_LEN;
use crate::error::BufferTooSmall;
use crate::index::{count, slot};
use crate::merkle::{MerkleHash, RUN, node, pad_hash, piece_height, run_height};
use crate::wire::hashes::{HashMessage, HashRange};

/// The most hashes in an answer of ours, as BEP 52 asks for.
const MOST: u32 = 512;
/// The most nodes that are hashed for a proof: more would keep us busy for too long.
const PROVED: usize = 1 << 16;
/// The most hashes beside the way up in an answer of ours.
const UNCLES: usize = 32;

/// The trees of a torrent of version 2.
#[derive(Clone, Copy)]
pub(super) struct Trees<'t> {
    pub(super) content: &'t TorrentContent<'t>,
    pub(super) root: &'t Option<Root>, // of a torrent that was given as one file
}

/// The root of the one file of a v2 torrent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Root(MerkleHash);

impl Root {
    /// Returns the root; `None` if each file has its own, or the torrent is of version 1.
    pub(super) fn of(content: TorrentContent<'_>) -> Option<Self> {
        let geometry = content.geometry;
        let layer = content.hashes.layer();
        let single = geometry.files().is_empty() && !layer.is_empty();
        single.then(|| Self(layer.root(geometry.full_piece_len())))
    }
}

/// The tree of a file, as far as it is known.
struct Tree<'t> {
    root: MerkleHash,
    height: u8, // of the pieces above the leaves
    pieces: &'t [MerkleHash],
    leaves: &'t [MerkleHash],
    runs: &'t [MerkleHash],
}

impl<'t> Trees<'t> {
    /// Returns the number of the file with a root; it looks at one after the other. Two files of the same
    /// content have the same layer.
    pub(super) fn find(&self, root: &MerkleHash) -> Option<u32> {
        match self.root {
            Some(Root(single)) => (*single == *root).then_some(0),
            None => {
                self.content.geometry.files().iter().position(|file| file.root == *root).map(count)
            }
        }
    }

    /// Returns the tree of a file by its number.
    fn tree(&self, number: u32) -> Option<Tree<'t>> {
        let piece_len = self.content.geometry.full_piece_len();
        let pieces_of =
            |len: u64| usize::try_from(len.div_ceil(u64::from(piece_len).max(1))).unwrap_or(0);
        let (root, first, len) = if let Some(Root(root)) = self.root {
            (*root, 0, self.content.geometry.total())
        } else {
            let file = self.content.geometry.files().get(slot(number))?;
            (file.root, file.first.slot(), file.len)
        };
        let before = self.content.geometry.files().iter().take(slot(number));
        let before = before.map(|file| pieces_of(file.len).div_ceil(RUN)).sum();
        let blocks = slot(piece_len / BLOCK_LEN);
        let of = |nodes: &'t [MerkleHash], start: usize, len: usize| {
            nodes.get(start..start.saturating_add(len)).unwrap_or_default()
        };
        let leaves = usize::try_from(len.div_ceil(BLOCK_LEN.into())).unwrap_or(usize::MAX);
        let pieces = pieces_of(len);
        Some(Tree {
            root,
            height: piece_height(piece_len),
            pieces: of(self.content.hashes.layer().hashes(), first, pieces),
            leaves: of(self.content.leaves, first.saturating_mul(blocks), leaves),
            runs: of(self.content.runs, before, pieces.div_ceil(RUN)),
        })
    }
}

impl<'t> Tree<'t> {
    /// Returns the layer out of which a request can be answered, and its height; `None` rejects it.
    fn layer(&self, range: &HashRange) -> Option<(&'t [MerkleHash], u8)> {
        let height = u8::try_from(range.base).ok()?;
        let layer = match height {
            height if height == self.height => self.pieces,
            0 => self.leaves,
            _ => return None,
        };
        let padded = count(layer.len()).checked_next_power_of_two().filter(|_| layer.len() > 1)?;
        let within = range.index.checked_add(range.length)? <= padded
            && range.length <= MOST
            && range.proof_layers < padded.ilog2();
        (within && self.is_proved(range) && self.is_known(range, layer)).then_some((layer, height))
    }

    /// Returns whether a proof takes bounded time: of the pieces, with the nodes above runs of them, and of
    /// the leaves of a piece.
    fn is_proved(&self, range: &HashRange) -> bool {
        let above = if self.runs.is_empty() { self.pieces.len() } else { self.runs.len() };
        let short = slot(range.uncles()) <= UNCLES && self.leaves_of_piece() <= PROVED;
        range.uncles() == 0 || short && above <= PROVED
    }

    /// Returns the number of nodes that an answer takes, in units of 1,024, rounded up.
    fn cost(&self, range: &HashRange) -> u8 {
        let proof = if range.uncles() == 0 {
            0
        } else if self.runs.is_empty() {
            self.pieces.len()
        } else {
            self.runs.len().saturating_add(RUN)
        };
        let leaves = if range.base == 0 { self.leaves_of_piece() } else { 0 };
        let nodes = proof.saturating_add(leaves).saturating_add(slot(range.length));
        u8::try_from(nodes.div_ceil(1_024)).unwrap_or(u8::MAX)
    }

    /// Returns whether the leaves of all pieces in question are known; those of zeros are not.
    fn is_known(&self, range: &HashRange, layer: &[MerkleHash]) -> bool {
        if range.base == u32::from(self.height) {
            return true;
        }
        let blocks = self.leaves_of_piece().max(1);
        let start = slot(range.index);
        let end = slot(range.index.saturating_add(range.length));
        let start = start.saturating_sub(start.checked_rem(blocks).unwrap_or(0));
        let end = end.checked_next_multiple_of(blocks).unwrap_or(usize::MAX).min(layer.len());
        layer.get(start..end).is_some_and(|leaves| leaves.iter().all(|leaf| *leaf != [0; 32]))
    }

    fn leaves_of_piece(&self) -> usize {
        1_usize.checked_shl(self.height.into()).unwrap_or(usize::MAX)
    }

    /// Returns a node at a height above the leaves by its number.
    fn node(&self, height: u8, index: usize) -> MerkleHash {
        let run = run_height(self.height);
        if height < self.height {
            node(self.leaves, 0, height, index)
        } else if height < run || self.runs.is_empty() {
            node(self.pieces, self.height, height, index)
        } else {
            node(self.runs, run, height, index)
        }
    }
}

/// Writes the answer to a request for hashes, and takes its cost from the budget. Above that it is a reject.
pub(super) fn answer_hashes(
    asked: &RequestSlot,
    trees: Trees<'_>,
    budget: &mut u8,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let tree = trees.tree(asked.file());
    let range = asked.range(tree.as_ref().map_or([0; 32], |tree| tree.root));
    let serves = tree.and_then(|tree| {
        let left = budget.checked_sub(tree.cost(&range))?;
        Some((tree.layer(&range)?, tree, left))
    });
    let Some(((layer, height), tree, left)) = serves else {
        return HashMessage::Reject(range).encode(buf);
    };
    // The header of the message, then its hashes.
    let start = slot(range.index);
    let length = slot(range.length);
    let total = length.saturating_add(slot(range.uncles()));
    let needed = HashMessage::Request(range).encoded_len().saturating_add(total.saturating_mul(32));
    let room = buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    *budget = left;
    let head = HashMessage::Hashes(range, &[]).encode(room)?;
    let (front, body) = room.split_at_mut_checked(head).unwrap_or_default();
    if let Some((prefix, _)) = front.split_first_chunk_mut::<4>() {
        let len = count(needed.saturating_sub(4));
        *prefix = len.to_be_bytes();
    }
    let (run, uncles) =
        body.as_chunks_mut::<32>().0.split_at_mut_checked(length).unwrap_or_default();
    let pad = pad_hash(height);
    for (to, at) in run.iter_mut().zip(start..) {
        *to = layer.get(at).copied().unwrap_or(pad);
    }
    // The siblings of the run, then of what is above it, and so on.
    let levels = u8::try_from(range.length.ilog2()).unwrap_or(u8::MAX);
    let mut level = height.saturating_add(levels);
    let mut place = start >> levels;
    for uncle in uncles {
        *uncle = tree.node(level, place ^ 1);
        level = level.saturating_add(1);
        place >>= 1;
    }
    Ok(needed)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests;
