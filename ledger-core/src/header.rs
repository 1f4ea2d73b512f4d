//! The header of a block: 124 bytes that are hashed, signed and mined.

use core::fmt;

use crate::codec::{Reader, Writer};
use crate::{Account, BufferTooSmall, DecodeError, Hash};

const TAG: u8 = 0x42; // 'B'; a transaction begins with 'T', so neither can pass for the other
const VERSION: u8 = 1;

/// Names a chain, so that what is signed for one cannot be replayed on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ChainId(pub u32);

/// The position of a block; the first one, which nobody seals, has height 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Height(pub u64);

/// By which rule a block is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SealKind(pub u8);

/// What a block says about itself.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 1 | tag 0x42 |
/// | 1 | 1 | version 1 |
/// | 2 | 4 | chain |
/// | 6 | 8 | height |
/// | 14 | 32 | hash of the previous block |
/// | 46 | 32 | RFC 6962 root of the transactions |
/// | 78 | 4 | number of transactions |
/// | 82 | 8 | time, Unix seconds |
/// | 90 | 32 | author, who receives subsidy and fees |
/// | 122 | 1 | kind of the seal |
/// | 123 | 1 | length of the seal |
///
/// All integers are big-endian. With the four bytes of a compact target the header fills exactly two
/// blocks of SHA-256, so a miner whose nonce follows hashes one block for each nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The chain it belongs to.
    pub chain: ChainId,
    /// Its position.
    pub height: Height,
    /// The hash of the block before it.
    pub previous: Hash,
    /// The Merkle root of its transactions.
    pub root: Hash,
    /// How many transactions there are.
    pub count: u32,
    /// When it was made, in Unix seconds.
    pub time: u64,
    /// Who made it.
    pub author: Account,
    /// By which rule it is sealed.
    pub seal_kind: SealKind,
    /// How many bytes the seal takes.
    pub seal_len: u8,
}

impl SealKind {
    /// No seal: the first block of a chain.
    pub const NONE: Self = Self(0);
    /// Proof of work.
    pub const WORK: Self = Self(1);
    /// Proof of stake.
    pub const STAKE: Self = Self(2);
    /// Proof of authority.
    pub const AUTHORITY: Self = Self(3);
}

impl Header {
    /// The encoded length in bytes.
    pub const LEN: usize = 124;

    /// Reads a header from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not a header.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut reader = Reader(bytes);
        reader.preamble(TAG, VERSION)?;
        let header = Self {
            chain: ChainId(reader.u32()?),
            height: Height(reader.u64()?),
            previous: Hash::from_bytes(reader.array()?),
            root: Hash::from_bytes(reader.array()?),
            count: reader.u32()?,
            time: reader.u64()?,
            author: Account::from_bytes(reader.array()?),
            seal_kind: SealKind(reader.u8()?),
            seal_len: reader.u8()?,
        };
        Ok((header, reader.0))
    }

    /// Writes the header and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`Self::LEN`] bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut writer = Writer::new(out, Self::LEN)?;
        writer.put(&[TAG, VERSION])?;
        writer.put(&self.chain.0.to_be_bytes())?;
        writer.put(&self.height.0.to_be_bytes())?;
        writer.put(self.previous.as_bytes())?;
        writer.put(self.root.as_bytes())?;
        writer.put(&self.count.to_be_bytes())?;
        writer.put(&self.time.to_be_bytes())?;
        writer.put(self.author.as_bytes())?;
        writer.put(&[self.seal_kind.0, self.seal_len])?;
        Ok(Self::LEN)
    }

    /// Returns the canonical bytes: what an author signs and a miner extends.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        let _ = self.encode(&mut out); // LEN bytes always suffice
        out
    }

    /// Returns the hash of a block with this header and this seal: the SHA-256 of both.
    #[must_use]
    pub fn hash(&self, seal: &[u8]) -> Hash {
        Hash::of_parts(&[&self.to_bytes(), seal])
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for SealKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("none"),
            Self::WORK => f.write_str("work"),
            Self::STAKE => f.write_str("stake"),
            Self::AUTHORITY => f.write_str("authority"),
            Self(other) => write!(f, "{other}"),
        }
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BLOCK height={} previous={:.8} root={:.8} transactions={} time={} author={:.8} seal={}",
            self.height,
            self.previous,
            self.root,
            self.count,
            self.time,
            self.author,
            self.seal_kind
        )
    }
}
