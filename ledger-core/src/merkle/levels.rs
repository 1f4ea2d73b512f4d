//! Hashing a tree level by level, for code that can hash many messages at once.

use super::node::{leaf, node, node_message};
use crate::hash::{Hash, TwoBlocks};

/// The number of pairs that are laid out at once.
const GROUP: usize = 16;

/// Hashes many messages at once. An implementation may hash them side by side, as the kernels of `pow` do. A chain or a node
/// gets one by [`WithHasher`](crate::WithHasher).
///
/// ```
/// use ledger_core::Hash;
/// use ledger_core::merkle::{HashPairs, OneByOne, TwoBlocks};
///
/// /// Counts what it hashes.
/// struct Counting(usize);
///
/// impl HashPairs for Counting {
///     fn hash_messages(&mut self, messages: &[TwoBlocks], hashes: &mut [Hash]) {
///         self.0 += messages.len();
///         OneByOne.hash_messages(messages, hashes);
///     }
/// }
///
/// let mut counting = Counting(0);
/// counting.hash_pairs(&mut [Hash::ZERO; 8]);
/// assert_eq!(counting.0, 4);
/// ```
pub trait HashPairs {
    /// Writes the SHA-256 of each message, whose padding is part of it, to the same position in `hashes`. What exceeds
    /// the shorter slice is left alone.
    fn hash_messages(&mut self, messages: &[TwoBlocks], hashes: &mut [Hash]);

    /// Replaces the first half of `level`, a level of an RFC 6962 tree whose length is even, by the hashes over its
    /// pairs: `level[i] = SHA-256(0x01 || level[2 * i] || level[2 * i + 1])`. What the second half then holds is not
    /// read.
    fn hash_pairs(&mut self, level: &mut [Hash]) {
        let mut messages = [[[0; 64]; 2]; GROUP];
        let pairs = level.len() / 2;
        let mut done = 0_usize;
        while done < pairs {
            let from = done.saturating_mul(2);
            let (group, _) = level.get(from..).unwrap_or_default().as_chunks::<2>();
            let mut len = 0_usize;
            for (message, [left, right]) in messages.iter_mut().zip(group) {
                *message = node_message(left, right);
                len = len.saturating_add(1);
            }
            let end = done.saturating_add(len);
            let hashes = level.get_mut(done..end).unwrap_or_default();
            self.hash_messages(messages.get(..len).unwrap_or_default(), hashes);
            done = end;
        }
    }

    /// Writes the [hash of the leaf](super::MerkleTree::leaf) with each content to the same position in `hashes`. What exceeds the
    /// shorter slice is left alone.
    fn hash_leaves(&mut self, contents: &[&[u8]], hashes: &mut [Hash]) {
        for (content, hash) in contents.iter().zip(hashes) {
            *hash = leaf(content);
        }
    }
}

/// Hashes one message after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to choose")]
pub struct OneByOne;

impl HashPairs for OneByOne {
    fn hash_messages(&mut self, messages: &[TwoBlocks], hashes: &mut [Hash]) {
        for (message, hash) in messages.iter().zip(hashes) {
            *hash = Hash::of_two_blocks(message);
        }
    }

    fn hash_pairs(&mut self, level: &mut [Hash]) {
        for at in 0..level.len() / 2 {
            let pair = level.get(at.saturating_mul(2)..).and_then(|rest| rest.first_chunk());
            let hash = pair.map(|[left, right]| node(left, right));
            if let Some((place, hash)) = level.get_mut(at).zip(hash) {
                *place = hash;
            }
        }
    }
}

impl<H: HashPairs + ?Sized> HashPairs for &mut H {
    fn hash_messages(&mut self, messages: &[TwoBlocks], hashes: &mut [Hash]) {
        (**self).hash_messages(messages, hashes);
    }

    fn hash_pairs(&mut self, level: &mut [Hash]) {
        (**self).hash_pairs(level);
    }

    fn hash_leaves(&mut self, contents: &[&[u8]], hashes: &mut [Hash]) {
        (**self).hash_leaves(contents, hashes);
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
