//! Merkle trees: heads, inclusion and consistency.

pub mod bitcoin;
mod levels;
mod multiproof;
mod rfc6962;
mod siblings;
mod subtree;

use crate::hash::Hash;

pub use levels::{HashPairs, OneByOne, root_by_levels};
pub use multiproof::{Multiproof, prove_multiple};
pub use rfc6962::{
    Consistency, Inclusion, MerkleTree, ProofError, prove_consistency, prove_inclusion,
};
pub use subtree::{
    Subtree, SubtreeConsistency, SubtreeInclusion, prove_subtree_consistency,
    prove_subtree_inclusion,
};

/// The size and the root of a tree. Together they name one list of leaves; a root alone does not, since proofs
/// depend on the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct TreeHead {
    /// The number of leaves.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
}
