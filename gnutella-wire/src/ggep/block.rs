//! Blocks and extensions where they lie.

use core::fmt;
use core::iter::Flatten;

use thiserror::Error;

use super::cobs;
use super::layout::{COBS, DEFLATED, END, ID_LEN, LAST, MAGIC, MORE, RESERVED, SIX_BITS};
use crate::error::BufferTooSmall;

/// A whole block: its extensions are sound, though what they mean may be unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Block<'a>(&'a [u8]); // with the magic byte; was read once from end to end

/// An extension as it stands in a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    flags: u8, // COBS and DEFLATED only
    id: &'a [u8],
    data: &'a [u8],
}

/// Iterates over blocks in a row, and ends where none begins.
#[derive(Debug, Clone)]
pub struct Blocks<'a>(&'a [u8]);

/// Iterates over extensions. After the last one, and after an error, there are no more.
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    rest: &'a [u8],
    state: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Magic,
    Extension,
    Nothing,
}

/// The bytes are no block: the peer's fault. What came before is not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GgepError {
    /// The first byte is not C3.
    #[error("no GGEP block")]
    NoMagic,
    /// The bytes end inside an extension, or before the last one.
    #[error("GGEP block cut short: at least {needed} more bytes needed")]
    Truncated {
        /// A lower bound of the bytes that are missing, at least 1.
        needed: usize,
    },
    /// A flags byte has the bit set that must be 0.
    #[error("GGEP flags {flags:#04x} with the reserved bit")]
    Reserved {
        /// The byte.
        flags: u8,
    },
    /// An id is empty.
    #[error("GGEP flags {flags:#04x} with an id of no length")]
    NoId {
        /// The byte.
        flags: u8,
    },
    /// An id holds a NUL.
    #[error("GGEP id with a NUL")]
    NulInId,
    /// A length byte is neither the last nor followed by another, or both, or the fourth.
    #[error("GGEP length byte {byte:#04x}")]
    Length {
        /// The byte.
        byte: u8,
    },
}

/// A value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The value is compressed; [`Extension::unstuffed`] returns what an inflater takes.
    #[error("compressed GGEP value: inflate it first")]
    Deflated,
    /// The value is not valid COBS: the peer's fault.
    #[error(transparent)]
    Cobs(#[from] cobs::CobsError),
}

/// Iterates over the blocks that `bytes` begin with.
#[must_use]
pub const fn blocks(bytes: &[u8]) -> Blocks<'_> {
    Blocks(bytes)
}

impl<'a> Block<'a> {
    /// Reads a block and returns it with the bytes after it.
    ///
    /// # Errors
    ///
    /// Any [`GgepError`].
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), GgepError> {
        let mut extensions = Extensions::new(bytes);
        extensions.by_ref().try_for_each(|extension| extension.map(drop))?;
        let rest = extensions.rest();
        let len = bytes.len().saturating_sub(rest.len());
        Ok((Self(bytes.get(..len).unwrap_or(bytes)), rest))
    }

    /// Returns the bytes, from C3 to the end of the last value.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Iterates over the extensions in their order.
    pub fn extensions(self) -> Flatten<Extensions<'a>> {
        Extensions::new(self.0).flatten()
    }

    /// Returns the first extension of that id.
    #[must_use]
    pub fn find(self, id: &[u8]) -> Option<Extension<'a>> {
        self.extensions().find(|extension| extension.id == id)
    }
}

impl<'a> Extension<'a> {
    /// Reads an extension, and returns it, whether it is the last, and the bytes after it.
    fn decode(bytes: &'a [u8]) -> Result<(Self, bool, &'a [u8]), GgepError> {
        let ([flags], rest) =
            bytes.split_first_chunk().ok_or(GgepError::Truncated { needed: 4 })?;
        let flags = *flags;
        if flags & RESERVED != 0 {
            return Err(GgepError::Reserved { flags });
        }
        let id_len = usize::from(flags & ID_LEN);
        if id_len == 0 {
            return Err(GgepError::NoId { flags });
        }
        let (id, rest) = take(rest, id_len)?;
        if id.contains(&0) {
            return Err(GgepError::NulInId);
        }
        let (len, rest) = length(rest)?;
        let (data, rest) = take(rest, len)?;
        Ok((Self { flags: flags & (COBS | DEFLATED), id, data }, flags & LAST != 0, rest))
    }

