//! Pong: I am here (0.4, 2.2.2; 0.6, 2.2.2).

use core::fmt;
use core::net::SocketAddrV4;

use super::fields::{address, extra, malformed};
use super::function::Function;
use crate::error::{BufferTooSmall, DecodeError};
use crate::writer::Writer;

const PORT: usize = 2; // little-endian
const IP: usize = 4; // network order
const FILES: usize = 4; // little-endian
const KILOBYTES: usize = 4; // little-endian

/// Answers a ping: where a servent listens, and how much it shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pong<'a> {
    /// Where the servent accepts connections.
    pub address: SocketAddrV4,
    /// How many files it shares.
    pub files: u32,
    /// How many kilobytes they have together; of an old ultrapeer an
    /// [`ultrapeer_mark`](Self::ultrapeer_mark).
    pub kilobytes: u32,
    /// What follows, kept as it stands: nothing in 0.4, a GGEP block in 0.6.
    pub extensions: &'a [u8],
}

impl<'a> Pong<'a> {
    /// The length of the fixed fields, in bytes.
    pub const MIN_LEN: usize = PORT + IP + FILES + KILOBYTES;

    /// Reads a whole payload.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] below 14 bytes.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let short = malformed(Function::PONG, payload);
        let (port, rest) = payload.split_first_chunk::<PORT>().ok_or(short)?;
        let (ip, rest) = rest.split_first_chunk::<IP>().ok_or(short)?;
        let (files, rest) = rest.split_first_chunk::<FILES>().ok_or(short)?;
        let (kilobytes, extensions) = rest.split_first_chunk::<KILOBYTES>().ok_or(short)?;
        Ok(Self {
            address: address(*ip, *port),
            files: u32::from_le_bytes(*files),
            kilobytes: u32::from_le_bytes(*kilobytes),
            extensions,
        })
    }

    /// Returns the kilobytes by which an old ultrapeer that shares this many marks itself: the nearest
    /// power of two, at least 8, at most 2^31.
    #[must_use]
    pub const fn ultrapeer_mark(kilobytes: u32) -> u32 {
        let Some(log) = kilobytes.checked_ilog2() else { return 8 };
        let low = 1_u32 << (log & 31);
        let nearer_high = kilobytes.saturating_sub(low) >= low.div_ceil(2);
        let mark = if nearer_high { low.saturating_mul(2) } else { low };
        match mark {
            ..8 => 8,
            u32::MAX => 1 << 31,
            mark => mark,
        }
    }

    /// Returns whether this is the mark of an old ultrapeer.
    #[must_use]
    pub const fn is_ultrapeer_mark(&self) -> bool {
        self.kilobytes >= 8 && self.kilobytes.is_power_of_two()
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
        w.u16(self.address.port());
        w.bytes(&self.address.ip().octets());
        w.u32(self.files);
        w.u32(self.kilobytes);
        w.bytes(self.extensions);
    }
}

impl fmt::Display for Pong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, files, kilobytes, extensions } = self;
        write!(f, "{address} shares {files} files, {kilobytes} kB")?;
        extra(f, extensions)
    }
}
