//! Our handshake, and which ones are accepted.

use super::config::Config;
use super::error::PeerError;
use crate::id::{InfoHash, PeerId};
use crate::wire::{Handshake, Reserved};

/// Returns the reserved bits of our handshake.
pub(crate) fn our_reserved(fast: bool, dht: bool) -> Reserved {
    let mut reserved = Reserved::EXTENDED;
    if fast {
        reserved = reserved | Reserved::FAST;
    }
    if dht {
        reserved = reserved | Reserved::DHT;
    }
    reserved
}

/// The hashes by which handshakes name a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names {
    /// The hash of the torrent, of version 1 if it has one.
    pub(crate) info_hash: InfoHash,
    /// The truncated hash of version 2, if connections are upgraded to it.
    pub(crate) v2: Option<InfoHash>,
}

impl Names {
    /// Returns the hash of our handshake, and whether it offers version 2. A peer that offers an upgrade to
    /// version 2, or dials by it, is answered by the hash of version 2.
    pub(crate) fn ours(self, version2: bool) -> (InfoHash, bool) {
        match self.v2 {
            Some(v2) if version2 => (v2, false),
            v2 => (self.info_hash, v2.is_some()),
        }
    }

    /// Returns whether a connection uses version 2 after a handshake of the peer.
    pub(crate) fn is_version2(self, handshake: &Handshake, dialled: bool) -> bool {
        let upgrades = !dialled && handshake.reserved.v2();
        self.v2.is_some_and(|v2| handshake.info_hash == v2 || upgrades)
    }

    /// Refuses a handshake for another torrent, or with our own id.
    pub(crate) fn validate(self, handshake: &Handshake, own: PeerId) -> Result<(), PeerError> {
        if handshake.info_hash != self.info_hash && Some(handshake.info_hash) != self.v2 {
            return Err(PeerError::InfoHash);
        }
        if handshake.peer_id == own { Err(PeerError::OwnId) } else { Ok(()) }
    }
}

impl Config {
    pub(super) fn names(&self) -> Names {
        Names { info_hash: self.info_hash, v2: self.info_hash_v2 }
    }
}
