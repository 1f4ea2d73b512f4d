//! Super-seeding (BEP 16): which piece each peer is told of.

use heapless::Vec;

use super::peer::PeerSlot;
use super::state::{View, holds, split};
use crate::PieceIndex;
use crate::small::Maybe;

/// How many offers to others are kept in mind when the next is chosen.
const OFFERS: usize = 64;

impl View<'_, '_> {
    /// Returns whether peers that come now see a peer without pieces.
    pub(super) fn poses(&self) -> bool {
        self.core.config.super_seeding && self.core.is_complete()
    }

    pub(super) fn set_super_seeding(&mut self, begins: bool) {
        self.core.config.super_seeding = begins;
        let ends = |slot: &&mut PeerSlot| slot.0.flags.poses && !begins;
        for PeerSlot(link) in self.regions.peers.iter_mut().filter(ends) {
            (link.flags.poses, link.flags.offers, link.offer) = (false, false, Maybe::NONE);
            link.retell = link.flags.announced.then_some(0).into(); // else it gets our bitfield
        }
    }

    /// Chooses the piece that a peer is told of next.
    pub(super) fn offer(&mut self, index: usize) {
        let geometry = self.core.geometry();
        let (picker, peers, bits, _) = split(&mut self.core.picker, &mut self.regions);
        if !peers.get(index).is_some_and(|slot| slot.0.is_ready() && slot.0.flags.poses) {
            return;
        }
        let offers = peers.iter().filter_map(|slot| slot.0.offer.piece());
        let offered: Vec<PieceIndex, OFFERS> = offers.take(OFFERS).collect();
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        let holds = holds(link, bits, geometry, index);
        let next = picker.state.offer(picker.pieces, &holds, &offered);
        if let Some(next) = next.map(|piece| Maybe::some(piece.0)) {
            (link.flags.offers, link.offer) = (next != link.offer, next);
        } else {
            link.flags.offers = false;
        }
    }

    /// Makes new offers after a peer got a piece: to it if it is done, and to those that were to pass the
    /// piece on to it, or that it was faster than.
    pub(super) fn offer_after(&mut self, index: usize, piece: PieceIndex) {
        for other in self.offered() {
            let offered = self.regions.peers.get(other).and_then(|slot| slot.0.offer.piece());
            if offered == Some(piece) && (other != index || self.is_done(other)) {
                self.offer(other);
            }
        }
    }

    /// Makes new offers to peers that are done since others came or went.
    pub(super) fn renew_offers(&mut self) {
        for index in self.offered() {
            if self.is_done(index) {
                self.offer(index);
            }
        }
    }

    /// Returns the slots of peers that may have offers.
    fn offered(&self) -> core::ops::Range<usize> {
        0..if self.core.config.super_seeding { self.regions.peers.len() } else { 0 }
    }

    /// Returns whether a peer has what it was offered, and another has it too or there is no other that
    /// misses it.
    fn is_done(&self, index: usize) -> bool {
        let geometry = self.core.geometry();
        let Some(PeerSlot(link)) = self.regions.peers.get(index) else { return false };
        let Some(piece) = link.offer.piece().filter(|_| link.is_ready() && link.flags.poses) else {
            return false;
        };
        let has = |index: usize| {
            let link = self.regions.peers.get(index).map(|slot| &slot.0);
            link.is_some_and(|link| holds(link, self.regions.bits, geometry, index).has(piece))
        };
        let others = self.regions.peers.iter().enumerate();
        let others = others.filter(|(other, slot)| *other != index && slot.0.is_ready());
        let mut others = others.map(|(other, _)| has(other)).peekable();
        has(index) && (others.peek().is_none() || others.any(|has| has))
    }
}
