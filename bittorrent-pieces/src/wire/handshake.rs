//! The first 68 bytes in both directions (BEP 3; reserved bits: BEP 4, 5, 6, 10, 52).

use core::fmt;

use super::{DecodeError, field};
use crate::error::BufferTooSmall;
use crate::hex::Hex;
use crate::id::{InfoHash, PeerId};

/// The length of the protocol's name, and the name.
const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// The first message of both sides: the sender, its features and the torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Handshake {
    /// What the sender can do beyond BEP 3.
    pub reserved: Reserved,
    /// The torrent.
    pub info_hash: InfoHash,
    /// The sender.
    pub peer_id: PeerId,
}

/// The eight reserved bytes, as they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// The extension protocol (BEP 10).
    pub const EXTENDED: Self = Self([0, 0, 0, 0, 0, 0x10, 0, 0]);
    /// A DHT node (BEP 5).
    pub const DHT: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x01]);
    /// The fast extension (BEP 6).
    pub const FAST: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x04]);
    /// An upgrade to v2 (BEP 52).
    pub const V2: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x10]);

    /// Returns whether the extension protocol is offered (BEP 10).
    #[must_use]
    pub const fn extended(self) -> bool {
        let [_, _, _, _, _, byte, _, _] = self.0;
        byte & 0x10 != 0
    }

    /// Returns whether a DHT node is offered (BEP 5).
    #[must_use]
    pub const fn dht(self) -> bool {
        self.last() & 0x01 != 0
    }

    /// Returns whether the fast extension is offered (BEP 6).
    #[must_use]
    pub const fn fast(self) -> bool {
        self.last() & 0x04 != 0
    }

    /// Returns whether an upgrade to v2 is offered (BEP 52).
    #[must_use]
    pub const fn v2(self) -> bool {
        self.last() & 0x10 != 0
    }

    const fn last(self) -> u8 {
        let [_, _, _, _, _, _, _, byte] = self.0;
        byte
    }
}

impl core::ops::BitOr for Reserved {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self((u64::from_be_bytes(self.0) | u64::from_be_bytes(other.0)).to_be_bytes())
    }
}

impl Handshake {
    /// The length in bytes.
    pub const LEN: usize = 68;

    /// Reads a handshake; returns the rest too.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Protocol`] at the first byte that differs, [`DecodeError::Incomplete`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        if bytes.iter().zip(PROTOCOL).any(|(is, should)| is != should) {
            return Err(DecodeError::Protocol);
        }
        let incomplete =
            DecodeError::Incomplete { needed: Self::LEN.saturating_sub(bytes.len()).max(1) };
        let (_, rest) = bytes.split_first_chunk::<20>().ok_or(incomplete)?;
        let (reserved, rest) = rest.split_first_chunk().ok_or(incomplete)?;
        let (info_hash, rest) = rest.split_first_chunk().ok_or(incomplete)?;
        let (peer_id, rest) = rest.split_first_chunk().ok_or(incomplete)?;
        let info_hash = InfoHash(*info_hash);
        let peer_id = PeerId(*peer_id);
        Ok((Self { reserved: Reserved(*reserved), info_hash, peer_id }, rest))
    }

    /// Returns the length in bytes: 68.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        Self::LEN
    }

    /// Writes the handshake and returns 68.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing is written then.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = field::Out::new(out, Self::LEN)?;
        out.bytes(PROTOCOL);
        out.bytes(&self.reserved.0);
        out.bytes(&self.info_hash.0);
        out.bytes(&self.peer_id.0);
        Ok(Self::LEN)
    }
}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reserved = Hex(&self.reserved.0);
        let torrent = self.info_hash;
        let peer = self.peer_id;
        write!(f, "HANDSHAKE torrent={torrent} peer={peer} reserved={reserved}")
    }
}
