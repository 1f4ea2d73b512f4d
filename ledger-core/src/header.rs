//! The header of a block: everything that its id covers.

use core::fmt;

use crate::codec::{Reader, Writer};
use crate::domain;
use crate::error::{BufferTooSmall, DecodeError};
use crate::hash::{BlockId, GenesisId, Hash};
use crate::merkle::TreeHead;
use crate::policy::Account;

const VERSION: u8 = 1;
const FIXED_LEN: usize = 1 + 8 + 32 + 4 + 32 + 32 + 32 + 8 + 32 + 2; // version .. length of the claim
const MAX_CLAIM_LEN: usize = 40;
const PREFIX_LEN: usize = domain::BLOCK.len() + 32; // domain string, genesis id

/// The position of a block. Block 0 is the chain's specification; nobody makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct Height(pub u64);

/// The rule by which a header claims to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct ClaimKind(pub u8);

/// What the engine needs to be committed to: target and nonce, round and validator, slot, vote. It is part of the
/// block id. What proves it, such as a signature, is not.
///
/// ```
/// use ledger_core::{Claim, ClaimKind};
///
/// let claim = Claim::new(ClaimKind::STAKE, b"slot 7")?;
/// assert_eq!(claim.kind(), ClaimKind::STAKE);
/// assert_eq!(claim.as_bytes(), b"slot 7");
/// # Ok::<(), ledger_core::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Claim {
    kind: ClaimKind,
    len: u8,
    bytes: [u8; MAX_CLAIM_LEN],
}

/// What a block says about itself. `docs/WIRE.md` has the table of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Header {
    /// Its position.
    pub height: Height,
    /// The id of the block before it.
    pub parent: BlockId,
    /// The number of its transactions.
    pub body_size: u32,
    /// The RFC 6962 root over its transactions.
    pub body_root: Hash,
    /// The root of the state after it.
    pub state: Hash,
    /// The RFC 6962 root over the ids of all blocks before it, the genesis id first. Its size is the height.
    pub history: Hash,
    /// The time at which it was made, in Unix seconds.
    pub time: u64,
    /// The account that receives subsidy and fees.
    pub author: Account,
    /// Why it counts.
    pub claim: Claim,
}

/// The bytes whose SHA-256 is a block id, without an allocation: an engine by work searches its nonce in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderPreimage {
    len: usize,
    bytes: [u8; PREFIX_LEN + Header::MAX_LEN],
}

impl ClaimKind {
    /// No rule.
    pub const NONE: Self = Self(0);
    /// Proof of work.
    pub const WORK: Self = Self(1);
    /// Proof of stake.
    pub const STAKE: Self = Self(2);
    /// Proof of authority.
    pub const AUTHORITY: Self = Self(3);
}

impl Claim {
    /// The largest length in bytes.
    pub const MAX_LEN: usize = MAX_CLAIM_LEN;
    /// No claim, for engines that accept every block.
    pub const NONE: Self = Self { kind: ClaimKind::NONE, len: 0, bytes: [0; MAX_CLAIM_LEN] };

    /// Creates a claim.
    ///
    /// # Errors
    ///
    /// [`DecodeError::ClaimTooLong`] above [`Self::MAX_LEN`] bytes.
    pub fn new(kind: ClaimKind, content: &[u8]) -> Result<Self, DecodeError> {
        let len = u8::try_from(content.len()).unwrap_or(u8::MAX);
        let mut bytes = [0; MAX_CLAIM_LEN];
        let place = bytes.get_mut(..content.len()).ok_or(DecodeError::ClaimTooLong(len))?;
        place.copy_from_slice(content);
        Ok(Self { kind, len, bytes })
    }

    /// Creates a claim from two parts that together are 40 bytes at most, for engines whose fields are fixed.
    #[must_use]
    pub fn of_parts<const A: usize, const B: usize>(
        kind: ClaimKind,
        first: &[u8; A],
        second: &[u8; B],
    ) -> Self {
        const { assert!(A + B <= MAX_CLAIM_LEN) };
        let mut bytes = [0; MAX_CLAIM_LEN];
        for (byte, value) in bytes.iter_mut().zip(first.iter().chain(second)) {
            *byte = *value;
        }
        let len = A.saturating_add(B);
        Self { kind, len: u8::try_from(len).unwrap_or(u8::MAX), bytes }
    }

    /// Returns the rule.
    #[must_use]
    pub const fn kind(&self) -> ClaimKind {
        self.kind
    }

