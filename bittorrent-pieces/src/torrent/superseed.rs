//! Super-seeding (BEP 16): which piece is announced to each peer.

use heapless::Vec;

use super::cursor::{PeerMut, View, peer_pieces};
use super::peer::PeerState;
use crate::block::PieceIndex;
use crate::compact_time::Maybe;

/// The number of offers to others that are avoided when the next one is chosen.
const OFFERS: usize = 64;

impl View<'_> {
    /// Returns whether peers that connect now see a peer without pieces.
    pub(super) fn starts_super_seeding(&self) -> bool {
        self.core.config.super_seeding && self.core.is_complete()
    }

    pub(super) fn set_super_seeding(&mut self, begins: bool) {
        self.core.config.super_seeding = begins;
        let ends = |state: &PeerState| state.flags.super_seeding() && !begins;
        for index in 0..self.parts.peers.len() {
            if !self.state(index).is_some_and(ends) {
                continue;
            }
            let Some(PeerMut { state, .. }) = self.peer(index) else { continue };
            state.flags.set_super_seeding(false);
            state.flags.set_offer_due(false);
            // A peer that has our bitfield gets all pieces one by one, another the bitfield.
            state.announce = state.flags.bitfield_sent().then_some(0).into();
        }
    }

    /// Chooses the next piece to announce to a peer.
    pub(super) fn offer(&mut self, index: usize) {
        if !self.state(index).is_some_and(|state| state.is_open() && state.flags.super_seeding()) {
            return;
        }
        let offers = self.parts.peers.iter().filter_map(|slot| slot.state.superseed_offer());
        let offered: Vec<PieceIndex, OFFERS> = offers.take(OFFERS).collect();
        let Some(peer) = &mut self.peer(index) else { return };
        let theirs = peer_pieces(peer.state, peer.pieces, peer.content.geometry);
        let next = peer.picker.state.offer(peer.picker.pieces, &theirs, &offered);
        peer.state.flags.set_offer_due(false);
        if let Some(next) = next.map(|piece| Maybe::some(piece.0)) {
            peer.state.flags.set_offer_due(next != peer.state.announce);
            peer.state.announce = next;
        }
    }

    /// Makes new offers after a peer got a piece: to that peer if it is done, and to those that were to
    /// pass the piece on to it, or that it was faster than.
    pub(super) fn offer_after(&mut self, index: usize, piece: PieceIndex) {
        for other in self.with_offers() {
            let offered = self.state(other).and_then(PeerState::superseed_offer);
            if offered == Some(piece) && (other != index || self.is_done(other)) {
                self.offer(other);
            }
        }
    }

    /// Makes new offers to peers that finished theirs when others connected or left.
    pub(super) fn renew_offers(&mut self) {
        for index in self.with_offers() {
            if self.is_done(index) {
                self.offer(index);
            }
        }
    }

    /// Returns the slots of peers that may have offers.
    fn with_offers(&self) -> core::ops::Range<usize> {
        0..if self.core.config.super_seeding { self.parts.peers.len() } else { 0 }
    }

    /// Returns whether a peer has the piece it was offered, and another has it too or no other misses it.
    fn is_done(&self, index: usize) -> bool {
        let super_seeding = |state: &PeerState| state.superseed_offer().filter(|_| state.is_open());
        let Some(piece) = self.state(index).and_then(super_seeding) else { return false };
        let has = |index| self.pieces_of(index).is_some_and(|pieces| pieces.has(piece));
        let others = self.parts.peers.iter().enumerate();
        let others = others.filter(|(other, slot)| *other != index && slot.state.is_open());
        let mut others = others.map(|(other, _)| has(other)).peekable();
        has(index) && (others.peek().is_none() || others.any(|has| has))
    }
}
