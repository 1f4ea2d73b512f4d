//! The piece layer of a v2 torrent, which its info dictionary does not hold (BEP 52, "hash request").

use core::time::Duration;

use crate::id::ConnId;
use crate::index::slot;
use crate::merkle::{MerkleHash, pad_hash, piece_height, proof_root, slice_root};
use crate::wire::hashes::HashRange;

/// The most hashes in a request, as BEP 52 asks for.
const MOST: u32 = 512;

/// What is wanted of a layer, and what has come.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    root: MerkleHash,
    pub(super) pieces: u32,
    height: u8, // of the layer above the leaves
    padded: u32,
    length: u32,           // of each run
    pub(super) next: u32,  // the run that is to come
    pub(super) asked: u32, // the runs before this one were asked for
    pub(super) source: Option<ConnId>,
    pub(super) since: Duration,
}

impl Layer {
    /// Begins; `None` if a file of so few pieces has no layer.
    pub(super) fn new(root: MerkleHash, pieces: u32, piece_len: u32) -> Option<Self> {
        let padded = pieces.checked_next_power_of_two().filter(|padded| *padded >= 2)?;
        Some(Self {
            root,
            pieces,
            height: piece_height(piece_len),
            padded,
            length: padded.min(MOST),
            next: 0,
            asked: 0,
            source: None,
            since: Duration::ZERO,
        })
    }

    pub(super) fn runs(&self) -> u32 {
        self.pieces.div_ceil(self.length.max(1))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.next >= self.runs()
    }

    /// Returns the request for a run.
    pub(super) fn range(&self, run: u32) -> HashRange {
        HashRange {
            root: self.root,
            base: u32::from(self.height),
            index: run.saturating_mul(self.length),
            length: self.length,
            proof_layers: self.padded.max(1).ilog2().saturating_sub(1),
        }
    }

    /// Processes the hashes of the next run; returns whether they lead to the root.
    pub(super) fn take(&mut self, hashes: &[MerkleHash], buffer: &mut [u8]) -> bool {
        let range = self.range(self.next);
        let Some((run, uncles)) = hashes.split_at_checked(slot(self.length)) else { return false };
        if uncles.len() != slot(range.uncles()) {
            return false;
        }
        let node = slice_root(run, pad_hash(self.height));
        if proof_root(node, u64::from(self.next), uncles) != self.root {
            return false;
        }
        let start = slot(range.index);
        let end = start.saturating_add(run.len()).min(slot(self.pieces));
        let room = buffer.as_chunks_mut::<32>().0.get_mut(start..end).unwrap_or_default();
        room.iter_mut().zip(run).for_each(|(to, hash)| *to = *hash);
        self.next = self.next.saturating_add(1);
        true
    }
}
