//! Why a proof is refused.

use thiserror::Error;

/// Why a proof is refused, or cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf lies outside of the tree.
    #[error("leaf {index} of a tree of {size}")]
    OutOfRange {
        /// The position asked for.
        index: u64,
        /// The number of leaves.
        size: u64,
    },
    /// No consistency proof leads from the first size to the second.
    #[error("no consistency proof from {first} to {second} leaves")]
    WrongSizes {
        /// The smaller size.
        first: u64,
        /// The larger size.
        second: u64,
    },
    /// The number of nodes does not follow from the sizes.
    #[error("{found} nodes, where {expected} prove it")]
    WrongLength {
        /// How many are needed.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A range of leaves is not a subtree: its start is not aligned, or lies behind its end.
    #[error("leaves {start}..{end} are not a subtree")]
    InvalidSubtree {
        /// The first leaf.
        start: u64,
        /// Behind the last leaf.
        end: u64,
    },
    /// A proof for several leaves names none.
    #[error("no leaf to prove")]
    NoLeaves,
    /// The leaves of a proof for several are not in ascending order, or one is named twice.
    #[error("leaf number {position} of the proof does not follow the one before it")]
    NotAscending {
        /// Its place among the leaves to be proved, from 0.
        position: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    WrongRoot,
}
