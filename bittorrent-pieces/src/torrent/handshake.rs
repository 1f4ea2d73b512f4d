//! Our handshake, and which ones are accepted.

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
