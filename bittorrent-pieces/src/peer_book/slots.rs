//! What a book keeps of addresses, connections and bans.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::event::CloseReason;
use crate::id::ConnId;
use crate::network::Network;

/// Room for one address: at most 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressSlot(pub(super) Option<Entry>);

impl AddressSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);
}

/// A known address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) addr: SocketAddr,
    pub(super) kind: Kind,
    pub(super) origin: u32, // of an exchange: a digest of the sender's network
    pub(super) priority: u32,
    pub(super) failures: u8, // in a row
    pub(super) seed: bool,
    pub(super) in_use: bool, // being dialled, or connected
    pub(super) tried_at: Duration,
    pub(super) dial_at: Duration, // not before
}

/// The kind of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Tracker,
    Dht,
    Exchange,
    Incoming,
    Saved,
}

/// The number of kinds.
pub(super) const KINDS: usize = 6;

impl Kind {
    pub(super) const ALL: [Self; KINDS] =
        [Self::User, Self::Tracker, Self::Dht, Self::Exchange, Self::Incoming, Self::Saved];

    /// Returns its place in [`Self::ALL`].
    pub(super) const fn index(self) -> usize {
        match self {
            Self::User => 0,
            Self::Tracker => 1,
            Self::Dht => 2,
            Self::Exchange => 3,
            Self::Incoming => 4,
            Self::Saved => 5,
        }
    }
}

/// Room for one connection, or one dial: at most 96 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnSlot(pub(super) Option<Conn>);

impl ConnSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);
}

/// A connection, or a dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Conn {
    pub(super) phase: Phase,
    pub(super) id: ConnId,
    pub(super) addr: SocketAddr,     // the remote end
    pub(super) listens: Option<u16>, // the port
    pub(super) since: Duration,
    pub(super) useful: bool,              // it sent a block
    pub(super) exchanged: u8,             // addresses in this minute
    pub(super) minute: Duration,          // when it began
    pub(super) displaced: Option<ConnId>, // it had the slot before; the event is due
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    DialDue, // the event
    Dialling,
    Dialled,  // without a handshake of the peer
    Accepted, // without a handshake
    Open,
    Closed(CloseReason), // the event is due
}

impl Conn {
    pub(super) const fn new(phase: Phase, id: ConnId, addr: SocketAddr, now: Duration) -> Self {
        Self {
            phase,
            id,
            addr,
            listens: None,
            since: now,
            useful: false,
            exchanged: 0,
            minute: now,
            displaced: None,
        }
    }

    /// Returns whether there is a connection, not only a dial.
    pub(super) const fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Dialled | Phase::Accepted | Phase::Open)
    }

    /// Returns whether there is a connection or a dial, which counts for the limits.
    pub(super) const fn is_live(&self) -> bool {
        self.is_connected() || self.is_dialling()
    }

    pub(super) const fn is_dialling(&self) -> bool {
        matches!(self.phase, Phase::DialDue | Phase::Dialling)
    }

    pub(super) fn is(&self, conn: ConnId) -> bool {
        self.is_connected() && self.id == conn
    }

    /// Returns the address under which the peer can be dialled, if it is known.
    pub(super) fn listening(&self) -> Option<SocketAddr> {
        self.listens.map(|port| SocketAddr::new(self.addr.ip(), port))
    }
}

/// Room for one banned address: at most 72 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BanSlot(pub(super) Option<Ban>);

impl BanSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);
}

/// A ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ban {
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>, // of a local address
    pub(super) until: Duration,
    pub(super) forget_at: Duration,
    pub(super) strikes: u8,
}

impl Ban {
    pub(super) fn covers(&self, addr: SocketAddr) -> bool {
        self.ip == addr.ip() && self.port.is_none_or(|port| port == addr.port())
    }
}

/// Returns the address without what does not belong to its place: an IPv4 address inside IPv6 as IPv4, and without
/// scope and flow label.
pub(super) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// Returns a short digest of a network.
pub(super) fn digest(ip: IpAddr) -> u32 {
    let [a, b, c, d, ..] = Network::of(ip).digest().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
