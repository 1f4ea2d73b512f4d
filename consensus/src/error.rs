//! Errors that several parts of the crate share.

use thiserror::Error;

use crate::id::ValidatorId;

/// Why bytes are not a value: their author's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end too early. The only error that more bytes can cure.
    #[error("{needed} more bytes are needed")]
    Incomplete {
        /// The number of bytes that are missing at least.
        needed: usize,
    },
    /// The first byte is the tag of something else.
    #[error("{0:#04x} is not the tag of a statement")]
    WrongTag(u8),
    /// The version is unknown.
    #[error("unknown version {0}")]
    UnknownVersion(u8),
    /// The kind of statement is unknown.
    #[error("unknown kind of statement {0}")]
    UnknownKind(u8),
    /// A field has a value that its writer spells in another way.
    #[error("not the canonical encoding")]
    Noncanonical,
}

/// Why a machine cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no validator.
    #[error("no validators; name at least one")]
    NoValidators,
    /// There are more validators than slots for them.
    #[error("{found} validators, but slots for {capacity}")]
    TooManyValidators {
        /// The number of validators.
        found: usize,
        /// The number of slots.
        capacity: usize,
    },
    /// There are not enough slots for statements.
    #[error("{found} slots for statements; provide {needed}")]
    TooFewVotes {
        /// The number of slots.
        found: usize,
        /// The number required.
        needed: usize,
    },
    /// A validator is named twice.
    #[error("{0:.16} is named twice")]
    Duplicate(ValidatorId),
    /// A validator has no power.
    #[error("{0:.16} has no power; leave it out")]
    NoPower(ValidatorId),
    /// The sum of the powers exceeds 64 bits.
    #[error("the total power exceeds {}", u64::MAX)]
    TooMuchPower,
    /// A timeout is zero, so that rounds would pass without end.
    #[error("a timeout is zero; choose a longer one")]
    ZeroTimeout,
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

/// A table is full. It is unchanged.
#[expect(clippy::exhaustive_structs, reason = "the same field in every crate")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("table full: all {capacity} slots are in use")]
pub struct Full {
    /// The number of slots.
    pub capacity: usize,
}

/// Takes the tag and the version with which a format begins.
pub(crate) fn take_start(bytes: &[u8], tag: u8, version: u8) -> Result<&[u8], DecodeError> {
    let ([found_tag, found_version], rest) = take(bytes)?;
    if *found_tag != tag {
        return Err(DecodeError::WrongTag(*found_tag));
    }
    if *found_version != version {
        return Err(DecodeError::UnknownVersion(*found_version));
    }
    Ok(rest)
}

/// Splits a field from the front of the bytes.
pub(crate) fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), DecodeError> {
    let needed = N.saturating_sub(bytes.len());
    bytes.split_first_chunk().ok_or(DecodeError::Incomplete { needed })
}
