//! Writing canonical bencode.

use thiserror::Error;

use super::Value;
use crate::error::BufferTooSmall;

/// Writes values. Lists and dictionaries are written by closures, so that each is closed.
///
/// ```
/// use bittorrent_pieces::bencode::Writer;
///
/// let mut out = [0; 32];
/// let mut writer = Writer::new(&mut out);
/// writer.dict(|dict| {
///     dict.bytes(b"cow", b"moo")?;
///     dict.list(b"spam", |list| {
///         list.int(-3);
///         Ok(())
///     })
/// })?;
/// let len = writer.finish()?;
/// assert_eq!(&out[..len], b"d3:cow3:moo4:spamli-3eee");
/// # Ok::<(), bittorrent_pieces::bencode::WriteError>(())
/// ```
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut [u8],
    len: usize, // may exceed that of `out`
}

/// A canonical value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WriteError {
    /// The buffer is too short.
    #[error(transparent)]
    Buffer(#[from] BufferTooSmall),
    /// A key is not greater than the one before it.
    #[error("dictionary keys out of order")]
    Order,
}

impl<'b> Writer<'b> {
    /// Writes into `out`.
    #[must_use]
    pub const fn new(out: &'b mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Writes an integer.
    pub fn int(&mut self, value: i64) {
        self.raw(b"i");
        if value < 0 {
            self.raw(b"-");
        }
        self.number(value.unsigned_abs());
        self.raw(b"e");
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.raw(b":");
        self.raw(bytes);
    }

    /// Writes a list; `fill` writes its values.
    ///
    /// # Errors
    ///
    /// The error of `fill`.
    pub fn list(
        &mut self,
        fill: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.raw(b"l");
        fill(self)?;
        self.raw(b"e");
        Ok(())
    }

    /// Writes a dictionary; `fill` writes its keys and values.
    ///
    /// # Errors
    ///
    /// The error of `fill`.
    pub fn dict(
        &mut self,
        fill: impl FnOnce(&mut DictWriter<'_, 'b>) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.raw(b"d");
        fill(&mut DictWriter { writer: self, last: None })?;
        self.raw(b"e");
        Ok(())
    }

    /// Writes a value that is encoded already.
    pub fn value(&mut self, value: Value<'_>) {
        self.raw(value.as_raw());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.out.get_mut(self.len..end) {
            for (to, byte) in room.iter_mut().zip(bytes) {
                *to = *byte;
            }
        }
        self.len = end;
    }

    /// Returns the number of bytes written.
    ///
    /// # Errors
    ///
    /// [`WriteError::Buffer`] with the length of the whole if the buffer is shorter.
    pub fn finish(self) -> Result<usize, WriteError> {
        let needed = self.len;
        if needed > self.out.len() { Err(BufferTooSmall { needed }.into()) } else { Ok(needed) }
    }

    fn number(&mut self, mut value: u64) {
        let mut digits = [0; 20];
        let mut len = 0_usize;
        for digit in digits.iter_mut().rev() {
            *digit = u8::try_from(value % 10).unwrap_or(0) | b'0';
            value /= 10;
            len = len.saturating_add(1);
            if value == 0 {
                break;
            }
        }
        self.raw(digits.get(digits.len().saturating_sub(len)..).unwrap_or_default());
    }
}

/// Writes the keys and values of a dictionary.
#[derive(Debug)]
pub struct DictWriter<'w, 'b> {
    writer: &'w mut Writer<'b>,
    last: Option<(usize, usize)>, // the place of the last key
}

impl<'b> DictWriter<'_, 'b> {
    /// Writes a key and an integer.
    ///
    /// # Errors
    ///
    /// [`WriteError::Order`] if the key is not greater than the one before.
    pub fn int(&mut self, key: &[u8], value: i64) -> Result<(), WriteError> {
        self.key(key)?.int(value);
        Ok(())
    }

    /// Writes a key and a byte string.
    ///
    /// # Errors
    ///
    /// [`WriteError::Order`] if the key is not greater than the one before.
    pub fn bytes(&mut self, key: &[u8], value: &[u8]) -> Result<(), WriteError> {
        self.key(key)?.bytes(value);
        Ok(())
    }

    /// Writes a key and a value that is encoded already.
    ///
    /// # Errors
    ///
    /// [`WriteError::Order`] if the key is not greater than the one before.
    pub fn value(&mut self, key: &[u8], value: Value<'_>) -> Result<(), WriteError> {
        self.key(key)?.value(value);
        Ok(())
    }

    /// Writes a key and a list; `fill` writes its values.
    ///
    /// # Errors
    ///
    /// [`WriteError::Order`] if the key is not greater than the one before; the error of `fill`.
    pub fn list(
        &mut self,
        key: &[u8],
        fill: impl FnOnce(&mut Writer<'b>) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.key(key)?.list(fill)
    }

    /// Writes a key and a dictionary; `fill` writes its keys and values.
    ///
    /// # Errors
    ///
    /// [`WriteError::Order`] if the key is not greater than the one before; the error of `fill`.
    pub fn dict(
        &mut self,
        key: &[u8],
        fill: impl FnOnce(&mut DictWriter<'_, 'b>) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.key(key)?.dict(fill)
    }

    /// Writes a key and a value that is encoded already, and checked.
    #[cfg(feature = "dht")]
    pub(crate) fn raw(&mut self, key: &[u8], value: &[u8]) -> Result<(), WriteError> {
        self.key(key)?.raw(value);
        Ok(())
    }

    fn key(&mut self, key: &[u8]) -> Result<&mut Writer<'b>, WriteError> {
        // Beyond the end of the buffer nothing is compared: the result is an error anyway.
        let last = self.last.and_then(|(start, end)| self.writer.out.get(start..end));
        if last.is_some_and(|last| key <= last) {
            return Err(WriteError::Order);
        }
        self.writer.bytes(key);
        let end = self.writer.len;
        self.last = Some((end.saturating_sub(key.len()), end));
        Ok(self.writer)
    }
}
