//! Blocks: a header, its seal and the transactions, over bytes that lie with the caller.

use core::fmt;

use crate::codec::{Reader, Writer};
use crate::{BufferTooSmall, DecodeError, Hash, Header, MerkleTree, SignedTransaction};

/// A block as it is stored and sent: header, seal, body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    header: Header,
    seal: &'a [u8],
    body: Body<'a>,
}

/// The transactions of a block.
///
/// Each is followed by its length as u16, so that a block can be undone from its own bytes, last
/// transaction first, without memory for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Body<'a> {
    bytes: &'a [u8],
    count: u32,
}

/// The transactions of a [`Body`], from either end.
#[derive(Debug, Clone)]
pub struct Transactions<'a> {
    bytes: &'a [u8],
}

impl<'a> Block<'a> {
    /// Puts a block together.
    #[must_use]
    pub const fn new(header: Header, seal: &'a [u8], body: Body<'a>) -> Self {
        Self { header, seal, body }
    }

    /// Reads a block from the front of `bytes` and returns the rest. The form is checked, the content is
    /// not: [`Chain::append`](crate::Chain::append) does that.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not a block in canonical form.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (header, rest) = Header::decode(bytes)?;
        let mut reader = Reader(rest);
        let seal = reader.slice(usize::from(header.seal_len))?;
        let (body, rest) = Body::decode(reader.0, header.count)?;
        Ok((Self { header, seal, body }, rest))
    }

    /// Returns the encoded length in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.seal.len().saturating_add(self.body.bytes.len()).saturating_add(Header::LEN)
    }

    /// Writes the block and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let len = self.encoded_len();
        let mut writer = Writer::new(out, len)?;
        writer.put(&self.header.to_bytes())?;
        writer.put(self.seal)?;
        writer.put(self.body.bytes)?;
        Ok(len)
    }

    /// Returns the hash that the next block names: the SHA-256 of header and seal.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.header.hash(self.seal)
    }

    /// Returns the header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the seal.
    #[must_use]
    pub const fn seal(&self) -> &'a [u8] {
        self.seal
    }

    /// Returns the transactions.
    #[must_use]
    pub const fn body(&self) -> Body<'a> {
        self.body
    }
}

impl<'a> Body<'a> {
    /// Reads `count` transactions from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if there are fewer or one is not in canonical form.
    pub fn decode(bytes: &'a [u8], count: u32) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut rest = bytes;
        for _ in 0..count {
            rest = take_first(rest)?.1;
        }
        let taken = bytes.len().saturating_sub(rest.len());
        Ok((Self { bytes: bytes.get(..taken).unwrap_or_default(), count }, rest))
    }

    /// Reads as many transactions as there are in `bytes`.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if one is not in canonical form.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        let mut count = 0_u32;
        while !rest.is_empty() {
            rest = take_first(rest)?.1;
            count = count.saturating_add(1);
        }
        Ok(Self { bytes, count })
    }

    /// Writes a transaction as the next one of a body to the front of `out` and returns how many bytes
    /// it took. A body is what such calls have written, one behind the other.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if `out` is.
    pub fn push(
        transaction: &SignedTransaction<'_>,
        out: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let bytes = transaction.as_bytes();
        let needed = bytes.len().saturating_add(2);
        let len = u16::try_from(bytes.len()).map_err(|_| BufferTooSmall { needed })?;
        let mut writer = Writer::new(out, needed)?;
        writer.put(bytes)?;
        writer.put(&len.to_be_bytes())?;
        Ok(needed)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the number of transactions.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Returns whether there is no transaction.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the transactions, in order.
    #[must_use]
    pub const fn iter(&self) -> Transactions<'a> {
        Transactions { bytes: self.bytes }
    }

    /// Returns the RFC 6962 root over the transactions.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut tree = MerkleTree::new();
        self.iter().for_each(|transaction| tree.push(transaction.id()));
        tree.root()
    }
}

impl<'a> Iterator for Transactions<'a> {
    type Item = SignedTransaction<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (transaction, rest) = take_first(self.bytes).ok()?;
        self.bytes = rest;
        Some(transaction)
    }
}

impl DoubleEndedIterator for Transactions<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (rest, len) = self.bytes.split_last_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (rest, bytes) = rest.split_at_checked(rest.len().checked_sub(len)?)?;
        self.bytes = rest;
        SignedTransaction::decode(bytes).ok().map(|(transaction, _)| transaction)
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

/// Takes a transaction and the length behind it.
fn take_first(bytes: &[u8]) -> Result<(SignedTransaction<'_>, &[u8]), DecodeError> {
    let (transaction, rest) = SignedTransaction::decode(bytes)?;
    let mut reader = Reader(rest);
    let found = reader.u16()?;
    let length = transaction.as_bytes().len();
    if usize::from(found) == length {
        Ok((transaction, reader.0))
    } else {
        Err(DecodeError::WrongLength { length, found })
    }
}
