//! Trackers: who else has a torrent, asked over HTTP (BEP 3, 7, 23, 48) or UDP (BEP 15, 41).
//!
//! [`http`] and [`udp`] are codecs. [`UdpTracker`] is the client's machine for one UDP tracker, with
//! retransmission; [`ConnectionIds`] is what the tracker's side needs to answer without memory;
//! [`TrackerOrder`] says which of several trackers to ask (BEP 12).

mod client;
pub mod http;
mod ids;
mod order;
pub mod udp;

use crate::{InfoHash, PeerId};
pub use client::{
    DatagramError, UdpConfig, UdpEvent, UdpHandled, UdpSlot, UdpTracker, UdpTrackerFull,
};
pub use ids::ConnectionIds;
pub use order::{TierSlot, TrackerOrder, TrackerOrderError};

/// What a peer tells a tracker about itself and a torrent (BEP 3, 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// What we call ourselves.
    pub peer_id: PeerId,
    /// The TCP port on which we listen.
    pub port: u16,
    /// Bytes given to others since `started`.
    pub uploaded: u64,
    /// Bytes taken from others since `started`.
    pub downloaded: u64,
    /// Bytes still missing; 0 for a seed.
    pub left: u64,
    /// Why this is said now.
    pub event: AnnounceEvent,
    /// How many peers are wanted; `None` leaves it to the tracker. Over UDP at most `i32::MAX`.
    pub num_want: Option<u32>,
    /// A secret of the peer, the same in all its announces, so that the tracker knows it again when
    /// its address changed.
    pub key: u32,
}

impl Announce {
    /// Creates the announce of a peer that lacks `left` bytes and has just started.
    #[must_use]
    pub const fn started(info_hash: InfoHash, peer_id: PeerId, port: u16, left: u64) -> Self {
        Self {
            info_hash,
            peer_id,
            port,
            uploaded: 0,
            downloaded: 0,
            left,
            event: AnnounceEvent::Started,
            num_want: None,
            key: 0,
        }
    }
}

/// Why an announce is sent (BEP 3). The numbers are those of BEP 15, which are not in the order of life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnnounceEvent {
    /// 0: at the interval that the tracker asked for.
    #[default]
    None,
    /// 1: the last piece came; never said by who had all from the start.
    Completed,
    /// 2: the first announce.
    Started,
    /// 3: the last announce.
    Stopped,
}

/// What a tracker knows of one torrent (BEP 15, 48).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScrapeStats {
    /// Peers that have all of it.
    pub seeders: u32,
    /// How often somebody completed it.
    pub completed: u32,
    /// Peers that lack some of it.
    pub leechers: u32,
}
