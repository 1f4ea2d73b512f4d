//! What the machine reports, what its calls return, and what it is told.

use core::fmt;

use thiserror::Error;

use crate::branch::BlockError;
use crate::conn::ConnId;
use crate::engine::{Engine, Refused, Weight};
use crate::hash::BlockId;
use crate::header::Height;
use crate::mempool::{Insertion, MempoolError};
use crate::node::{Accepted, Node, NodeStorage};

/// Result of `handle_bytes`: at most one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the same two fields in every crate")]
pub struct Received<T> {
    /// The number of bytes to remove from the front of the stream. 0 means: wait for more bytes.
    pub consumed: usize,
    /// The outcome of the message, if it has one.
    pub outcome: Option<T>,
}

/// The connection is not open: the caller's mistake. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("connection {0} is not open")]
#[expect(clippy::exhaustive_structs, reason = "the same field in every crate")]
pub struct NotConnected(pub ConnId);

/// Bytes to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a connection and a length")]
pub struct Transmit {
    /// The connection.
    pub conn: ConnId,
    /// The length in bytes, at the front of the buffer.
    pub len: usize,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// The peer has introduced itself, and follows the same chain.
    Connected {
        /// The connection.
        conn: ConnId,
    },
    /// The peer is disconnected. Close the socket.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// No peer has delivered this block, and all that may have it were asked. Call
    /// [`Node::give_up`](crate::node::Node::give_up) if it is the one needed next. The peers are asked again later, for
    /// as long as it is wanted.
    Unavailable {
        /// The block.
        id: BlockId,
    },
}

/// Why a peer is disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CloseReason {
    /// It sent no hello in time.
    NoHello,
    /// It follows another chain, or has another version of the protocol.
    WrongChain,
    /// It is this node.
    Itself,
    /// It sent bytes that are not a message, or a message where none may be.
    Malformed,
    /// It delivered invalid headers, blocks or transactions.
    Invalid,
    /// It sent much that nobody asked for.
    Unsolicited,
    /// It did not deliver what it was asked for, again and again.
    Stalled,
    /// It sent nothing for too long.
    Silent,
}

/// What became of a header or a block that a peer delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the answers of the node and of the presync")]
pub enum BlockVerdict {
    /// Its header is in the tree.
    Accepted {
        /// The block.
        id: BlockId,
        /// Its height. The peer has its body, even if its [status](super::Message::Status) does not say so yet.
        height: Height,
        /// The weight of the branch that ends in it.
        weight: Weight,
    },
    /// It was checked and not stored: [`Presync`](super::Presync) weighs its branch. The peer is asked for the headers
    /// after this block.
    Weighed {
        /// The block: the last one that was weighed, or the first parent if all headers are downloaded again.
        after: BlockId,
    },
    /// Its branch is not heavy enough, and was forgotten. Nobody's fault, but a peer with many of them has to wait.
    Light {
        /// The number of headers that were weighed in vain.
        headers: u32,
    },
    /// It is too early. Nobody's fault.
    NotYet,
    /// Its parent is unknown. Nobody's fault.
    Orphan,
    /// The node has no memory for it. Nobody's fault.
    NoRoom,
    /// It can never be valid: the peer's fault.
    Invalid,
}

/// What became of a transaction that a peer delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the answers of the mempool")]
pub enum TransactionVerdict {
    /// It waits in the mempool.
    Accepted,
    /// A transaction before it is missing. It is asked for again later.
    Gap,
    /// It is not kept. Nobody's fault.
    Refused,
    /// It is not signed by its source: the peer's fault.
    Invalid,
}

impl CloseReason {
    /// Returns whether the peer broke the protocol, so that its address deserves a rest.
    #[must_use]
    pub const fn is_misbehaviour(self) -> bool {
        matches!(self, Self::Malformed | Self::Invalid | Self::Unsolicited)
    }
}

impl BlockVerdict {
    /// Returns the verdict of [`Node::handle_header`] or [`Node::handle_block`].
    #[must_use]
    pub fn of<E: Engine, L, S: NodeStorage + ?Sized>(
        node: &Node<E, L, S>,
        result: &Result<Accepted, Refused<BlockError<E::Error>>>,
    ) -> Self {
        match *result {
            Ok(Accepted::Header { id } | Accepted::Body { id }) => {
                let place = node.tip_of(&id).map(|tip| (tip.height, tip.weight));
                let (height, weight) = place.unwrap_or_default();
                Self::Accepted { id, height, weight }
            }
            Ok(Accepted::Orphan { .. }) => Self::Orphan,
            Ok(Accepted::Early { .. }) => Self::NotYet,
            Err(ref refused) => Self::of_refused(refused),
        }
    }

    pub(crate) const fn of_refused<T>(refused: &Refused<T>) -> Self {
        match refused {
            Refused::Orphan { .. } => Self::Orphan,
            Refused::NotYet { .. } => Self::NotYet,
            Refused::NoRoom { .. } => Self::NoRoom,
            Refused::Invalid(_) => Self::Invalid,
        }
    }
}

impl TransactionVerdict {
    /// Returns the verdict of [`Mempool::insert`](crate::mempool::Mempool::insert).
    #[must_use]
    pub const fn of(result: &Result<Insertion, MempoolError>) -> Self {
        match result {
            Ok(_) => Self::Accepted,
            Err(MempoolError::BadSignature) => Self::Invalid,
            Err(MempoolError::Gap { .. }) => Self::Gap,
            Err(_) => Self::Refused,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHello => "no hello",
            Self::WrongChain => "another chain or version",
            Self::Itself => "connected to itself",
            Self::Malformed => "malformed message",
            Self::Invalid => "invalid data",
            Self::Unsolicited => "unsolicited data",
            Self::Stalled => "requests not answered",
            Self::Silent => "silent",
        })
    }
}
