//! The messages: a kind, a length, a payload.

use core::fmt;

use thiserror::Error;

use crate::block::SealedHeader;
use crate::codec::{Reader, Writer};
use crate::error::BufferTooSmall;
use crate::hash::{BlockId, GenesisId, TxId};
use crate::header::Height;

/// The version of the protocol that [`Hello`] names.
pub const VERSION: u8 = 1;
/// The length of kind and length before each payload, in bytes.
pub const FRAME_LEN: usize = 5;
/// The most ids in one message.
pub const MAX_IDS: usize = 32;
/// The most headers in one message.
pub const MAX_HEADERS: usize = 64;
/// A message of an unknown kind is skipped up to this length in bytes.
pub(super) const MAX_UNKNOWN_LEN: usize = 1024;

const HELLO_LEN: usize = 81;
const STATUS_LEN: usize = 40;
const NOT_FOUND_LEN: usize = 33;

/// The kinds, in wire order.
mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const STATUS: u8 = 2;
    pub(super) const GET_HEADERS: u8 = 3;
    pub(super) const HEADERS: u8 = 4;
    pub(super) const GET_BLOCK: u8 = 5;
    pub(super) const BLOCK: u8 = 6;
    pub(super) const HAVE_TRANSACTIONS: u8 = 7;
    pub(super) const GET_TRANSACTION: u8 = 8;
    pub(super) const TRANSACTION: u8 = 9;
    pub(super) const NOT_FOUND: u8 = 10;
}

