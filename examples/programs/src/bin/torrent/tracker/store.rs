//! Who has which torrent.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use bittorrent_pieces::tracker::{Announce, AnnounceEvent, ScrapeStats};
use bittorrent_pieces::{CompactPeers, Family, InfoHash};
use examples::random::random;

/// The most torrents, and the most peers of one.
const TORRENTS: usize = 100_000;
const PEERS: usize = 10_000;
/// The most peers of a torrent at one address.
const PER_ADDRESS: usize = 32;
/// The most peers of all torrents at one address.
const OF_ADDRESS: usize = 1_000;
/// How often the peers of a torrent that fell silent are removed.
const SWEEP: Duration = Duration::from_secs(1);
/// The most peers in an answer; what a datagram over IPv4 has room for.
const TOLD: usize = 200;

/// All torrents.
pub struct Store {
    torrents: BTreeMap<InfoHash, Swarm>,
    /// How many peers each address has, in all torrents.
    addresses: BTreeMap<IpAddr, usize>,
    patience: Duration,
    counts: Counts,
}

/// What was asked since the start.
#[derive(Default, Clone, Copy)]
struct Counts {
    announces: u64,
    scrapes: u64,
    refused: u64,
}

/// Numbers for the person who runs the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    pub torrents: usize,
    pub peers: usize,
    pub seeders: usize,
    pub addresses: usize,
    pub announces: u64,
    pub scrapes: u64,
    pub refused: u64,
}

#[derive(Default)]
struct Swarm {
    peers: BTreeMap<SocketAddr, Peer>,
    completed: u32,
    swept: Option<Instant>,
}

struct Peer {
    seeds: bool,
    seen: Instant,
}

/// What is answered.
#[derive(Default)]
pub struct Told {
    pub stats: ScrapeStats,
    pub v4: Vec<u8>,
    pub v6: Vec<u8>,
}

impl Store {
    /// Creates a store that forgets peers which say nothing for so long.
    pub fn new(patience: Duration) -> Self {
        Self {
            torrents: BTreeMap::new(),
            addresses: BTreeMap::new(),
            patience,
            counts: Counts::default(),
        }
    }

    /// Returns an empty store with the same patience.
    pub fn emptied(&self) -> Self {
        Self::new(self.patience)
    }

