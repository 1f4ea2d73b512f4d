//! What the network is told and what it hands over.

use core::fmt;
use core::time::Duration;

/// Names a host; its meaning belongs to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(pub u32);

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

/// Names a byte stream between two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// The quality of every path of the network. Chances are in 1/1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The one-way delay.
    pub latency: Duration,
    /// Up to this much is added to the delay at random.
    pub jitter: Duration,
    /// How many of 1000 datagrams vanish; a stream segment is sent again instead.
    pub loss: u16,
    /// How many of 1000 datagrams arrive twice.
    pub duplicate: u16,
    /// How many of 1000 datagrams are held back by four latencies, so that later ones overtake.
    pub reorder: u16,
    /// The most bytes of a stream that arrive at once. A stream is cut at random places below it,
    /// so that a reader that relies on message boundaries fails.
    pub segment: usize,
}

impl Default for Link {
    /// 20 ms, no jitter, no loss, segments of up to 1,460 bytes.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(20),
            jitter: Duration::ZERO,
            loss: 0,
            duplicate: 0,
            reorder: 0,
            segment: 1460,
        }
    }
}

/// What the network hands over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A datagram arrived.
    Datagram {
        /// The sender.
        from: Addr,
        /// The receiver.
        to: Addr,
        /// Its bytes, whole.
        bytes: Vec<u8>,
    },
    /// A stream is open on the side of `at`; the acceptor hears of it first.
    Opened {
        /// The stream.
        stream: StreamId,
        /// Who is told.
        at: Addr,
        /// The other end.
        peer: Addr,
    },
    /// Bytes of a stream arrived, in order.
    Bytes {
        /// The stream.
        stream: StreamId,
        /// The receiver.
        at: Addr,
        /// The next bytes; message boundaries are not kept.
        bytes: Vec<u8>,
    },
    /// The other end closed the stream, died, or never answered.
    Closed {
        /// The stream.
        stream: StreamId,
        /// Who is told.
        at: Addr,
    },
}

impl Delivery {
    /// Returns the host that is to handle this.
    #[must_use]
    pub fn at(&self) -> Addr {
        match self {
            Self::Datagram { to, .. } => *to,
            Self::Opened { at, .. } | Self::Bytes { at, .. } | Self::Closed { at, .. } => *at,
        }
    }
}

/// What the network has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams given to the network.
    pub datagrams: u64,
    /// Datagrams that vanished, for any reason.
    pub lost: u64,
    /// Datagrams that arrived twice.
    pub duplicated: u64,
    /// Stream segments given to the network.
    pub segments: u64,
    /// Stream segments that had to be sent again.
    pub retransmitted: u64,
    /// Bytes given to the network.
    pub bytes: u64,
}
