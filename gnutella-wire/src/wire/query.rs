//! Query: asks for a file (0.4, 2.2.3; 0.6, 2.2.3)

use core::fmt;

use super::fields::{extra, malformed};
use super::function::Function;
use crate::error::{BufferTooSmall, DecodeError};
use crate::text::Text;
use crate::writer::Writer;

const FLAGS: usize = 2; // flags, first byte high; or the minimum speed, little-endian
// then the search text, a NUL, and extensions

/// Asks for files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// What the asker wants and can do.
    pub flags: QueryFlags,
    /// The words; wildcards such as `*` are part of the text.
    pub text: Text<'a>,
    /// What follows the NUL, kept as it stands: HUGE strings, GGEP blocks, often one more NUL.
    pub extensions: &'a [u8],
}

/// The first two bytes of a query: once a minimum speed, now flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueryFlags(u16); // the first byte is the high one

impl<'a> Query<'a> {
    /// A query for `text` that any servent may answer.
    #[must_use]
    pub const fn new(text: Text<'a>) -> Self {
        Self { flags: QueryFlags(0), text, extensions: &[] }
    }

    /// Reads a whole payload. A missing NUL after the text is forgiven.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] below 2 bytes.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let short = malformed(Function::QUERY, payload);
        let (flags, rest) = payload.split_first_chunk::<FLAGS>().ok_or(short)?;
        let (text, extensions) = Text::split(rest);
        let extensions = extensions.unwrap_or_default();
        Ok(Self { flags: QueryFlags::from_bytes(*flags), text, extensions })
    }

    /// Returns the length of the payload, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Writer::measure(|w| self.write(w))
    }

    /// Writes the payload and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(w))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.flags.to_bytes());
        w.bytes(self.text.as_bytes());
        w.u8(0);
        w.bytes(self.extensions);
    }
}

impl QueryFlags {
    /// No minimum speed and no flags.
    pub const NONE: Self = Self(0);
    /// The marker: without it the word is a minimum speed. All flags below carry it.
    pub const MARKER: Self = Self(0x8000);
    /// The asker is behind a firewall.
    pub const FIREWALLED: Self = Self(0xC000);
    /// The asker reads XML metadata.
    pub const XML: Self = Self(0xA000);
    /// The asker counts its hits and reports them (leaf-guided dynamic queries).
    pub const LEAF_GUIDED: Self = Self(0x9000);
    /// The asker reads binary hashes (GGEP `H`).
    pub const GGEP_H: Self = Self(0x8800);
    /// The asker takes hits by datagram.
    pub const OUT_OF_BAND: Self = Self(0x8400);
    /// The asker can transfer between two firewalls.
    pub const FIREWALL_TO_FIREWALL: Self = Self(0x8200);

    /// Reads the two bytes as they stand on the wire; any are legal.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_be_bytes(bytes))
    }

    /// Returns the two bytes as they stand on the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    /// Asks for servents of at least `speed` kbit/s, in the form of 0.4. `None` if bit 7 is set:
    /// such a speed would be read as flags.
    #[must_use]
    pub const fn from_min_speed(speed: u16) -> Option<Self> {
        let flags = Self::from_bytes(speed.to_le_bytes());
        if flags.contains(Self::MARKER) { None } else { Some(flags) }
    }

    /// Returns the minimum speed in kbit/s, if the bytes are no flags.
    #[must_use]
    pub const fn min_speed(self) -> Option<u16> {
        let speed = u16::from_le_bytes(self.to_bytes());
        if self.contains(Self::MARKER) { None } else { Some(speed) }
    }

    /// Returns the most hits wanted, if the bytes are flags; 0 means no limit.
    #[must_use]
    pub const fn max_hits(self) -> Option<u8> {
        let [_, hits] = self.to_bytes();
        if self.contains(Self::MARKER) { Some(hits) } else { None }
    }

    /// Returns whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)?;
        match self.flags.min_speed() {
            Some(0) => {}
            Some(speed) => write!(f, " at {speed} kbit/s or more")?,
            None => write!(f, " flags {:04x}", self.flags.0)?,
        }
        extra(f, self.extensions)
    }
}
