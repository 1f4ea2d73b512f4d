//! Why a statement may not be signed.

use thiserror::Error;

/// Why a statement may not be signed. The guard is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GuardError {
    /// The key has signed another block in this slot.
    #[error("another block was signed in this slot")]
    DoubleProposal,
    /// The key has attested another link to this target.
    #[error("another attestation with source {source} has this target")]
    DoubleVote {
        /// The source of the earlier attestation.
        r#source: u64,
        /// The target of both.
        target: u64,
    },
    /// An earlier attestation surrounds this one.
    #[error("the attestation from {source} to {target} surrounds it")]
    PreviousSurroundsNew {
        /// The source of the earlier attestation.
        r#source: u64,
        /// The target of the earlier attestation.
        target: u64,
    },
    /// This attestation surrounds an earlier one.
    #[error("it surrounds the attestation from {source} to {target}")]
    NewSurroundsPrevious {
        /// The source of the earlier attestation.
        r#source: u64,
        /// The target of the earlier attestation.
        target: u64,
    },
    /// The source is later than the target.
    #[error("the source {source} is later than the target {target}")]
    SourceExceedsTarget {
        /// The source.
        r#source: u64,
        /// The target.
        target: u64,
    },
    /// The slot, source or target is lower than what the guard remembers.
    #[error("below {minimum}, the lowest that may be signed")]
    BelowMinimum {
        /// The lowest slot, source or target that may be signed.
        minimum: u64,
    },
    /// The slot or target is 2^64 - 1, after which nothing could be signed.
    #[error("the slot or target is the last number; use a lower one")]
    OutOfRange,
    /// The guard has no slot.
    #[error("the guard has no slot; provide at least one")]
    NoSlots,
}
