//! What the tour needs of a network: datagrams and streams between numbered nodes. Two things serve: real
//! sockets on the loopback, and the simulated network. The stages cannot tell them apart.

use core::fmt;
use core::net::SocketAddrV4;
use core::time::Duration;

/// A node of the tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

impl NodeId {
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

/// One end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u32);

/// What a node listens for, each on a port of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Handshakes, descriptors and file requests: TCP.
    Gnutella,
    /// Ring maintenance and lookups: UDP.
    Chord,
    /// The peer wire: TCP.
    BitTorrent,
    /// Transactions, blocks, statements and evidence: TCP.
    Ledger,
}

impl Service {
    pub const STREAMS: [Self; 3] = [Self::Gnutella, Self::BitTorrent, Self::Ledger];

    /// The port in the capture file and in the simulated network, as dissectors know it.
    pub const fn well_known_port(self) -> u16 {
        match self {
            Self::Gnutella => 6346,
            Self::Chord => 4646,
            Self::BitTorrent => 6881,
            Self::Ledger => 7373,
        }
    }
}

/// What the network hands over.
#[derive(Debug)]
pub enum Incoming {
    Datagram {
        at: NodeId,
        from: NodeId,
        bytes: Vec<u8>,
    },
    Opened {
        conn: Conn,
        at: NodeId,
        peer: NodeId,
        service: Service,
        dialled: bool,
    },
    Bytes {
        conn: Conn,
        bytes: Vec<u8>,
    },
    Closed {
        conn: Conn,
        at: NodeId,
    },
    /// What was held back of a stream is on its way: there is room again.
    Drained,
}

/// A network that one thread drives.
pub trait Net {
    /// Returns the time since the start.
    fn now(&self) -> Duration;

    /// Returns where a node listens.
    fn address(&self, node: NodeId, service: Service) -> SocketAddrV4;

    /// Dials a node; [`Incoming::Opened`] or [`Incoming::Closed`] follows.
    fn connect(&mut self, from: NodeId, to: NodeId, service: Service) -> Conn;

    /// Sends bytes on a stream; what does not fit into the socket is held back.
    fn send(&mut self, conn: Conn, bytes: &[u8]);

    /// Returns how many bytes are held back.
    fn held_back(&self, conn: Conn) -> usize;

    /// Closes a stream once everything is sent.
    fn close(&mut self, conn: Conn);

    /// Sends a datagram, which may be lost.
    fn send_datagram(&mut self, from: NodeId, to: NodeId, bytes: &[u8]);

    /// Kills a node with all its streams.
    fn kill(&mut self, node: NodeId);

    /// Waits for the next thing to happen, at most until `until`. Signals end the wait early.
    fn poll(&mut self, until: Duration) -> Option<Incoming>;
}
