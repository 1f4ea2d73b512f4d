//! What a torrent refuses: the caller's mistakes and the peers' faults.

use thiserror::Error;

use crate::bitfield::BitfieldError;
use crate::geometry::{Block, PieceIndex};
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
    /// The bytes are not a message.
    #[error("{0}")]
    Decode(DecodeError),
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
    /// A block outside its piece, or longer than 16 KiB (BEP 3).
    #[error("invalid block: {0}")]
    Block(Block),
    /// A request for a piece that we never announced, without the fast extension.
    #[error("request for piece {0}, which we do not have")]
    NotHeld(PieceIndex),
    /// A message of the fast extension, which was not negotiated (BEP 6).
    #[error("message {0} of the fast extension, which was not negotiated")]
    FastOff(u8),
    /// A block that was not requested, under the fast extension (BEP 6: must close).
    #[error("unrequested block: {0}")]
    Unrequested(Block),
    /// A reject of a request that was not made (BEP 6: should close).
    #[error("reject of a request that was not made: {0}")]
    RejectedNothing(Block),
    /// A request for hashes of another file, or with impossible numbers (BEP 52).
    #[error("invalid hash request")]
    Hashes,
    /// A malformed extended message (BEP 10).
    #[error("malformed extended message")]
    Extended,
}

impl From<DecodeError> for PeerError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
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
