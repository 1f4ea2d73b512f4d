//! The configuration of a servent.

use core::net::SocketAddrV4;
use core::time::Duration;

use crate::error::ConfigError;
use crate::id::ServentId;
use crate::routes::Lifetimes;
use crate::wire::Limits;

/// What a servent is to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "the roles of 0.4 and 0.6")]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// What this servent is.
    pub role: Role,
    /// Its identifier: 16 random bytes, kept while it runs.
    pub servent: ServentId,
    /// Where it accepts connections; pongs, hits and pushes carry it.
    pub address: SocketAddrV4,
    /// Whether it cannot be reached there: hits then ask for a push.
    pub firewalled: bool,
    /// Its speed in kbit/s; hits carry it.
    pub speed: u32,
    /// How many files it shares; pongs carry it.
    pub files: u32,
    /// Their total size in kilobytes; pongs carry it.
    pub kilobytes: u32,
    /// Spreads the route table, numbers own messages and breaks ties. It need not be secret, but
    /// should differ per servent and per start.
    pub seed: u64,
    /// The TTL of own pings and queries, at least 1. The TTL of a forwarded message is reduced so
    /// that TTL and hops together do not exceed it.
    pub max_ttl: u8,
    /// Pings and queries whose TTL and hops together exceed this are dropped, and a neighbour that
    /// keeps sending them is dismissed. At least `max_ttl`; 15 in gtk-gnutella.
    pub hard_ttl: u8,
    /// Whether a ping or query that was seen is forwarded again if it now has a higher TTL, for
    /// neighbours that probe with a low one first (`X-Ext-Probes`).
    pub refloods_higher_ttl: bool,
    /// How many peers or ultrapeers may be connected.
    pub max_peers: usize,
    /// How many leaves may be connected.
    pub max_leaves: usize,
    /// How many peers or ultrapeers it looks for by itself: with fewer, [`Event::Dial`] names a
    /// host of the cache. Leave room below `max_peers` for those that dial in.
    ///
    /// [`Event::Dial`]: super::Event::Dial
    pub target_peers: usize,
    /// How long an attempt to connect may take before the next host is tried.
    pub dial_timeout: Duration,
    /// How long a connection may be silent before it is pinged, and then how long each answer may
    /// take: a few times the round trip of the slowest neighbour. More than 0.
    pub idle: Duration,
    /// The number of unanswered pings in a row after which a neighbour is given up.
    pub max_missed_pings: u8,
    /// The number of cached hosts that answer a ping, instead of forwarding it. 0 floods pings, as in
    /// 0.4 and whenever there are no slots for hosts.
    pub pongs: u8,
    /// How old a cached pong may be: 3 s in the specification, 20 s in gtk-gnutella.
    pub pong_age: Duration,
    /// The number of hits that an ultrapeer wants for a query of its own or of a leaf before it stops
    /// asking more ultrapeers. 0 floods queries, as does a lack of slots for them.
    pub results: u16,
    /// How long an ultrapeer waits for hits after it asked another, for each hop of the TTL. More
    /// than 0.
    pub query_wait: Duration,
    /// How long a query is pursued, and its hits counted. More than 0.
    pub query_lifetime: Duration,
    /// The minimum interval between two tables. A change waits this long for further changes.
    pub table_interval: Duration,
    /// How many bytes may wait in a connection's send buffer, as reported by [`handle_backlog`]. From
    /// half of it on the least important messages are not sent there, and beyond it the connection
    /// ends.
    ///
    /// [`handle_backlog`]: super::Servent::handle_backlog
    pub send_queue: u32,
    /// The longest payloads accepted; they determine the size of receive buffers.
    pub limits: Limits,
    /// Whether a message beyond `limits` is skipped as its bytes arrive. Otherwise its sender is
    /// dismissed with bye 400. A device with a small receive buffer sets it, since its neighbours
    /// legitimately send longer messages.
    pub skips_oversized: bool,
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
            firewalled: false,
            speed: 1_000,
            files: 0,
            kilobytes: 0,
            seed: 0,
            max_ttl: 7,
            hard_ttl: 15,
            refloods_higher_ttl: false,
            max_peers: 5,
            max_leaves: 0,
            target_peers: 3,
            dial_timeout: Duration::from_secs(20),
            idle: Duration::from_secs(30),
            max_missed_pings: 3,
            pongs: 0,
            pong_age: Duration::from_secs(20),
            results: 0,
            query_wait: Duration::from_millis(2_400),
            query_lifetime: Duration::from_secs(600),
            table_interval: Duration::from_secs(10),
            send_queue: 98_304,
            limits: Limits::GTKG,
            skips_oversized: false,
            lifetimes: Lifetimes::LIMEWIRE,
        }
    }

    /// A peer of Gnutella 0.4 with other bounds: the lectures also have 7 neighbours and 10 hops.
    #[must_use]
    pub const fn peer_of(
        peers: usize,
        max_ttl: u8,
        servent: ServentId,
        address: SocketAddrV4,
    ) -> Self {
        Self { max_peers: peers, max_ttl, ..Self::peer(servent, address) }
    }

    /// A leaf of Gnutella 0.6: at most 3 ultrapeers, 4 hops.
    #[must_use]
    pub const fn leaf(servent: ServentId, address: SocketAddrV4) -> Self {
        let peer = Self::peer(servent, address);
        Self { role: Role::Leaf, max_ttl: 4, max_peers: 3, ..peer }
    }

    /// A leaf on a device: receive buffers of 2,071 bytes ([`Limits::EMBEDDED`]). Longer messages are
    /// skipped.
    #[must_use]
    pub const fn embedded_leaf(servent: ServentId, address: SocketAddrV4) -> Self {
        let leaf = Self::leaf(servent, address);
        Self { limits: Limits::EMBEDDED, skips_oversized: true, ..leaf }
    }

    /// An ultrapeer of Gnutella 0.6: at most 16 ultrapeers and 16 leaves, 4 hops, 10 cached pongs,
    /// 150 hits.
    #[must_use]
    pub const fn ultrapeer(servent: ServentId, address: SocketAddrV4) -> Self {
        let peer = Self::peer(servent, address);
        Self {
            role: Role::Ultrapeer,
            max_ttl: 4,
            max_peers: 16,
            max_leaves: 16,
            target_peers: 8,
            pongs: 10,
            results: 150,
            ..peer
        }
    }

    /// A supernode with the numbers of `KaZaA`, which served 30 to 50 children each; an ultrapeer
    /// otherwise, since the wire format of `KaZaA` is not public.
    #[must_use]
    pub const fn supernode(children: usize, servent: ServentId, address: SocketAddrV4) -> Self {
        Self { max_leaves: children, ..Self::ultrapeer(servent, address) }
    }

    /// Checks for contradictions.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let Self { hard_ttl, max_ttl, .. } = *self;
        if max_ttl == 0 {
            return Err(ConfigError::ZeroTtl);
        }
        if hard_ttl < max_ttl {
            return Err(ConfigError::HardTtlTooLow { hard_ttl, max_ttl });
        }
        let durations = [
            ("dial_timeout", self.dial_timeout),
            ("idle", self.idle),
            ("query_wait", self.query_wait),
            ("query_lifetime", self.query_lifetime),
        ];
        let zero = durations.into_iter().find(|(_, duration)| duration.is_zero());
        zero.map_or(Ok(()), |(field, _)| Err(ConfigError::ZeroDuration { field }))
    }

    /// Changes the role, with the numbers of its preset; other settings stay.
    pub(super) fn set_role(&mut self, role: Role) {
        let preset = match role {
            Role::Peer => Self::peer,
            Role::Leaf => Self::leaf,
            Role::Ultrapeer => Self::ultrapeer,
        };
        let preset = preset(self.servent, self.address);
        self.role = role;
        self.max_ttl = preset.max_ttl;
        self.hard_ttl = self.hard_ttl.max(preset.max_ttl);
        self.max_peers = preset.max_peers;
        self.max_leaves = preset.max_leaves;
        self.target_peers = preset.target_peers;
        self.pongs = preset.pongs;
        self.results = preset.results;
        self.refloods_higher_ttl = preset.refloods_higher_ttl;
    }
}

