//! The roots of the complete subtrees of a growing list of leaves.

use super::head::TreeHead;
use super::levels::HashPairs;
use super::node::node;
use crate::hash::Hash;

/// The number of levels of a tree over a slice.
const SLICE_DEPTH: usize = if cfg!(target_pointer_width = "64") { 64 } else { 32 };

/// The number of levels of a tree over the transactions of a body, whose number is a u32.
pub(crate) const BODY_DEPTH: usize = 32;

/// One root for each bit that is set in the number of leaves, which has at most `N` bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peaks<const N: usize> {
    count: u64,
    depth: usize, // how many entries of `roots` are in use
    roots: [Hash; N],
}

impl<const N: usize> Peaks<N> {
    pub(crate) const fn new() -> Self {
        Self { count: 0, depth: 0, roots: [Hash::ZERO; N] }
    }

    #[inline(never)] // what it needs does not stand on the stack beside its owner
    pub(super) fn of_leaf(leaf: Hash) -> Self {
        let root = |at| if at == 0 { leaf } else { Hash::ZERO };
        Self { count: 1, depth: 1, roots: core::array::from_fn(root) }
    }

    /// Becomes the tree with `count` leaves and these roots, the smallest one first. There is one for each bit of `count`.
    pub(super) fn set(&mut self, count: u64, smallest_first: impl Iterator<Item = Hash>) {
        self.count = count;
        self.depth = usize::try_from(count.count_ones()).unwrap_or(N);
        let places = self.roots.get_mut(..self.depth).unwrap_or_default().iter_mut().rev();
        places.zip(smallest_first).for_each(|(place, peak)| *place = peak);
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.depth = 0;
    }

    /// Returns the roots, the largest subtree first.
    pub(crate) fn as_slice(&self) -> &[Hash] {
        self.roots.get(..self.depth).unwrap_or_default()
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
    fn push_subtree(&mut self, root: Hash, levels: u32) {
        let mut root = root;
        let mut count = self.count.wrapping_shr(levels);
        while count & 1 == 1 {
            self.depth = self.depth.saturating_sub(1);
            root = node(self.roots.get(self.depth).unwrap_or(&Hash::ZERO), &root);
            count >>= 1;
        }
        if let Some(slot) = self.roots.get_mut(self.depth) {
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

/// Returns the root over complete subtrees with these roots, the smallest one first.
pub(super) fn root_of_peaks(mut smallest_first: impl Iterator<Item = Hash>) -> Hash {
    match smallest_first.next() {
        Some(last) => smallest_first.fold(last, |right, left| node(&left, &right)),
        None => Hash::of(&[]),
    }
}

/// Returns the root over leaf hashes.
pub(super) fn root_of(leaves: &[Hash]) -> Hash {
    let mut peaks = Peaks::<SLICE_DEPTH>::new();
    for leaf in leaves {
        peaks.push(*leaf);
    }
    peaks.root()
}
