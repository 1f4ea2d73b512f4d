//! Errors that several parts of the crate share.

use core::fmt;

use thiserror::Error;

use crate::conn::ConnId;

/// Why bytes are not a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end too early. The only error that more bytes can cure.
    #[error("{needed} more bytes are needed")]
    Incomplete {
        /// The number of bytes that are missing at least.
        needed: usize,
    },
    /// A field holds a code that is not assigned.
    #[error("unknown {field}: {value}")]
    Unknown {
        /// The field.
        field: Field,
        /// The code.
        value: u8,
    },
}

/// A field of a [pool message](crate::pool::PoolMessage) whose values are codes. `Display` is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Field {
    /// The kind of the message.
    MessageKind,
    /// The hash function of a lease.
    HashFunction,
    /// The byte order of the digest.
    ByteOrder,
    /// The format of the nonce.
    NonceFormat,
}

/// The caller's buffer is too small. Nothing was written.
#[expect(clippy::exhaustive_structs, reason = "the same field in every crate")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("buffer too small: {needed} bytes needed")]
pub struct BufferTooSmall {
    /// The length in bytes that would do.
    pub needed: usize,
}

/// The connection is not open: the caller's mistake.
#[expect(clippy::exhaustive_structs, reason = "the same field in every crate")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("connection {0} is not open")]
pub struct NotConnected(pub ConnId);

/// Why a connection is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConnectError {
    /// A connection of this name is open, or its [`Closed`](crate::pool::Event::Closed) was not polled yet.
    #[error("{0} is already open")]
    InUse(ConnId),
    /// No slot is free.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots of the table that is full.
        capacity: usize,
    },
}

/// Why a configuration is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// A lease would expire as soon as it is sent.
    #[error("lease_timeout is zero")]
    ZeroLeaseTimeout,
    /// A connection would be closed as soon as it has a lease.
    #[error("idle_timeout is zero")]
    ZeroIdleTimeout,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MessageKind => "message kind",
            Self::HashFunction => "hash function",
            Self::ByteOrder => "byte order",
            Self::NonceFormat => "nonce format",
        })
    }
}
