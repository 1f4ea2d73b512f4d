//! The chunk of a snapshot that this node asks for.

use core::time::Duration;

use super::blocks::{Asked, bit};
use super::message::SnapshotPlace;
use super::peer::PeerSlot;

/// The chunk that is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkRequest {
    pub(super) place: SnapshotPlace,
    pub(super) asked: Option<Asked>,
    pub(super) excluded: u64, // peers that do not have it or did not answer, one bit each
}

impl ChunkRequest {
    /// Returns the peer to ask: the most reliable, then the fastest.
    pub(super) fn choose(&self, peers: &[PeerSlot]) -> Option<usize> {
        let has_it = |peer: &PeerSlot| peer.snapshot.is_some_and(|it| it.tip == self.place.block);
        let may_ask = |at: usize, peer: &PeerSlot| {
            peer.is_open() && self.excluded & bit(at) == 0 && has_it(peer)
        };
        let slots = peers.iter().enumerate().filter(|(at, peer)| may_ask(*at, peer));
        slots.min_by_key(|(at, peer)| (peer.stalls, peer.latency, *at)).map(|(at, _)| at)
    }

    pub(super) fn deadline(&self, timeout: Duration) -> Option<Duration> {
        self.asked.and_then(|asked| asked.at.checked_add(timeout))
    }

    pub(super) fn exclude(&mut self, peer: usize) {
        self.excluded |= bit(peer);
        self.asked = self.asked.filter(|asked| asked.peer != peer);
    }

    /// Forgets a peer whose slot is freed.
    pub(super) fn forget(&mut self, peer: usize) {
        self.excluded &= !bit(peer);
        self.asked = self.asked.filter(|asked| asked.peer != peer);
    }
}
