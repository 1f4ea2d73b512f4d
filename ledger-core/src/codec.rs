//! The canonical encoding: fixed-width big-endian integers and byte arrays, concatenated.

use crate::error::{BufferTooSmall, DecodeError};

/// Reads from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| self.missing(N))?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or_else(|| self.missing(len))?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads the version that begins everything that is hashed or signed.
    pub(crate) fn version(&mut self, version: u8) -> Result<(), DecodeError> {
        match self.u8()? {
            found if found != version => Err(DecodeError::UnknownVersion(found)),
            _ => Ok(()),
        }
    }

    fn missing(&self, wanted: usize) -> DecodeError {
        DecodeError::Incomplete { needed: wanted.saturating_sub(self.0.len()) }
    }
}

/// Writes to the front of a slice.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    rest: &'a mut [u8],
    needed: usize,
}

impl<'a> Writer<'a> {
    /// Begins a value of `needed` bytes.
    pub(crate) fn new(out: &'a mut [u8], needed: usize) -> Result<Self, BufferTooSmall> {
        match out.get_mut(..needed) {
            Some(rest) => Ok(Self { rest, needed }),
            None => Err(BufferTooSmall { needed }),
        }
    }

    /// Returns whether all bytes are written.
    pub(crate) fn is_complete(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), BufferTooSmall> {
        let rest = core::mem::take(&mut self.rest);
        let Some((head, rest)) = rest.split_at_mut_checked(bytes.len()) else {
            return Err(BufferTooSmall { needed: self.needed });
        };
        head.copy_from_slice(bytes);
        self.rest = rest;
        Ok(())
    }
}
