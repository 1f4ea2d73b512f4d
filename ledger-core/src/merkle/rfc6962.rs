//! RFC 6962 / RFC 9162 Merkle trees in constant space, and proofs that come from an enemy.

use super::error::ProofError;
use super::head::TreeHead;
use super::node::{self, node};
use super::peaks::{Peaks, ROWS, root_of, root_of_peaks};
use super::siblings::Siblings;
use crate::hash::Hash;

/// The root of a growing list of leaves, in constant space: 2 KiB.
///
/// Holds one subtree root per bit that is set in the number of leaves.
///
/// ```
/// use ledger_core::{MerkleTree, prove_inclusion};
///
/// let leaves = [b"a", b"b", b"c"].map(|content| MerkleTree::leaf(content));
/// let mut tree = MerkleTree::new();
/// leaves.iter().for_each(|leaf| tree.push(*leaf));
///
/// let mut path = [ledger_core::Hash::ZERO; 64];
/// let proof = prove_inclusion(&leaves, 1, &mut path)?;
/// assert_eq!(proof.verify(&tree.head(), &leaves[1]), Ok(()));
/// # Ok::<(), ledger_core::ProofError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerkleTree(Peaks<ROWS>);

/// A proof that a leaf stands in a tree (RFC 9162, section 2.1.3).
///
/// It does not carry the size of the tree, which is part of the trusted [`TreeHead`]: leaf 2 of 3 verifies as leaf 1 of 2
/// with the same root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Inclusion<'a> {
    /// The position of the leaf, from 0.
    pub index: u64,
    /// The siblings on the way from the leaf to the root.
    pub path: &'a [Hash],
}

/// A proof that a smaller tree is the beginning of a larger one (RFC 9162, section 2.1.4). No proof begins at the empty
/// tree.
///
/// ```
/// use ledger_core::{MerkleTree, TreeHead, prove_consistency};
///
/// let leaves = [b"a", b"b", b"c"].map(|content| MerkleTree::leaf(content));
/// let head = |size: usize| TreeHead { size: size as u64, root: MerkleTree::root_of(&leaves[..size]) };
///
/// let mut path = [ledger_core::Hash::ZERO; 64];
/// let proof = prove_consistency(&leaves, 2, &mut path)?;
/// assert_eq!(proof.verify(&head(2), &head(3)), Ok(())); // nothing was changed, one leaf was appended
/// # Ok::<(), ledger_core::ProofError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Consistency<'a> {
    /// The nodes that lead to both roots.
    pub path: &'a [Hash],
}

impl MerkleTree {
    /// The tree without leaves, whose root is the SHA-256 of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Peaks::new())
    }

    /// Returns the tree of one leaf.
    pub(crate) fn of_leaf(leaf: Hash) -> Self {
        Self::of_peaks(1, &|_| leaf)
    }

    /// Returns the roots of the complete subtrees, the largest one first.
    pub(crate) fn peaks(&self) -> &[Hash] {
        self.0.as_slice()
    }

    /// Returns the tree with `count` leaves. `peak` returns the roots of its complete subtrees, the largest one first. There is
    /// one for each bit of `count`.
    pub(crate) fn of_peaks(count: u64, peak: &dyn Fn(usize) -> Hash) -> Self {
        Self(Peaks::of(count, peak))
    }

    /// Returns the same tree from the roots in the opposite order.
    pub(crate) fn from_smallest_peaks(count: u64, peaks: impl Iterator<Item = Hash>) -> Self {
        let mut tree = Self::new();
        tree.0.set(count, peaks);
        tree
    }

    /// Returns the root over complete subtrees with these roots, the smallest one first.
    pub(crate) fn root_of_peaks(smallest_first: impl Iterator<Item = Hash>) -> Hash {
        root_of_peaks(smallest_first)
    }

    /// Returns the root of the smallest complete subtree that ends with `leaf`, the first after `count` leaves. `peaks` are
    /// the roots of their complete subtrees, the smallest one first.
    pub(crate) fn last_peak(count: u64, peaks: impl Iterator<Item = Hash>, leaf: Hash) -> Hash {
        let inside = usize::try_from(count.trailing_ones()).unwrap_or(usize::MAX);
        peaks.take(inside).fold(leaf, |right, left| node(&left, &right))
    }

    /// Returns the hash of a leaf with this content.
    #[must_use]
    pub fn leaf(content: &[u8]) -> Hash {
        node::leaf(content)
    }

    /// Returns the root over leaf hashes.
    #[must_use]
    pub fn root_of(leaves: &[Hash]) -> Hash {
        root_of(leaves)
    }

    /// Adds a leaf, given by its [hash](Self::leaf).
    pub fn push(&mut self, leaf: Hash) {
        self.0.push(leaf);
    }

    /// Returns the root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.0.root()
    }

    /// Returns the size and the root.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.0.head()
    }

    /// Returns the number of leaves.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.0.len()
    }

    /// Returns whether there is no leaf.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for MerkleTree {
    fn default() -> Self {
        Self::new()
    }
}

impl Inclusion<'_> {
    /// Returns how many nodes prove leaf `index` of `size`, or `None` outside of the tree.
    #[must_use]
    pub fn path_len(index: u64, size: u64) -> Option<usize> {
        let last = size.checked_sub(1).filter(|last| index <= *last)?;
        let inner = u64::BITS.saturating_sub((index ^ last).leading_zeros());
        let border = index.checked_shr(inner).map_or(0, u64::count_ones);
        usize::try_from(inner.saturating_add(border)).ok()
    }

    /// Checks that the leaf with this hash stands in the tree with this head.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if it is not proved. Nothing is hashed when the length is wrong.
    pub fn verify(&self, head: &TreeHead, leaf: &Hash) -> Result<(), ProofError> {
        let index = self.index;
        let size = head.size;
        let expected = Self::path_len(index, size).ok_or(ProofError::OutOfRange { index, size })?;
        check_len(expected, self.path)?;
        let mut place = Place { node: index, last: size.saturating_sub(1) };
        let found = self.path.iter().fold(*leaf, |hash, sibling| {
            let left = place.sibling_is_left();
            place.climb();
            if left { node(sibling, &hash) } else { node(&hash, sibling) }
        });
        if found == head.root { Ok(()) } else { Err(ProofError::WrongRoot) }
    }
}