    /// Notes what a peer announces, and returns others.
    pub fn announce(&mut self, ip: IpAddr, announce: &Announce) -> Result<Told, &'static str> {
        self.counts.announces += 1;
        let told = self.update(ip, announce);
        self.counts.refused += u64::from(told.is_err());
        told
    }

    fn update(&mut self, ip: IpAddr, announce: &Announce) -> Result<Told, &'static str> {
        if announce.port == 0 {
            return Err("port 0 is not valid");
        }
        let torrent = announce.info_hash;
        let addr = SocketAddr::new(ip, announce.port);
        let now = Instant::now();
        self.sweep(torrent, now);
        if announce.event == AnnounceEvent::Stopped {
            self.remove(torrent, addr);
        } else {
            self.insert(torrent, addr, Peer { seeds: announce.left == 0, seen: now })?;
        }
        let Some(swarm) = self.torrents.get_mut(&torrent) else { return Ok(Told::default()) };
        if announce.event == AnnounceEvent::Completed {
            swarm.completed = swarm.completed.saturating_add(1);
        }
        let want = announce.num_want.map_or(50, |want| want as usize).min(TOLD);
        // A client that has only a magnet link may start with 0 bytes left, since it does not know the length.
        let needs_no_seeds = announce.left == 0 && announce.event != AnnounceEvent::Started;
        Ok(swarm.tell(addr, want, needs_no_seeds))
    }

    /// Adds a peer, or notes that it is still there. A torrent or an address that has its share gets no more.
    fn insert(
        &mut self,
        torrent: InfoHash,
        addr: SocketAddr,
        peer: Peer,
    ) -> Result<(), &'static str> {
        let known = self.torrents.get(&torrent);
        if known.is_none_or(|swarm| !swarm.peers.contains_key(&addr)) {
            let of_address = self.addresses.get(&addr.ip()).copied().unwrap_or(0);
            if of_address >= OF_ADDRESS {
                return Err("too many peers at this address");
            }
            if known.is_none() && !self.has_room_for_torrent() {
                return Err("this tracker is full");
            }
            if !self.torrents.entry(torrent).or_default().has_room(addr) {
                return Ok(()); // it is told of others all the same
            }
            *self.addresses.entry(addr.ip()).or_default() += 1;
        }
        self.torrents.entry(torrent).or_default().peers.insert(addr, peer);
        Ok(())
    }

    fn has_room_for_torrent(&mut self) -> bool {
        if self.torrents.len() >= TORRENTS {
            self.sweep_all(Instant::now());
            self.torrents.retain(|_, swarm| !swarm.peers.is_empty());
        }
        self.torrents.len() < TORRENTS
    }

    fn remove(&mut self, torrent: InfoHash, addr: SocketAddr) {
        let removed = self.torrents.get_mut(&torrent).and_then(|swarm| swarm.peers.remove(&addr));
        if removed.is_some() {
            self.leave(addr.ip());
        }
    }

    fn leave(&mut self, ip: IpAddr) {
        if let Some(count) = self.addresses.get_mut(&ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.addresses.remove(&ip);
            }
        }
    }

    /// Removes the peers of a torrent that fell silent, once in a while.
    fn sweep(&mut self, torrent: InfoHash, now: Instant) {
        let patience = self.patience;
        let Some(swarm) = self.torrents.get_mut(&torrent) else { return };
        if swarm.swept.is_some_and(|swept| now.duration_since(swept) < SWEEP) {
            return;
        }
        swarm.swept = Some(now);
        let silent = |peer: &Peer| now.duration_since(peer.seen) >= patience;
        let gone: Vec<_> =
            swarm.peers.iter().filter(|(_, peer)| silent(peer)).map(|(addr, _)| *addr).collect();
        for addr in gone {
            self.remove(torrent, addr);
        }
    }

    /// Removes the peers of all torrents that fell silent.
    pub fn sweep_all(&mut self, now: Instant) {
        for torrent in self.torrents.keys().copied().collect::<Vec<_>>() {
            self.sweep(torrent, now);
        }
    }

    /// Returns each torrent, how often it was completed, and its peers: address, whether it seeds, age.
    pub fn torrents(
        &self,
    ) -> impl Iterator<Item = (InfoHash, u32, impl Iterator<Item = (SocketAddr, bool, Duration)>)>
    {
        self.torrents.iter().map(|(torrent, swarm)| {
            let peers = swarm.peers.iter();
            let peers = peers.map(|(addr, peer)| (*addr, peer.seeds, peer.seen.elapsed()));
            (*torrent, swarm.completed, peers)
        })
    }

    /// Adds a peer of an earlier run, unless it is too old or the store is full.
    pub fn restore(&mut self, torrent: InfoHash, addr: SocketAddr, seeds: bool, age: Duration) {
        let now = Instant::now();
        // Right after the start of the computer, its clock does not reach back.
        let seen = now.checked_sub(age).unwrap_or(now);
        if age < self.patience && addr.port() != 0 {
            let _ = self.insert(torrent, addr, Peer { seeds, seen });
        }
    }

    /// Takes up how often a torrent was completed in earlier runs.
    pub fn restore_completed(&mut self, torrent: InfoHash, completed: u32) {
        if self.torrents.contains_key(&torrent) || self.has_room_for_torrent() {
            self.torrents.entry(torrent).or_default().completed = completed;
        }
    }

    pub fn stats(&self) -> Stats {
        let swarms = || self.torrents.values().filter(|swarm| !swarm.peers.is_empty());
        Stats {
            torrents: swarms().count(),
            peers: swarms().map(|swarm| swarm.peers.len()).sum(),
            seeders: swarms().map(|swarm| swarm.stats().seeders as usize).sum(),
            addresses: self.addresses.len(),
            announces: self.counts.announces,
            scrapes: self.counts.scrapes,
            refused: self.counts.refused,
        }
    }

    /// Notes a scrape.
    pub fn scraped(&mut self) {
        self.counts.scrapes += 1;
    }

    pub fn scrape(&self, torrent: InfoHash) -> ScrapeStats {
        self.torrents.get(&torrent).map(Swarm::stats).unwrap_or_default()
    }
}

impl Swarm {
    /// Returns whether a peer is known, or can be added without taking the places of others.
    fn has_room(&self, addr: SocketAddr) -> bool {
        let ports = SocketAddr::new(addr.ip(), 0)..=SocketAddr::new(addr.ip(), u16::MAX);
        let same = self.peers.range(ports).count();
        self.peers.contains_key(&addr) || self.peers.len() < PEERS && same < PER_ADDRESS
    }

