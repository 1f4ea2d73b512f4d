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

impl Config {
    /// Returns the hash of the handshake of ours, and whether it offers version 2. A peer that offers an upgrade to
    /// version 2, or dials by it, is answered by the hash of version 2.
    pub(super) fn our_version(&self, version2: bool) -> (InfoHash, bool) {
        match self.info_hash_v2 {
            Some(v2) if version2 => (v2, false),
            v2 => (self.info_hash, v2.is_some()),
        }
    }

    /// Returns whether a connection uses version 2 after a handshake of the peer.
    pub(super) fn is_version2(&self, handshake: &Handshake, dialled: bool) -> bool {
        let upgrades = !dialled && handshake.reserved.v2();
        self.info_hash_v2.is_some_and(|v2| handshake.info_hash == v2 || upgrades)
    }
}

/// Refuses a handshake for another torrent, or with our own id.
pub(crate) fn validate_handshake(
    handshake: &Handshake,
    info_hash: InfoHash,
    own: PeerId,
) -> Result<(), PeerError> {
    if handshake.info_hash != info_hash {
        return Err(PeerError::InfoHash);
    }
    if handshake.peer_id == own { Err(PeerError::OwnId) } else { Ok(()) }
}
