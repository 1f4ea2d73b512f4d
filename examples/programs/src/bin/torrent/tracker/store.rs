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
/// The most peers in an answer; what a datagram over IPv4 has room for.
const TOLD: usize = 200;

/// All torrents.
pub struct Store {
    torrents: BTreeMap<InfoHash, Swarm>,
    patience: Duration,
}

#[derive(Default)]
struct Swarm {
    peers: BTreeMap<SocketAddr, Peer>,
    completed: u32,
}

struct Peer {
    seeds: bool,
    seen: Instant,
}

/// What is answered.
pub struct Told {
    pub stats: ScrapeStats,
    pub v4: Vec<u8>,
    pub v6: Vec<u8>,
}

impl Store {
    /// Creates a store that forgets peers which say nothing for so long.
    pub fn new(patience: Duration) -> Self {
        Self { torrents: BTreeMap::new(), patience }
    }

    /// Notes what a peer tells, and returns others.
    pub fn announce(&mut self, ip: IpAddr, announce: &Announce) -> Result<Told, &'static str> {
        if !self.torrents.contains_key(&announce.info_hash) && self.torrents.len() >= TORRENTS {
            self.torrents.retain(|_, swarm| !swarm.peers.is_empty());
            if self.torrents.len() >= TORRENTS {
                return Err("this tracker is full");
            }
        }
        if announce.port == 0 {
            return Err("port 0 is not valid");
        }
        let swarm = self.torrents.entry(announce.info_hash).or_default();
        let addr = SocketAddr::new(ip, announce.port);
        let now = Instant::now();
        let patience = self.patience;
        swarm.peers.retain(|_, peer| now.duration_since(peer.seen) < patience);
        if announce.event == AnnounceEvent::Stopped {
            swarm.peers.remove(&addr);
        } else if swarm.has_room(addr) {
            swarm.peers.insert(addr, Peer { seeds: announce.left == 0, seen: now });
        }
        if announce.event == AnnounceEvent::Completed {
            swarm.completed = swarm.completed.saturating_add(1);
        }
        let want = announce.num_want.map_or(50, |want| want as usize).min(TOLD);
        Ok(swarm.tell(addr, want, announce.left == 0))
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
    fn tell(&self, to: SocketAddr, want: usize, seeds: bool) -> Told {
        let len = self.peers.len().max(1);
        let start = u32::from_le_bytes(random()) as usize % len;
        let others = self.peers.iter().cycle().skip(start).take(self.peers.len());
        let others = others.filter(|(addr, peer)| **addr != to && !(seeds && peer.seeds));
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
    fn one_address_does_not_fill_a_torrent() {
        let mut store = Store::new(Duration::from_secs(60));
        for port in 1..=1_000 {
            announce(&mut store, [10, 0, 0, 1], port).unwrap();
        }
        announce(&mut store, [10, 0, 0, 2], 1).unwrap();
        let stats = store.scrape(InfoHash([1; 20]));
        assert_eq!(stats.leechers as usize, PER_ADDRESS + 1);
    }
}
