//! What comes out of a servent.

use core::fmt;
use core::net::SocketAddrV4;

use thiserror::Error;

use super::link::LinkSlot;
use super::logic;
use crate::wire::{ByeCode, HEADER_LEN, Message};
use crate::{BufferTooSmall, Guid, LinkId, Via};

/// What came of the bytes of a link: at most one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handled<'b> {
    /// How many bytes at the front of the receive buffer are done with.
    pub consumed: usize,
    /// What is for the application: a query to answer, a hit or pong for a question of its own, a
    /// push for this servent, a bye, or a function that this crate does not interpret.
    pub message: Option<Message<'b>>,
    /// What is to be passed on.
    pub forward: Option<Forward<'b>>,
}

/// A message to pass on: write `header`, then `payload`, to each link of
/// [`Servent::targets(to)`](super::Servent::targets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward<'b> {
    /// The header with its new TTL and hops.
    pub header: [u8; HEADER_LEN],
    /// The payload as it came.
    pub payload: &'b [u8],
    /// Where to.
    pub to: Target,
}

/// A message that a command wrote: write the first `len` bytes of the buffer to each link of
/// [`Servent::targets(to)`](super::Servent::targets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispatch {
    /// Where to.
    pub to: Target,
    /// The length of the message, in bytes.
    pub len: usize,
}

/// A message of the servent itself: write the first `len` bytes of the buffer to the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: LinkId,
    /// The length of the message, in bytes.
    pub len: usize,
}

/// One link, or those that a flood was to go to. The latter means nothing any more once another
/// flood has begun: write a message to its links before the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target(pub(super) Aim);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    One(Via),
    Flood { number: u32 },
}

/// Walks over the links of a [`Target`].
#[derive(Debug, Clone)]
pub struct Targets<'m> {
    links: core::slice::Iter<'m, LinkSlot>,
    target: Target,
}

/// What happened to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The link is over: close its socket once what was written is flushed. Its slot is free
    /// already and its name may be used again.
    Lost {
        /// Which.
        link: LinkId,
        /// Why.
        reason: Reason,
    },
    /// There are fewer peers than wanted: connect to this host and shake hands, then call
    /// [`handle_connected`](super::Servent::handle_connected) with its address or, if it comes to
    /// nothing, [`handle_refused`](super::Servent::handle_refused).
    Dial {
        /// Which.
        address: SocketAddrV4,
    },
}

/// Why a link is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// This servent said bye.
    Dismissed(ByeCode),
    /// The neighbour said bye.
    Left(ByeCode),
    /// The stream has no message boundaries any more; no bye was sent.
    Desynchronised,
}

/// What a servent did so far, in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Came in.
    pub received: u64,
    /// Handed to the application.
    pub delivered: u64,
    /// Passed on in floods; each copy counts.
    pub flooded: u64,
    /// Passed on along the way back.
    pub routed: u64,
    /// Dropped: pings and queries that were here before.
    pub duplicates: u64,
    /// Dropped: the TTL ran out.
    pub expired: u64,
    /// Dropped: answers and pushes without a way back.
    pub unroutable: u64,
    /// Dropped: payloads shorter than their fields.
    pub malformed: u64,
    /// Dropped: TTL 0, too high a TTL, relayed by a leaf, or no slot to remember the way.
    pub refused: u64,
    /// Copies of queries that were not sent because no table says that they may match.
    pub filtered: u64,
    /// Copies that were not sent because the neighbour reads too slowly or wants fewer.
    pub choked: u64,
}

/// No such link is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} is not connected")]
pub struct UnknownLink(pub LinkId);

/// A link was not taken in. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A link of this name is connected already.
    #[error("{0} is connected already")]
    Taken(LinkId),
    /// Every slot is taken, or as many neighbours of this role as the configuration allows.
    #[error("no room for {0}")]
    Full(LinkId),
}

/// A command was refused. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The buffer is too small for the message.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
    /// The payload is longer than the neighbours' limits, which are taken to be one's own.
    #[error("{len} bytes of payload, more than {limit}")]
    TooLarge {
        /// The length of the payload, in bytes.
        len: usize,
        /// The most that is allowed, in bytes.
        limit: u16,
    },
    /// A message with this GUID went through here not long ago; choose another.
    #[error("{0} is in use")]
    GuidInUse(Guid),
    /// The way is not known, or closed.
    #[error("no route")]
    NoRoute,
    /// The route table has no slot at all, so that no answer would find its way.
    #[error("no slot for a route")]
    NoRoom,
    /// That is no address of another host, or there is no memory for hosts.
    #[error("{0} cannot be kept among the hosts")]
    NotKept(SocketAddrV4),
    /// No such query is remembered.
    #[error("{0} is not being pursued")]
    UnknownQuery(Guid),
    /// A hit needs at least one record.
    #[error("no records to answer with")]
    NoRecords,
}

impl Stats {
    pub(super) const NONE: Self = Self {
        received: 0,
        delivered: 0,
        flooded: 0,
        routed: 0,
        duplicates: 0,
        expired: 0,
        unroutable: 0,
        malformed: 0,
        refused: 0,
        filtered: 0,
        choked: 0,
    };
}

impl<'m> Targets<'m> {
    pub(super) fn new(links: &'m [LinkSlot], target: Target) -> Self {
        Self { links: logic::aim(links, target).iter(), target }
    }
}

impl Iterator for Targets<'_> {
    type Item = LinkId;

    fn next(&mut self) -> Option<LinkId> {
        let meant = |slot: &LinkSlot| match self.target.0 {
            Aim::One(via) => slot.via() == via,
            Aim::Flood { number } => slot.is_chosen(number),
        };
        self.links.find_map(|slot| slot.live().filter(|_| meant(slot))).map(|link| link.id)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dismissed(code) => write!(f, "dismissed with {code} {}", code.reason()),
            Self::Left(code) => write!(f, "left with {code} {}", code.reason()),
            Self::Desynchronised => f.write_str("stream out of step"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { link, reason } => write!(f, "{link} lost: {reason}"),
            Self::Dial { address } => write!(f, "wants to connect to {address}"),
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received, delivered, flooded, routed, duplicates, .. } = self;
        write!(f, "received {received}, delivered {delivered}, flooded {flooded}, ")?;
        write!(f, "routed {routed}, duplicates {duplicates}, expired {}, ", self.expired)?;
        let Self { unroutable, malformed, refused, .. } = self;
        write!(f, "unroutable {unroutable}, malformed {malformed}, refused {refused}, ")?;
        write!(f, "filtered {}, choked {}", self.filtered, self.choked)
    }
}