/// Returns the maximum number of messages of one flood, on a tree in which every servent has `degree`
/// neighbours: degree × Σ (degree − 1)^i for i below `ttl`. Stays at `u64::MAX` beyond it.
///
/// ```
/// assert_eq!(gnutella_wire::servent::flood_bound(5, 7), 27_305);
/// assert_eq!(gnutella_wire::servent::flood_bound(7, 10), 84_652_645);
/// assert_eq!(gnutella_wire::servent::flood_bound(16, 4), 57_856);
/// ```
#[must_use]
pub fn flood_bound(degree: u32, ttl: u8) -> u64 {
    u64::from(degree).saturating_mul(horizon(degree, ttl))
}

/// Returns the maximum number of servents that a query with `ttl` reaches through one neighbour, if
/// all have `degree` neighbours: Σ (degree − 1)^i for i below `ttl` (GDF "Dynamic Query Protocol"). Stays at
/// `u64::MAX` beyond it.
///
/// ```
/// assert_eq!(gnutella_wire::servent::horizon(32, 1), 1);
/// assert_eq!(gnutella_wire::servent::horizon(32, 3), 1 + 31 + 961);
/// ```
#[must_use]
pub fn horizon(degree: u32, ttl: u8) -> u64 {
    let mut ring = 1_u64;
    let mut sum = 0_u64;
    for _ in 0..ttl {
        sum = sum.saturating_add(ring);
        ring = ring.saturating_mul(u64::from(degree.saturating_sub(1)));
    }
    sum
}
