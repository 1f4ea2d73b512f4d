//! One proof for several leaves of an RFC 6962 tree: nodes that the paths share are sent once.

use super::error::ProofError;
use super::head::TreeHead;
use super::node::node;
use super::rfc6962::{MerkleTree, check_len, to_u64};
use crate::hash::Hash;

/// A proof that several leaves stand in one tree: the roots of the largest subtrees without any of them, from left to
/// right.
///
/// ```
/// use ledger_core::merkle::{MerkleTree, TreeHead, prove_multiple};
///
/// let leaves: Vec<_> = (0..100_u8).map(|i| MerkleTree::leaf(&[i])).collect();
/// let head = TreeHead { size: 100, root: MerkleTree::root_of(&leaves) };
///
/// let mut path = [Default::default(); 16];
/// let proof = prove_multiple(&leaves, &[3, 4, 90], &mut path)?;
/// assert_eq!(proof.path.len(), 13); // three single proofs have 21 nodes
/// proof.verify(&head, &[(3, leaves[3]), (4, leaves[4]), (90, leaves[90])])?;
/// # Ok::<(), ledger_core::merkle::ProofError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Multiproof<'a> {
    /// The roots of the subtrees without a proved leaf, from left to right.
    pub path: &'a [Hash],
}

impl Multiproof<'_> {
    /// Returns how many nodes prove the leaves at these ascending positions of a tree of `size` leaves.
    ///
    /// # Errors
    ///
    /// [`ProofError::NoLeaves`], [`ProofError::NotAscending`] or [`ProofError::OutOfRange`].
    pub fn path_len(indices: &[u64], size: u64) -> Result<usize, ProofError> {
        check_indices(indices.iter().copied(), size)?;
        Ok(count(Range { start: 0, len: size }, indices, |index| *index))
    }

    /// Checks that leaves, given by their ascending positions and hashes, stand in a tree.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if it is not proved. Nothing is hashed when the positions or the length are wrong.
    pub fn verify(&self, tree: &TreeHead, leaves: &[(u64, Hash)]) -> Result<(), ProofError> {
        check_indices(leaves.iter().map(|(index, _)| *index), tree.size)?;
        let whole = Range { start: 0, len: tree.size };
        check_len(count(whole, leaves, |(index, _)| *index), self.path)?;
        let mut nodes = self.path.iter();
        if fold(whole, leaves, &mut nodes) == Some(tree.root) {
            Ok(())
        } else {
            Err(ProofError::WrongRoot)
        }
    }
}

/// Writes the proof that the leaves at these ascending positions stand among `leaves`, given by their hashes, into
/// `out`.
///
/// # Errors
///
/// Those of [`Multiproof::path_len`]; [`ProofError::WrongLength`] if `out` is too short.
pub fn prove_multiple<'o>(
    leaves: &[Hash],
    indices: &[u64],
    out: &'o mut [Hash],
) -> Result<Multiproof<'o>, ProofError> {
    let size = to_u64(leaves.len());
    let expected = Multiproof::path_len(indices, size)?;
    let found = out.len();
    let path = out.get_mut(..expected);
    let path = path.ok_or(ProofError::WrongLength { expected, found })?;
    let mut slots = path.iter_mut();
    write(Range { start: 0, len: size }, leaves, indices, &mut slots);
    Ok(Multiproof { path })
}

/// A subtree: `len` leaves from `start`.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: u64,
    len: u64,
}

impl Range {
    /// Splits at the largest power of two below the length; one leaf does not split.
    fn split(self) -> Option<(Self, Self)> {
        let log = self.len.checked_sub(1)?.checked_ilog2()?;
        let half = 1_u64.checked_shl(log)?;
        let right =
            Self { start: self.start.saturating_add(half), len: self.len.saturating_sub(half) };
        Some((Self { start: self.start, len: half }, right))
    }
}

/// Returns how many subtrees below `range` have none of the leaves. It recurses once per level, at most 64 times.
fn count<T>(range: Range, leaves: &[T], index: fn(&T) -> u64) -> usize {
    if leaves.is_empty() {
        return 1;
    }
    let Some((left, right)) = range.split() else { return 0 };
    let (before, behind) =
        leaves.split_at(leaves.partition_point(|leaf| index(leaf) < right.start));
    count(left, before, index).saturating_add(count(right, behind, index))
}

/// Returns the root over `range`, or `None` if a node is missing. It recurses once per level, at most 64 times.
fn fold<'n>(
    range: Range,
    leaves: &[(u64, Hash)],
    nodes: &mut impl Iterator<Item = &'n Hash>,
) -> Option<Hash> {
    if leaves.is_empty() {
        return nodes.next().copied();
    }
    let Some((left, right)) = range.split() else {
        return leaves.first().map(|(_, hash)| *hash);
    };
    let (before, behind) = leaves.split_at(leaves.partition_point(|(at, _)| *at < right.start));
    let left = fold(left, before, nodes)?;
    let right = fold(right, behind, nodes)?;
    Some(node(&left, &right))
}

/// Writes the roots of the subtrees below `range` that have none of the leaves at `indices`.
fn write<'o>(
    range: Range,
    leaves: &[Hash],
    indices: &[u64],
    slots: &mut impl Iterator<Item = &'o mut Hash>,
) {
    if indices.is_empty() {
        if let Some(slot) = slots.next() {
            *slot = MerkleTree::root_of(leaves);
        }
        return;
    }
    let Some((left, right)) = range.split() else { return };
    let half = usize::try_from(left.len).unwrap_or(usize::MAX).min(leaves.len());
    let (left_leaves, right_leaves) = leaves.split_at(half);
    let (before, behind) = indices.split_at(indices.partition_point(|at| *at < right.start));
    write(left, left_leaves, before, slots);
    write(right, right_leaves, behind, slots);
}

fn check_indices(indices: impl Iterator<Item = u64>, size: u64) -> Result<(), ProofError> {
    let mut previous = None;
    for (position, index) in indices.enumerate() {
        if index >= size {
            return Err(ProofError::OutOfRange { index, size });
        }
        if previous.is_some_and(|previous| previous >= index) {
            return Err(ProofError::NotAscending { position });
        }
        previous = Some(index);
    }
    if previous.is_some() { Ok(()) } else { Err(ProofError::NoLeaves) }
}
