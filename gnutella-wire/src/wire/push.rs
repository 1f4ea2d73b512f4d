//! Push: connect to me, since I cannot connect to you (0.4, 2.2.5; 0.6, 2.2.5).

use core::fmt;
use core::net::SocketAddrV4;

use super::fields::{address, extra, malformed};
use super::function::Function;
use crate::error::{BufferTooSmall, DecodeError};
use crate::id::ServentId;
use crate::writer::Writer;

const SERVENT: usize = 16;
const INDEX: usize = 4; // little-endian
const IP: usize = 4; // network order
const PORT: usize = 2; // little-endian

/// Asks a servent behind a firewall to connect and to offer a file with GIV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push<'a> {
    /// The servent that is to connect, from its hit.
    pub servent: ServentId,
    /// The file, from its hit.
    pub index: u32,
    /// Where the asking servent listens.
    pub address: SocketAddrV4,
    /// What follows, kept as it stands: nothing in 0.4, a GGEP block in 0.6.
    pub extensions: &'a [u8],
}

impl<'a> Push<'a> {
    /// The length of the fixed fields, in bytes.
    pub const MIN_LEN: usize = SERVENT + INDEX + IP + PORT;

    /// Reads a whole payload.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] below 26 bytes.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let short = malformed(Function::PUSH, payload);
        let (servent, rest) = payload.split_first_chunk::<SERVENT>().ok_or(short)?;
        let (index, rest) = rest.split_first_chunk::<INDEX>().ok_or(short)?;
        let (ip, rest) = rest.split_first_chunk::<IP>().ok_or(short)?;
        let (port, extensions) = rest.split_first_chunk::<PORT>().ok_or(short)?;
        Ok(Self {
            servent: ServentId(*servent),
            index: u32::from_le_bytes(*index),
            address: address(*ip, *port),
            extensions,
        })
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
        w.bytes(&self.servent.0);
        w.u32(self.index);
        w.bytes(&self.address.ip().octets());
        w.u16(self.address.port());
        w.bytes(self.extensions);
    }
}

impl fmt::Display for Push<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servent, index, address, extensions } = self;
        write!(f, "servent {servent:.8} is to bring file {index} to {address}")?;
        extra(f, extensions)
    }
}
