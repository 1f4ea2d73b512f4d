//! Text in caller-provided buffers, and base64 (RFC 4648, section 4) in both directions.

use core::fmt::{self, Write};

use base64ct::{Base64, Decoder, Encoding};

use crate::error::BufferTooSmall;
use crate::hash::Hash;
use crate::merkle::{HashRows, rows_of};

/// The length of a hash in base64.
const HASH_TEXT_LEN: usize = 44;

/// Writes text into a buffer and counts what it would need.
pub(super) struct TextWriter<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> TextWriter<'b> {
    pub(super) fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// Returns the length of the text.
    pub(super) fn finish(self) -> Result<usize, BufferTooSmall> {
        if self.len > self.buf.len() {
            return Err(BufferTooSmall { needed: self.len });
        }
        Ok(self.len)
    }

    /// Writes arguments; whether they fit is found out by [`finish`](Self::finish).
    pub(super) fn put(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.write_fmt(text); // `write_str` never fails
    }

    /// Writes bytes as they are.
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(place) = self.buf.get_mut(self.len..end) {
            for (to, from) in place.iter_mut().zip(bytes) {
                *to = *from; // `copy_from_slice` would panic where the lengths differ
            }
        }
        self.len = end;
    }

    /// Writes bytes as base64.
    pub(super) fn put_base64(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(48) {
            let mut out = [0; 64];
            if let Ok(text) = Base64::encode(chunk, &mut out) {
                self.put(format_args!("{text}"));
            }
        }
    }
}

impl Write for TextWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put_bytes(text.as_bytes());
        Ok(())
    }
}

/// A hash that prints as base64.
pub(super) struct HashText<'h>(pub(super) &'h Hash);

impl fmt::Display for HashText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = [0; HASH_TEXT_LEN];
        f.write_str(Base64::encode(self.0.as_bytes(), &mut out).map_err(|_| fmt::Error)?)
    }
}

/// Parses a hash in base64; only the canonical spelling is accepted.
pub(super) fn parse_hash(text: &str) -> Option<Hash> {
    parse_array(text).map(Hash::from_bytes)
}

/// Returns the hashes of the first `count` lines, which were parsed before: each is a hash and a line feed. The rest is zeros.
pub(super) fn hashes_of_lines(lines: &[u8], count: usize) -> HashRows {
    let (lines, _) = lines.as_chunks::<{ HASH_TEXT_LEN + 1 }>();
    let lines = lines.get(..count).unwrap_or_default();
    let parse = |[line @ .., _]: &[u8; HASH_TEXT_LEN + 1]| {
        core::str::from_utf8(line).ok().and_then(parse_hash)
    };
    rows_of(&|at| lines.get(at).and_then(parse).unwrap_or(Hash::ZERO))
}

/// Returns a decoder of base64 in one line. The library's own would pass over line ends.
fn decoder(text: &str) -> Option<Decoder<'_, Base64>> {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if text.bytes().all(is_digit) { Decoder::new(text.as_bytes()).ok() } else { None }
}

/// Parses exactly `N` bytes in base64; only the canonical spelling is accepted.
pub(super) fn parse_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut decoder = decoder(text)?;
    decoder.decode(&mut bytes).ok()?;
    decoder.is_finished().then_some(bytes)
}

/// Returns the length of the bytes that this is the base64 of, and the first `N` of them, zeros where there are
/// fewer.
pub(super) fn scan_base64<const N: usize>(text: &str) -> Option<(usize, [u8; N])> {
    let mut head = [0; N];
    let mut decoder = decoder(text)?;
    let len = decoder.remaining_len();
    decoder.decode(head.get_mut(..len.min(N))?).ok()?;
    let mut rest = [0; 48];
    while !decoder.is_finished() {
        let step = decoder.remaining_len().min(rest.len());
        decoder.decode(rest.get_mut(..step)?).ok()?;
    }
    Some((len, head))
}

/// Parses a decimal number without sign or leading zeros.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}
