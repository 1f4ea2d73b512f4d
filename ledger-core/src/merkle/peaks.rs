//! The roots of the complete subtrees of a growing list of leaves.

use super::head::TreeHead;
use super::levels::HashPairs;
use super::node::node;
use crate::hash::Hash;

/// The number of levels in a row.
const ROW: usize = 4;

/// The rows of a tree of any size.
pub(super) const ROWS: usize = 64 / ROW;

/// The rows of a tree over a slice. 2^32 bytes hold 2^27 hashes.
const SLICE_ROWS: usize = if cfg!(target_pointer_width = "64") { ROWS } else { 28 / ROW };

/// The rows of a tree over the transactions of a body, whose number is a u32. 2^32 bytes hold fewer than 2^25 of them, since
/// each takes more than 128 bytes.
pub(crate) const BODY_ROWS: usize = if cfg!(target_pointer_width = "64") { 32 } else { 28 } / ROW;

/// Room for 64 hashes.
pub(crate) type HashRows = [[Hash; ROW]; ROWS];

/// One root for each bit that is set in the number of leaves, which has at most `ROW * N` bits.
///
/// The roots stand in rows: a tree whose rows are results of calls is built where the caller wants it. One that is filled after
/// it was made is built on the stack, and copied.
#[derive(Debug, Clone)]
pub(crate) struct Peaks<const N: usize> {
    count: u64,
    depth: usize, // how many entries of `roots` are in use
    roots: [[Hash; ROW]; N],
}

impl Peaks<ROWS> {
    /// Returns the tree with `count` leaves. `peak` returns the roots, the largest subtree first.
    #[inline(never)] // builds the tree where the caller wants it
    pub(super) fn of(count: u64, peak: &dyn Fn(usize) -> Hash) -> Self {
        let depth = usize::try_from(count.count_ones()).unwrap_or(usize::MAX);
        Self { count, depth, roots: rows_of(peak) }
    }
}

impl<const N: usize> Peaks<N> {
    pub(crate) const fn new() -> Self {
        Self { count: 0, depth: 0, roots: const { [[Hash::ZERO; ROW]; N] } }
    }

    /// Becomes the tree with `count` leaves and these roots, the smallest one first. There is one for each bit of `count`.
    pub(super) fn set(&mut self, count: u64, smallest_first: impl Iterator<Item = Hash>) {
        self.count = count;
        self.depth = usize::try_from(count.count_ones()).unwrap_or(usize::MAX);
        let places = self.roots.as_flattened_mut().get_mut(..self.depth).unwrap_or_default();
        places.iter_mut().rev().zip(smallest_first).for_each(|(place, peak)| *place = peak);
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.depth = 0;
    }

    /// Returns the roots, the largest subtree first.
    pub(crate) fn as_slice(&self) -> &[Hash] {
        self.roots.as_flattened().get(..self.depth).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, leaf: Hash) {
        self.push_subtree(leaf, 0);
    }

    /// Adds leaves, whose subtrees are hashed level by level. Overwrites `leaves`.
    pub(crate) fn push_all(&mut self, leaves: &mut [Hash], hasher: &mut dyn HashPairs) {
        let mut rest = leaves;
        while let Some(largest) = rest.len().checked_ilog2() {
            let levels = self.count.trailing_zeros().min(largest);
            let len = 1_usize.wrapping_shl(levels);
            let Some((subtree, after)) = rest.split_at_mut_checked(len) else { return };
            for level in 0..levels {
                let len = subtree.len().wrapping_shr(level);
                hasher.hash_pairs(subtree.get_mut(..len).unwrap_or_default());
            }
            if let Some(root) = subtree.first() {
                self.push_subtree(*root, levels);
            }
            rest = after;
        }
    }

    /// Adds a complete subtree with this number of levels above its leaves. The number of leaves so far is a multiple of its
    /// own.
    #[inline(never)] // what it needs does not stand on the stack while the roots are joined
    fn push_subtree(&mut self, root: Hash, levels: u32) {
        let mut root = root;
        let mut count = self.count.wrapping_shr(levels);
        while count & 1 == 1 {
            self.depth = self.depth.saturating_sub(1);
            root = node(self.roots.as_flattened().get(self.depth).unwrap_or(&Hash::ZERO), &root);
            count >>= 1;
        }
        if let Some(slot) = self.roots.as_flattened_mut().get_mut(self.depth) {
            *slot = root;
        }
        self.depth = self.depth.saturating_add(1);
        self.count = self.count.saturating_add(1_u64.wrapping_shl(levels));
    }

    pub(crate) fn root(&self) -> Hash {
        root_of_peaks(self.as_slice().iter().rev().copied())
    }

    pub(crate) fn head(&self) -> TreeHead {
        TreeHead { size: self.count, root: self.root() }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.count
    }
}

/// Returns 64 hashes. `hash` returns each of them.
#[inline(never)] // builds the rows where the caller wants them
pub(crate) fn rows_of(hash: &dyn Fn(usize) -> Hash) -> HashRows {
    let row = |row| row_of(hash, row);
    [
        row(0),
        row(1),
        row(2),
        row(3),
        row(4),
        row(5),
        row(6),
        row(7),
        row(8),
        row(9),
        row(10),
        row(11),
        row(12),
        row(13),
        row(14),
        row(15),
    ]
}

#[inline(never)] // builds the row where the caller wants it
fn row_of(hash: &dyn Fn(usize) -> Hash, row: usize) -> [Hash; ROW] {
    let at = row.saturating_mul(ROW);
    [hash(at), hash(at | 1), hash(at | 2), hash(at | 3)]
}

impl<const N: usize> PartialEq for Peaks<N> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.as_slice() == other.as_slice()
    }
}

impl<const N: usize> Eq for Peaks<N> {}

/// Returns the root over complete subtrees with these roots, the smallest one first.
pub(super) fn root_of_peaks(mut smallest_first: impl Iterator<Item = Hash>) -> Hash {
    match smallest_first.next() {
        Some(last) => smallest_first.fold(last, |right, left| node(&left, &right)),
        None => Hash::of(&[]),
    }
}

/// Returns the root over leaf hashes.
pub(super) fn root_of(leaves: &[Hash]) -> Hash {
    let mut peaks = Peaks::<SLICE_ROWS>::new();
    for leaf in leaves {
        peaks.push(*leaf);
    }
    peaks.root()
}
