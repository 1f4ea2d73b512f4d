//! What a torrent refuses: the caller's mistakes and the peers' faults.

use thiserror::Error;

use crate::wire::DecodeError;
use crate::wire::extended::ExtendedError;
use crate::wire::hashes::HashRange;
use crate::{BitfieldError, Block, InfoHash, PieceIndex};

/// The piece is not one that [`Event::Verify`](crate::Event::Verify) named. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("piece {0} is not to be checked")]
pub struct NotVerifying(pub PieceIndex);

/// A peer broke the protocol. Nothing changed; close the connection and call
/// [`handle_closed`](crate::Torrent::handle_closed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The bytes are no message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Its handshake is for another torrent.
    #[error("a handshake for the torrent {0}")]
    InfoHash(InfoHash),
    /// It has our own id: we dialled ourselves.
    #[error("a handshake with our own id")]
    OwnId,
    /// A piece that does not exist.
    #[error("piece {0} does not exist")]
    Piece(PieceIndex),
    /// A bitfield of the wrong length or with spare bits.
    #[error(transparent)]
    Bitfield(#[from] BitfieldError),
    /// A block outside its piece, or of more than 16 KiB (BEP 3).
    #[error("no such block: {0}")]
    Block(Block),
    /// A request for a piece that we never announced, without the fast extension.
    #[error("a request for piece {0}, which we do not have")]
    NotHeld(PieceIndex),
    /// A message of the fast extension, which was not agreed on (BEP 6).
    #[error("message {0} of the fast extension, which is off")]
    FastOff(u8),
    /// A block that we did not ask for, under the fast extension (BEP 6: must close).
    #[error("an unrequested block: {0}")]
    Unrequested(Block),
    /// A reject of a request that we did not make (BEP 6: should close).
    #[error("a reject of no request: {0}")]
    RejectedNothing(Block),
    /// A request for hashes of another file, or with impossible numbers (BEP 52).
    #[error("an impossible request for {} hashes at {} of layer {}", .0.length, .0.index, .0.base)]
    Hashes(HashRange),
    /// An extended message that is none (BEP 10).
    #[error("an extended message: {0}")]
    Extended(#[from] ExtendedError),
}
