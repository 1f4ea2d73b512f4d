//! Text of URLs: writing, percent-encoding, parsing.

use crate::error::BufferTooSmall;

/// Appends bytes to a buffer, and counts what no longer fits.
pub(crate) struct Text<'b> {
    out: &'b mut [u8],
    len: usize,
}

impl<'b> Text<'b> {
    pub(crate) const fn new(out: &'b mut [u8]) -> Self {
        Self { out, len: 0 }
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

    /// Writes what RFC 3986 calls unreserved as it is, and anything else as `%` and two digits.
    pub(crate) fn percent(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    self.raw(&[byte]);
                }
                _ => self.raw(&[b'%', digit(byte >> 4), digit(byte & 0x0F)]),
            }
        }
    }

    /// Writes a URL as it is, but blanks and bytes beyond ASCII, which may not stand in one, as `%` and two digits.
    pub(crate) fn url(&mut self, url: &[u8]) {
        for byte in url {
            let byte = core::slice::from_ref(byte);
            if byte.iter().all(u8::is_ascii_graphic) { self.raw(byte) } else { self.percent(byte) }
        }
    }

    pub(crate) fn hex(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let pair = [digit(byte >> 4), digit(byte & 0x0F)];
            self.raw(&pair.map(|digit| digit.to_ascii_lowercase()));
        }
    }

    pub(crate) fn number(&mut self, value: u64) {
        let mut digits = [0; 20];
        let mut left = value;
        let mut len = 0_usize;
        for place in digits.iter_mut().rev() {
            *place = u8::try_from(left % 10).unwrap_or(0) | b'0';
            left /= 10;
            len = len.saturating_add(1);
            if left == 0 {
                break;
            }
        }
        self.raw(digits.get(digits.len().saturating_sub(len)..).unwrap_or_default());
    }

    /// Returns the number of bytes so far, whether or not there was room.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of bytes written, if there was room for all.
    pub(crate) const fn finish(self) -> Result<usize, BufferTooSmall> {
        if self.len > self.out.len() {
            return Err(BufferTooSmall { needed: self.len });
        }
        Ok(self.len)
    }
}

impl core::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.raw(text.as_bytes());
        Ok(())
    }
}

/// Returns a hexadecimal digit in upper case.
const fn digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => nibble | b'0',
        _ => nibble.wrapping_add(b'A' - 10),
    }
}

/// Returns the value of a hexadecimal digit.
pub(crate) fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Reads decimal digits, nothing else and at least one.
pub(crate) fn parse<T: core::str::FromStr>(digits: &[u8]) -> Option<T> {
    let text = core::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)?.parse().ok()
}

/// A value as it stands in a URL, percent-encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escaped<'a>(&'a [u8]);

impl<'a> Escaped<'a> {
    pub(crate) const fn new(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    /// Returns the bytes as they stand.
    #[must_use]
    pub const fn as_raw(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the decoded bytes: `%20` is a space. A `+` is a plus, as in any URI, and a `%` without two
    /// digits stands for itself.
    #[must_use]
    pub const fn bytes(&self) -> Unescaped<'a> {
        Unescaped(self.0)
    }

    /// Writes the decoded bytes and returns their number.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]
    pub fn decode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut text = Text::new(out);
        for byte in self.bytes() {
            text.raw(&[byte]);
        }
        text.finish()
    }

    /// Returns what follows a prefix. In hashes and addresses only `:` needs to be escaped.
    pub(crate) fn after(self, prefix: &[u8]) -> Option<&'a [u8]> {
        let mut bytes = self.bytes();
        for expected in prefix {
            if !bytes.next()?.eq_ignore_ascii_case(expected) {
                return None;
            }
        }
        Some(bytes.0)
    }
}

/// The decoded bytes of an [`Escaped`].
#[derive(Debug, Clone)]
pub struct Unescaped<'a>(&'a [u8]);

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        if let (b'%', [high, low, rest @ ..]) = (byte, rest)
            && let Some((high, low)) = nibble(*high).zip(nibble(*low))
        {
            self.0 = rest;
            return Some(high << 4 | low);
        }
        Some(*byte)
    }
}
