//! Trackers: servers that know the peers of a torrent, over HTTP (BEP 3, 7, 23, 48) or UDP (BEP 15, 41).
//!
//! [`http`] and [`udp`] are codecs. [`UdpTracker`] is the client's machine for one UDP tracker, with
//! retransmission. [`ConnectionIds`] lets a UDP tracker answer without memory for each client.
//! [`TrackerOrder`] decides which of several trackers to ask (BEP 12).

mod announce;
mod client;
pub mod http;
mod ids;
mod order;
mod stats;
pub mod udp;

pub use announce::{Announce, AnnounceEvent};
pub use client::{
    ConfigError, DatagramError, MAX_PATH_LEN, Transmit, UdpConfig, UdpEvent, UdpOutcome, UdpSlot,
    UdpTracker,
};
pub use ids::ConnectionIds;
pub use order::{OrderIter, TierSlot, TrackerOrder, TrackerOrderError};
pub use stats::ScrapeStats;
