//! What a client returns: outcomes, events, datagrams, errors.

use core::fmt;
use core::time::Duration;

use thiserror::Error;

use crate::compact::CompactPeers;
use crate::tracker::stats::ScrapeStats;
use crate::tracker::udp::{PacketError, TransactionId};

/// The result of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UdpOutcome<'a> {
    /// The tracker issued a connection id; the requests follow.
    Connected,
    /// The tracker refuses to connect. The client asks again when the response would have timed out; to stop,
    /// cancel the requests.
    ConnectRefused {
        /// The reason, for people.
        text: &'a [u8],
    },
    /// The tracker sent peers. The request is done.
    Announced {
        /// The request.
        request: TransactionId,
        /// How long to wait before the next announce.
        interval: Duration,
        /// The number of peers that lack some of the torrent.
        leechers: u32,
        /// The number of peers that have all of it.
        seeders: u32,
        /// Some of them.
        peers: CompactPeers<'a>,
    },
    /// The tracker sent statistics. The request is done.
    Scraped {
        /// The request.
        request: TransactionId,
        /// The statistics.
        stats: ScrapeStats,
    },
    /// The tracker refused a request, which is done. The next one begins with a new connection id.
    Refused {
        /// The request.
        request: TransactionId,
        /// The reason, for people.
        text: &'a [u8],
    },
}

/// What happened as time passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UdpEvent {
    /// A request was retransmitted as often as BEP 15 allows and never answered. It is finished.
    TimedOut {
        /// The request.
        request: TransactionId,
    },
}

/// A datagram for the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the destination is always the tracker")]
pub struct Transmit {
    /// The length of the datagram in bytes.
    pub len: usize,
}

/// A datagram that was dropped. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DatagramError {
    /// Not a packet of this protocol.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// No such request is in flight, or it is of another kind.
    #[error("response to an unknown transaction ({0})")]
    Unexpected(TransactionId),
}

impl fmt::Display for UdpEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { request } => write!(f, "TIMED OUT transaction={request}"),
        }
    }
}
