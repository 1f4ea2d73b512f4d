//! The blocks that are fetched: who was asked, and who is not to be asked again.

use core::time::Duration;

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
    pub(super) asked: Option<Asked>,
    pub(super) excluded: u64, // peers that do not have it or did not answer, one bit each
    pub(super) retry_at: Option<Duration>, // all were asked
}

/// The peer that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) peer: usize,
    pub(super) at: Duration,
}

impl BlockRequest {
    /// A free slot.
    pub const EMPTY: Self = Self {
        is_used: false,
        is_wanted: false,
        id: BlockId::from_bytes([0; 32]),
        height: 0,
        asked: None,
        excluded: 0,
        retry_at: None,
    };

    pub(super) fn new(id: BlockId, height: u64) -> Self {
        Self { is_used: true, is_wanted: true, id, height, ..Self::EMPTY }
    }

    /// Stops waiting for the peer, and does not ask it again for now.
    pub(super) fn exclude(&mut self, peer: usize) {
        self.excluded |= bit(peer);
        self.asked = self.asked.filter(|asked| asked.peer != peer);
    }

    /// Forgets a peer whose slot is freed.
    pub(super) fn forget(&mut self, peer: usize) {
        self.excluded &= !bit(peer);
        self.asked = self.asked.filter(|asked| asked.peer != peer);
    }

    /// Returns whether a peer claims to be far enough, and is not excluded.
    fn may_ask(&self, at: usize, peer: &PeerSlot) -> bool {
        peer.is_open() && peer.height >= self.height && self.excluded & bit(at) == 0
    }

    /// Returns whether it waits for nobody, and can be asked for.
    pub(super) fn is_idle(&self) -> bool {
        self.is_wanted && self.asked.is_none() && self.retry_at.is_none()
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
        let best =
            free.min_by_key(|(at, peer, in_flight)| (peer.stalls, *in_flight, peer.latency, *at));
        best.map(|(at, _, _)| at)
    }

    /// Returns when the peer that was asked is late: soon if another one can be asked instead.
    pub(super) fn deadline(
        &self,
        config: &GossipConfig,
        peers: &[PeerSlot],
        requests: &[Self],
    ) -> Option<Duration> {
        let asked = self.asked?;
        let excluded = self.excluded | bit(asked.peer);
        let has_other = Self { excluded, ..*self }.choose(peers, requests).is_some();
        let patience = if has_other { config.patience } else { config.request_timeout };
        asked.at.checked_add(patience.min(config.request_timeout))
    }
}

/// Returns the bit of a peer.
pub(super) fn bit(peer: usize) -> u64 {
    u32::try_from(peer).ok().and_then(|peer| 1_u64.checked_shl(peer)).unwrap_or(0)
}

fn in_flight(peer: usize, requests: &[BlockRequest]) -> usize {
    let of_peer = |request: &&BlockRequest| request.asked.is_some_and(|asked| asked.peer == peer);
    requests.iter().filter(of_peer).count()
}
