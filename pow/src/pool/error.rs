//! Why a pool refuses a share, a message, a worker or a job.

use thiserror::Error;

use super::{LeaseId, WorkerId};
use crate::{DecodeError, PuzzleError};

/// Why a share does not count: the worker's fault, or that of slow lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The lease is another's by now, or of an earlier job.
    #[error("a share of lease {}, which is not out to this worker", .0.0)]
    Stale(LeaseId),
    /// The nonce does not lie in the lease.
    #[error("nonce {0} outside of the lease")]
    Outside(u64),
    /// The nonce, or one after it, was given before.
    #[error("nonce {0} given twice, or out of order")]
    Duplicate(u64),
    /// The digest exceeds the target.
    #[error("nonce {0} is not enough work")]
    NotEnoughWork(u64),
}

/// Why a pool does not take a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The bytes are not a message: the worker's fault.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A message that only pools send: the worker's fault.
    #[error("a pool's message from a worker")]
    Unexpected,
    /// This worker is not connected: the caller's mistake.
    #[error("worker {} is not connected", .0.0)]
    NotConnected(WorkerId),
}

/// Why there is no room for a worker: the caller may lend more slots, or settle the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("all {0} worker slots are taken by workers that are connected or unpaid")]
pub struct Full(pub usize);

/// Why something is not a job: the caller's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JobError {
    /// The message is not a puzzle.
    #[error(transparent)]
    Puzzle(#[from] PuzzleError),
    /// The message is too long to be sent.
    #[error("a message of {0} bytes, where 65535 are the limit")]
    TooLong(usize),
}