    /// Returns the content.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Default for Claim {
    fn default() -> Self {
        Self::NONE
    }
}

impl Header {
    /// The largest encoded length in bytes.
    pub const MAX_LEN: usize = FIXED_LEN + MAX_CLAIM_LEN;

    /// Decodes a header from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not a header.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut reader = Reader(bytes);
        reader.version(VERSION)?;
        let header = Self {
            height: Height(reader.u64()?),
            parent: BlockId::from_bytes(reader.array()?),
            body_size: reader.u32()?,
            body_root: Hash::from_bytes(reader.array()?),
            state: Hash::from_bytes(reader.array()?),
            history: Hash::from_bytes(reader.array()?),
            time: reader.u64()?,
            author: Account::from_bytes(reader.array()?),
            claim: read_claim(&mut reader)?,
        };
        Ok((header, reader.0))
    }

    /// Returns the encoded length in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        FIXED_LEN.saturating_add(usize::from(self.claim.len))
    }

    /// Encodes the header and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let len = self.encoded_len();
        let mut writer = Writer::new(out, len)?;
        self.with_parts(&[], &[], |parts| parts.iter().try_for_each(|part| writer.put(part)))?;
        Ok(len)
    }

    /// Calls `f` with two parts that stand before the header, and those of its encoding.
    fn with_parts<T>(&self, domain: &[u8], genesis: &[u8], f: impl FnOnce(&[&[u8]]) -> T) -> T {
        f(&[
            domain,
            genesis,
            &[VERSION],
            &self.height.0.to_be_bytes(),
            self.parent.as_bytes(),
            &self.body_size.to_be_bytes(),
            self.body_root.as_bytes(),
            self.state.as_bytes(),
            self.history.as_bytes(),
            &self.time.to_be_bytes(),
            self.author.as_bytes(),
            &[self.claim.kind.0, self.claim.len],
            self.claim.as_bytes(),
        ])
    }

    /// Returns the id of the block on this chain.
    #[must_use]
    pub fn id(&self, genesis: &GenesisId) -> BlockId {
        let hash = self.with_parts(domain::BLOCK, genesis.as_bytes(), Hash::of_parts);
        BlockId::from_bytes(*hash.as_bytes())
    }

    /// Returns the bytes whose SHA-256 is the id: domain string, genesis id, header. The claim stands last, so a nonce
    /// search hashes one block of SHA-256 for each nonce.
    #[must_use]
    pub fn preimage(&self, genesis: &GenesisId) -> HeaderPreimage {
        let bytes = [0; PREFIX_LEN + Header::MAX_LEN];
        let mut preimage = HeaderPreimage { len: PREFIX_LEN, bytes };
        let (prefix, rest) = preimage.bytes.split_at_mut(PREFIX_LEN);
        for (byte, value) in prefix.iter_mut().zip(domain::BLOCK.iter().chain(genesis.as_bytes())) {
            *byte = *value;
        }
        let len = self.encode(rest).unwrap_or_default(); // MAX_LEN bytes always suffice
        preimage.len = PREFIX_LEN.saturating_add(len);
        preimage
    }

    /// Returns size and root of the tree of transactions: what an inclusion proof is checked against.
    #[must_use]
    pub fn body(&self) -> TreeHead {
        TreeHead { size: u64::from(self.body_size), root: self.body_root }
    }

    /// Returns size and root of the tree of all earlier block ids: what the proof that an old block belongs to this
    /// chain is checked against.
    #[must_use]
    pub const fn history(&self) -> TreeHead {
        TreeHead { size: self.height.0, root: self.history }
    }
}

fn read_claim(reader: &mut Reader<'_>) -> Result<Claim, DecodeError> {
    let kind = ClaimKind(reader.u8()?);
    let len = reader.u8()?;
    if usize::from(len) > MAX_CLAIM_LEN {
        return Err(DecodeError::ClaimTooLong(len));
    }
    Claim::new(kind, reader.slice(usize::from(len))?)
}

impl HeaderPreimage {
    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for ClaimKind {
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

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({}, {:?})", self.kind, crate::hex::Hex(self.as_bytes()))
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BLOCK height={} parent={:.8} body={:.8} transactions={} state={:.8} time={} author={:.8} claim={}",
            self.height,
            self.parent,
            self.body_root,
            self.body_size,
            self.state,
            self.time,
            self.author,
            self.claim.kind
        )
    }
}
