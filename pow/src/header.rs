//! Bitcoin's header: 80 bytes whose double SHA-256 is the work.

use core::fmt;

use crate::compact::CompactTarget;
use crate::error::{BufferTooSmall, DecodeError};
use crate::hex::Hex;
use crate::sha256::hash_header;
use crate::target::{LittleEndian, Target};

/// Identifies a header: its double SHA-256, read as a little-endian number. `Display` is that number in 64
/// hexadecimal digits: the bytes of the digest in reverse order, as block explorers show them.
#[expect(clippy::exhaustive_structs, reason = "the bytes of the digest")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HeaderId(pub [u8; 32]);

/// A header. All numbers on the wire are little-endian; the fields are in wire order.
///
/// Source: Bitcoin Core, `CBlockHeader`.
///
/// ```
/// use pow::{CompactTarget, Header, HeaderId};
///
/// // The first header of Bitcoin.
/// let mut header = Header { version: 1, time: 1_231_006_505, nonce: 2_083_236_893, ..Header::default() };
/// header.bits = CompactTarget(0x1d00_ffff);
/// header.merkle_root = [
///     0x3b, 0xa3, 0xed, 0xfd, 0x7a, 0x7b, 0x12, 0xb2, 0x7a, 0xc7, 0x2c, 0x3e, 0x67, 0x76, 0x8f, 0x61,
///     0x7f, 0xc8, 0x1b, 0xc3, 0x88, 0x8a, 0x51, 0x32, 0x3a, 0x9f, 0xb8, 0xaa, 0x4b, 0x1e, 0x5e, 0x4a,
/// ];
/// assert!(header.has_valid_work());
/// assert!(header.id().to_string().starts_with("000000000019d668"));
/// ```
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Header {
    /// The version, whose bits announce changes of the rules.
    pub version: i32,
    /// The header before this one; all zeros in the first.
    pub previous: HeaderId,
    /// The root of the tree of transactions, as in the digest.
    pub merkle_root: [u8; 32],
    /// The time stamp, in Unix seconds.
    pub time: u32,
    /// The target.
    pub bits: CompactTarget,
    /// The nonce.
    pub nonce: u32,
}

impl Header {
    /// The length of a header in bytes.
    pub const LEN: usize = 80;

    /// Decodes a header and returns the rest of the bytes. Any 80 bytes are a header;
    /// [`has_valid_work`](Self::has_valid_work) and [`HeaderChain`](crate::HeaderChain) check it.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Incomplete`] if there are fewer than 80 bytes.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let needed = Self::LEN.saturating_sub(bytes.len());
        Self::split(bytes).ok_or(DecodeError::Incomplete { needed })
    }

    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (version, bytes) = bytes.split_first_chunk()?;
        let (previous, bytes) = bytes.split_first_chunk()?;
        let (merkle_root, bytes) = bytes.split_first_chunk()?;
        let (time, bytes) = bytes.split_first_chunk()?;
        let (bits, bytes) = bytes.split_first_chunk()?;
        let (nonce, bytes) = bytes.split_first_chunk()?;
        let header = Self {
            version: i32::from_le_bytes(*version),
            previous: HeaderId(*previous),
            merkle_root: *merkle_root,
            time: u32::from_le_bytes(*time),
            bits: CompactTarget(u32::from_le_bytes(*bits)),
            nonce: u32::from_le_bytes(*nonce),
        };
        Some((header, bytes))
    }

    /// Decodes a header whose length is known.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self::split(bytes).map_or_else(Self::default, |(header, _)| header)
    }

    /// Returns [`Self::LEN`].
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        Self::LEN
    }

    /// Encodes the header and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the buffer has fewer than 80 bytes.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let out = buf.get_mut(..Self::LEN).ok_or(BufferTooSmall { needed: Self::LEN })?;
        out.copy_from_slice(&self.to_bytes());
        Ok(Self::LEN)
    }

    /// Returns the 80 bytes that are hashed. As a [`Puzzle`](crate::Puzzle) their nonce is the four bytes at
    /// offset 76, least significant first.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let mut rest = bytes.as_mut_slice();
        let version = self.version.to_le_bytes();
        let [time, bits, nonce] = [self.time, self.bits.0, self.nonce].map(u32::to_le_bytes);
        for field in [&version[..], &self.previous.0, &self.merkle_root, &time, &bits, &nonce] {
            let Some((out, after)) = rest.split_at_mut_checked(field.len()) else { break };
            out.copy_from_slice(field);
            rest = after;
        }
        bytes
    }

    /// Returns the double SHA-256.
    #[must_use]
    pub fn id(&self) -> HeaderId {
        HeaderId::of(&self.to_bytes())
    }

    /// Returns whether the header meets the target that it claims. Which target it must claim is decided by a
    /// [`Difficulty`](crate::difficulty::Difficulty) rule.
    #[must_use]
    pub fn has_valid_work(&self) -> bool {
        self.bits.to_target().is_ok_and(|target| self.id().meets(target))
    }
}

impl HeaderId {
    /// Returns the id of an encoded header.
    #[must_use]
    pub fn of(header: &[u8; Header::LEN]) -> Self {
        Self(hash_header(header))
    }

    /// Returns whether the number does not exceed a target.
    #[must_use]
    pub fn meets(&self, target: Target) -> bool {
        target.is_met_by::<LittleEndian>(&self.0)
    }
}

impl fmt::Display for HeaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0;
        bytes.reverse();
        fmt::Display::fmt(&Hex(&bytes), f)
    }
}

impl fmt::Debug for HeaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, previous, time, bits, nonce, .. } = self;
        let id = self.id();
        write!(
            f,
            "header {id} after {previous} v{version:08x} t{time} bits {bits} nonce {nonce:08x}"
        )
    }
}
