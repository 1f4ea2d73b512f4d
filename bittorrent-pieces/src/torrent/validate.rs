//! Validation of received messages, before anything is changed.

use super::cursor::PeerMut;
use super::error::PeerError;
use super::queue::{RequestSlot, Step};
use crate::bitfield::Bitfield;
use crate::block::{BLOCK_LEN, Block};
use crate::wire::Message;
use crate::wire::extended::EXTENDED;
use crate::wire::fast::Fast;
use crate::wire::hashes::HASH_REQUEST;

impl PeerMut<'_> {
    /// Refuses messages that break the protocol. Behind a block there may be padding that was not sent.
    pub(super) fn validate(&self, message: &Message<'_>, padding: u32) -> Result<(), PeerError> {
        match *message {
            Message::Have(piece) if piece.0 >= self.geometry().pieces() => {
                Err(PeerError::Piece(piece))
            }
            Message::Bitfield(payload) => {
                Bitfield::new(self.geometry().pieces(), payload)?;
                Ok(())
            }
            Message::Piece(piece) => {
                let mut block = piece.block();
                block.len = block.len.saturating_add(padding);
                self.validate_block(block)?;
                let stray = self.state.flags.fast() && !self.may_answer(block);
                if stray { Err(PeerError::Unrequested(block)) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    fn validate_block(&self, block: Block) -> Result<(), PeerError> {
        let fits = self.geometry().contains(block) && block.len <= BLOCK_LEN;
        if fits { Ok(()) } else { Err(PeerError::Block(block)) }
    }

    /// Refuses messages of the fast extension that break its rules.
    pub(super) fn validate_fast(&self, fast: Option<Fast>) -> Result<(), PeerError> {
        let Some(fast) = fast else { return Ok(()) };
        if !self.state.flags.fast() {
            return Err(PeerError::FastOff(fast.id()));
        }
        match fast {
            Fast::Suggest(piece) | Fast::AllowedFast(piece)
                if piece.0 >= self.geometry().pieces() =>
            {
                Err(PeerError::Piece(piece))
            }
            Fast::HaveAll | Fast::HaveNone if self.state.flags.pieces_received() => {
                Err(PeerError::RepeatedPieces)
            }
            Fast::Reject(block) if !self.may_answer(block) => {
                Err(PeerError::RejectedNothing(block))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a request for a block was sent to the peer, or may have been: overdue ones are forgotten but for one.
    fn may_answer(&self, block: Block) -> bool {
        let requested = |request: &RequestSlot| {
            let known = request.step != Step::Due && request.block() == block;
            known || request.is_overdue(self.config.patience, self.now)
        };
        self.requests.iter().any(requested)
    }

    /// Returns whether the request queue of the peer has no room for a message.
    pub(super) fn is_busy(&self, message: &Message<'_>) -> bool {
        match *message {
            Message::Request(_) if self.state.flags.fast() => self.uploads.is_full(),
            Message::Request(block) => {
                self.state.flags.unchoked() && self.uploads.is_full() && !self.uploads.has(block)
            }
            Message::Other { id: EXTENDED | HASH_REQUEST, .. } => self.uploads.is_full(),
            _ => false,
        }
    }
}