/// What nodes of one chain send each other. `docs/WIRE.md` has the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// The first message on a connection, in both directions.
    Hello(Hello),
    /// The sender's chain ends in another block now. Also sent to keep a connection open.
    Status(Status),
    /// Asks for the headers after the first of these blocks that is on the receiver's chain.
    GetHeaders(BlockIds<'a>),
    /// Headers in the order of the chain.
    Headers(Headers<'a>),
    /// Asks for a block.
    GetBlock(BlockId),
    /// A whole block, as [`Block::encode`](crate::Block::encode) writes it.
    Block(&'a [u8]),
    /// The sender has these transactions.
    HaveTransactions(TxIds<'a>),
    /// Asks for a transaction.
    GetTransaction(TxId),
    /// A signed transaction.
    Transaction(&'a [u8]),
    /// The sender does not have what it was asked for.
    NotFound(NotFound),
}

/// Which chain a node follows, and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Hello {
    /// The chain. Nodes of other chains are disconnected.
    pub genesis: GenesisId,
    /// A random number of the node. A node that receives its own is connected to itself.
    pub nonce: u64,
    /// The end of the sender's chain.
    pub status: Status,
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Status {
    /// The height of the last block.
    pub height: Height,
    /// The id of the last block.
    pub tip: BlockId,
}

/// Block ids as they stand in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockIds<'a>(&'a [[u8; 32]]);

/// Transaction ids as they stand in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxIds<'a>(&'a [[u8; 32]]);

/// Headers with their proofs, as they stand in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers<'a> {
    more: bool,
    bytes: &'a [u8],
}

/// The headers of a [`Headers`], each as the bytes that [`Node::handle_header`](crate::node::Node::handle_header) takes.
#[derive(Debug, Clone)]
pub struct HeadersIter<'a>(&'a [u8]);

/// Writes a message with headers into a buffer, for as long as they fit.
#[derive(Debug)]
pub struct HeadersWriter<'a> {
    out: &'a mut [u8],
    len: usize,
    count: usize,
}

/// What a node does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what can be asked for")]
pub enum NotFound {
    /// A block.
    Block(BlockId),
    /// A transaction.
    Transaction(TxId),
}

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MessageError {
    /// The bytes end too early. The only error that more bytes can cure.
    #[error("incomplete: at least {needed} more bytes needed")]
    Incomplete {
        /// A lower bound of the missing bytes.
        needed: usize,
    },
    /// The kind is unknown. A reader may skip it.
    #[error("unknown message {kind} of {len} bytes")]
    UnknownKind {
        /// The kind.
        kind: u8,
        /// The length of the payload in bytes.
        len: usize,
    },
    /// The payload is not what the kind asks for.
    #[error("malformed message {0}")]
    Malformed(u8),
}

impl<'a> Message<'a> {
    /// The largest encoded length of a message that is neither a block, nor headers, nor a transaction.
    pub const MAX_CONTROL_LEN: usize = FRAME_LEN + 32 * MAX_IDS;

    /// Decodes a message from the front of `bytes` and returns the rest. Headers are checked in form, blocks and
    /// transactions not at all.
    ///
    /// # Errors
    ///
    /// [`MessageError`].
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), MessageError> {
        let (kind, len) = frame(bytes)?;
        let body = bytes.get(FRAME_LEN..).unwrap_or_default();
        let Some((payload, rest)) = body.split_at_checked(len) else {
            return Err(MessageError::Incomplete { needed: len.saturating_sub(body.len()) });
        };
        let message = Self::of_payload(kind, payload)?;
        Ok((message, rest))
    }

    fn of_payload(kind: u8, payload: &'a [u8]) -> Result<Self, MessageError> {
        let message = match kind {
            kind::HELLO => hello(payload).map(Self::Hello),
            kind::STATUS => status(payload).map(Self::Status),
            kind::GET_HEADERS => ids(payload).map(BlockIds).map(Self::GetHeaders),
            kind::HEADERS => Headers::of(payload).map(Self::Headers),
            kind::GET_BLOCK => id(payload).map(BlockId::from_bytes).map(Self::GetBlock),
            kind::BLOCK => Some(Self::Block(payload)),
            kind::HAVE_TRANSACTIONS => ids(payload).map(TxIds).map(Self::HaveTransactions),
            kind::GET_TRANSACTION => id(payload).map(TxId::from_bytes).map(Self::GetTransaction),
            kind::TRANSACTION => Some(Self::Transaction(payload)),
            kind::NOT_FOUND => not_found(payload).map(Self::NotFound),
            _ => return Err(MessageError::UnknownKind { kind, len: payload.len() }),
        };
        message.ok_or(MessageError::Malformed(kind))
    }

    /// Returns the encoded length in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let payload = match self {
            Self::Hello(_) => HELLO_LEN,
            Self::Status(_) => STATUS_LEN,
            Self::GetHeaders(BlockIds(ids)) | Self::HaveTransactions(TxIds(ids)) => {
                ids.len().saturating_mul(32)
            }
            Self::Headers(headers) => headers.bytes.len().saturating_add(1),
            Self::GetBlock(_) | Self::GetTransaction(_) => 32,
            Self::Block(bytes) | Self::Transaction(bytes) => bytes.len(),
            Self::NotFound(_) => NOT_FOUND_LEN,
        };
        payload.saturating_add(FRAME_LEN)
    }

    /// Encodes the message and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes; no buffer suffices for 4 GiB.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let mut writer = Writer::new(out, needed)?;
        put_frame(&mut writer, self.kind(), needed)?;
        match self {
            Self::Hello(hello) => {
                writer.put(&[VERSION])?;
                writer.put(hello.genesis.as_bytes())?;
                writer.put(&hello.nonce.to_be_bytes())?;
                put_status(&mut writer, &hello.status)?;
            }
            Self::Status(status) => put_status(&mut writer, status)?,
            Self::GetHeaders(BlockIds(ids)) | Self::HaveTransactions(TxIds(ids)) => {
                writer.put(ids.as_flattened())?;
            }
            Self::Headers(headers) => {
                writer.put(&[u8::from(headers.more)])?;
                writer.put(headers.bytes)?;
            }
            Self::GetBlock(id) => writer.put(id.as_bytes())?,
            Self::GetTransaction(id) => writer.put(id.as_bytes())?,
            Self::Block(bytes) | Self::Transaction(bytes) => writer.put(bytes)?,
            Self::NotFound(NotFound::Block(id)) => {
                writer.put(&[kind::GET_BLOCK])?;
                writer.put(id.as_bytes())?;
            }
            Self::NotFound(NotFound::Transaction(id)) => {
                writer.put(&[kind::GET_TRANSACTION])?;
                writer.put(id.as_bytes())?;
            }
        }
        Ok(needed)
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => kind::HELLO,
            Self::Status(_) => kind::STATUS,
            Self::GetHeaders(_) => kind::GET_HEADERS,
            Self::Headers(_) => kind::HEADERS,
            Self::GetBlock(_) => kind::GET_BLOCK,
            Self::Block(_) => kind::BLOCK,
            Self::HaveTransactions(_) => kind::HAVE_TRANSACTIONS,
            Self::GetTransaction(_) => kind::GET_TRANSACTION,
            Self::Transaction(_) => kind::TRANSACTION,
            Self::NotFound(_) => kind::NOT_FOUND,
        }
    }
}

