//! Merkle trees: heads, inclusion and consistency.

pub mod bitcoin;
mod error;
mod head;
mod levels;
mod multiproof;
mod node;
mod peaks;
mod rfc6962;
mod siblings;
mod subtree;

pub use crate::hash::TwoBlocks;
pub use error::ProofError;
pub use head::TreeHead;
pub use levels::{HashPairs, OneByOne, root_by_levels};
pub use multiproof::{Multiproof, prove_multiple};
pub(crate) use node::node;
pub(crate) use peaks::{BODY_ROWS, HashRows, Peaks, rows_of};
pub use rfc6962::{Consistency, Inclusion, MerkleTree, prove_consistency, prove_inclusion};
pub use subtree::{
    Subtree, SubtreeConsistency, SubtreeInclusion, prove_subtree_consistency,
    prove_subtree_inclusion,
};
