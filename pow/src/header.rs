//! Bitcoin's header: 80 bytes whose double SHA-256 is the work.

use core::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{CompactTarget, LittleEndian, Target};

/// The name of a header: its double SHA-256, read as a little-endian number. `Display` is that number, 64
/// hexadecimal digits: the bytes of the digest in reverse, as block explorers show them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct HeaderId(pub [u8; 32]);

/// A header. Every number on the wire is little-endian; the fields are in wire order.
///
/// Source: Bitcoin Core, `CBlockHeader`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// The version, in which bits announce changes of the rules.
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

/// Why bytes are not a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end too early; the only error that more bytes can cure.
    #[error("{needed} more bytes are needed")]
    Incomplete {
        /// How many.
        needed: usize,
    },
    /// A field holds a number that means nothing.
    #[error("{value} is no {field}")]
    Unknown {
        /// What the field says.
        field: &'static str,
        /// The number.
        value: u8,
    },
}

/// The caller's buffer is too small. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the buffer is too small: {needed} bytes are needed")]
pub struct BufferTooSmall {
    /// How many bytes it must have.
    pub needed: usize,
}

impl Header {
    /// The length of a header in bytes.
    pub const LEN: usize = 80;

    /// Decodes a header and returns the rest of the bytes. Any 80 bytes are one; whether it counts is
    /// [`is_work`](Self::is_work)'s business and that of a [`HeaderChain`](crate::HeaderChain).
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

    /// Returns [`Self::LEN`].
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        Self::LEN
    }

    /// Writes the header, and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the buffer has fewer than 80 bytes.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let out = buf.get_mut(..Self::LEN).ok_or(BufferTooSmall { needed: Self::LEN })?;
        out.copy_from_slice(&self.to_bytes());
        Ok(Self::LEN)
    }

    /// Returns the 80 bytes: what is hashed, and a [`Puzzle`](crate::Puzzle) whose nonce of four bytes,
    /// least significant first, stands at 76.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let fields = (self.version.to_le_bytes().into_iter())
            .chain(self.previous.0)
            .chain(self.merkle_root)
            .chain(self.time.to_le_bytes())
            .chain(self.bits.0.to_le_bytes())
            .chain(self.nonce.to_le_bytes());
        for (byte, value) in bytes.iter_mut().zip(fields) {
            *byte = value;
        }
        bytes
    }

    /// Returns the double SHA-256.
    #[must_use]
    pub fn id(&self) -> HeaderId {
        HeaderId(Sha256::digest(Sha256::digest(self.to_bytes())).into())
    }

    /// Returns whether the header meets the target that it claims. Which target it must claim is a
    /// [`Difficulty`](crate::Difficulty) rule's business.
    #[must_use]
    pub fn is_work(&self) -> bool {
        self.bits.to_target().is_ok_and(|target| self.id().meets(target))
    }
}

impl HeaderId {
    /// Returns whether the number does not exceed a target.
    #[must_use]
    pub fn meets(&self, target: Target) -> bool {
        target.is_met_by::<LittleEndian>(&self.0)
    }
}

impl fmt::Display for HeaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
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
