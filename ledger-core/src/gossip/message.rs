//! The messages: what each kind has as its payload.

use core::fmt;

use super::frame::{FRAME_LEN, MessageError, VERSION, frame, kind, put_frame};
use super::headers::Headers;
use crate::codec::{Reader, Writer};
use crate::error::BufferTooSmall;
use crate::hash::{BlockId, GenesisId, TxId};
use crate::header::Height;
use crate::state::Key;

/// The most ids in one message.
pub const MAX_IDS: usize = 32;
/// A message of an unknown kind is skipped up to this length in bytes.
pub(super) const MAX_UNKNOWN_LEN: usize = 1024;

const HELLO_LEN: usize = 81;
const STATUS_LEN: usize = 40;
const NOT_FOUND_LEN: usize = 33;
const GET_SNAPSHOT_LEN: usize = 64;

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
    /// The sender has the state after this block, and hands it out in chunks.
    HaveSnapshot(Status),
    /// Asks for a chunk of a state.
    GetSnapshot(SnapshotPlace),
    /// A chunk of a state, as [`SnapshotSource::chunk`](crate::node::SnapshotSource::chunk) writes it.
    Snapshot(SnapshotPlace, &'a [u8]),
    /// The sender has asked for the transactions that were announced, as far as it needs them: announce the next ones.
    MoreTransactions,
}

/// Where a chunk of a snapshot begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct SnapshotPlace {
    /// The block whose state it is.
    pub block: BlockId,
    /// The key from which on entries are asked for.
    pub from: Key,
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

/// What a node does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what can be asked for")]
pub enum NotFound {
    /// A block.
    Block(BlockId),
    /// A transaction.
    Transaction(TxId),
    /// The state after a block, or entries in it.
    Snapshot(BlockId),
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
            kind::HAVE_SNAPSHOT => status(payload).map(Self::HaveSnapshot),
            kind::GET_SNAPSHOT => match snapshot_place(payload) {
                Some((place, [])) => Some(Self::GetSnapshot(place)),
                _ => None,
            },
            kind::SNAPSHOT => {
                snapshot_place(payload).map(|(place, chunk)| Self::Snapshot(place, chunk))
            }
            kind::MORE_TRANSACTIONS => payload.is_empty().then_some(Self::MoreTransactions),
            _ => return Err(MessageError::UnknownKind { kind, len: payload.len() }),
        };
        message.ok_or(MessageError::Malformed(kind))
    }

    /// Returns the encoded length in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let payload = match self {
            Self::Hello(_) => HELLO_LEN,
            Self::Status(_) | Self::HaveSnapshot(_) => STATUS_LEN,
            Self::GetHeaders(BlockIds(ids)) | Self::HaveTransactions(TxIds(ids)) => {
                ids.len().saturating_mul(32)
            }
            Self::Headers(headers) => headers.bytes.len().saturating_add(1),
            Self::GetBlock(_) | Self::GetTransaction(_) => 32,
            Self::Block(bytes) | Self::Transaction(bytes) => bytes.len(),
            Self::NotFound(_) => NOT_FOUND_LEN,
            Self::GetSnapshot(_) => GET_SNAPSHOT_LEN,
            Self::Snapshot(_, chunk) => chunk.len().saturating_add(GET_SNAPSHOT_LEN),
            Self::MoreTransactions => 0,
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
            Self::Status(status) | Self::HaveSnapshot(status) => {
                put_status(&mut writer, status)?;
            }
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
            Self::NotFound(NotFound::Snapshot(id)) => {
                writer.put(&[kind::GET_SNAPSHOT])?;
                writer.put(id.as_bytes())?;
            }
            Self::GetSnapshot(place) => put_place(&mut writer, place)?,
            Self::Snapshot(place, chunk) => {
                put_place(&mut writer, place)?;
                writer.put(chunk)?;
            }
            Self::MoreTransactions => {}
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
            Self::HaveSnapshot(_) => kind::HAVE_SNAPSHOT,
            Self::GetSnapshot(_) => kind::GET_SNAPSHOT,
            Self::Snapshot(..) => kind::SNAPSHOT,
            Self::MoreTransactions => kind::MORE_TRANSACTIONS,
        }
    }
}

/// Returns the longest payload of a kind in bytes, where blocks have at most `max_block_len`.
pub(super) fn max_len(kind: u8, max_block_len: usize) -> usize {
    match kind {
        kind::HELLO => HELLO_LEN,
        kind::STATUS | kind::HAVE_SNAPSHOT => STATUS_LEN,
        kind::GET_HEADERS | kind::HAVE_TRANSACTIONS => 32 * MAX_IDS,
        kind::HEADERS | kind::BLOCK | kind::TRANSACTION | kind::SNAPSHOT => max_block_len,
        kind::GET_SNAPSHOT => GET_SNAPSHOT_LEN,
        kind::GET_BLOCK | kind::GET_TRANSACTION => 32,
        kind::NOT_FOUND => NOT_FOUND_LEN,
        kind::MORE_TRANSACTIONS => 0,
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

fn put_status(writer: &mut Writer<'_>, status: &Status) -> Result<(), BufferTooSmall> {
    writer.put(&status.height.0.to_be_bytes())?;
    writer.put(status.tip.as_bytes())
}

fn put_place(writer: &mut Writer<'_>, place: &SnapshotPlace) -> Result<(), BufferTooSmall> {
    writer.put(place.block.as_bytes())?;
    writer.put(place.from.as_bytes())
}

fn snapshot_place(payload: &[u8]) -> Option<(SnapshotPlace, &[u8])> {
    let mut reader = Reader(payload);
    let block = BlockId::from_bytes(reader.array().ok()?);
    let from = Key::from_bytes(reader.array().ok()?);
    Some((SnapshotPlace { block, from }, reader.0))
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
        kind::GET_SNAPSHOT => Some(NotFound::Snapshot(BlockId::from_bytes(id))),
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
            Self::NotFound(NotFound::Snapshot(id)) => write!(f, "NOT_FOUND snapshot={id:.8}"),
            Self::HaveSnapshot(Status { height, tip }) => {
                write!(f, "HAVE_SNAPSHOT height={height} block={tip:.8}")
            }
            Self::GetSnapshot(SnapshotPlace { block, from }) => {
                write!(f, "GET_SNAPSHOT block={block:.8} from={from:.8}")
            }
            Self::Snapshot(SnapshotPlace { block, from }, chunk) => {
                write!(f, "SNAPSHOT block={block:.8} from={from:.8} len={}", chunk.len())
            }
            Self::MoreTransactions => f.write_str("MORE_TRANSACTIONS"),
        }
    }
}
