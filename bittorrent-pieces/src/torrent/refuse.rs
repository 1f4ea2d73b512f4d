//! What a torrent refuses of what a peer sends, before anything is changed.

use super::PeerError;
use super::peer::PeerSlot;
use super::queue::{self, Step, queues};
use super::state::View;
use crate::wire::Message;
use crate::wire::extended::EXTENDED;
use crate::wire::fast::Fast;
use crate::wire::hashes::HASH_REQUEST;
use crate::{BLOCK_LEN, Bitfield, Block};

impl View<'_, '_> {
    /// Refuses what a peer must not say; nothing is changed yet.
    pub(super) fn check(&self, index: usize, message: &Message<'_>) -> Result<(), PeerError> {
        let geometry = self.core.geometry();
        let within = |block: Block| {
            let fits = geometry.contains(block) && block.len <= BLOCK_LEN;
            if fits { Ok(()) } else { Err(PeerError::Block(block)) }
        };
        match *message {
            Message::Have(piece) if piece.0 >= geometry.pieces() => Err(PeerError::Piece(piece)),
            Message::Bitfield(payload) => {
                Bitfield::new(geometry.pieces(), payload)?;
                Ok(())
            }
            Message::Request(block) => {
                within(block)?;
                let had = self.core.picker.is_had(self.regions.pieces, block.piece);
                let rejects = self.is_fast(index); // rather than closes
                if had || rejects { Ok(()) } else { Err(PeerError::NotHeld(block.piece)) }
            }
            Message::Piece(piece) => {
                let block = piece.block();
                within(block)?;
                let strays = self.is_fast(index) && self.asked(index, block).is_none();
                if strays { Err(PeerError::Unrequested(block)) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_fast(&self, index: usize, fast: Option<Fast>) -> Result<(), PeerError> {
        let Some(fast) = fast else { return Ok(()) };
        if !self.is_fast(index) {
            return Err(PeerError::FastOff(fast.id()));
        }
        match fast {
            Fast::Suggest(piece) | Fast::AllowedFast(piece)
                if piece.0 >= self.core.geometry().pieces() =>
            {
                Err(PeerError::Piece(piece))
            }
            Fast::Reject(block) if self.asked(index, block).is_none() => {
                Err(PeerError::RejectedNothing(block))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_fast(&self, index: usize) -> bool {
        self.regions.peers.get(index).is_some_and(|slot| slot.0.flags.fast)
    }

    /// Returns how far a request to a peer is.
    fn asked(&self, index: usize, block: Block) -> Option<Step> {
        let mut ours = queue::ours(self.regions.requests, self.regions.peers.len(), index);
        let known = ours.find(|ask| ask.step != Step::Due && ask.block() == block);
        known.map(|ask| ask.step)
    }

    /// Returns whether a request cannot be kept in mind.
    pub(super) fn is_busy(&mut self, index: usize, message: &Message<'_>) -> bool {
        let count = self.regions.peers.len();
        let Some(PeerSlot(link)) = self.regions.peers.get(index) else { return false };
        let (_, uploads) = queues(self.regions.requests, count, index);
        match *message {
            Message::Request(_) if link.flags.fast => uploads.is_full(),
            Message::Request(block) => {
                link.flags.unchoked && uploads.is_full() && !uploads.has(block)
            }
            Message::Other { id: EXTENDED | HASH_REQUEST, .. } => uploads.is_full(),
            _ => false,
        }
    }
}
