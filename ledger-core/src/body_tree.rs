//! The tree over the transactions of a body, some of them at a time.

use crate::error::DecodeError;
use crate::hash::Hash;
use crate::merkle::{BODY_ROWS, HashPairs, MerkleTree, Peaks};
use crate::transaction::SignedTransaction;

/// The number of transactions that are hashed together. A subtree of them takes three groups of pairs that fill the lanes of
/// the widest vectors, and four smaller ones.
const GROUP: usize = 64;

/// The tree over the transactions of a body.
pub(crate) type BodyTree = Peaks<BODY_ROWS>;

impl BodyTree {
    /// Adds the next `count` transactions from the front of `bytes` and returns the rest.
    pub(crate) fn push_one_by_one<'b>(
        &mut self,
        bytes: &'b [u8],
        count: u32,
    ) -> Result<&'b [u8], DecodeError> {
        let mut rest = bytes;
        for _ in 0..count {
            let (signed, after) = SignedTransaction::split(rest)?;
            self.push(MerkleTree::leaf(signed));
            rest = after;
        }
        Ok(rest)
    }

    /// Does the same with groups of transactions.
    #[inline(never)] // the groups do not stand on the stack of another function
    pub(crate) fn push_in_groups<'b>(
        &mut self,
        bytes: &'b [u8],
        count: u32,
        hasher: &mut dyn HashPairs,
    ) -> Result<&'b [u8], DecodeError> {
        let mut rest = bytes;
        let mut left = count;
        while left > 0 {
            let mut contents: [&[u8]; GROUP] = [&[]; GROUP];
            let mut len = 0_usize;
            for (place, _) in contents.iter_mut().zip(0..left) {
                let (signed, after) = SignedTransaction::split(rest)?;
                *place = signed;
                rest = after;
                len = len.saturating_add(1);
            }
            let mut leaves = [Hash::ZERO; GROUP];
            let leaves = leaves.get_mut(..len).unwrap_or_default();
            hasher.hash_leaves(contents.get(..len).unwrap_or_default(), leaves);
            self.push_all(leaves, hasher);
            left = left.saturating_sub(u32::try_from(len).unwrap_or(left));
        }
        Ok(rest)
    }
}
