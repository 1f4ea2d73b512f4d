//! Identifiers of torrents, peers and connections.

use core::fmt;

use crate::hex::Hex;

/// Names a connection; the caller chooses the number and its meaning.
///
/// A number should not come back for another peer while the torrent runs: blocks that turn out to
/// be corrupt are charged to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct ConnId(pub u32);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {}", self.0)
    }
}

/// The SHA-1 of the bytes of a torrent's info dictionary (BEP 3). It prints as hexadecimal digits.
///
/// ```
/// use bittorrent_pieces::InfoHash;
///
/// let hash = InfoHash([0xAB; 20]);
/// assert_eq!(format!("{hash:.8}"), "abababab");
/// assert_eq!(format!("{hash}").len(), 40);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct InfoHash(pub [u8; 20]);

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoHash({:?})", Hex(&self.0))
    }
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// The 20 bytes by which a peer identifies itself in its handshake (BEP 3). They are not verified.
///
/// ```
/// use bittorrent_pieces::PeerId;
///
/// // BEP 20: two letters for the program, four digits for its version, then random bytes.
/// let ours = PeerId(*b"-XX0100-0123456789ab");
/// assert_eq!(format!("{ours:.6}"), "2d5858");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct PeerId(pub [u8; 20]);

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({:?})", Hex(&self.0))
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// The SHA-256 of the info dictionary of a v2 torrent (BEP 52).
///
/// ```
/// use bittorrent_pieces::{InfoHash, InfoHashV2};
///
/// assert_eq!(InfoHashV2([0xAB; 32]).truncated(), InfoHash([0xAB; 20]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct InfoHashV2(pub [u8; 32]);

impl InfoHashV2 {
    /// Returns the first 20 bytes, which stand for it in handshakes, at trackers and in the DHT.
    #[must_use]
    pub fn truncated(&self) -> InfoHash {
        InfoHash(self.0.first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Debug for InfoHashV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoHashV2({:?})", Hex(&self.0))
    }
}

impl fmt::Display for InfoHashV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}
