//! Bitcoin's Merkle tree: the root of a block's transaction ids, and branches that prove a payment.
//!
//! The tree pairs hashes by double SHA-256 and repeats the last hash of a level of odd length. Two things follow
//! that RFC 6962 does not know: different lists can have the same root (CVE-2012-2459), and a transaction of 64 bytes
//! hashes like an inner node. Both are refused here. Use this tree for Bitcoin's blocks only.
//!
//! All hashes are in digest order, the reverse of what block explorers display.

use thiserror::Error;

use crate::hash::Hash;

/// A transaction of this length hashes like an inner node.
const NODE_LEN: usize = 64;

/// The number of levels above 2^32 - 1 leaves.
const MAX_DEPTH: usize = 32;

/// The root over a growing list of transaction ids, in constant space: about 1 KiB.
///
/// ```
/// use ledger_core::Hash;
/// use ledger_core::merkle::bitcoin::{BitcoinError, BitcoinTree};
///
/// let ids = [1, 2, 3].map(|byte| Hash::from_bytes([byte; 32]));
/// let mut tree = BitcoinTree::new();
/// for id in ids {
///     tree.push(id)?;
/// }
/// let root = tree.root()?;
///
/// // The tree repeats the last id itself; a list that repeats it is another list with the same root.
/// tree.push(ids[2])?;
/// assert_eq!(tree.root(), Err(BitcoinError::Mutated { root }));
/// # Ok::<(), BitcoinError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BitcoinTree {
    count: u32,
    mutated: bool,
    roots: [Hash; MAX_DEPTH], // one complete subtree per bit that is set in `count`, the largest last
}

/// A proof that a transaction stands in a block: its position and the siblings from the leaf to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct BitcoinBranch<'a> {
    /// The position of the transaction in the block, from 0.
    pub index: u32,
    /// The siblings, from the leaf's to the one below the root.
    pub path: &'a [Hash],
}

/// Why a list, a branch or a transaction is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BitcoinError {
    /// There is no transaction. Every block has one.
    #[error("no transaction: a block has at least one")]
    Empty,
    /// The tree is full.
    #[error("more than {} transactions", u32::MAX)]
    TooMany,
    /// Two siblings are equal although the tree did not repeat the last one: a shorter list has the same root
    /// (CVE-2012-2459).
    #[error("two equal siblings: another list of transactions has the root {root}")]
    Mutated {
        /// The root that both lists have.
        root: Hash,
    },
    /// The position does not exist in a tree as high as the branch.
    #[error("index {index} is beyond a branch of {levels} levels")]
    IndexBeyondBranch {
        /// The position.
        index: u32,
        /// The number of siblings.
        levels: usize,
    },
    /// There are more siblings than a tree has levels.
    #[error("branch of {levels} levels, at most 32 are possible")]
    TooLong {
        /// The number of siblings.
        levels: usize,
    },
    /// A sibling equals its node where the tree cannot have repeated it (CVE-2012-2459), or differs where the tree
    /// must have repeated it.
    #[error("sibling at level {level} contradicts the rule for levels of odd length")]
    WrongSibling {
        /// The level, 0 for the leaf's.
        level: usize,
    },
    /// The position lies outside of the list.
    #[error("transaction {index} of {count}")]
    OutOfRange {
        /// The position.
        index: usize,
        /// The number of transactions.
        count: usize,
    },
    /// The caller's buffer is too short for the branch.
    #[error("buffer too small: {needed} hashes needed")]
    BufferTooSmall {
        /// The number of siblings.
        needed: usize,
    },
    /// A transaction of 64 bytes can be an inner node in disguise.
    #[error("a transaction of 64 bytes can be an inner node")]
    LooksLikeNode,
    /// The branch leads to another root.
    #[error("the branch leads to another root")]
    WrongRoot,
}

impl BitcoinTree {
    /// The tree without leaves, which has no root.
    #[must_use]
    pub const fn new() -> Self {
        Self { count: 0, mutated: false, roots: [Hash::ZERO; MAX_DEPTH] }
    }

    /// Adds a transaction id.
    ///
    /// # Errors
    ///
    /// [`BitcoinError::TooMany`] after 2^32 - 1 of them.
    pub fn push(&mut self, id: Hash) -> Result<(), BitcoinError> {
        let next = self.count.checked_add(1).ok_or(BitcoinError::TooMany)?;
        let level = self.count.trailing_ones();
        let mut hash = id;
        for left in self.roots.iter().take(to_len(level)) {
            self.mutated |= *left == hash;
            hash = pair(left, &hash);
        }
        if let Some(slot) = self.roots.get_mut(to_len(level)) {
            *slot = hash;
        }
        self.count = next;
        Ok(())
    }

    /// Returns the root over all transaction ids so far.
    ///
    /// # Errors
    ///
    /// [`BitcoinError::Empty`] without any; [`BitcoinError::Mutated`], with the root, if a shorter list has it too.
    pub fn root(&self) -> Result<Hash, BitcoinError> {
        let root = self.unchecked_root().ok_or(BitcoinError::Empty)?;
        if self.mutated { Err(BitcoinError::Mutated { root }) } else { Ok(root) }
    }

