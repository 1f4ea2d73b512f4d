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
        let swarm = self.torrents.entry(announce.info_hash).or_default();
        let (addr, now) = (SocketAddr::new(ip, announce.port), Instant::now());
        let patience = self.patience;
        swarm.peers.retain(|_, peer| now.duration_since(peer.seen) < patience);
        if announce.event == AnnounceEvent::Stopped {
            swarm.peers.remove(&addr);
        } else if swarm.peers.len() < PEERS || swarm.peers.contains_key(&addr) {
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
    /// Returns some peers from a random one on; a seed needs no seeds.
    fn tell(&self, to: SocketAddr, want: usize, seeds: bool) -> Told {
        let len = self.peers.len().max(1);
        let start = u32::from_le_bytes(random()) as usize % len;
        let others = self.peers.iter().cycle().skip(start).take(self.peers.len());
        let others = others.filter(|(addr, peer)| **addr != to && !(seeds && peer.seeds));
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
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
