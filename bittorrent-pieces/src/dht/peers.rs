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

/// Returns a place below `len`, or 0 if `len` is 0.
fn random_place(len: usize, rng: &mut Rng) -> Option<usize> {
    let drawn = rng.below(u64::try_from(len).unwrap_or(u64::MAX));
    usize::try_from(drawn).ok()
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
            *place |= 1_u8.wrapping_shl(bit.into()); // modulo 8
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

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "small numbers in a test")]
mod tests {
    use super::*;

    const TORRENT: InfoHash = InfoHash([1; 20]);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn addr(network: u8, host: u8) -> SocketAddr {
        ([45, 0, network, host], 6_881).into()
    }

    /// An empty store, filled by announces of a torrent, each second one; returns the addresses that are left.
    fn stored<const N: usize>(
        announces: impl Iterator<Item = (InfoHash, SocketAddr)>,
    ) -> [Option<SocketAddr>; N] {
        let mut slots = [StoredPeerSlot::EMPTY; N];
        let mut rng = Rng::new(1);
        for (second, (torrent, addr)) in (0..).zip(announces) {
            store(&mut slots, &mut rng, secs(second), torrent, addr, false);
        }
        slots.map(|slot| slot.0.map(|peer| peer.addr))
    }

    /// A peer that announces again keeps its slot: its time and whether it seeds are new.
    #[test]
    fn a_peer_is_stored_once_for_each_torrent() {
        let mut slots = [StoredPeerSlot::EMPTY; 4];
        let mut rng = Rng::new(1);
        let other = InfoHash([2; 20]);
        for (second, torrent, host, seed) in [
            (0, TORRENT, 1, false),
            (1, other, 1, false),
            (2, TORRENT, 2, false),
            (3, TORRENT, 1, true),
        ] {
            store(&mut slots, &mut rng, secs(second), torrent, addr(1, host), seed);
        }
        let peer = |torrent, host, seed, at| {
            Some(StoredPeer { torrent, addr: addr(1, host), seed, at: secs(at) })
        };
        let expected =
            [peer(TORRENT, 1, true, 3), peer(other, 1, false, 1), peer(TORRENT, 2, false, 2), None];
        assert_eq!(slots.map(|slot| slot.0), expected);
        assert_eq!(of_torrent(&slots, secs(4), TORRENT).count(), 2);
        assert_eq!(
            of_torrent(&slots, secs(1_802), TORRENT).count(),
            1,
            "30 minutes after the last"
        );
        assert_eq!((fresh(&slots, secs(4)).count(), torrents(&slots, secs(4))), (3, 2));
    }

    /// A network has four slots for a torrent, and 1/32 of all slots but at least four: then its own oldest peer gives way.
    #[test]
    fn a_network_replaces_its_own_oldest_peer() {
        let hosts = |hosts: [u8; 8]| hosts.map(|host| (host > 0).then(|| addr(1, host)));
        let of_one = (1..=6).map(|host| (TORRENT, addr(1, host)));
        assert_eq!(stored::<8>(of_one), hosts([5, 6, 3, 4, 0, 0, 0, 0]));
        let of_many = (1..=6).map(|host| (InfoHash([host; 20]), addr(1, host)));
        assert_eq!(stored::<8>(of_many.clone()), hosts([5, 6, 3, 4, 0, 0, 0, 0]));
        let kept = |slots: [Option<SocketAddr>; 192]| slots.iter().flatten().count();
        assert_eq!(kept(stored(of_many)), 6, "of 192 slots it may take six");
        let more = (1..=20).map(|host| (InfoHash([host; 20]), addr(1, host)));
        assert_eq!(kept(stored(more)), 6);
    }

    /// A full store: a random peer of others gives way, so no flood knows which.
    #[test]
    fn a_random_peer_gives_way_in_a_full_store() {
        let full = |networks: u8| (0..networks).map(|network| (TORRENT, addr(network, 1)));
        assert_eq!(
            stored::<8>(full(8)),
            core::array::from_fn(|at| Some(addr(u8::try_from(at).unwrap_or(0), 1)))
        );
        let left =
            stored::<8>(full(80)).map(|addr| addr.is_some_and(|addr| addr < self::addr(8, 1)));
        assert_eq!(left, [false; 8], "72 draws of 8 slots reach all of them");
        let left = stored::<8>(full(16)).iter().flatten().filter(|it| **it < addr(8, 1)).count();
        assert!((1..8).contains(&left), "8 draws do not");
        assert_eq!(stored::<0>(full(1)), []);
    }

    /// Each item is drawn as often as any other (Vitter 1985): 2 of 5, so 400 times of 1,000.
    #[test]
    fn a_sample_is_uniform() {
        let mut rng = Rng::new(1);
        let mut drawn = [0; 5];
        for _ in 0..1_000 {
            let sample = sample::<_, 4>(0..5, 2, &mut rng);
            assert_eq!(sample.len(), 2);
            for (item, count) in (0..).zip(&mut drawn) {
                *count += usize::from(sample.contains(&item));
            }
        }
        assert!(drawn.iter().all(|count| (340..460).contains(count)), "{drawn:?}");
        assert_eq!(sample::<_, 4>(0..9, 9, &mut rng).len(), 4, "no more than there is room for");
        assert_eq!(sample::<_, 4>(0..3, 9, &mut rng), [0, 1, 2]);
        assert_eq!(sample::<_, 4>(0..9, 0, &mut rng), []);
    }

    /// One peer of each network comes first, in a random order, and then others.
    #[test]
    fn peers_of_many_networks_are_preferred() {
        let mut rng = Rng::new(1);
        let peers = [addr(1, 1), addr(1, 2), addr(1, 3), addr(1, 4), addr(2, 1), addr(3, 1)];
        let mut first = [0; 6];
        for _ in 0..1_200 {
            let mut drawn = [&peers[0], &peers[1], &peers[2], &peers[3], &peers[4], &peers[5]];
            let chosen = spread::<8>(&mut drawn, 4, &mut rng);
            assert_eq!(chosen.len(), 4);
            assert!(chosen.contains(&&peers[4]) && chosen.contains(&&peers[5]), "{chosen:?}");
            assert!(chosen.iter().zip(1..).all(|(peer, after)| !chosen[after..].contains(peer)));
            for (peer, count) in peers.iter().zip(&mut first) {
                *count += u32::from(chosen.first() == Some(&peer));
            }
        }
        // The first one is any of the six: 200 times each.
        assert!(first.iter().all(|count| (150..250).contains(count)), "{first:?}");
        let mut drawn = [&peers[0], &peers[1], &peers[2]];
        assert_eq!(spread::<8>(&mut drawn, 8, &mut rng).len(), 3);
        assert_eq!(spread::<2>(&mut drawn, 8, &mut rng).len(), 2);
        assert_eq!(spread::<8>(&mut drawn, 0, &mut rng).len(), 0);
    }
}