/// Returns kind and length of the payload.
pub(super) fn frame(bytes: &[u8]) -> Result<(u8, usize), MessageError> {
    let Some(([kind, len @ ..], _)) = bytes.split_first_chunk::<FRAME_LEN>() else {
        return Err(MessageError::Incomplete { needed: FRAME_LEN.saturating_sub(bytes.len()) });
    };
    let len = usize::try_from(u32::from_be_bytes(*len));
    Ok((*kind, len.map_err(|_| MessageError::Malformed(*kind))?))
}

/// Returns the longest payload of a kind in bytes, where blocks have at most `max_block_len`.
pub(super) fn max_len(kind: u8, max_block_len: usize) -> usize {
    match kind {
        kind::HELLO => HELLO_LEN,
        kind::STATUS => STATUS_LEN,
        kind::GET_HEADERS | kind::HAVE_TRANSACTIONS => 32 * MAX_IDS,
        kind::HEADERS | kind::BLOCK | kind::TRANSACTION => max_block_len,
        kind::GET_BLOCK | kind::GET_TRANSACTION => 32,
        kind::NOT_FOUND => NOT_FOUND_LEN,
        _ => MAX_UNKNOWN_LEN,
    }
}

/// Encodes ids that do not stand in one slice, and returns the length of the message.
pub(super) fn encode_ids<'i>(
    is_blocks: bool,
    ids: impl Iterator<Item = &'i [u8; 32]> + Clone,
    out: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let needed = ids.clone().count().saturating_mul(32).saturating_add(FRAME_LEN);
    let mut writer = Writer::new(out, needed)?;
    let kind = if is_blocks { kind::GET_HEADERS } else { kind::HAVE_TRANSACTIONS };
    put_frame(&mut writer, kind, needed)?;
    for id in ids {
        writer.put(id)?;
    }
    Ok(needed)
}

fn put_frame(writer: &mut Writer<'_>, kind: u8, needed: usize) -> Result<(), BufferTooSmall> {
    let len = u32::try_from(needed.saturating_sub(FRAME_LEN));
    let len = len.map_err(|_| BufferTooSmall { needed })?;
    writer.put(&[kind])?;
    writer.put(&len.to_be_bytes())
}

fn put_status(writer: &mut Writer<'_>, status: &Status) -> Result<(), BufferTooSmall> {
    writer.put(&status.height.0.to_be_bytes())?;
    writer.put(status.tip.as_bytes())
}

fn hello(payload: &[u8]) -> Option<Hello> {
    let mut reader = Reader(payload);
    reader.version(VERSION).ok()?;
    let genesis = GenesisId::from_bytes(reader.array().ok()?);
    let nonce = reader.u64().ok()?;
    let status = status(reader.0)?;
    Some(Hello { genesis, nonce, status })
}

fn status(payload: &[u8]) -> Option<Status> {
    let mut reader = Reader(payload);
    let height = Height(reader.u64().ok()?);
    let tip = BlockId::from_bytes(id(reader.0)?);
    Some(Status { height, tip })
}

fn id(payload: &[u8]) -> Option<[u8; 32]> {
    payload.try_into().ok()
}

fn ids(payload: &[u8]) -> Option<&[[u8; 32]]> {
    let (ids, rest) = payload.as_chunks();
    (rest.is_empty() && !ids.is_empty() && ids.len() <= MAX_IDS).then_some(ids)
}

fn not_found(payload: &[u8]) -> Option<NotFound> {
    let (kind, rest) = payload.split_first()?;
    let id = id(rest)?;
    match *kind {
        kind::GET_BLOCK => Some(NotFound::Block(BlockId::from_bytes(id))),
        kind::GET_TRANSACTION => Some(NotFound::Transaction(TxId::from_bytes(id))),
        _ => None,
    }
}

impl<'a> BlockIds<'a> {
    /// Creates a list. A message has 1 to [`MAX_IDS`].
    #[must_use]
    pub const fn new(ids: &'a [[u8; 32]]) -> Self {
        Self(ids)
    }

    /// Returns the ids, the one that is preferred first.
    #[must_use]
    pub fn iter(self) -> impl ExactSizeIterator<Item = BlockId> + Clone + 'a {
        self.0.iter().map(|id| BlockId::from_bytes(*id))
    }
}

