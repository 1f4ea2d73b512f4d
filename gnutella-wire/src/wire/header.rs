//! The 23 bytes before every payload (0.4, 2.2; 0.6, 2.2).

use core::fmt;

use super::function::Function;
use crate::error::{BufferTooSmall, DecodeError};
use crate::id::Guid;
use crate::writer::Writer;

/// The length of a header, in bytes.
pub const HEADER_LEN: usize = 23;

const SIZE_FLAGS: u32 = 1 << 31; // then bits 16 to 30 are flags (gtk-gnutella's sflag)

/// The descriptor header. Integers are little-endian on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Names the message; an answer repeats the GUID of its question.
    pub guid: Guid,
    /// What the payload is.
    pub function: Function,
    /// How many more links the message may cross.
    pub ttl: u8,
    /// How many links it has crossed.
    pub hops: u8,
    /// The length of the payload, in bytes.
    pub len: u32,
}

/// The longest payload that is accepted, in bytes, by function. A longer one ends the connection,
/// because a receiver of bounded memory cannot skip to the next header without reading it all.
///
/// Choose the profile by the memory for the receive buffer of a connection, which must hold
/// [`buffer_len`](Self::buffer_len) bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Limits {
    /// Queries.
    pub query: u16,
    /// Query hits.
    pub query_hit: u16,
    /// Byes.
    pub bye: u16,
    /// All others, known or not.
    pub other: u16,
    /// What may follow the fixed fields of pings, pongs and pushes: GGEP blocks.
    pub extensions: u16,
    /// Whether the length word may carry flags above its low 16 bits, which both ends have agreed
    /// on by `X-Features: sflag/0.1`. They are dropped: their meaning is not documented.
    pub size_flags: bool,
}

impl Header {
    /// Reads a header and returns it with the bytes after it.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Incomplete`] below 23 bytes; [`DecodeError::Desynchronised`] for a length of
    /// 65,536 or more that are not flags; [`DecodeError::TooLarge`] for one above its limit. After the last two the
    /// connection is unusable.
    pub fn decode(bytes: &[u8], limits: Limits) -> Result<(Self, &[u8]), DecodeError> {
        let (mut header, rest) = Self::read(bytes)?;
        if limits.size_flags && header.len & SIZE_FLAGS != 0 {
            header.len &= 0xFFFF;
        }
        let Ok(len) = u16::try_from(header.len) else {
            return Err(DecodeError::Desynchronised { len: header.len });
        };
        let limit = limits.of(header.function);
        if len > limit {
            let function = header.function;
            return Err(DecodeError::TooLarge { function, len: header.len, limit });
        }
        Ok((header, rest))
    }

    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let missing = HEADER_LEN.saturating_sub(bytes.len());
        let short = DecodeError::Incomplete { needed: missing };
        let (guid, rest) = bytes.split_first_chunk().ok_or(short)?;
        let ([function, ttl, hops], rest) = rest.split_first_chunk().ok_or(short)?;
        let (len, rest) = rest.split_first_chunk().ok_or(short)?;
        let header = Self {
            guid: Guid(*guid),
            function: Function(*function),
            ttl: *ttl,
            hops: *hops,
            len: u32::from_le_bytes(*len),
        };
        Ok((header, rest))
    }

    /// Returns [`HEADER_LEN`].
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below 23 bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(w))
    }

    /// Returns the header as it stands on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let _ = self.encode(&mut bytes); // exactly as long
        bytes
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.guid.0);
        w.bytes(&[self.function.0, self.ttl, self.hops]);
        w.u32(self.len);
    }
}

impl Limits {
    /// What 0.4 defines and no more: pings, pongs and pushes without extensions.
    pub const STRICT_04: Self = Self::new(256, 65_535, 4_096, 4_096, 0);
    /// As gtk-gnutella 1.2.3 has it.
    pub const GTKG: Self = Self::new(1_024, 65_535, 4_096, 40_960, 40_960);
    /// As `LimeWire` and `Phex` have it: the most that a length field without flags can hold.
    pub const LIMEWIRE: Self = Self::new(65_535, 65_535, 65_535, 65_535, 65_535);
    /// For a leaf with little memory: receive buffers of 2,071 bytes.
    pub const EMBEDDED: Self = Self::new(256, 2_048, 256, 1_024, 1_024);

    const fn new(query: u16, query_hit: u16, bye: u16, other: u16, extensions: u16) -> Self {
        Self { query, query_hit, bye, other, extensions, size_flags: false }
    }

    /// Returns the same limits for a link on which flags in the length word were agreed on.
    #[must_use]
    pub const fn with_size_flags(self) -> Self {
        Self { size_flags: true, ..self }
    }

    /// Returns the longest payload accepted for `function`, in bytes.
    #[must_use]
    pub const fn of(&self, function: Function) -> u16 {
        match function {
            Function::QUERY => self.query,
            Function::QUERY_HIT => self.query_hit,
            Function::BYE => self.bye,
            Function::PING => self.after(0),
            Function::PONG => self.after(14),
            Function::PUSH => self.after(26),
            _ => self.other,
        }
    }

    const fn after(&self, fixed: u16) -> u16 {
        let len = fixed.saturating_add(self.extensions);
        // What is fixed must fit, however little is allowed besides.
        if len > self.other && self.other > fixed { self.other } else { len }
    }

    /// Returns the length of a receive buffer that holds any accepted message, in bytes.
    #[must_use]
    pub fn buffer_len(&self) -> usize {
        let push = self.of(Function::PUSH); // of the three with extensions the longest
        let payload = self.query.max(self.query_hit).max(self.bye).max(self.other).max(push);
        HEADER_LEN.saturating_add(usize::from(payload))
    }
}

impl Default for Limits {
    /// [`GTKG`](Self::GTKG).
    fn default() -> Self {
        Self::GTKG
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guid, function, ttl, hops, len } = self;
        write!(f, "{function} {guid:.8} ttl={ttl} hops={hops} len={len}")
    }
}
