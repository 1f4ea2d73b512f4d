//! Merkle trees: heads, inclusion and consistency.

mod rfc6962;

use crate::hash::Hash;

pub use rfc6962::{
    Consistency, Inclusion, MerkleTree, ProofError, prove_consistency, prove_inclusion,
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
