//! The blocks that are fetched: who was asked, and who is not to be asked again.

use core::time::Duration;

use super::asking::Asking;
use super::config::GossipConfig;
use super::peer::PeerSlot;
use crate::hash::BlockId;

/// Room for one block that is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRequest {
    pub(super) is_used: bool,
    pub(super) is_wanted: bool, // or not any more, and the answer is still on its way
    pub(super) id: BlockId,
    pub(super) height: u64,
    pub(super) asking: Asking,
    pub(super) retry_at: Option<Duration>, // all were asked
}

impl BlockRequest {
    /// A free slot.
    pub const EMPTY: Self = Self {
        is_used: false,
        is_wanted: false,
        id: BlockId::from_bytes([0; 32]),
        height: 0,
        asking: Asking::NONE,
        retry_at: None,
    };

    pub(super) fn new(id: BlockId, height: u64) -> Self {
        Self { is_used: true, is_wanted: true, id, height, ..Self::EMPTY }
    }

    /// Returns whether a peer claims to be far enough, and is not excluded.
    fn may_ask(&self, at: usize, peer: &PeerSlot) -> bool {
        peer.is_open() && peer.height >= self.height && self.asking.may_ask(at)
    }

    /// Returns whether it waits for nobody, and can be asked for.
    pub(super) fn is_idle(&self) -> bool {
        self.is_wanted && self.asking.asked.is_none() && self.retry_at.is_none()
    }

    /// Returns whether all peers that may have it were asked in vain.
    pub(super) fn is_exhausted(&self, peers: &[PeerSlot]) -> bool {
        let mut slots = peers.iter().enumerate();
        self.is_idle()
            && peers.iter().any(PeerSlot::is_open)
            && !slots.any(|(at, peer)| self.may_ask(at, peer))
    }

    /// Returns the peer to ask: the most reliable, then the one with fewest requests, then the fastest.
    pub(super) fn choose(&self, peers: &[PeerSlot], requests: &[Self]) -> Option<usize> {
        let candidates = peers.iter().enumerate().filter(|(at, peer)| self.may_ask(*at, peer));
        let free = candidates
            .map(|(at, peer)| (at, peer, in_flight(at, requests)))
            .filter(|(_, peer, in_flight)| *in_flight < usize::from(peer.window));
        let best = free
            .min_by_key(|(at, peer, in_flight)| (peer.stalls, *in_flight, peer.latency.get(), *at));
        best.map(|(at, _, _)| at)
    }

    /// Returns when the peer that was asked is late: soon if another one can be asked instead.
    pub(super) fn deadline(
        &self,
        config: &GossipConfig,
        peers: &[PeerSlot],
        requests: &[Self],
    ) -> Option<Duration> {
        let asked = self.asking.asked?;
        let mut without = *self;
        without.asking.exclude(asked.peer);
        let has_other = without.choose(peers, requests).is_some();
        let patience = if has_other { config.patience } else { config.request_timeout };
        asked.at.checked_add(patience.min(config.request_timeout))
    }
}

fn in_flight(peer: usize, requests: &[BlockRequest]) -> usize {
    let of_peer =
        |request: &&BlockRequest| request.asking.asked.is_some_and(|asked| asked.peer == peer);
    requests.iter().filter(of_peer).count()
}
