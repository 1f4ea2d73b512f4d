//! The hashes of a tree, computed from the bytes of a file or from a row of nodes.

use core::fmt;

use tiger::{Digest as _, Tiger};

use crate::huge::TigerRoot;

/// How many bytes of the file a leaf covers.
pub const SEGMENT: usize = 1_024;

/// The hash of a part of a file: 24 bytes as they stand in a serialised tree.
pub type Node = [u8; 24];

/// More rows than a file of 2^64 bytes has.
const ROWS: usize = 56;

/// Returns the node above two nodes.
#[must_use]
pub fn parent(left: &Node, right: &Node) -> Node {
    let mut hasher = Tiger::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// Combines fewer than 2^N nodes of one row, from left to right, into the node above them all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fold<const N: usize> {
    count: u64,
    peaks: [Node; N], // of the last complete subtree of row n; unpaired if bit n of `count` is set
}

impl<const N: usize> Fold<N> {
    pub(crate) const fn new() -> Self {
        Self { count: 0, peaks: [[0; 24]; N] }
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn push(&mut self, node: Node) {
        let mut node = node;
        let complete = self.count.trailing_ones();
        let complete = usize::try_from(complete).unwrap_or(N);
        for peak in self.peaks.iter_mut().take(complete) {
            let left = core::mem::replace(peak, node);
            node = parent(&left, &node);
        }
        if let Some(peak) = self.peaks.get_mut(complete) {
            *peak = node;
        }
        self.count = self.count.saturating_add(1);
    }

    /// Returns the node above all; `None` without nodes.
    pub(crate) fn root(&self) -> Option<Node> {
        self.above(N)
    }

    /// Divides the nodes into groups of 2^`row`, and returns the node above the last group, which may
    /// have fewer.
    pub(crate) fn last(&self, row: usize) -> Option<Node> {
        self.above(row).or_else(|| self.peaks.get(row).copied())
    }

    /// Combines the subtrees of the first rows.
    fn above(&self, rows: usize) -> Option<Node> {
        let peaks = (0_u32..).zip(&self.peaks).take(rows);
        let used = peaks.filter(|(row, _)| self.count >> row & 1 == 1);
        used.map(|(_, peak)| *peak).reduce(|right, left| parent(&left, &right))
    }
}

impl<const N: usize> fmt::Debug for Fold<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fold").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Hashes the bytes of a file, or of a part that begins at a multiple of its length, which is a power
/// of two of segments.
#[derive(Debug, Clone)]
pub struct TreeHasher {
    leaf: Tiger,
    filled: usize,
    fold: Fold<ROWS>,
}

impl TreeHasher {
    /// Begins with no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self { leaf: begin_leaf(), filled: 0, fold: Fold::new() }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = SEGMENT.saturating_sub(self.filled);
            let (part, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            self.leaf.update(part);
            self.filled = self.filled.saturating_add(part.len());
            rest = after;
            if self.filled == SEGMENT {
                self.finish_leaf();
            }
        }
    }

    /// Returns the root over all bytes. Without bytes it is that of the empty file.
    #[must_use]
    pub fn finish(mut self) -> TigerRoot {
        if self.filled > 0 || self.fold.count() == 0 {
            self.finish_leaf();
        }
        TigerRoot(self.fold.root().unwrap_or_default())
    }

    fn finish_leaf(&mut self) {
        let leaf = core::mem::replace(&mut self.leaf, begin_leaf());
        self.fold.push(leaf.finalize().into());
        self.filled = 0;
    }
}

impl Default for TreeHasher {
    fn default() -> Self {
        Self::new()
    }
}

fn begin_leaf() -> Tiger {
    let mut leaf = Tiger::new();
    leaf.update([0]);
    leaf
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test panics when it fails"
)]
mod tests {
    use super::{Fold, Node, parent};

    /// Row by row: pairs have a node above them, and a node without a pair moves up as it is.
    fn root_of(nodes: &[Node]) -> Option<Node> {
        let mut rows = [[0; 24]; 40];
        let mut len = nodes.len();
        rows.get_mut(..len)?.copy_from_slice(nodes);
        while len > 1 {
            for pair in 0..len.div_ceil(2) {
                let left = rows[2 * pair];
                let has_right = 2 * pair + 1 < len;
                rows[pair] = if has_right { parent(&left, &rows[2 * pair + 1]) } else { left };
            }
            len = len.div_ceil(2);
        }
        rows.first().copied()
    }

    #[test]
    fn a_fold_has_the_node_above_all_and_above_the_last_group() {
        let nodes: [Node; 40] = core::array::from_fn(|at| [u8::try_from(at).unwrap(); 24]);
        let mut fold = Fold::<6>::new();
        assert_eq!(fold.root(), None);
        for (at, node) in nodes.iter().enumerate() {
            fold.push(*node);
            assert_eq!(fold.root(), root_of(&nodes[..=at]), "after {at}");
            for row in 0..=5 {
                let begin = at >> row << row;
                let expected = root_of(&nodes[begin..=at]);
                assert_eq!(fold.last(row), expected, "in row {row} after {at}");
            }
        }
    }
}
