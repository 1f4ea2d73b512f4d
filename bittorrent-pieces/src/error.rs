//! Errors that several parts share.

use thiserror::Error;

use crate::id::ConnId;

/// The caller's buffer is too short. Nothing changed; enlarge it and call again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("buffer too small: {needed} bytes needed")]
#[expect(clippy::exhaustive_structs, reason = "the same field in every crate")]
pub struct BufferTooSmall {
    /// The minimum length of the buffer in bytes.
    pub needed: usize,
}

/// All slots of a table are in use. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("table full: all {capacity} slots are in use")]
#[expect(clippy::exhaustive_structs, reason = "the same field in every crate")]
pub struct Full {
    /// The number of slots.
    pub capacity: usize,
}

/// The connection is not open: the caller's mistake. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("connection {0} is not open")]
#[expect(clippy::exhaustive_structs, reason = "the same field in every crate")]
pub struct NotConnected(pub ConnId);

/// A connection was not added. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConnectError {
    /// The number names a connection that is open, or whose end was not yet polled.
    #[error("{0} is already open")]
    InUse(ConnId),
    /// All peer slots are in use.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
}

/// The configuration or the provided storage does not fit the torrent; found before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// A torrent with content needs pieces of at least one byte; files of version 2 need a power of two from
    /// 16 KiB on.
    #[error("invalid piece length; version 2 needs a power of two of at least 16,384")]
    PieceLen,
    /// A number of the configuration that must not be zero.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// More pieces than 32 bits can number.
    #[error("too many pieces: {0}")]
    TooManyPieces(u64),
    /// A file of version 2 is empty, or does not begin with the piece behind those before it; or a file of a web seed
    /// begins before the end of another.
    #[error("file {0} of the list is empty or begins at the wrong place")]
    File(usize),
    /// The number of hashes is not the number of pieces.
    #[error("{hashes} piece hashes for {pieces} pieces")]
    Hashes {
        /// How many hashes were given.
        hashes: usize,
        /// How many pieces there are.
        pieces: u32,
    },
    /// Too few piece slots: see [`piece_slots`](crate::picker::piece_slots).
    #[error("{0} piece slots needed")]
    PieceSlots(usize),
    /// Too few bytes for the bitfields: see [`bits_len`](crate::torrent::bits_len).
    #[error("{0} bytes of bitfields needed")]
    Bits(usize),
    /// Too few bytes of a buffer.
    #[error("a buffer of {0} bytes needed")]
    Buffer(usize),
    /// Too few request slots: at least one for each direction of each connection.
    #[error("{0} request slots needed")]
    Requests(usize),
    /// More than 65,534 peer slots or partial pieces.
    #[error("{0} slots are more than 65,534")]
    TooManySlots(usize),
    /// A bitfield of the wrong number of pieces.
    #[error("a bitfield of {0} pieces")]
    Bitfield(u32),
}
