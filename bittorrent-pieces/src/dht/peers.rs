//! The peers that other nodes announced to us.

use core::net::SocketAddr;
use core::time::Duration;

use crate::id::InfoHash;
use crate::network::Network;
use crate::rng::Rng;

/// A peer that does not announce again is removed after this time.
const AGE: Duration = Duration::from_secs(30 * 60);
/// The number of peers of one network that are stored for a torrent.
const PER_TORRENT: usize = 4;
/// A network may take one of this many slots.
const SHARE: usize = 32;

/// A slot for one announced peer: at most 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPeerSlot(Option<StoredPeer>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredPeer {
    pub(super) torrent: InfoHash,
    pub(super) addr: SocketAddr,
    pub(super) seed: bool,
    at: Duration,
}

impl StoredPeerSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);
}

/// Stores an announce. A network that has used up its quota replaces its own oldest peer; in a full table a
/// random peer is replaced.
pub(super) fn store(
    slots: &mut [StoredPeerSlot],
    rng: &mut Rng,
    now: Duration,
    torrent: InfoHash,
    addr: SocketAddr,
    seed: bool,
) {
    let place = place(slots, rng, now, torrent, addr);
    if let Some(slot) = place.and_then(|at| slots.get_mut(at)) {
        slot.0 = Some(StoredPeer { torrent, addr, seed, at: now });
    }
}

fn place(
    slots: &[StoredPeerSlot],
    rng: &mut Rng,
    now: Duration,
    torrent: InfoHash,
    addr: SocketAddr,
) -> Option<usize> {
    let network = Network::of(addr.ip());
    let mut free = None;
    let mut of_network = Oldest::default();
    let mut of_both = Oldest::default();
    for (at, slot) in slots.iter().enumerate() {
        let Some(peer) = slot.0.as_ref().filter(|peer| peer.is_fresh(now)) else {
            free = free.or(Some(at));
            continue;
        };
        if peer.torrent == torrent && peer.addr == addr {
            return Some(at);
        }
        if Network::of(peer.addr.ip()) == network {
            of_network.count(at, peer.at);
            if peer.torrent == torrent {
                of_both.count(at, peer.at);
            }
        }
    }
    let quota = slots.len().checked_div(SHARE).unwrap_or(0).max(PER_TORRENT);
    if of_both.count >= PER_TORRENT {
        return of_both.oldest();
    }
    if of_network.count >= quota {
        return of_network.oldest();
    }
    free.or_else(|| random_place(slots.len(), rng))
}

fn random_place(len: usize, rng: &mut Rng) -> Option<usize> {
    let drawn = rng.below(u64::try_from(len).unwrap_or(u64::MAX));
    usize::try_from(drawn).ok().filter(|at| *at < len)
}

/// Counts slots and remembers the oldest.
#[derive(Default)]
struct Oldest {
    count: usize,
    oldest: Option<(Duration, usize)>,
}

impl Oldest {
    fn count(&mut self, place: usize, at: Duration) {
        self.count = self.count.saturating_add(1);
        if self.oldest.is_none_or(|(oldest, _)| at < oldest) {
            self.oldest = Some((at, place));
        }
    }

    fn oldest(&self) -> Option<usize> {
        self.oldest.map(|(_, place)| place)
    }
}

impl StoredPeer {
    fn is_fresh(&self, now: Duration) -> bool {
        self.at.checked_add(AGE).is_none_or(|end| now < end)
    }
}

/// Returns the peers of a torrent.
pub(super) fn of_torrent(
    slots: &[StoredPeerSlot],
    now: Duration,
    torrent: InfoHash,
) -> impl Iterator<Item = &StoredPeer> + Clone {
    fresh(slots, now).filter(move |peer| peer.torrent == torrent)
}

/// Returns all stored peers.
pub(super) fn fresh(
    slots: &[StoredPeerSlot],
    now: Duration,
) -> impl Iterator<Item = &StoredPeer> + Clone {
    slots.iter().filter_map(|slot| slot.0.as_ref()).filter(move |peer| peer.is_fresh(now))
}

/// Chooses up to `limit` peers at random, at most `N`: first one of each network, then others.
pub(super) fn spread<'s, const N: usize>(
    peers: &mut [&'s SocketAddr],
    limit: usize,
    rng: &mut Rng,
) -> heapless::Vec<&'s SocketAddr, N> {
    for at in (1..peers.len()).rev() {
        let other = random_place(at.saturating_add(1), rng).unwrap_or(at);
        if let Ok([first, second]) = peers.get_disjoint_mut([at, other]) {
            core::mem::swap(first, second);
        }
    }
    let limit = limit.min(N);
    let mut chosen = heapless::Vec::<&SocketAddr, N>::new();
    for distinct in [true, false] {
        for peer in peers.iter() {
            let network = Network::of(peer.ip());
            let same = |other: &&SocketAddr| Network::of(other.ip()) == network;
            let fits = if distinct { !chosen.iter().any(same) } else { !chosen.contains(peer) };
            if fits && chosen.len() < limit {
                let _ = chosen.push(*peer); // there is room
            }
        }
    }
    chosen
}

/// Returns the approximate number of torrents: of those whose hashes fall on one bit of 2,048, one is counted.
pub(super) fn torrents(slots: &[StoredPeerSlot], now: Duration) -> u32 {
    let mut seen = [0_u8; 256];
    for peer in fresh(slots, now) {
        let [byte, bit, ..] = peer.torrent.0;
        if let Some(place) = seen.get_mut(usize::from(byte)) {
            *place |= 1_u8.wrapping_shl(u32::from(bit % 8));
        }
    }
    seen.iter().map(|byte| byte.count_ones()).sum()
}

/// Chooses up to `limit` items, at most `N`, each with the same probability (Vitter 1985, algorithm R).
pub(super) fn sample<T: Copy, const N: usize>(
    items: impl Iterator<Item = T>,
    limit: usize,
    rng: &mut Rng,
) -> heapless::Vec<T, N> {
    let mut chosen = heapless::Vec::new();
    for (seen, item) in (1_u64..).zip(items) {
        if chosen.len() < limit.min(N) {
            let _ = chosen.push(item); // there is room
            continue;
        }
        let drawn = usize::try_from(rng.below(seen)).unwrap_or(usize::MAX);
        if let Some(place) = chosen.get_mut(drawn) {
            *place = item;
        }
    }
    chosen
}
