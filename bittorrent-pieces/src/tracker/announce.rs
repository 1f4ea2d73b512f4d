//! What a peer announces.

use crate::id::{InfoHash, PeerId};

/// What a peer announces about itself and a torrent (BEP 3, 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Our id.
    pub peer_id: PeerId,
    /// The TCP port on which we listen.
    pub port: u16,
    /// Bytes sent to other peers since `started`.
    pub uploaded: u64,
    /// Bytes received from other peers since `started`.
    pub downloaded: u64,
    /// Bytes still missing; 0 for a seed.
    pub left: u64,
    /// The reason of the announce.
    pub event: AnnounceEvent,
    /// The number of peers that are wanted; `None` leaves it to the tracker. Over UDP at most `i32::MAX`.
    pub num_want: Option<u32>,
    /// A secret of the peer, the same in all its announces: the tracker recognises the peer when its address has
    /// changed.
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

/// The reason of an announce (BEP 3). The numbers are those of BEP 15.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "the four events of BEP 15")]
pub enum AnnounceEvent {
    /// 0: the interval of the tracker has passed. An event that is not known, such as `paused` (BEP 21), is read as
    /// this one.
    #[default]
    None,
    /// 1: the last piece was received; never sent by a peer that started complete.
    Completed,
    /// 2: the first announce.
    Started,
    /// 3: the last announce.
    Stopped,
}