impl<'a> TxIds<'a> {
    /// Creates a list. A message has 1 to [`MAX_IDS`].
    #[must_use]
    pub const fn new(ids: &'a [[u8; 32]]) -> Self {
        Self(ids)
    }

    /// Returns the ids.
    #[must_use]
    pub fn iter(self) -> impl ExactSizeIterator<Item = TxId> + Clone + 'a {
        self.0.iter().map(|id| TxId::from_bytes(*id))
    }
}

impl<'a> Headers<'a> {
    fn of(payload: &'a [u8]) -> Option<Self> {
        let (more, bytes) = payload.split_first()?;
        let more = match *more {
            0 => false,
            1 => true,
            _ => return None,
        };
        let mut rest = bytes;
        let mut count = 0_usize;
        while !rest.is_empty() {
            rest = SealedHeader::decode(rest).ok()?.1;
            count = count.saturating_add(1);
        }
        (count <= MAX_HEADERS).then_some(Self { more, bytes })
    }

    /// Returns whether the sender has headers that follow the last one.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.more
    }

    /// Returns whether there is no header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the headers, in the order of the chain.
    #[must_use]
    pub const fn iter(&self) -> HeadersIter<'a> {
        HeadersIter(self.bytes)
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = &'a [u8];
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Headers<'a> {
    type Item = &'a [u8];
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (_, rest) = SealedHeader::decode(self.0).ok()?;
        let len = self.0.len().saturating_sub(rest.len());
        let header = self.0.get(..len)?;
        self.0 = rest;
        Some(header)
    }
}

impl<'a> HeadersWriter<'a> {
    /// Begins a message in `out`. The receiver refuses a payload that is longer than a block may be: pass a buffer of at
    /// most [`FRAME_LEN`] more.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below 6 bytes.
    pub fn new(out: &'a mut [u8]) -> Result<Self, BufferTooSmall> {
        let len = FRAME_LEN.saturating_add(1);
        if out.len() < len {
            return Err(BufferTooSmall { needed: len });
        }
        Ok(Self { out, len, count: 0 })
    }

    /// Adds the header at the front of `bytes`, which may be a whole block. Returns `false` if the message is full or the
    /// bytes are not a header.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let Ok((sealed, _)) = SealedHeader::decode(bytes) else { return false };
        let rest = self.out.get_mut(self.len..).unwrap_or_default();
        if self.count >= MAX_HEADERS {
            return false;
        }
        let Ok(len) = sealed.encode(rest) else { return false };
        self.len = self.len.saturating_add(len);
        self.count = self.count.saturating_add(1);
        true
    }

    /// Returns the length of the message. `more` says whether there are headers that follow.
    #[must_use]
    pub fn finish(self, more: bool) -> usize {
        let payload = u32::try_from(self.len.saturating_sub(FRAME_LEN)).unwrap_or(u32::MAX);
        let [a, b, c, d] = payload.to_be_bytes();
        let front = [kind::HEADERS, a, b, c, d, u8::from(more)];
        if let Some(place) = self.out.first_chunk_mut() {
            *place = front;
        }
        self.len
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello(hello) => {
                let Status { height, tip } = hello.status;
                write!(f, "HELLO genesis={:.8} height={height} tip={tip:.8}", hello.genesis)
            }
            Self::Status(Status { height, tip }) => {
                write!(f, "STATUS height={height} tip={tip:.8}")
            }
            Self::GetHeaders(ids) => {
                let first = ids.iter().next().unwrap_or_default();
                write!(f, "GET_HEADERS after={first:.8} ids={}", ids.0.len())
            }
            Self::Headers(headers) => {
                write!(f, "HEADERS count={} more={}", headers.iter().count(), headers.more)
            }
            Self::GetBlock(id) => write!(f, "GET_BLOCK id={id:.8}"),
            Self::Block(bytes) => write!(f, "BLOCK len={}", bytes.len()),
            Self::HaveTransactions(ids) => write!(f, "HAVE_TRANSACTIONS ids={}", ids.0.len()),
            Self::GetTransaction(id) => write!(f, "GET_TRANSACTION id={id:.8}"),
            Self::Transaction(bytes) => write!(f, "TRANSACTION len={}", bytes.len()),
            Self::NotFound(NotFound::Block(id)) => write!(f, "NOT_FOUND block={id:.8}"),
            Self::NotFound(NotFound::Transaction(id)) => {
                write!(f, "NOT_FOUND transaction={id:.8}")
            }
        }
    }
}
