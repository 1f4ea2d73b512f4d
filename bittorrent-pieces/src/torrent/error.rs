//! What a torrent refuses: the caller's mistakes and the peers' faults.

use thiserror::Error;

use crate::bitfield::BitfieldError;
use crate::block::{Block, PieceIndex};
use crate::index::count;
use crate::wire::DecodeError;
use crate::wire::extended::ExtendedError;

/// The piece is not one that [`Event::Verify`](crate::Event::Verify) named. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("piece {0} is not being verified")]
#[expect(clippy::exhaustive_structs, reason = "the piece, and nothing else")]
pub struct NotVerifying(pub PieceIndex);

/// How a peer broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PeerError {
    /// Not a BitTorrent handshake.
    #[error("not a BitTorrent handshake")]
    Handshake,
    /// A message that is longer than the receive buffer must be.
    #[error("message of {len} bytes, at most {limit} allowed")]
    TooLong {
        /// The length that was announced, in bytes.
        len: u32,
        /// The longest allowed.
        limit: u32,
    },
    /// A payload of the wrong length for its id.
    #[error("invalid payload of {len} bytes for message {id}")]
    Payload {
        /// The id of the message.
        id: u8,
        /// The length of the payload in bytes.
        len: u32,
    },
    /// A cancel or reject of no bytes, or whose end is beyond 32 bits.
    #[error("invalid block of {len} bytes at {begin}")]
    Range {
        /// Where the block begins.
        begin: u32,
        /// Its length in bytes.
        len: u32,
    },
    /// A handshake for another torrent.
    #[error("handshake for another torrent")]
    InfoHash,
    /// A handshake with our own peer id: we dialled ourselves.
    #[error("handshake with our own peer id")]
    OwnId,
    /// A piece that does not exist.
    #[error("piece {0} does not exist")]
    Piece(PieceIndex),
    /// A bitfield of the wrong length or with spare bits.
    #[error("{0}")]
    Bitfield(BitfieldError),
    /// A have-all or have-none that is not the first announcement of pieces (BEP 6): five bytes that cost as
    /// much as all pieces.
    #[error("late or duplicate have-all or have-none")]
    RepeatedPieces,
    /// A block outside its piece, or longer than 16 KiB (BEP 3).
    #[error("invalid block: {0}")]
    Block(Block),
    /// A message of the fast extension, which was not negotiated (BEP 6).
    #[error("message {0} of the fast extension, which was not negotiated")]
    FastOff(u8),
    /// A block that was not requested, under the fast extension (BEP 6: must close).
    #[error("unrequested block: {0}")]
    Unrequested(Block),
    /// A reject of a request that was not made (BEP 6: should close).
    #[error("reject of a request that was not made: {0}")]
    RejectedNothing(Block),
    /// A malformed extended message (BEP 10).
    #[error("malformed extended message")]
    Extended,
}

impl From<DecodeError> for PeerError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Protocol => Self::Handshake,
            DecodeError::TooLong { len, limit } => Self::TooLong { len, limit },
            DecodeError::Payload { id, len } => Self::Payload { id, len: count(len) },
            DecodeError::Block { begin, len } => Self::Range { begin, len },
            DecodeError::Incomplete { needed } => Self::Payload { id: 0, len: count(needed) },
        }
    }
}

/// Returns what was decoded; `None` if more bytes are needed.
pub(crate) fn whole<T>(decoded: Result<T, DecodeError>) -> Result<Option<T>, PeerError> {
    match decoded {
        Ok(value) => Ok(Some(value)),
        Err(DecodeError::Incomplete { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl From<BitfieldError> for PeerError {
    fn from(error: BitfieldError) -> Self {
        Self::Bitfield(error)
    }
}

impl From<ExtendedError> for PeerError {
    fn from(_: ExtendedError) -> Self {
        Self::Extended
    }
}
