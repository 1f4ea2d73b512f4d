//! The history of the root: the tree of all block ids up to it.

use super::start::Start;
use crate::hash::{BlockId, Hash};
use crate::merkle::MerkleTree;

/// The tree of the ids before the root, and what the id of the root adds to it. A snapshot needs the one, the next header
/// the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct History {
    pub(super) before: MerkleTree,
    last: Hash, // root of the smallest complete subtree that ends with the root
}

impl History {
    /// Returns the history up to the first root of a node.
    #[inline(never)] // builds the history where the caller wants it
    pub(super) fn new(start: &Start<'_>) -> Self {
        let count = start.tip.height.0;
        let leaf = MerkleTree::leaf(start.tip.id.as_bytes());
        let last = MerkleTree::last_peak(count, start.peaks.smallest_first(), leaf);
        Self { before: MerkleTree::of_peaks(count, &|at| start.peaks.get(at)), last }
    }

    /// Moves on from the root to a child.
    pub(super) fn push(&mut self, root: &BlockId, child: &BlockId) {
        self.before.push(MerkleTree::leaf(root.as_bytes()));
        self.set_last(child);
    }

    fn set_last(&mut self, id: &BlockId) {
        let peaks = self.before.peaks().iter().rev().copied();
        let leaf = MerkleTree::leaf(id.as_bytes());
        self.last = MerkleTree::last_peak(self.before.len(), peaks, leaf);
    }

    /// Returns the number of complete subtrees up to the root.
    pub(super) fn peak_count(&self) -> usize {
        usize::try_from(self.before.len().saturating_add(1).count_ones()).unwrap_or(0)
    }

    /// Returns the roots of the complete subtrees up to the root, the smallest one first.
    pub(super) fn peaks(&self) -> impl Iterator<Item = Hash> + '_ {
        let inside = usize::try_from(self.before.len().trailing_ones()).unwrap_or(0);
        let larger = self.before.peaks().iter().rev().skip(inside).copied();
        core::iter::once(self.last).chain(larger)
    }
}
