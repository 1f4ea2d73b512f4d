//! Parts of a file (RFC 9110, 14).

use core::fmt;

/// Which bytes are asked for: `Range: bytes=..`. Of several the first is read, as gtk-gnutella does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    /// `bytes=5-`: from this byte to the end.
    From(u64),
    /// `bytes=5-9`: from one byte to another, both included.
    Span(u64, u64),
    /// `bytes=-5`: this many bytes at the end.
    Last(u64),
}

/// Which bytes are sent: `Content-Range: bytes 5-9/100`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentRange {
    /// The first byte.
    pub first: u64,
    /// The last byte, included.
    pub last: u64,
    /// The size of the whole file, if the response has it.
    pub size: Option<u64>,
}

impl Range {
    /// Reads the value of a `Range` header.
    #[must_use]
    pub fn decode(value: &str) -> Option<Self> {
        let (first, last) = after_unit(value)?.split(',').next()?.split_once('-')?;
        match (first.trim(), last.trim()) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?)),
            (first, last) => {
                let first = number(first)?;
                let last = number(last)?;
                (first <= last).then_some(Self::Span(first, last))
            }
        }
    }

    /// Returns the bytes meant of a file of `size` bytes; `None` if it has none of them.
    #[must_use]
    pub fn of(self, size: u64) -> Option<ContentRange> {
        let end = size.checked_sub(1)?;
        let (first, last) = match self {
            Self::From(first) => (first, end),
            Self::Span(first, last) => (first, last.min(end)),
            Self::Last(0) => return None,
            Self::Last(count) => (size.saturating_sub(count), end),
        };
        (first <= last).then_some(ContentRange { first, last, size: Some(size) })
    }
}

impl ContentRange {
    /// Reads the value of a `Content-Range` header. The size may be missing.
    #[must_use]
    pub fn decode(value: &str) -> Option<Self> {
        let value = after_unit(value)?;
        let (span, size) = value.split_once('/').unwrap_or((value, "*"));
        let (first, last) = span.split_once('-')?;
        let first = number(first)?;
        let last = number(last)?;
        let size = if size.trim() == "*" { None } else { Some(number(size)?) };
        let fits = first <= last && size.is_none_or(|size| last < size);
        fits.then_some(Self { first, last, size })
    }

    /// Returns how many bytes are sent; at the far end of 64 bits one less.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// Returns false: a range has at least one byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// Returns what follows the unit: `bytes=`, or as some servents write it, `bytes ` or `bytes:`, in any case.
fn after_unit(value: &str) -> Option<&str> {
    let (unit, rest) = value.trim().split_at_checked("bytes".len())?;
    let separated = rest.trim_start_matches([' ', '\t', '=', ':']);
    let valid = unit.eq_ignore_ascii_case("bytes") && separated.len() < rest.len();
    valid.then_some(separated)
}

/// Reads digits only, between spaces: `parse` alone would accept a sign.
pub(super) fn number(digits: &str) -> Option<u64> {
    let digits = digits.trim();
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(first) => write!(f, "bytes={first}-"),
            Self::Span(first, last) => write!(f, "bytes={first}-{last}"),
            Self::Last(count) => write!(f, "bytes=-{count}"),
        }
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}-{}/", self.first, self.last)?;
        match self.size {
            Some(size) => write!(f, "{size}"),
            None => f.write_str("*"),
        }
    }
}
