//! Hashing a tree level by level, for code that can hash many pairs at once.

use super::rfc6962::node;
use crate::hash::Hash;

/// Hashes a level of an RFC 6962 tree into the level above. An implementation may hash many pairs at once.
pub trait HashPairs {
    /// Replaces the first half of `level`, whose length is even, by the hashes over its pairs:
    /// `level[i] = SHA-256(0x01 || level[2 * i] || level[2 * i + 1])`. What the second half then holds is not read.
    fn hash_pairs(&mut self, level: &mut [Hash]);
}

/// Hashes one pair after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to choose")]
pub struct OneByOne;

impl HashPairs for OneByOne {
    fn hash_pairs(&mut self, level: &mut [Hash]) {
        for target in 0..level.len() / 2 {
            let first = target.saturating_mul(2);
            let pair = level.get(first..first.saturating_add(2));
            let Some([left, right]) = pair else { return };
            let hash = node(left, right);
            if let Some(slot) = level.get_mut(target) {
                *slot = hash;
            }
        }
    }
}

impl<H: HashPairs + ?Sized> HashPairs for &mut H {
    fn hash_pairs(&mut self, level: &mut [Hash]) {
        (**self).hash_pairs(level);
    }
}

/// Returns the RFC 6962 root over leaf hashes, whole levels at a time. The leaves are overwritten.
///
/// [`MerkleTree`](super::MerkleTree) returns the same root for a stream of leaves, one pair at a time.
///
/// ```
/// use ledger_core::merkle::{MerkleTree, OneByOne, root_by_levels};
///
/// let mut leaves = [b"a", b"b", b"c"].map(|content| MerkleTree::leaf(content));
/// let root = MerkleTree::root_of(&leaves);
/// assert_eq!(root_by_levels(&mut leaves, &mut OneByOne), root);
/// ```
pub fn root_by_levels(leaves: &mut [Hash], pairs: &mut impl HashPairs) -> Hash {
    let mut len = leaves.len();
    while len > 1 {
        let half = len / 2;
        if let Some(level) = leaves.get_mut(..half.saturating_mul(2)) {
            pairs.hash_pairs(level);
        }
        // The last node of a level of odd length moves up as it is.
        if len % 2 == 1 {
            let last = leaves.get(len.saturating_sub(1)).copied();
            if let Some((place, last)) = leaves.get_mut(half).zip(last) {
                *place = last;
            }
        }
        len = len.div_ceil(2);
    }
    leaves.first().copied().unwrap_or_else(|| Hash::of(&[]))
}