    /// Returns some peers from a random one on; a seed needs no seeds.
    fn tell(&self, to: SocketAddr, want: usize, needs_no_seeds: bool) -> Told {
        let len = self.peers.len().max(1);
        let start = u32::from_le_bytes(random()) as usize % len;
        let others = self.peers.iter().cycle().skip(start).take(self.peers.len());
        let others = others.filter(|(addr, peer)| **addr != to && !(needs_no_seeds && peer.seeds));
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for (addr, _) in others.take(want) {
            let list = if addr.is_ipv4() { &mut v4 } else { &mut v6 };
            let at = list.len();
            list.resize(at + Family::of(*addr).stride(), 0);
            CompactPeers::encode(*addr, &mut list[at..]).expect("room was made");
        }
        Told { stats: self.stats(), v4, v6 }
    }

    fn stats(&self) -> ScrapeStats {
        let seeders = self.peers.values().filter(|peer| peer.seeds).count() as u32;
        let leechers = self.peers.len() as u32 - seeders;
        ScrapeStats { seeders, completed: self.completed, leechers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bittorrent_pieces::PeerId;

    fn announce(store: &mut Store, ip: [u8; 4], port: u16) -> Result<usize, &'static str> {
        let announce = Announce::started(InfoHash([1; 20]), PeerId([2; 20]), port, 1);
        store.announce(ip.into(), &announce).map(|told| told.v4.len() / 6)
    }

    #[test]
    fn port_0_is_refused_and_not_handed_out() {
        let mut store = Store::new(Duration::from_secs(60));
        assert!(announce(&mut store, [10, 0, 0, 1], 0).is_err());
        assert_eq!(announce(&mut store, [10, 0, 0, 2], 1), Ok(0));
    }

    #[test]
    fn a_seed_gets_no_seeds_but_at_its_start() {
        let mut store = Store::new(Duration::from_secs(60));
        let mut seed = Announce::started(InfoHash([1; 20]), PeerId([2; 20]), 1, 0);
        store.announce([10, 0, 0, 1].into(), &seed).unwrap();
        let mut told = |seed: &Announce| {
            store.announce([10, 0, 0, 2].into(), seed).map(|told| told.v4.len() / 6)
        };
        assert_eq!(told(&seed), Ok(1), "it may have a magnet link alone");
        seed.event = AnnounceEvent::None;
        assert_eq!(told(&seed), Ok(0));
        seed.left = 1;
        assert_eq!(told(&seed), Ok(1));
    }

    #[test]
    fn one_address_does_not_fill_a_torrent() {
        let mut store = Store::new(Duration::from_secs(60));
        for port in 1..=1_000 {
            announce(&mut store, [10, 0, 0, 1], port).unwrap();
        }
        announce(&mut store, [10, 0, 0, 2], 1).unwrap();
        let stats = store.scrape(InfoHash([1; 20]));
        assert_eq!(stats.leechers as usize, PER_ADDRESS + 1);
    }

    #[test]
    fn one_address_does_not_fill_the_tracker() {
        let mut store = Store::new(Duration::from_secs(60));
        let mut refused = 0;
        for number in 0..2_000_u32 {
            let mut hash = [0; 20];
            hash[..4].copy_from_slice(&number.to_be_bytes());
            let announce = Announce::started(InfoHash(hash), PeerId([2; 20]), 1, 1);
            refused += u32::from(store.announce([10, 0, 0, 1].into(), &announce).is_err());
        }
        assert_eq!(refused, 1_000);
        assert_eq!(store.stats().torrents, OF_ADDRESS);
        assert_eq!(store.stats().refused, 1_000);
        assert_eq!(announce(&mut store, [10, 0, 0, 2], 1), Ok(0), "others are served");
    }

    #[test]
    fn a_peer_that_stops_gives_its_place_back() {
        let mut store = Store::new(Duration::from_secs(60));
        announce(&mut store, [10, 0, 0, 1], 1).unwrap();
        assert_eq!(store.stats().addresses, 1);
        let mut stopped = Announce::started(InfoHash([1; 20]), PeerId([2; 20]), 1, 1);
        stopped.event = AnnounceEvent::Stopped;
        store.announce([10, 0, 0, 1].into(), &stopped).unwrap();
        assert_eq!((store.stats().addresses, store.stats().peers), (0, 0));
        stopped.info_hash = InfoHash([3; 20]);
        store.announce([10, 0, 0, 1].into(), &stopped).unwrap();
        assert_eq!(store.torrents.len(), 1, "a peer that only stops makes no torrent");
    }
}
