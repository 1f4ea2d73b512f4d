//! What uploads report.

use thiserror::Error;

use crate::error::BufferTooSmall;
use crate::head::Head;
use crate::http::Request;
use crate::machine::{ConnId, NotConnected};

/// A request that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// What is asked for.
    pub request: Request<'a>,
    /// The whole head, for example with alternate locations in `X-Alt`.
    pub head: Head<'a>,
}

/// What happened, or what the driver is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UploadEvent {
    /// The connection is over: close its socket once what was written is flushed.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: UploadCloseReason,
    },
    /// Send these bytes of a file, then call `handle_sent`.
    Send {
        /// Where to.
        conn: ConnId,
        /// The caller's number of the file.
        file: u32,
        /// The first byte.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// An answer is complete.
    Sent {
        /// Where to.
        conn: ConnId,
        /// The caller's number of the file.
        file: u32,
        /// How many bytes of it were sent.
        len: u64,
    },
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UploadCloseReason {
    /// The answer is sent, and the client does not keep the connection.
    Finished,
    /// It sent no request.
    Idle,
    /// It does not take what is sent to it.
    Stalled,
    /// It did not ask again for its place in the queue.
    PlaceLost,
    /// It asked again for its place in the queue too early, twice in a row.
    PolledTooEarly,
    /// What it sent is not a request.
    Malformed,
    /// The application did not answer a request.
    NotAnswered,
}

/// A command of the application cannot be carried out. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UploadError {
    /// The connection is unknown.
    #[error(transparent)]
    NotConnected(#[from] NotConnected),
    /// No request waits for an answer on this connection, or nothing is being sent.
    #[error("{0} does not wait for that")]
    NotExpected(ConnId),
    /// The head does not fit.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}
