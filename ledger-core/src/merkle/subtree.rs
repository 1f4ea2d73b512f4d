//! Subtrees of RFC 6962 trees: aligned ranges of leaves whose roots can be proved to belong to a larger tree.

use super::error::ProofError;
use super::head::TreeHead;
use super::node::node;
use super::rfc6962::{Inclusion, MerkleTree, check_len, prove_inclusion, split, to_u64};
use super::siblings::Siblings;
use crate::hash::Hash;

/// A range of leaves that is a node, or a border of nodes, of every larger tree: its start is a multiple of the
/// smallest power of two that is not below its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Subtree {
    start: u64,
    end: u64,
}

/// A proof that a leaf stands in a subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct SubtreeInclusion<'a> {
    /// The subtree.
    pub subtree: Subtree,
    /// The position of the leaf in the whole tree, from 0.
    pub index: u64,
    /// The siblings on the way from the leaf to the root of the subtree.
    pub path: &'a [Hash],
}

/// A proof that a subtree belongs to a tree.
///
/// ```
/// use ledger_core::merkle::{MerkleTree, Subtree, TreeHead, prove_subtree_consistency};
///
/// let leaves: Vec<_> = (0..13_u8).map(|i| MerkleTree::leaf(&[i])).collect();
/// let head = TreeHead { size: 13, root: MerkleTree::root_of(&leaves) };
///
/// let subtree = Subtree::new(4, 8)?;
/// let mut path = [Default::default(); 65];
/// let proof = prove_subtree_consistency(&leaves, subtree, &mut path)?;
/// proof.verify(&head, &MerkleTree::root_of(&leaves[4..8]))?;
/// # Ok::<(), ledger_core::merkle::ProofError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct SubtreeConsistency<'a> {
    /// The subtree.
    pub subtree: Subtree,
    /// The nodes that lead to both roots.
    pub path: &'a [Hash],
}

impl Subtree {
    /// Returns the subtree of leaves `start..end`.
    ///
    /// # Errors
    ///
    /// [`ProofError::InvalidSubtree`] if `end` is below `start`, or `start` is not a multiple of the smallest power of
    /// two that is not below the length.
    pub const fn new(start: u64, end: u64) -> Result<Self, ProofError> {
        let invalid = ProofError::InvalidSubtree { start, end };
        let Some(len) = end.checked_sub(start) else { return Err(invalid) };
        // A length above 2^63 has no such power in 64 bits; then only a start of 0 is a multiple.
        let aligned = match len.checked_next_power_of_two() {
            Some(width) => start & width.wrapping_sub(1) == 0,
            None => start == 0,
        };
        if aligned { Ok(Self { start, end }) } else { Err(invalid) }
    }

    /// Returns the position of the first leaf.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Returns the position behind the last leaf.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Returns the number of leaves.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Returns whether there are no leaves.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

impl SubtreeInclusion<'_> {
    /// Checks that the leaf with this hash stands in the subtree with this root.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if it is not proved. Nothing is hashed when the length is wrong.
    pub fn verify(&self, subtree_root: &Hash, leaf: &Hash) -> Result<(), ProofError> {
        let size = self.subtree.len();
        let out_of_range = ProofError::OutOfRange { index: self.index, size: self.subtree.end };
        let index = self.index.checked_sub(self.subtree.start).filter(|index| *index < size);
        let index = index.ok_or(out_of_range)?;
        let head = TreeHead { size, root: *subtree_root };
        Inclusion { index, path: self.path }.verify(&head, leaf)
    }
}

impl SubtreeConsistency<'_> {
    /// Checks that the subtree with this root belongs to a tree.
    ///
    /// The root of an empty subtree is the SHA-256 of nothing; it belongs to every tree that is large enough.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if it is not proved. Nothing is hashed when the length is wrong.
    pub fn verify(&self, tree: &TreeHead, subtree_root: &Hash) -> Result<(), ProofError> {
        let Subtree { start, end } = self.subtree;
        if end > tree.size {
            return Err(ProofError::WrongSizes { first: end, second: tree.size });
        }
        if self.subtree.is_empty() {
            check_len(0, self.path)?;
            return equal(Hash::of(&[]) == *subtree_root);
        }
        let mut border = Border::new(start, end, tree.size);
        check_len(border.proof_len(), self.path)?;
        // A subtree that is one node of the tree is its own first node, and so is left out of the proof.
        let (first, rest) = match self.path.split_first() {
            Some((first, rest)) if !border.is_node() => (first, rest),
            _ => (subtree_root, self.path),
        };
        let mut one = *first;
        let mut two = *first;
        for sibling in rest {
            if border.sibling_is_left() {
                if !border.is_node() {
                    one = node(sibling, &one);
                }
                two = node(sibling, &two);
            } else {
                two = node(&two, sibling);
            }
            border.climb();
        }
        equal(one == *subtree_root && two == tree.root)
    }
}