    /// Returns the name: 1 to 15 bytes, of which none is NUL.
    #[must_use]
    pub const fn id(&self) -> &'a [u8] {
        self.id
    }

    /// Returns the value as it stands, which is the value itself unless it is stuffed or deflated.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Returns whether the value is coded by COBS, to be free of NUL.
    #[must_use]
    pub const fn is_stuffed(&self) -> bool {
        self.flags & COBS != 0
    }

    /// Returns whether the value is compressed, inside the stuffing. Most servents write zlib
    /// format; some read and write raw deflate only.
    #[must_use]
    pub const fn is_deflated(&self) -> bool {
        self.flags & DEFLATED != 0
    }

    /// Returns the value. `buf` is used if it is stuffed; as many bytes as
    /// [`data`](Self::data) has always suffice.
    ///
    /// # Errors
    ///
    /// [`ValueError::Deflated`], and those of [`unstuffed`](Self::unstuffed).
    pub fn value<'b>(&self, buf: &'b mut [u8]) -> Result<&'b [u8], ValueError>
    where
        'a: 'b,
    {
        if self.is_deflated() { Err(ValueError::Deflated) } else { Ok(self.unstuffed(buf)?) }
    }

    /// Returns the value without the stuffing, but still compressed if
    /// [`is_deflated`](Self::is_deflated).
    ///
    /// # Errors
    ///
    /// [`CobsError`](cobs::CobsError) if it is not valid COBS or `buf` is too small.
    pub fn unstuffed<'b>(&self, buf: &'b mut [u8]) -> Result<&'b [u8], cobs::CobsError>
    where
        'a: 'b,
    {
        if !self.is_stuffed() {
            return Ok(self.data);
        }
        let len = cobs::decode(self.data, buf)?;
        buf.get(..len).ok_or(cobs::CobsError::BufferTooSmall(BufferTooSmall { needed: len }))
    }

    /// Returns the flags that come back when it is written again.
    pub(super) const fn flags(&self) -> u8 {
        self.flags
    }
}

impl<'a> Blocks<'a> {
    /// Returns the bytes that were not read: what follows the last block.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Block<'a>, GgepError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.first().filter(|first| **first == MAGIC)?;
        match Block::decode(self.0) {
            Ok((block, rest)) => {
                self.0 = rest;
                Some(Ok(block))
            }
            Err(error) => {
                self.0 = &[];
                Some(Err(error))
            }
        }
    }
}

impl<'a> Extensions<'a> {
    /// Iterates over the extensions of the block that `bytes` begin with, as far as it is sound.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, state: Next::Magic }
    }

    /// Returns the bytes that were not read: after the last extension, what follows the block.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, GgepError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = match (self.state, self.rest) {
            (Next::Nothing, _) => return None,
            (Next::Extension, bytes) | (Next::Magic, [MAGIC, bytes @ ..]) => bytes,
            (Next::Magic, _) => {
                self.state = Next::Nothing;
                return Some(Err(GgepError::NoMagic));
            }
        };
        let read = Extension::decode(bytes);
        self.state = match &read {
            Ok((_, false, _)) => Next::Extension,
            _ => Next::Nothing,
        };
        Some(read.map(|(extension, _, rest)| {
            self.rest = rest;
            extension
        }))
    }
}

/// Cuts after `len` bytes.
fn take(bytes: &[u8], len: usize) -> Result<(&[u8], &[u8]), GgepError> {
    let needed = len.saturating_sub(bytes.len());
    bytes.split_at_checked(len).ok_or(GgepError::Truncated { needed })
}

/// Reads one to three length bytes, the highest first, and returns the bytes after them.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), GgepError> {
    let mut len = 0;
    let mut rest = bytes;
    for more in [true, true, false] {
        let (byte, after) = rest.split_first().ok_or(GgepError::Truncated { needed: 1 })?;
        rest = after;
        len = len << 6 | usize::from(byte & SIX_BITS);
        match byte & (MORE | END) {
            END => return Ok((len, rest)),
            MORE if more => {}
            _ => return Err(GgepError::Length { byte: *byte }),
        }
    }
    Err(GgepError::Truncated { needed: 1 }) // not reached: the third byte ends or is wrong
}

impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id.escape_ascii())?;
        if !self.data.is_empty() {
            write!(f, "=")?;
            self.data.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        if self.data.len() > 8 {
            write!(f, ".. ({} bytes)", self.data.len())?;
        }
        match (self.is_stuffed(), self.is_deflated()) {
            (true, true) => f.write_str(" stuffed, deflated"),
            (true, false) => f.write_str(" stuffed"),
            (false, true) => f.write_str(" deflated"),
            (false, false) => Ok(()),
        }
    }
}

impl fmt::Debug for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GGEP")?;
        self.extensions().try_for_each(|extension| write!(f, " {extension}"))
    }
}

impl fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
