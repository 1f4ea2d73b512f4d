//! QRP: a query-routing table on its way to a neighbour (GDF "Query Routing Protocol" 1.0).

use core::fmt;

use super::fields::malformed;
use super::function::Function;
use crate::error::{BufferTooSmall, DecodeError};
use crate::writer::Writer;

const VARIANT: usize = 1; // 0 RESET, 1 PATCH
const TABLE_LEN: usize = 4; // RESET: in slots, little-endian
const PATCH_FIELDS: usize = 4; // PATCH: number, size, compressor, bits per entry
// then, in a PATCH, the data

const RESET: u8 = 0x00;
const PATCH: u8 = 0x01;

/// The payload of a message of function 30.
///
/// [`Message::decode`](super::Message::decode) keeps such a payload as [`Other`](super::Other); this
/// reads its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qrp<'a> {
    /// Begins a new, empty table.
    Reset(Reset),
    /// Changes the table.
    Patch(Patch<'a>),
}

/// Begins a new, empty table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// How many slots the table has; a power of two, which is not checked here.
    pub slots: u32,
    /// The distance that means "not here", which every slot holds at first; 7 in most servents.
    pub infinity: u8,
}

/// Changes the table: one of up to 255 pieces that together have a difference for every slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch<'a> {
    /// Which piece this is, counted from 1.
    pub seq_no: u8,
    /// How many pieces there are.
    pub seq_size: u8,
    /// How the pieces together are compressed.
    pub compressor: Compressor,
    /// The width of an entry in bits: 1, 2, 4 or 8, which is not checked here.
    pub entry_bits: u8,
    /// This piece of the entries or of the compressed stream, as it stands.
    pub data: &'a [u8],
}

/// How a patch is compressed. Any value is legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Compressor(pub u8);

impl<'a> Qrp<'a> {
    /// Reads a whole payload. Bytes after a RESET are ignored.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] if it ends within its fixed fields (6 bytes for a RESET, 5 for a
    /// PATCH) or is neither of the two.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let bad = malformed(Function::QRP, payload);
        let ([variant], rest) = payload.split_first_chunk::<VARIANT>().ok_or(bad)?;
        match *variant {
            RESET => {
                let (slots, rest) = rest.split_first_chunk::<TABLE_LEN>().ok_or(bad)?;
                let infinity = *rest.first().ok_or(bad)?;
                Ok(Self::Reset(Reset { slots: u32::from_le_bytes(*slots), infinity }))
            }
            PATCH => {
                let (fields, data) = rest.split_first_chunk::<PATCH_FIELDS>().ok_or(bad)?;
                let [seq_no, seq_size, compressor, entry_bits] = *fields;
                let compressor = Compressor(compressor);
                Ok(Self::Patch(Patch { seq_no, seq_size, compressor, entry_bits, data }))
            }
            _ => Err(bad),
        }
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
        match *self {
            Self::Reset(Reset { slots, infinity }) => {
                w.u8(RESET);
                w.u32(slots);
                w.u8(infinity);
            }
            Self::Patch(Patch { seq_no, seq_size, compressor, entry_bits, data }) => {
                w.bytes(&[PATCH, seq_no, seq_size, compressor.0, entry_bits]);
                w.bytes(data);
            }
        }
    }
}

impl Patch<'_> {
    /// The length of what stands before the data, in bytes.
    pub const MIN_LEN: usize = VARIANT + PATCH_FIELDS;
}

impl Compressor {
    /// The data are the entries.
    pub const NONE: Self = Self(0);
    /// The data of all pieces in a row are one stream of zlib format (RFC 1950).
    pub const ZLIB: Self = Self(1);
}

impl fmt::Display for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("plain"),
            Self::ZLIB => f.write_str("zlib"),
            Self(other) => write!(f, "compressor {other}"),
        }
    }
}

impl fmt::Display for Qrp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset(Reset { slots, infinity }) => {
                write!(f, "reset {slots} slots, infinity {infinity}")
            }
            Self::Patch(Patch { seq_no, seq_size, compressor, entry_bits, data }) => {
                let len = data.len();
                write!(f, "patch {seq_no}/{seq_size} {entry_bits} bits {compressor} {len} bytes")
            }
        }
    }
}
