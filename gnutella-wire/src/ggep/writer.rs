//! Writes a block, one extension after the other.

use thiserror::Error;

use super::block::Extension;
use super::cobs;
use super::layout::{COBS, DEFLATED, END, LAST, MAGIC, MAX_LEN, MORE, SIX_BITS};
use crate::error::BufferTooSmall;
use crate::writer::Writer;

/// Writes a block into a caller-provided buffer. Without extensions nothing is written.
#[derive(Debug)]
pub struct GgepWriter<'b> {
    out: &'b mut [u8],
    len: usize,
    last: usize, // where the flags of the last extension are
}

/// An extension cannot be written. The caller's fault; the block has not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PushError {
    /// An id is 1 to 15 bytes without NUL.
    #[error("an id of {len} bytes, which must be 1 to 15 without NUL")]
    Id {
        /// The length of the id, in bytes.
        len: usize,
    },
    /// A value is longer than three length bytes can hold.
    #[error("a value of {len} bytes, more than 262,143")]
    TooLong {
        /// The length as it would stand in the block, in bytes.
        len: usize,
    },
    /// The buffer is too small for the block with this extension.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

impl<'b> GgepWriter<'b> {
    /// Begins a block at the start of `out`.
    #[must_use]
    pub const fn new(out: &'b mut [u8]) -> Self {
        Self { out, len: 0, last: 0 }
    }

    /// Appends an extension as it is, which serves wherever a NUL may stand: not in the record of a
    /// hit.
    ///
    /// # Errors
    ///
    /// Any [`PushError`].
    pub fn push(&mut self, id: &[u8], value: &[u8]) -> Result<(), PushError> {
        self.write(0, id, value.len(), |w| w.bytes(value))
    }

    /// Appends an extension without a NUL: stuffed, if the value holds one.
    ///
    /// Such a block may stand anywhere; its other parts never hold a NUL.
    ///
    /// # Errors
    ///
    /// Any [`PushError`].
    pub fn push_without_nul(&mut self, id: &[u8], value: &[u8]) -> Result<(), PushError> {
        if value.contains(&0) {
            self.write(COBS, id, cobs::encoded_len(value), |w| cobs::write(w, value))
        } else {
            self.push(id, value)
        }
    }

    /// Appends an extension whose value is compressed already, in zlib format, and stuffs it if it
    /// holds a NUL.
    ///
    /// # Errors
    ///
    /// Any [`PushError`].
    pub fn push_deflated(&mut self, id: &[u8], stream: &[u8]) -> Result<(), PushError> {
        if stream.contains(&0) {
            let len = cobs::encoded_len(stream);
            self.write(DEFLATED | COBS, id, len, |w| cobs::write(w, stream))
        } else {
            self.write(DEFLATED, id, stream.len(), |w| w.bytes(stream))
        }
    }

    /// Appends an extension as it stood in another block.
    ///
    /// # Errors
    ///
    /// Any [`PushError`].
    pub fn push_extension(&mut self, extension: &Extension<'_>) -> Result<(), PushError> {
        let id = extension.id();
        let data = extension.data();
        self.write(extension.flags(), id, data.len(), |w| w.bytes(data))
    }

    /// Ends the block and returns its length, in bytes.
    #[must_use]
    pub fn finish(self) -> usize {
        if self.len > 0
            && let Some(flags) = self.out.get_mut(self.last)
        {
            *flags |= LAST;
        }
        self.len
    }

    fn write(
        &mut self,
        flags: u8,
        id: &[u8],
        len: usize,
        value: impl Fn(&mut Writer<'_>),
    ) -> Result<(), PushError> {
        let id_len = u8::try_from(id.len()).ok().filter(|len| (1..=15).contains(len));
        let id_len = id_len.filter(|_| !id.contains(&0)).ok_or(PushError::Id { len: id.len() })?;
        if len > MAX_LEN {
            return Err(PushError::TooLong { len });
        }
        let first = self.len == 0;
        let room = self.out.get_mut(self.len..).unwrap_or_default();
        let written = Writer::fill(room, |w| {
            if first {
                w.u8(MAGIC);
            }
            w.u8(flags | id_len);
            w.bytes(id);
            write_len(w, len);
            value(w);
        });
        let longer = |more| self.len.saturating_add(more);
        let end = longer(written.map_err(|e| BufferTooSmall { needed: longer(e.needed) })?);
        self.last = longer(usize::from(first));
        self.len = end;
        Ok(())
    }
}

/// Writes one to three groups of six bits, the highest first.
fn write_len(w: &mut Writer<'_>, len: usize) {
    let group = |at: u32| u8::try_from((len >> at) & usize::from(SIX_BITS)).unwrap_or_default();
    if len >> 12 > 0 {
        w.u8(MORE | group(12));
    }
    if len >> 6 > 0 {
        w.u8(MORE | group(6));
    }
    w.u8(END | group(0));
}
