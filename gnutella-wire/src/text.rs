//! Text as this protocol has it: bytes up to a NUL, usually but not always UTF-8.

use core::fmt;

/// Bytes without a NUL: a search string, a file name, an extension area.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// No text.
    pub const EMPTY: Self = Self(&[]);

    /// Takes bytes that hold no NUL; otherwise returns `None`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while let [first, tail @ ..] = rest {
            if *first == 0 {
                return None;
            }
            rest = tail;
        }
        Some(Self(bytes))
    }

    /// Wraps bytes of another text, which hold no NUL.
    #[cfg(feature = "opennap")]
    pub(crate) const fn of_text(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Cuts at the first NUL and returns what stands before and after it; without a NUL all is
    /// text and the rest is `None`.
    pub(crate) fn split(bytes: &'a [u8]) -> (Self, Option<&'a [u8]>) {
        let mut parts = bytes.splitn(2, |byte| *byte == 0);
        (Self(parts.next().unwrap_or_default()), parts.next())
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns the text if it is UTF-8.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }

    /// Returns the length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Returns whether the text is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// Prints controls and bytes that are not UTF-8 as escapes, so that a trace stays on its line.
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
