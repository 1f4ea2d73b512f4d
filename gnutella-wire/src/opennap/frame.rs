//! Frames: the length of the data and the type, two bytes each, little-endian (napster.txt, 2000).

#![expect(clippy::exhaustive_structs, reason = "the fields are the format")]

use core::fmt;

use thiserror::Error;

use crate::error::BufferTooSmall;
use crate::writer::Writer;

const LEN: usize = 2; // of the data only
const KIND: usize = 2;

/// The length of what stands before the data, in bytes.
pub const HEADER_LEN: usize = LEN + KIND;

/// The longest data that most servers accept, in bytes.
pub const MAX_DATA: u16 = 2_048;

/// What a message is. Any value is legal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Kind(pub u16);

/// A message as it lies in the stream: fields in ASCII, separated by spaces, without a line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its fields.
    pub data: &'a [u8],
}

/// The bytes are no message: the peer's fault, except [`Incomplete`](Self::Incomplete).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NapError {
    /// More bytes cure this, and nothing else does.
    #[error("incomplete: at least {needed} more bytes needed")]
    Incomplete {
        /// A lower bound of the bytes that are missing, at least 1.
        needed: usize,
    },
    /// The data are longer than allowed. The connection is unusable.
    #[error("{kind} with {len} bytes of data, more than {limit}")]
    TooLong {
        /// What it would have been.
        kind: Kind,
        /// The length that it announces, in bytes.
        len: u16,
        /// The most that is allowed, in bytes.
        limit: u16,
    },
    /// A field is missing, or is not a number in range. The message after it is not affected.
    #[error("{0} with malformed fields")]
    Malformed(Kind),
}

impl<'a> Frame<'a> {
    /// Reads a frame and returns it with the bytes after it.
    ///
    /// # Errors
    ///
    /// [`NapError::Incomplete`], and [`NapError::TooLong`] for more than `limit` bytes of data;
    /// [`MAX_DATA`] is customary.
    pub fn decode(bytes: &'a [u8], limit: u16) -> Result<(Self, &'a [u8]), NapError> {
        let needed = HEADER_LEN.saturating_sub(bytes.len());
        let short = NapError::Incomplete { needed };
        let (len, rest) = bytes.split_first_chunk::<LEN>().ok_or(short)?;
        let (kind, rest) = rest.split_first_chunk::<KIND>().ok_or(short)?;
        let len = u16::from_le_bytes(*len);
        let kind = Kind(u16::from_le_bytes(*kind));
        if len > limit {
            return Err(NapError::TooLong { kind, len, limit });
        }
        let needed = usize::from(len).saturating_sub(rest.len());
        let cut = rest.split_at_checked(len.into()).ok_or(NapError::Incomplete { needed })?;
        Ok((Self { kind, data: cut.0 }, cut.1))
    }

    /// Returns the length with the header, in bytes.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        HEADER_LEN.saturating_add(self.sent_data().len())
    }

    /// Writes the frame and returns its length. Data beyond 65,535 bytes are left out.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let data = self.sent_data();
        Writer::fill(out, |w| {
            w.u16(u16::try_from(data.len()).unwrap_or(u16::MAX));
            w.u16(self.kind.0);
            w.bytes(data);
        })
    }

    /// Returns the data that fit into a frame.
    pub(super) const fn sent_data(&self) -> &'a [u8] {
        match self.data.split_at_checked(0xffff) {
            Some((data, _)) => data,
            None => self.data,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        if name.is_empty() { write!(f, "type {}", self.0) } else { f.write_str(name) }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({})", self.0)
    }
}

impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if self.data.is_empty() {
            return Ok(());
        }
        f.write_str(" ")?;
        super::fields::print(f, self.data)
    }
}
