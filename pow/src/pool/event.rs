//! What a pool and a worker report.

use thiserror::Error;

use super::message::LeaseId;
use crate::conn::ConnId;
use crate::error::DecodeError;
use crate::puzzle::PuzzleError;

/// A message of a pool that the caller sends.
#[expect(clippy::exhaustive_structs, reason = "the same two fields in every crate")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Transmit {
    /// The connection.
    pub conn: ConnId,
    /// The length of the message in the buffer, in bytes.
    pub len: usize,
}

/// A share that was accepted.
#[expect(clippy::exhaustive_structs, reason = "a nonce meets the target or not")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Share {
    /// The nonce.
    pub nonce: u64,
    /// Whether it meets the target of the job too. The pool continues until it gets another job.
    pub solves: bool,
}

/// An event of a [`Pool`](super::Pool).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Event {
    /// A lease had no share for too long. The rest of it goes to another worker.
    Expired {
        /// The connection that had the lease.
        conn: ConnId,
        /// The lease.
        lease: LeaseId,
    },
    /// The pool has closed a connection. The caller closes the socket.
    Closed {
        /// The connection.
        conn: ConnId,
        /// The reason.
        reason: CloseReason,
    },
    /// All nonces of the job were tried. For more the message has to change.
    Exhausted,
}

/// Why a pool closes a connection: the worker's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CloseReason {
    /// The bytes are not a message.
    #[error("malformed message: {0}")]
    Malformed(DecodeError),
    /// The message is one that only pools send.
    #[error("message of a pool from a worker")]
    Unexpected,
    /// A share does not meet its target. A worker checks its shares before it sends them.
    #[error("share that does not meet its target")]
    InvalidShare,
    /// The connection earned nothing for too long.
    #[error("idle connection")]
    Idle,
    /// Three leases in a row were reported done, or expired, without the shares to be expected.
    #[error("three leases in a row without the expected shares")]
    Unproductive,
}

/// An event of a [`Worker`](super::Worker).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum WorkerEvent {
    /// The worker has given up the connection to its pool. The caller closes the socket.
    Closed {
        /// The reason.
        reason: WorkerCloseReason,
    },
}

/// Why a worker gives up its connection: the pool's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum WorkerCloseReason {
    /// The bytes are not a message.
    #[error("malformed message: {0}")]
    Malformed(DecodeError),
    /// The message of the lease is not a valid puzzle.
    #[error("malformed lease: {0}")]
    Puzzle(PuzzleError),
    /// The message is one that only workers send.
    #[error("message of a worker from a pool")]
    Unexpected,
}
