//! Text for URLs: written, percent-encoded and read.

use crate::BufferTooSmall;

/// Writes bytes one behind the other, and counts on where the buffer ends.
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
            room.copy_from_slice(bytes);
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

    pub(crate) fn hex(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let pair = [digit(byte >> 4), digit(byte & 0x0F)];
            self.raw(&pair.map(|digit| digit.to_ascii_lowercase()));
        }
    }

    pub(crate) fn number(&mut self, value: u64) {
        let mut digits = [0; 20];
        let (mut left, mut len) = (value, 0_usize);
        for place in digits.iter_mut().rev() {
            *place = u8::try_from(left % 10).unwrap_or(0) | b'0';
            (left, len) = (left / 10, len.saturating_add(1));
            if left == 0 {
                break;
            }
        }
        self.raw(digits.get(digits.len().saturating_sub(len)..).unwrap_or_default());
    }

    /// Returns how many bytes were written, if there was room for all.
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