    /// Returns the number of transaction ids.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Returns whether there is no transaction id.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Joins the complete subtrees from the smallest up, and repeats a hash on levels of odd length.
    fn unchecked_root(&self) -> Option<Hash> {
        let top = self.count.checked_sub(1)?.checked_ilog2().map_or(0, |log| log.saturating_add(1));
        let first = self.count.trailing_zeros();
        let mut hash = *self.roots.get(to_len(first))?;
        for level in first..top {
            let left = self.roots.get(to_len(level)).filter(|_| level != first && self.has(level));
            hash = pair(left.unwrap_or(&hash), &hash);
        }
        Some(hash)
    }

    fn has(&self, level: u32) -> bool {
        self.count.checked_shr(level).is_some_and(|bits| bits & 1 == 1)
    }
}

impl Default for BitcoinTree {
    fn default() -> Self {
        Self::new()
    }
}

impl BitcoinBranch<'_> {
    /// Checks that this transaction stands in the block with this Merkle root. `transaction` is serialised without
    /// witnesses, as for its id.
    ///
    /// # Errors
    ///
    /// [`BitcoinError::LooksLikeNode`] for 64 bytes, and those of [`verify_id`](Self::verify_id).
    pub fn verify(&self, root: &Hash, transaction: &[u8]) -> Result<(), BitcoinError> {
        if transaction.len() == NODE_LEN {
            return Err(BitcoinError::LooksLikeNode);
        }
        self.verify_id(root, &double(&[transaction]))
    }

    /// Checks that a transaction with this id stands in the block with this Merkle root.
    ///
    /// An id alone can be that of an inner node. Prefer [`verify`](Self::verify); where only the id is known, also
    /// verify the block's first transaction by a branch of the same length.
    ///
    /// # Errors
    ///
    /// [`BitcoinError`] if it is not proved. Nothing is hashed if the index does not fit the length.
    pub fn verify_id(&self, root: &Hash, id: &Hash) -> Result<(), BitcoinError> {
        let levels = self.path.len();
        if levels > MAX_DEPTH {
            return Err(BitcoinError::TooLong { levels });
        }
        let index = self.index;
        if u64::from(index) >> levels != 0 {
            return Err(BitcoinError::IndexBeyondBranch { index, levels });
        }
        let mut hash = *id;
        let mut is_last = false; // known once the tree has repeated the node: then it is the last of its level
        for (level, sibling) in self.path.iter().enumerate() {
            let is_right = u64::from(index) >> level & 1 == 1;
            let repeated = *sibling == hash;
            if (is_right && repeated) || (!is_right && is_last && !repeated) {
                return Err(BitcoinError::WrongSibling { level });
            }
            is_last |= repeated;
            hash = if is_right { pair(sibling, &hash) } else { pair(&hash, sibling) };
        }
        if hash == *root { Ok(()) } else { Err(BitcoinError::WrongRoot) }
    }
}

/// Writes the branch of transaction `index` among `ids` into `out`. 32 hashes suffice for any block.
///
/// # Errors
///
/// [`BitcoinError::OutOfRange`], [`BitcoinError::BufferTooSmall`], or those of [`BitcoinTree`] for the list of ids:
/// a mutated list has no branch.
pub fn prove_branch<'o>(
    ids: &[Hash],
    index: usize,
    out: &'o mut [Hash],
) -> Result<BitcoinBranch<'o>, BitcoinError> {
    let count = ids.len();
    let position = u32::try_from(index).ok().filter(|_| index < count);
    let position = position.ok_or(BitcoinError::OutOfRange { index, count })?;
    root_of(ids)?;
    let needed = to_len(count.next_power_of_two().trailing_zeros());
    let path = out.get_mut(..needed).ok_or(BitcoinError::BufferTooSmall { needed })?;
    for (level, sibling) in path.iter_mut().enumerate() {
        let node = index >> level;
        let last = count.saturating_sub(1) >> level;
        *sibling = node_at(ids, (node ^ 1).min(last), level)?;
    }
    Ok(BitcoinBranch { index: position, path })
}

/// Returns the hash of node `position` of a level.
fn node_at(ids: &[Hash], position: usize, level: usize) -> Result<Hash, BitcoinError> {
    let width = 1_usize << level;
    let start = position.saturating_mul(width);
    let end = start.saturating_add(width).min(ids.len());
    let below = ids.get(start..end).unwrap_or_default();
    let root = root_of(below)?;
    // A node that covers fewer leaves than half of its width stands above repeated nodes.
    let height = to_len(below.len().next_power_of_two().trailing_zeros());
    Ok((height..level).fold(root, |hash, _| pair(&hash, &hash)))
}

#[inline(never)] // the tree stands on the stack once
fn root_of(ids: &[Hash]) -> Result<Hash, BitcoinError> {
    let mut tree = BitcoinTree::new();
    for id in ids {
        tree.push(*id)?;
    }
    tree.root()
}

fn pair(left: &Hash, right: &Hash) -> Hash {
    double(&[left.as_bytes(), right.as_bytes()])
}

/// SHA-256 of the SHA-256.
fn double(parts: &[&[u8]]) -> Hash {
    Hash::of(Hash::of_parts(parts).as_bytes())
}

fn to_len(level: u32) -> usize {
    usize::try_from(level).unwrap_or(MAX_DEPTH)
}
