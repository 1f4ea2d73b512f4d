//! GIV: the answer to a push, on the connection that the push asked for (0.4, 2.6).

use core::fmt;

use super::range;
use crate::error::{BufferTooSmall, DecodeError};
use crate::head::split_line;
use crate::id::ServentId;
use crate::text::Text;
use crate::writer::Writer;

const GIV: &str = "GIV "; // then the index, a colon, the servent id in hexadecimal, a slash, the name

/// Offers a file; the other end answers with a request on the same connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Giv<'a> {
    /// The index of the file.
    pub index: u32,
    /// Who offers it.
    pub servent: ServentId,
    /// Its name, as it is.
    pub name: Text<'a>,
}

impl<'a> Giv<'a> {
    /// The longest line that is read, in bytes.
    pub const MAX_LEN: usize = 1_024;

    /// Reads a line that ends in two LF (0.4) or in CR LF, and returns it with the bytes after it.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Incomplete`] without an end; [`DecodeError::HeadTooLong`] without one within
    /// 1,024 bytes; [`DecodeError::UnknownLine`] if this is not a GIV.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let within = bytes.get(..Self::MAX_LEN).unwrap_or(bytes);
        let Some((line, _)) = split_line(within) else {
            return Err(if bytes.len() < Self::MAX_LEN {
                DecodeError::Incomplete { needed: 1 }
            } else {
                DecodeError::HeadTooLong { limit: Self::MAX_LEN }
            });
        };
        let giv = Self::read(line).ok_or(DecodeError::UnknownLine)?;
        match bytes.get(line.len()..).unwrap_or(&[]) {
            [b'\n'] => Err(DecodeError::Incomplete { needed: 1 }),
            [b'\r' | b'\n', b'\n', rest @ ..] | [b'\n', rest @ ..] => Ok((giv, rest)),
            _ => Err(DecodeError::UnknownLine), // `split_line` rules it out
        }
    }

    fn read(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_prefix(GIV.as_bytes())?;
        let at = rest.iter().position(|byte| *byte == b'/')?;
        let (ids, name) = rest.split_at_checked(at)?;
        let (index, servent) = core::str::from_utf8(ids).ok()?.split_once(':')?;
        Some(Self {
            index: u32::try_from(range::number(index)?).ok()?,
            servent: ServentId::from_hex(servent)?,
            name: Text::new(name.get(1..)?)?,
        })
    }

    /// Returns the length of the line with its end, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Writer::measure(|w| self.write(w))
    }

    /// Writes the line, ended by two LF, and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(w))
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.text(format_args!("{GIV}{}:{}/", self.index, self.servent));
        let mut lines = self.name.as_bytes().split(|byte| matches!(byte, b'\r' | b'\n'));
        w.bytes(lines.next().unwrap_or_default()); // a name must not forge lines
        w.bytes(b"\n\n");
    }
}

/// The line, without its end.
impl fmt::Display for Giv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{GIV}{}:{}/{}", self.index, self.servent, self.name)
    }
}
