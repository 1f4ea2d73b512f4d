//! Ping: asks for hosts (0.4, 2.2.1; 0.6, 2.2.1)

use core::fmt;

use super::fields::extra;
use crate::error::BufferTooSmall;
use crate::writer::Writer;

// No fields.

/// Asks for pongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ping<'a> {
    /// What follows, kept as it stands: nothing in 0.4, a GGEP block in 0.6.
    pub extensions: &'a [u8],
}

impl<'a> Ping<'a> {
    /// Takes a whole payload; every one is a ping.
    #[must_use]
    pub const fn decode(payload: &'a [u8]) -> Self {
        Self { extensions: payload }
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
        w.bytes(self.extensions);
    }
}

impl fmt::Display for Ping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        extra(f, self.extensions)
    }
}
