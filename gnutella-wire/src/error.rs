//! Errors that several modules share.

use thiserror::Error;

use crate::wire::function::Function;

/// The caller's buffer is too small. Nothing changed; call again with a larger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("buffer too small: {needed} bytes needed")]
#[expect(clippy::exhaustive_structs, reason = "the length is all there is to report")]
pub struct BufferTooSmall {
    /// The length that is enough, in bytes.
    pub needed: usize,
}

/// A configuration contradicts itself: the caller's mistake, found before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// Own messages would not cross a single connection.
    #[error("max_ttl is 0")]
    ZeroTtl,
    /// Own messages would count as an offence.
    #[error("hard_ttl {hard_ttl} is below max_ttl {max_ttl}")]
    HardTtlTooLow {
        /// The limit on the messages of others.
        hard_ttl: u8,
        /// The limit on own messages.
        max_ttl: u8,
    },
    /// Nothing could be done.
    #[error("{field} is 0")]
    Zero {
        /// The name of the field.
        field: &'static str,
    },
    /// The storage is too small.
    #[error("too few slots for {what}: at least {needed} are needed")]
    TooFewSlots {
        /// What the slots are for.
        what: &'static str,
        /// How many are enough.
        needed: u64,
    },
    /// A text is too long.
    #[error("{field} is longer than {limit} bytes")]
    TooLong {
        /// The name of the field.
        field: &'static str,
        /// The most bytes.
        limit: usize,
    },
    /// A timer would fire without end.
    #[error("{field} is zero")]
    ZeroDuration {
        /// The name of the field.
        field: &'static str,
    },
}

/// The bytes are not a valid message: the peer's fault, except [`Incomplete`](Self::Incomplete),
/// which more bytes cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes are needed.
    #[error("incomplete: at least {needed} more bytes needed")]
    Incomplete {
        /// A lower bound of the number of missing bytes, at least 1.
        needed: usize,
    },
    /// The payload is longer than the [`Limits`](crate::wire::Limits) allow for its function.
    #[error("{function} with a payload of {len} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// The function in the header.
        function: Function,
        /// The length in the header, in bytes.
        len: u32,
        /// The limit, in bytes.
        limit: u16,
    },
    /// The header announces 65,536 bytes or more: this is not a header, and no later byte of the
    /// stream can be trusted to begin one.
    #[error("message boundaries lost: a header announces {len} bytes")]
    Desynchronised {
        /// The value of the length field.
        len: u32,
    },
    /// A payload is shorter than its fixed fields. The message after it is not affected.
    #[error("{function} with a malformed payload of {len} bytes")]
    Malformed {
        /// The function in the header.
        function: Function,
        /// The length of the payload, in bytes.
        len: usize,
    },
    /// A text head does not end within the limit.
    #[error("head longer than {limit} bytes")]
    HeadTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A text head has too many header lines.
    #[error("head with more than {limit} lines")]
    TooManyLines {
        /// The limit.
        limit: usize,
    },
    /// The first line of a text head is not valid in this protocol.
    #[error("unknown first line")]
    UnknownLine,
}
