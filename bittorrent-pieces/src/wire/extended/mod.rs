//! The extension protocol (BEP 10) and four of its messages: metadata (BEP 9), peer exchange (BEP 11),
//! `lt_donthave` (BEP 54) and holepunch (BEP 55).
//!
//! [`Message::decode`](super::Message::decode) leaves message 20 as
//! [`Other`](super::Message::Other); [`Extended::decode`] reads its payload. The first byte is an id
//! that the *receiver* chose in its own handshake.
//!
//! ```
//! use bittorrent_pieces::wire::extended::{Extended, ExtendedHandshake};
//!
//! let Extended { id, body } = Extended::decode(b"\0d1:md11:ut_metadatai3eee")?;
//! assert_eq!(id, 0); // the handshake
//! let hello = ExtendedHandshake::decode(body)?;
//! assert_eq!(hello.id(b"ut_metadata"), Some(3));
//! # Ok::<(), bittorrent_pieces::wire::extended::ExtendedError>(())
//! ```

mod donthave;
mod handshake;
mod holepunch;
mod metadata;
mod pex;

use thiserror::Error;

use super::{LEN_LEN, field};
use crate::bencode::{BencodeError, Limits, Mode, Value};
use crate::error::BufferTooSmall;
use crate::index::count;
pub use donthave::DontHave;
pub use handshake::{ExtendedHandshake, ExtendedIds, HandshakeDraft};
pub use holepunch::{Holepunch, HolepunchError};
pub use metadata::{MAX_METADATA_SIZE, METADATA_PIECE_LEN, Metadata};
pub use pex::{Added, Dropped, MAX_CHANGES, MAX_FIRST, Pex, PexFlags};

/// The id of an extended message.
pub const EXTENDED: u8 = 20;
/// The message id that this crate chooses for `ut_pex`.
pub(crate) const EXCHANGE: u8 = 2;
/// The extended id of the handshake.
pub const HANDSHAKE: u8 = 0;
/// Everything before the body: length prefix, id, extended id; in bytes.
pub const HEADER_LEN: usize = 6;
/// What a dictionary may hold: 6 levels, 1,024 values and keys, 16 keys out of order.
pub const LIMITS: Limits = Limits { depth: 6, items: 1 << 10, unordered: 16 };

/// An extended message: the extended id and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Extended<'a> {
    /// 0 for the handshake, else what the receiver announced.
    pub id: u8,
    /// The bytes behind it.
    pub body: &'a [u8],
}

/// An extended message that cannot be used: the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExtendedError {
    /// No extended id.
    #[error("an extended message of no bytes")]
    Empty,
    /// No bencode.
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    /// Bencode, but no dictionary.
    #[error("no dictionary")]
    NotDictionary,
    /// A key that is missing or has an impossible value.
    #[error("key '{0}' is missing or impossible")]
    Key(&'static str),
    /// A body or a part of it of the wrong length.
    #[error("{len} bytes where {expected} are right")]
    Length {
        /// How many there are.
        len: usize,
        /// How many there should be.
        expected: usize,
    },
}

impl<'a> Extended<'a> {
    /// Reads the payload of a message 20.
    ///
    /// # Errors
    ///
    /// [`ExtendedError::Empty`]
    pub fn decode(payload: &'a [u8]) -> Result<Self, ExtendedError> {
        let (id, body) = payload.split_first().ok_or(ExtendedError::Empty)?;
        Ok(Self { id: *id, body })
    }

    /// Returns the number of bytes on the wire, the length prefix included.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        HEADER_LEN.saturating_add(self.body.len())
    }

    /// Writes the message, its length prefix included, and returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing is written then.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let mut out = field::Out::new(out, needed)?;
        out.u32(count(needed.saturating_sub(LEN_LEN)));
        out.u8(EXTENDED);
        out.u8(self.id);
        out.bytes(self.body);
        Ok(needed)
    }
}

/// Reads the dictionary at the front of a body; returns the rest too.
fn dict(body: &[u8]) -> Result<(Value<'_>, &[u8]), ExtendedError> {
    let (value, rest) = Value::decode_shallow(body, Mode::Lenient, LIMITS)?;
    if value.is_dict() { Ok((value, rest)) } else { Err(ExtendedError::NotDictionary) }
}

/// Returns a number that fits; `None` if it is missing, of another kind or too large.
fn number<T: TryFrom<i64>>(dict: Value<'_>, key: &[u8]) -> Option<T> {
    dict.find(key)?.as_int().and_then(|value| T::try_from(value).ok())
}
