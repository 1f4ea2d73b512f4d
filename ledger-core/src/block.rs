//! Blocks: a header, its proof and the transactions, over caller-provided bytes.

use core::fmt;

use thiserror::Error;

use crate::body_tree::BodyTree;
use crate::codec::{Reader, Writer};
use crate::error::{BufferTooSmall, DecodeError};
use crate::groups::GroupHasher;
use crate::hash::{BlockId, GenesisId};
use crate::header::Header;
use crate::invariant::invariant;
use crate::merkle::TreeHead;
use crate::transaction::SignedTransaction;

/// A block as it is stored and sent: header, proof, body.
///
/// ```
/// use ledger_core::{Block, Body, Claim, GenesisId, Header, Height};
///
/// let body = Body::default(); // no transactions
/// let genesis = GenesisId::from_bytes([7; 32]);
/// let header = Header {
///     height: Height(1),
///     parent: genesis.block_id(),
///     body_size: body.head().size as u32,
///     body_root: body.head().root,
///     state: Default::default(),
///     history: Default::default(),
///     time: 60,
///     author: Default::default(),
///     claim: Claim::NONE,
/// };
/// let block = Block::new(header, b"a signature", body)?;
/// let mut bytes = [0; 256];
/// let len = block.encode(&mut bytes)?;
/// assert_eq!(Block::decode(&bytes[..len])?, (block, &[][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    header: Header,
    proof: &'a [u8],
    body: Body<'a>,
}

/// The front of a block: what is checked before its body is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct SealedHeader<'a> {
    /// The header.
    pub header: Header,
    /// What proves the claim of the header, such as a signature. It is part of no id.
    pub proof: &'a [u8],
}

/// The transactions of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Body<'a> {
    bytes: &'a [u8],
    size: u32,
}

/// The transactions of a [`Body`], in order.
#[derive(Debug, Clone)]
pub struct Transactions<'a> {
    bytes: &'a [u8],
}

/// Header, proof and body do not make a block. The caller's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AssembleError {
    /// The header names other transactions.
    #[error("the header does not name this body")]
    WrongBody,
    /// The proof is longer than 65,535 bytes.
    #[error("a proof of {0} bytes is too long")]
    ProofTooLong(usize),
}

impl<'a> Block<'a> {
    /// Assembles a block.
    ///
    /// # Errors
    ///
    /// [`AssembleError`] if the header names another body or the proof is too long.
    pub fn new(header: Header, proof: &'a [u8], body: Body<'a>) -> Result<Self, AssembleError> {
        if u16::try_from(proof.len()).is_err() {
            return Err(AssembleError::ProofTooLong(proof.len()));
        }
        if header.body() != body.head() {
            return Err(AssembleError::WrongBody);
        }
        Ok(Self { header, proof, body })
    }

    /// Decodes a block from the front of `bytes` and returns the rest. The form is checked, the content is not:
    /// [`Chain::append`](crate::Chain::append) checks that.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not a block in canonical form.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (SealedHeader { header, proof }, rest) = SealedHeader::decode(bytes)?;
        let (body, rest) = Body::decode(rest, header.body_size)?;
        Ok((Self { header, proof, body }, rest))
    }

    /// Returns the encoded length in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.sealed_header().encoded_len().saturating_add(self.body.bytes.len())
    }

    /// Encodes the block and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let at = self.sealed_header().encode(out)?;
        let rest = out.get_mut(at..).unwrap_or_default();
        Writer::new(rest, self.body.bytes.len())?.put(self.body.bytes)?;
        Ok(needed)
    }

    /// Returns the id on this chain. The proof does not change it.
    #[must_use]
    pub fn id(&self, genesis: &GenesisId) -> BlockId {
        self.header.id(genesis)
    }

    /// Returns the header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Returns what proves the claim of the header.
    #[must_use]
    pub const fn proof(&self) -> &'a [u8] {
        self.proof
    }

    /// Returns header and proof.
    const fn sealed_header(&self) -> SealedHeader<'a> {
        SealedHeader { header: self.header, proof: self.proof }
    }

    /// Returns the transactions.
    #[must_use]
    pub const fn body(&self) -> Body<'a> {
        self.body
    }
}

impl<'a> SealedHeader<'a> {
    /// Decodes header and proof from the front of `bytes` and returns the rest, which is the body.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not a header and a proof.
    #[inline(never)] // the header stands once on the stack of the caller
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (header, rest) = Header::decode(bytes)?;
        let mut reader = Reader(rest);
        let len = usize::from(reader.u16()?);
        let proof = reader.slice(len)?;
        Ok((Self { header, proof }, reader.0))
    }

    /// Returns the encoded length in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.header.encoded_len().saturating_add(2).saturating_add(self.proof.len())
    }

    /// Encodes header and proof and returns their length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes; no buffer suffices for a proof above 65,535
    /// bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let len = u16::try_from(self.proof.len()).map_err(|_| BufferTooSmall { needed })?;
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let at = self.header.encode(out)?;
        let rest = out.get_mut(at..).unwrap_or_default();
        let mut writer = Writer::new(rest, needed.saturating_sub(at))?;
        writer.put(&len.to_be_bytes())?;
        writer.put(self.proof)?;
        Ok(needed)
    }
}

impl<'a> Body<'a> {
    /// Decodes `size` transactions from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if there are fewer or one is not in canonical form.
    pub fn decode(bytes: &'a [u8], size: u32) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut rest = bytes;
        for _ in 0..size {
            rest = SignedTransaction::split(rest)?.1;
        }
        let len = bytes.len().saturating_sub(rest.len());
        Ok((Self { bytes: bytes.get(..len).unwrap_or_default(), size }, rest))
    }

    /// Decodes all transactions in `bytes`: signed transactions, concatenated.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if one is not in canonical form.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        let mut size = 0_u32;
        while !rest.is_empty() {
            rest = SignedTransaction::split(rest)?.1;
            size = size.saturating_add(1);
        }
        Ok(Self { bytes, size })
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the number of transactions.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.size
    }

    /// Returns whether there is no transaction.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Returns the transactions, in order.
    #[must_use]
    pub const fn iter(&self) -> Transactions<'a> {
        Transactions { bytes: self.bytes }
    }

    /// Returns size and RFC 6962 root of the tree of transactions. A leaf covers a transaction with its signatures.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.head_by(GroupHasher::NONE)
    }

    pub(crate) fn head_by(&self, mut hasher: GroupHasher<'_>) -> TreeHead {
        let mut tree = BodyTree::new();
        let pushed = hasher.push_transactions(&mut tree, self.bytes, self.size);
        invariant!(pushed == Ok(&[]), "the bytes were decoded when the body was made");
        TreeHead { size: u64::from(self.size), root: tree.root() }
    }
}

impl<'a> Iterator for Transactions<'a> {
    type Item = SignedTransaction<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (transaction, rest) = SignedTransaction::decode(self.bytes).ok()?;
        self.bytes = rest;
        Some(transaction)
    }
}

impl<'a> IntoIterator for Body<'a> {
    type Item = SignedTransaction<'a>;
    type IntoIter = Transactions<'a>;

    fn into_iter(self) -> Transactions<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Body<'a> {
    type Item = SignedTransaction<'a>;
    type IntoIter = Transactions<'a>;

    fn into_iter(self) -> Transactions<'a> {
        self.iter()
    }
}

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header.fmt(f)
    }
}
