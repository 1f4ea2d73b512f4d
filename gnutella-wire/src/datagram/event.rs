//! What the machine reports, and its errors.

use core::fmt;
use core::net::SocketAddrV4;

use thiserror::Error;

use crate::error::{BufferTooSmall, DecodeError};
use crate::id::Guid;
use crate::wire::Function;

/// What happened, or what the driver is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DatagramEvent {
    /// A datagram arrived that this servent asked others to send: it can be reached.
    Reachable,
    /// The sender of a query wants hits that were [offered](super::Datagrams::offer): send them with
    /// [`answer`](super::Datagrams::answer).
    HitsWanted {
        /// Where to.
        to: SocketAddrV4,
        /// The query.
        guid: Guid,
        /// How many records at most.
        records: u8,
    },
    /// A search is over: there are enough hits, or nobody is left to ask.
    SearchEnded {
        /// The query.
        guid: Guid,
        /// How many hosts were asked.
        asked: u32,
        /// How many hits came.
        hits: u32,
    },
}

/// A datagram to send: the first `len` bytes of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "where to, and how much")]
pub struct DatagramTransmit {
    /// Where to.
    pub to: SocketAddrV4,
    /// The length of the datagram, in bytes.
    pub len: usize,
}

/// A datagram was dropped. Nothing changed, except that its length counts towards what its sender may
/// be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// Not a valid message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The header announces another length than the datagram has.
    #[error("{len} bytes follow the message")]
    TrailingBytes {
        /// How many bytes follow.
        len: usize,
    },
    /// A function that is not exchanged by datagram, or not answered here.
    #[error("{0} is not accepted by datagram")]
    Function(Function),
    /// The payload is compressed.
    #[error("compressed datagram")]
    Compressed,
    /// A query without a valid key.
    #[error("query without a valid key")]
    NoKey,
    /// An answer to no question of this servent.
    #[error("{0} that was not asked for")]
    Unsolicited(Function),
    /// There are no slots for addresses.
    #[error("no slots for addresses")]
    NoSlots,
}

/// A search was not started. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SearchError {
    /// Every slot is in use.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// How many slots there are.
        capacity: usize,
    },
    /// A search of this GUID is under way.
    #[error("query {0} is under way")]
    InUse(Guid),
    /// The query is longer than others accept.
    #[error("query of {len} bytes, more than {limit}")]
    TooLarge {
        /// The length of the payload, in bytes.
        len: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}

/// An answer or an offer was not made. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The address has not shown a valid query key: the hits would go wherever a forged query names.
    #[error("{0} has not shown a query key")]
    NoKey(SocketAddrV4),
    /// The buffer is too small.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

impl fmt::Display for DatagramEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reachable => f.write_str("reachable by datagram"),
            Self::HitsWanted { to, guid, records } => {
                write!(f, "{to} wants {records} hits of {guid:.8}")
            }
            Self::SearchEnded { guid, asked, hits } => {
                write!(f, "search {guid:.8} ended: {hits} hits of {asked} hosts")
            }
        }
    }
}
