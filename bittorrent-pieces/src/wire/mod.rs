//! The peer wire: the handshake and the messages (BEP 3, "peer protocol"; BEP 5 for `port`).
//!
//! A message is a length, an id and a payload; all integers are big-endian. [`Message::decode`] reads
//! one from the front of the received bytes and borrows from them; the data of a `piece` is never
//! copied. A sender writes [`piece::encode_header`] and then the data from wherever they lie.
//!
//! ```
//! use bittorrent_pieces::wire::Message;
//!
//! let (message, rest) = Message::decode(&[0, 0, 0, 5, 4, 0, 0, 0, 7, 0, 0, 0], 1 << 15)?;
//! assert_eq!(message.to_string(), "HAVE piece=7");
//! assert_eq!(rest.len(), 3); // not yet a whole message
//! # Ok::<(), bittorrent_pieces::wire::DecodeError>(())
//! ```

pub mod extended;
pub mod fast;
pub(crate) mod field;
pub mod handshake;
pub mod hashes;
pub mod have;
pub mod piece;
pub mod port;
pub mod request;
pub mod state;

use core::fmt;

use thiserror::Error;

use crate::block::{Block, PieceIndex};
use crate::error::BufferTooSmall;
use crate::index::{count, slot};
pub use handshake::{Handshake, Reserved};
pub use piece::Piece;

/// The length prefix of every message, in bytes.
pub const LEN_LEN: usize = 4;

/// A message after the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// A length of 0, sent about every two minutes so that the connection stays.
    KeepAlive,
    /// 0: the sender will answer no requests.
    Choke,
    /// 1: the sender will answer requests.
    Unchoke,
    /// 2: the receiver has a piece that the sender wants.
    Interested,
    /// 3: it has none.
    NotInterested,
    /// 4: the sender now has this piece.
    Have(PieceIndex),
    /// 5: the pieces that the sender has; [`Bitfield::new`](crate::Bitfield::new) checks the bytes.
    Bitfield(&'a [u8]),
    /// 6: asks for a block.
    Request(Block),
    /// 7: a block.
    Piece(Piece<'a>),
    /// 8: takes a request back.
    Cancel(Block),
    /// 9: the UDP port of the sender's DHT node (BEP 5).
    Port(u16),
    /// Any other id, with its payload.
    Other {
        /// The id.
        id: u8,
        /// The bytes behind it.
        payload: &'a [u8],
    },
}

/// Malformed handshake or message: the peer's fault, except for `Incomplete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeError {
    /// At least this many more bytes are needed: the only error that more bytes cure.
    #[error("{needed} more bytes needed")]
    Incomplete {
        /// A lower bound, at least 1.
        needed: usize,
    },
    /// The length prefix is beyond the limit.
    #[error("message of {len} bytes, at most {limit} allowed")]
    TooLong {
        /// The length in the prefix.
        len: u32,
        /// What is allowed.
        limit: u32,
    },
    /// A payload of the wrong length for its id.
    #[error("invalid payload of {len} bytes for message {id}")]
    Payload {
        /// The id.
        id: u8,
        /// The bytes behind it.
        len: usize,
    },
    /// A request or cancel of no bytes, or whose end is beyond 32 bits.
    #[error("invalid block of {len} bytes at {begin}")]
    Block {
        /// Where it begins.
        begin: u32,
        /// Its length.
        len: u32,
    },
    /// The handshake is not that of this protocol.
    #[error("not a BitTorrent handshake")]
    Protocol,
}

impl<'a> Message<'a> {
    /// Reads a message of at most `limit` bytes behind its length prefix; returns the rest too.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]. One over the limit is refused as soon as its length prefix is there.
    pub fn decode(bytes: &'a [u8], limit: u32) -> Result<(Self, &'a [u8]), DecodeError> {
        let Some((prefix, rest)) = bytes.split_first_chunk::<LEN_LEN>() else {
            return Err(DecodeError::Incomplete { needed: LEN_LEN.saturating_sub(bytes.len()) });
        };
        let len = u32::from_be_bytes(*prefix);
        if len > limit {
            return Err(DecodeError::TooLong { len, limit });
        }
        let Some((body, rest)) = rest.split_at_checked(slot(len)) else {
            let needed = slot(len).saturating_sub(rest.len());
            return Err(DecodeError::Incomplete { needed });
        };
        let Some((&id, payload)) = body.split_first() else {
            return Ok((Self::KeepAlive, rest));
        };
        let message = match id {
            state::CHOKE..=state::NOT_INTERESTED => state::decode(id, payload)?,
            have::HAVE => Self::Have(have::decode(payload)?),
            have::BITFIELD => Self::Bitfield(payload),
            request::REQUEST => Self::Request(request::decode(id, payload)?),
            piece::PIECE => Self::Piece(Piece::decode(payload)?),
            request::CANCEL => Self::Cancel(request::decode(id, payload)?),
            port::PORT => Self::Port(port::decode(payload)?),
            id => Self::Other { id, payload },
        };
        Ok((message, rest))
    }

    /// Returns the number of bytes on the wire, the length prefix included.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let body = match self {
            Self::KeepAlive => 0,
            Self::Choke | Self::Unchoke | Self::Interested | Self::NotInterested => state::LEN,
            Self::Have(_) => have::LEN,
            Self::Bitfield(payload) | Self::Other { payload, .. } => {
                payload.len().saturating_add(1)
            }
            Self::Request(_) | Self::Cancel(_) => request::LEN,
            Self::Piece(piece) => piece::FIXED_LEN.saturating_add(piece.data.len()),
            Self::Port(_) => port::LEN,
        };
        body.saturating_add(LEN_LEN)
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
        match self {
            Self::KeepAlive => {}
            Self::Choke => out.u8(state::CHOKE),
            Self::Unchoke => out.u8(state::UNCHOKE),
            Self::Interested => out.u8(state::INTERESTED),
            Self::NotInterested => out.u8(state::NOT_INTERESTED),
            Self::Have(piece) => have::encode(*piece, &mut out),
            Self::Bitfield(payload) => {
                out.u8(have::BITFIELD);
                out.bytes(payload);
            }
            Self::Request(block) => request::encode(request::REQUEST, *block, &mut out),
            Self::Piece(piece) => piece.encode(&mut out),
            Self::Cancel(block) => request::encode(request::CANCEL, *block, &mut out),
            Self::Port(port) => port::encode(*port, &mut out),
            Self::Other { id, payload } => {
                out.u8(*id);
                out.bytes(payload);
            }
        }
        Ok(needed)
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeepAlive => f.write_str("KEEPALIVE"),
            Self::Choke => f.write_str("CHOKE"),
            Self::Unchoke => f.write_str("UNCHOKE"),
            Self::Interested => f.write_str("INTERESTED"),
            Self::NotInterested => f.write_str("NOT INTERESTED"),
            Self::Have(piece) => write!(f, "HAVE piece={piece}"),
            Self::Bitfield(bits) => write!(f, "BITFIELD bytes={}", bits.len()),
            Self::Request(block) => write!(f, "REQUEST {block}"),
            Self::Piece(piece) => piece.fmt(f),
            Self::Cancel(block) => write!(f, "CANCEL {block}"),
            Self::Port(port) => write!(f, "PORT {port}"),
            Self::Other { id, payload } => write!(f, "MESSAGE id={id} bytes={}", payload.len()),
        }
    }
}
