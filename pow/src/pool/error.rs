//! Why a pool refuses a share or a job.

use thiserror::Error;

use super::message::LeaseId;
use crate::puzzle::PuzzleError;

/// Why a share is refused: the worker's fault, or the share was sent too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ShareError {
    /// The lease was returned, belongs to another worker, or is of an earlier job.
    #[error("share for {0}, which is not assigned to this worker")]
    Stale(LeaseId),
    /// The nonce is not in the lease.
    #[error("nonce {0} is outside of the lease")]
    Outside(u64),
    /// The nonce, or a later one of the lease, was already a share.
    #[error("nonce {0} is a duplicate or out of order")]
    Duplicate(u64),
    /// The digest exceeds the target of a share.
    #[error("nonce {0} does not meet the share target")]
    NotEnoughWork(u64),
    /// The nonces before this one have no share and are not believed to be tried, and no slot is free to
    /// lease them again. The share was not counted; another worker will find it.
    #[error("nonce {0} leaves a gap without shares")]
    Gap(u64),
}

/// Why a job is refused: the caller's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum JobError {
    /// The message is not a valid puzzle.
    #[error(transparent)]
    Puzzle(#[from] PuzzleError),
    /// The message is longer than the message region or than 65,535 bytes.
    #[error("message of {len} bytes is too long; the limit is {capacity}")]
    TooLong {
        /// The length of the message in bytes.
        len: usize,
        /// The length that fits, in bytes.
        capacity: usize,
    },
    /// The message is that of the current job, whose shares were credited already.
    #[error("message is that of the current job")]
    Unchanged,
}