/// Writes the proof that leaf `index` stands in `subtree` of the tree over `leaves`, given by their hashes, into `out`.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] outside of the subtree or the tree; [`ProofError::WrongLength`] if `out` is too short.
pub fn prove_subtree_inclusion<'o>(
    leaves: &[Hash],
    subtree: Subtree,
    index: u64,
    out: &'o mut [Hash],
) -> Result<SubtreeInclusion<'o>, ProofError> {
    let out_of_range =
        ProofError::OutOfRange { index, size: subtree.end.min(to_u64(leaves.len())) };
    let below = below(leaves, subtree).ok_or(out_of_range)?;
    let at = index.checked_sub(subtree.start).and_then(|at| usize::try_from(at).ok());
    let at = at.filter(|at| *at < below.len()).ok_or(out_of_range)?;
    let path = prove_inclusion(below, at, out)?.path;
    Ok(SubtreeInclusion { subtree, index, path })
}

/// Writes the proof that `subtree` belongs to the tree over `leaves`, given by their hashes, into `out`.
///
/// 65 nodes suffice for any tree.
///
/// # Errors
///
/// [`ProofError::WrongSizes`] if it does not; [`ProofError::WrongLength`] if `out` is too short.
pub fn prove_subtree_consistency<'o>(
    leaves: &[Hash],
    subtree: Subtree,
    out: &'o mut [Hash],
) -> Result<SubtreeConsistency<'o>, ProofError> {
    let wrong = ProofError::WrongSizes { first: subtree.end, second: to_u64(leaves.len()) };
    let mut rest = below(leaves, subtree).ok_or(wrong)?.len();
    let mut skip = usize::try_from(subtree.start).map_err(|_| wrong)?;
    let mut siblings = Siblings::new(out);
    let mut below = if subtree.is_empty() { &[] } else { leaves };
    let mut is_whole = true;
    while let Some((left, right)) = split(below).filter(|_| rest < below.len()) {
        if skip >= left.len() {
            siblings.push(MerkleTree::root_of(left));
            skip = skip.saturating_sub(left.len());
            below = right;
        } else if skip.saturating_add(rest) <= left.len() {
            siblings.push(MerkleTree::root_of(right));
            below = left;
        } else {
            siblings.push(MerkleTree::root_of(left));
            rest = rest.saturating_sub(left.len());
            below = right;
            is_whole = false;
        }
    }
    if !is_whole {
        siblings.push(MerkleTree::root_of(below));
    }
    Ok(SubtreeConsistency { subtree, path: siblings.finish()? })
}

/// The three nodes of a level that a proof goes by: the first and the last of the subtree, and the last of the tree.
#[derive(Debug, Clone, Copy)]
struct Border {
    first: u64,
    last: u64,
    tree_last: u64,
}

impl Border {
    /// Goes up to the root of the largest complete subtree that ends where the subtree ends. `end` is above `start`.
    fn new(start: u64, end: u64, size: u64) -> Self {
        let last = end.saturating_sub(1);
        let mut border = Self { first: start, last, tree_last: size.saturating_sub(1) };
        let ends_together = end == size;
        while !border.is_node() && (ends_together || border.last & 1 == 1) {
            border.shift();
        }
        border
    }

    /// Returns whether the subtree is a single node of this level.
    fn is_node(self) -> bool {
        self.first == self.last
    }

    fn sibling_is_left(self) -> bool {
        self.last & 1 == 1 || self.last == self.tree_last
    }

    /// Returns the number of nodes of the proof that starts here.
    fn proof_len(mut self) -> usize {
        let mut len = usize::from(!self.is_node());
        while self.tree_last > 0 {
            self.climb();
            len = len.saturating_add(1);
        }
        len
    }

    /// Goes up one level, and past the levels where the node has no sibling.
    fn climb(&mut self) {
        if self.sibling_is_left() {
            while self.last & 1 == 0 && self.last != 0 {
                self.shift();
            }
        }
        self.shift();
    }

    fn shift(&mut self) {
        self.first >>= 1;
        self.last >>= 1;
        self.tree_last >>= 1;
    }
}

/// Returns the leaves of a subtree, or `None` if the tree is too small.
fn below(leaves: &[Hash], subtree: Subtree) -> Option<&[Hash]> {
    leaves.get(usize::try_from(subtree.start).ok()?..usize::try_from(subtree.end).ok()?)
}

fn equal(are_equal: bool) -> Result<(), ProofError> {
    if are_equal { Ok(()) } else { Err(ProofError::WrongRoot) }
}
