//! The chunk of a snapshot that this node asks for.

use core::time::Duration;

use super::asking::Asking;
use super::message::SnapshotPlace;
use super::peer::PeerSlot;

/// The chunk that is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkRequest {
    pub(super) place: SnapshotPlace,
    pub(super) asking: Asking,
}

impl ChunkRequest {
    /// Returns the peer to ask: the most reliable, then the fastest.
    pub(super) fn choose(&self, peers: &[PeerSlot]) -> Option<usize> {
        let has_it = |peer: &PeerSlot| peer.snapshot.is_some_and(|it| it.tip == self.place.block);
        let may_ask =
            |at: usize, peer: &PeerSlot| peer.is_open() && self.asking.may_ask(at) && has_it(peer);
        let slots = peers.iter().enumerate().filter(|(at, peer)| may_ask(*at, peer));
        slots.min_by_key(|(at, peer)| (peer.stalls, peer.latency.get(), *at)).map(|(at, _)| at)
    }

    pub(super) fn deadline(&self, timeout: Duration) -> Option<Duration> {
        self.asking.asked.and_then(|asked| asked.at.checked_add(timeout))
    }
}
