//! Who was asked for something, and who is not to be asked again.

use core::time::Duration;

/// The peer that was asked, and those that do not have it or did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) asked: Option<Asked>,
    excluded: u64, // one bit for each peer
}

/// The peer that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) peer: usize,
    pub(super) at: Duration,
}

impl Asking {
    /// Nobody was asked.
    pub(super) const NONE: Self = Self { asked: None, excluded: 0 };

    /// Stops waiting for the peer, and does not ask it again for now.
    pub(super) fn exclude(&mut self, peer: usize) {
        self.excluded |= bit(peer);
        self.stop_waiting_for(peer);
    }

    /// Forgets a peer whose slot is freed.
    pub(super) fn forget(&mut self, peer: usize) {
        self.allow(peer);
        self.stop_waiting_for(peer);
    }

    /// A peer may have it now.
    pub(super) fn allow(&mut self, peer: usize) {
        self.excluded &= !bit(peer);
    }

    /// All may be asked again.
    pub(super) fn allow_all(&mut self) {
        self.excluded = 0;
    }

    pub(super) fn may_ask(&self, peer: usize) -> bool {
        self.excluded & bit(peer) == 0
    }

    fn stop_waiting_for(&mut self, peer: usize) {
        self.asked = self.asked.filter(|asked| asked.peer != peer);
    }
}

/// Returns the bit of a peer.
pub(super) fn bit(peer: usize) -> u64 {
    u32::try_from(peer).ok().and_then(|peer| 1_u64.checked_shl(peer)).unwrap_or(0)
}