impl Consistency<'_> {
    /// Checks that the tree with the second head continues the one with the first.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if it is not proved. Nothing is hashed when the length is wrong.
    pub fn verify(&self, first: &TreeHead, second: &TreeHead) -> Result<(), ProofError> {
        let TreeHead { size: first, root: first_root } = *first;
        let TreeHead { size: second, root: second_root } = *second;
        if first == 0 || first > second {
            return Err(ProofError::WrongSizes { first, second });
        }
        let mut place = Place { node: first.wrapping_sub(1), last: second.wrapping_sub(1) };
        place.skip_complete();
        check_len(consistency_len(place, first, second), self.path)?;
        // A first tree that is complete is its own first node, and so is left out of the proof.
        let (start, rest) = match self.path.split_first() {
            Some((start, rest)) if !first.is_power_of_two() => (start, rest),
            _ => (&first_root, self.path),
        };
        let mut one = *start;
        let mut two = *start;
        for sibling in rest {
            if place.sibling_is_left() {
                one = node(sibling, &one);
                two = node(sibling, &two);
            } else {
                two = node(&two, sibling);
            }
            place.climb();
        }
        if one == first_root && two == second_root { Ok(()) } else { Err(ProofError::WrongRoot) }
    }
}

/// Writes the proof that leaf `index` stands among `leaves`, given by their hashes, into `out`.
///
/// 64 nodes suffice for any tree.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] outside of the tree; [`ProofError::WrongLength`] if `out` is too short.
pub fn prove_inclusion<'o>(
    leaves: &[Hash],
    index: usize,
    out: &'o mut [Hash],
) -> Result<Inclusion<'o>, ProofError> {
    let position = to_u64(index);
    let size = to_u64(leaves.len());
    let mut sibling = Siblings::new(out);
    let mut below = leaves;
    let mut at = index;
    if at >= below.len() {
        return Err(ProofError::OutOfRange { index: position, size });
    }
    while let Some((left, right)) = split(below) {
        if at < left.len() {
            sibling.push(MerkleTree::root_of(right));
            below = left;
        } else {
            sibling.push(MerkleTree::root_of(left));
            at = at.saturating_sub(left.len());
            below = right;
        }
    }
    Ok(Inclusion { index: position, path: sibling.finish()? })
}

/// Writes the proof that the first `first` of `leaves`, given by their hashes, are a beginning of all
/// of them into `out`.
///
/// 65 nodes suffice for any tree.
///
/// # Errors
///
/// [`ProofError::WrongSizes`] if there is none; [`ProofError::WrongLength`] if `out` is too short.
pub fn prove_consistency<'o>(
    leaves: &[Hash],
    first: usize,
    out: &'o mut [Hash],
) -> Result<Consistency<'o>, ProofError> {
    let size = to_u64(first);
    let second = to_u64(leaves.len());
    if first == 0 || first > leaves.len() {
        return Err(ProofError::WrongSizes { first: size, second });
    }
    let mut sibling = Siblings::new(out);
    let mut below = leaves;
    let mut rest = first;
    let mut whole = true;
    while let Some((left, right)) = split(below).filter(|_| rest < below.len()) {
        if rest <= left.len() {
            sibling.push(MerkleTree::root_of(right));
            below = left;
        } else {
            sibling.push(MerkleTree::root_of(left));
            rest = rest.saturating_sub(left.len());
            below = right;
            whole = false;
        }
    }
    if !whole {
        sibling.push(MerkleTree::root_of(below));
    }
    Ok(Consistency { path: sibling.finish()? })
}

/// Where a proof stands: a node and the last node of its level.
#[derive(Debug, Clone, Copy)]
struct Place {
    node: u64,
    last: u64,
}

impl Place {
    fn sibling_is_left(self) -> bool {
        self.node & 1 == 1 || self.node == self.last
    }

    /// Goes up one level, and past the levels where the node has no sibling.
    fn climb(&mut self) {
        if self.sibling_is_left() {
            while self.node & 1 == 0 && self.node != 0 {
                self.shift();
            }
        }
        self.shift();
    }

    /// Goes up to the root of the largest complete subtree that ends here.
    fn skip_complete(&mut self) {
        while self.node & 1 == 1 {
            self.shift();
        }
    }

    fn shift(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }
}

/// Returns how many nodes lead from `first` to `second` leaves, `place` being where the proof starts.
fn consistency_len(mut place: Place, first: u64, second: u64) -> usize {
    let mut len = usize::from(first != second && !first.is_power_of_two());
    while place.last > 0 && first != second {
        place.climb();
        len = len.saturating_add(1);
    }
    len
}

pub(super) fn check_len(expected: usize, path: &[Hash]) -> Result<(), ProofError> {
    let found = path.len();
    if found == expected { Ok(()) } else { Err(ProofError::WrongLength { expected, found }) }
}

/// Splits at the largest power of two below the length; one leaf does not split.
pub(super) fn split(leaves: &[Hash]) -> Option<(&[Hash], &[Hash])> {
    if leaves.len() < 2 {
        return None;
    }
    leaves.split_at_checked(leaves.len().div_ceil(2).next_power_of_two())
}

pub(super) fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
