//! The peers that others announced to us.

use core::net::SocketAddr;
use core::time::Duration;

use crate::InfoHash;

/// How long a peer is remembered that does not announce again.
const AGE: Duration = Duration::from_secs(30 * 60);

/// Room for one announced peer: at most 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPeer(Option<(InfoHash, SocketAddr, Duration)>);

impl StoredPeer {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);
}

/// Notes a peer; the oldest makes room.
pub(super) fn put(peers: &mut [StoredPeer], torrent: InfoHash, addr: SocketAddr, now: Duration) {
    let same = |slot: &StoredPeer| slot.0.is_some_and(|(t, a, _)| t == torrent && a == addr);
    let place = peers.iter().position(same).or_else(|| {
        let oldest = peers.iter().enumerate().min_by_key(|(_, slot)| slot.0.map(|(_, _, at)| at));
        oldest.map(|(at, _)| at)
    });
    if let Some(slot) = place.and_then(|at| peers.get_mut(at)) {
        slot.0 = Some((torrent, addr, now));
    }
}

/// Returns the peers of a torrent.
pub(super) fn of(
    peers: &[StoredPeer],
    torrent: InfoHash,
    now: Duration,
) -> impl Iterator<Item = SocketAddr> {
    let fresh = move |at: Duration| now.saturating_sub(at) < AGE;
    peers.iter().filter_map(move |slot| {
        slot.0.filter(|(t, _, at)| *t == torrent && fresh(*at)).map(|(_, addr, _)| addr)
    })
}
