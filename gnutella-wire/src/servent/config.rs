//! What a servent is told before it starts.

use core::net::SocketAddrV4;
use core::time::Duration;

use crate::wire::Limits;
use crate::{Lifetimes, ServentId};

/// What a servent is to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// All are equal, as in 0.4.
    Peer,
    /// Searches and answers through its ultrapeers, and never forwards (0.6).
    Leaf,
    /// Forwards for its leaves and for other ultrapeers (0.6).
    Ultrapeer,
}

/// How a servent behaves. Begin with a preset and change what differs:
///
/// ```
/// use core::net::{Ipv4Addr, SocketAddrV4};
/// use gnutella_wire::{Config, ServentId};
///
/// let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6346);
/// let mut config = Config::ultrapeer(ServentId([7; 16]), address);
/// config.max_leaves = 30;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What this servent is.
    pub role: Role,
    /// Its name: 16 random bytes, kept while it runs.
    pub servent: ServentId,
    /// Where it accepts connections; pongs, hits and pushes say so.
    pub address: SocketAddrV4,
    /// Its speed in kbit/s; hits say so.
    pub speed: u32,
    /// How many files it shares; pongs say so.
    pub files: u32,
    /// How many kilobytes they have together; pongs say so.
    pub kilobytes: u32,
    /// Spreads the route table and numbers keep-alive pings. It need not be secret from friends but
    /// should differ per servent and per start.
    pub seed: u64,
    /// The TTL of own pings and queries, and the most that TTL and hops of a forwarded one may come
    /// to together; more is trimmed. 0 counts as 1.
    pub max_ttl: u8,
    /// How many peers or ultrapeers may be connected.
    pub max_peers: usize,
    /// How many leaves may be connected.
    pub max_leaves: usize,
    /// How long a link may be silent before it is pinged, and then how long each answer may take. A
    /// few times the round trip of the slowest neighbour; 0 counts as a millisecond.
    pub idle: Duration,
    /// After how many unanswered pings in a row a neighbour is given up.
    pub misses: u8,
    /// The longest payloads accepted; decides the size of receive buffers.
    pub limits: Limits,
    /// How long routes are remembered.
    pub lifetimes: Lifetimes,
}

impl Config {
    /// A peer of Gnutella 0.4: at most 5 neighbours, 7 hops.
    #[must_use]
    pub const fn peer(servent: ServentId, address: SocketAddrV4) -> Self {
        Self {
            role: Role::Peer,
            servent,
            address,
            speed: 1_000,
            files: 0,
            kilobytes: 0,
            seed: 0,
            max_ttl: 7,
            max_peers: 5,
            max_leaves: 0,
            idle: Duration::from_secs(30),
            misses: 3,
            limits: Limits::GTKG,
            lifetimes: Lifetimes::LIMEWIRE,
        }
    }

    /// A leaf of Gnutella 0.6: at most 3 ultrapeers, 4 hops.
    #[must_use]
    pub const fn leaf(servent: ServentId, address: SocketAddrV4) -> Self {
        let peer = Self::peer(servent, address);
        Self { role: Role::Leaf, max_ttl: 4, max_peers: 3, ..peer }
    }

    /// An ultrapeer of Gnutella 0.6: at most 16 ultrapeers and 16 leaves, 4 hops.
    #[must_use]
    pub const fn ultrapeer(servent: ServentId, address: SocketAddrV4) -> Self {
        let peer = Self::peer(servent, address);
        Self { role: Role::Ultrapeer, max_ttl: 4, max_peers: 16, max_leaves: 16, ..peer }
    }
}

/// Returns how many messages one flood costs at most, on a tree in which every servent has `degree`
/// neighbours: degree × Σ (degree − 1)^i for i below `ttl`. Stays at `u64::MAX` beyond it.
///
/// ```
/// assert_eq!(gnutella_wire::flood_bound(5, 7), 27_305);
/// assert_eq!(gnutella_wire::flood_bound(7, 10), 84_652_645);
/// assert_eq!(gnutella_wire::flood_bound(16, 4), 57_856);
/// ```
#[must_use]
pub fn flood_bound(degree: u32, ttl: u8) -> u64 {
    let mut ring = u64::from(degree);
    let mut sum = 0u64;
    for _ in 0..ttl {
        sum = sum.saturating_add(ring);
        ring = ring.saturating_mul(u64::from(degree.saturating_sub(1)));
    }
    sum
}
