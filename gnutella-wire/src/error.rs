//! Errors that several modules share.

use thiserror::Error;

use crate::wire::Function;

/// The caller's buffer is too small. Nothing changed; call again with a larger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the buffer is too small: {needed} bytes needed")]
pub struct BufferTooSmall {
    /// The bytes that would have been enough.
    pub needed: usize,
}

/// The bytes are no message: the peer's fault, except [`Incomplete`](Self::Incomplete), which is
/// nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes cure this, and nothing else does.
    #[error("incomplete: at least {needed} more bytes needed")]
    Incomplete {
        /// A lower bound of the bytes that are missing, at least 1.
        needed: usize,
    },
    /// The payload is longer than the [`Limits`](crate::wire::Limits) allow for its function.
    #[error("{function} with {len} bytes of payload, more than {limit}")]
    TooLarge {
        /// What the message would have been.
        function: Function,
        /// The length that its header announces, in bytes.
        len: u32,
        /// The most that is allowed, in bytes.
        limit: u16,
    },
    /// The header announces 65,536 bytes or more: this is no header, and no later byte of the
    /// stream can be trusted to begin one.
    #[error("no message boundaries any more: a header announces {len} bytes")]
    Desynchronised {
        /// What stands where the length should be.
        len: u32,
    },
    /// A payload is shorter than its fixed fields. The message after it is not affected.
    #[error("{function} with a malformed payload of {len} bytes")]
    Malformed {
        /// What the message would have been.
        function: Function,
        /// The length of the payload, in bytes.
        len: usize,
    },
    /// A text head does not end within the limit.
    #[error("head longer than {limit} bytes")]
    HeadTooLong {
        /// The most that is allowed, in bytes.
        limit: usize,
    },
    /// A text head has too many header lines.
    #[error("head with more than {limit} lines")]
    TooManyLines {
        /// The most that is allowed.
        limit: usize,
    },
    /// The first line of a text head is none that this protocol knows.
    #[error("unknown first line")]
    UnknownLine,
}
