//! From peer to peer: the few words before the bytes of a file (napster.txt, "client-client").
//!
//! Who is connected to sends the character `1`. To fetch, the other end sends `GET` and then an
//! [`Ask`]; the answer is the size in digits and, without anything between, the file. To deliver,
//! from behind a firewall, it sends `SEND` and an [`Ask`] with the size for a number; the answer is
//! the offset in digits. None of the words has an end of its own: each is what one read returns.

#![expect(clippy::exhaustive_enums, reason = "the fields are the format")]
#![expect(clippy::exhaustive_structs, reason = "the fields are the format")]

use super::fields::{Fields, Joiner};
use crate::error::BufferTooSmall;
use crate::text::Text;
use crate::writer::Writer;

/// What the accepting end sends first.
pub const READY: &[u8] = b"1";
/// The other end wants a file.
pub const GET: &[u8] = b"GET";
/// The other end delivers a file.
pub const SEND: &[u8] = b"SEND";

/// Names a file, after `GET` with the offset to begin at, after `SEND` with the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Who speaks.
    pub nick: Text<'a>,
    /// The file, as it was shared.
    pub name: Text<'a>,
    /// The offset or the size, in bytes.
    pub number: u64,
}

/// What stands before the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The size of the file in bytes, and the number of digits before it.
    Size(u64, usize),
    /// `INVALID REQUEST`, `FILE NOT SHARED`, or other words.
    Refused,
}

impl<'a> Ask<'a> {
    /// Reads all of what was received; `None` if it is something else, or not whole.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let ask = Self { nick: fields.word()?, name: fields.name()?, number: fields.number()? };
        fields.is_empty().then_some(ask)
    }

    /// Writes it and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the length that is enough.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| {
            Joiner::new(w).word(self.nick).name(self.name).number(self.number);
        })
    }
}

impl Answer {
    /// As [`decode`](Self::decode), for a file whose size is known from a search: if its digits stand at the
    /// beginning they are the size, and the file may begin with a digit.
    #[must_use]
    pub fn decode_sized(bytes: &[u8], size: u64, at_end: bool) -> Option<Self> {
        let mut digits = [0; 20];
        let written = Writer::fill(&mut digits, |w| w.text(format_args!("{size}")));
        let digits = digits.get(..written.unwrap_or_default()).unwrap_or_default();
        if bytes.starts_with(digits) {
            return Some(Self::Size(size, digits.len()));
        }
        if digits.starts_with(bytes) && !at_end {
            return None;
        }
        Self::decode(bytes, at_end)
    }

    /// Reads the size before the bytes of a file: all digits at the beginning. A file
    /// that begins with a digit cannot be separated from its size; those of MP3 begin with FF.
    ///
    /// `None` means that more bytes are needed; `at_end` that there are no more.
    #[must_use]
    pub fn decode(bytes: &[u8], at_end: bool) -> Option<Self> {
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == bytes.len() && !at_end && digits < 20 {
            return None;
        }
        let size = bytes.get(..digits).and_then(|digits| core::str::from_utf8(digits).ok());
        Some(match size.and_then(|digits| digits.parse().ok()) {
            Some(size) => Self::Size(size, digits),
            None => Self::Refused,
        })
    }
}
