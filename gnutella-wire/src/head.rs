//! Text heads: a first line, header lines, an empty line. Handshakes and HTTP have the same.

use core::fmt;

use crate::error::DecodeError;
use crate::writer::Writer;

/// A whole head as it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    first: &'a [u8],
    lines: &'a [u8],
}

/// The header lines of a head.
///
/// A line without a colon, or one that is not UTF-8, is passed over.
#[derive(Debug, Clone)]
pub struct Headers<'a>(&'a [u8]);

/// One header line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a name and a value")]
pub struct Header<'a> {
    /// The name; upper and lower case are the same.
    pub name: &'a str,
    /// The value, without the spaces around it.
    pub value: &'a str,
}

/// How long a head may be. Choose them by the memory for the receive buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the caller chooses both")]
pub struct HeadLimits {
    /// The most bytes, the empty line included.
    pub bytes: usize,
    /// The most header lines.
    pub lines: usize,
}

impl<'a> Head<'a> {
    /// Reads a head and returns it with the bytes after its empty line. Lines end in LF or CR LF.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Incomplete`] without an empty line; [`DecodeError::HeadTooLong`] and
    /// [`DecodeError::TooManyLines`] beyond the limits.
    pub fn decode(bytes: &'a [u8], limits: HeadLimits) -> Result<(Self, &'a [u8]), DecodeError> {
        let within = bytes.get(..limits.bytes).unwrap_or(bytes);
        let unfinished = if within.len() < limits.bytes {
            DecodeError::Incomplete { needed: 1 }
        } else {
            DecodeError::HeadTooLong { limit: limits.bytes }
        };
        let (first, lines) = split_line(within).ok_or(unfinished)?;
        let mut rest = lines;
        for _ in 0..=limits.lines {
            let (line, after) = split_line(rest).ok_or(unfinished)?;
            if line.is_empty() {
                let lines = lines.get(..lines.len().saturating_sub(rest.len())).unwrap_or(&[]);
                let used = within.len().saturating_sub(after.len());
                return Ok((Self { first, lines }, bytes.get(used..).unwrap_or(&[])));
            }
            rest = after;
        }
        Err(DecodeError::TooManyLines { limit: limits.lines })
    }

    /// Returns the first line without its end.
    #[must_use]
    pub const fn first_line(&self) -> &'a [u8] {
        self.first
    }

    /// Walks over the header lines.
    #[must_use]
    pub const fn headers(&self) -> Headers<'a> {
        Headers(self.lines)
    }

    /// Returns the value of the first header line of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut headers = self.headers();
        headers.find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// Returns `true` if the header line of that name says `True`, in either case.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.header(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

impl HeadLimits {
    /// 16,384 bytes and 128 lines, as gtk-gnutella 1.2.3 has it.
    pub const GTKG: Self = Self { bytes: 16_384, lines: 128 };
    /// 1,024 bytes and 32 lines, for a device.
    pub const EMBEDDED: Self = Self { bytes: 1_024, lines: 32 };
}

impl Default for HeadLimits {
    /// [`GTKG`](Self::GTKG).
    fn default() -> Self {
        Self::GTKG
    }
}

impl<'a> Header<'a> {
    /// Names a header line to send.
    #[must_use]
    pub const fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value }
    }

    fn decode(line: &'a [u8]) -> Option<Self> {
        let (name, value) = core::str::from_utf8(line).ok()?.split_once(':')?;
        Some(Self { name: name.trim(), value: value.trim() })
    }

    /// Returns `true` if this is one line, whatever the name and the value hold.
    fn is_one_line(&self) -> bool {
        !self.name.contains(['\r', '\n', ':']) && !self.value.contains(['\r', '\n'])
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        while let Some((line, rest)) = split_line(self.0) {
            self.0 = rest;
            if let Some(header) = Header::decode(line) {
                return Some(header);
            }
        }
        None
    }
}

/// Writes header lines and the empty line. A header that would not be one line, because it holds a
/// line end, is left out: what an application copies from elsewhere must not forge lines.
pub(crate) fn write_headers(w: &mut Writer<'_>, headers: &[Header<'_>]) {
    for header in headers.iter().filter(|header| header.is_one_line()) {
        w.text(format_args!("{header}\r\n"));
    }
    w.bytes(b"\r\n");
}

/// Returns the first line without its end, and what follows; `None` if it does not end.
pub(crate) fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at_checked(at)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..)?))
}

impl fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first.escape_ascii())?;
        self.headers().try_for_each(|header| write!(f, " | {header}"))
    }
}
