//! Errors that several modules share.

use thiserror::Error;

/// The caller's buffer is too small. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("buffer too small: {needed} bytes needed")]
#[expect(clippy::exhaustive_structs, reason = "it will never say more")]
pub struct BufferTooSmall {
    /// The length in bytes that suffices.
    pub needed: usize,
}

/// All caller-provided slots are in use. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("table full: all {capacity} slots are in use")]
#[expect(clippy::exhaustive_structs, reason = "it will never say more")]
pub struct Full {
    /// The number of slots.
    pub capacity: usize,
}

/// The caller's configuration cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The first accounts hold more coins together than 64 bits can count.
    #[error("the first allocation exceeds {} coins", u64::MAX)]
    TooManyCoins,
    /// The lent slots cannot hold the first accounts.
    #[error("{needed} accounts to begin with, but only {capacity} slots")]
    TooFewSlots {
        /// How many accounts there are.
        needed: usize,
        /// How many slots there are.
        capacity: usize,
    },
}

/// Bytes that are not what they should be: their author's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end too early; the only error that more bytes can cure.
    #[error("{needed} more bytes are needed")]
    Incomplete {
        /// At least this many.
        needed: usize,
    },
    /// The first byte announces something else.
    #[error("{found:#04x} is not the tag {expected:#04x}")]
    WrongTag {
        /// The tag that belongs here.
        expected: u8,
        /// The byte that stands here.
        found: u8,
    },
    /// The version is not known.
    #[error("version {0} is not known")]
    UnknownVersion(u8),
    /// The kind of action is not known.
    #[error("action {0} is not known")]
    UnknownAction(u8),
    /// A record is longer than allowed.
    #[error("a record of {0} bytes is too long")]
    RecordTooLong(usize),
    /// The length behind a transaction is not its length.
    #[error("a transaction of {length} bytes is followed by the length {found}")]
    WrongLength {
        /// What the transaction takes.
        length: usize,
        /// What the two bytes behind it say.
        found: u16,
    },
    /// Bytes follow where nothing may follow.
    #[error("{0} bytes too many")]
    TrailingBytes(usize),
}
