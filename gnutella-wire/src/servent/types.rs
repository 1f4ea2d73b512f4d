//! What a servent returns: forwards, targets, counters, errors.

use core::fmt;
use core::net::SocketAddrV4;

use thiserror::Error;

use super::connection::{ConnSlot, index_of};
use crate::error::BufferTooSmall;
use crate::id::Guid;
use crate::machine::ConnId;
use crate::routes::RouteSource;
use crate::wire::{HEADER_LEN, Message};

/// A message that was received: for the application, to be forwarded, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handled<'b> {
    /// What is for the application: a query to answer, a hit or pong for a request of its own, a
    /// push for this servent, a bye, or a function that this crate does not interpret.
    pub message: Option<Message<'b>>,
    /// What is to be forwarded.
    pub forward: Option<Forward<'b>>,
}

/// A message to forward: write `header`, then `payload`, to each connection of
/// [`Servent::targets(to)`](super::Servent::targets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forward<'b> {
    /// The header with its new TTL and hops.
    pub header: [u8; HEADER_LEN],
    /// The payload as it was received.
    pub payload: &'b [u8],
    /// Where to.
    pub to: Target,
}

/// A message that a command wrote: write the first `len` bytes of the buffer to each connection of
/// [`Servent::targets(to)`](super::Servent::targets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "where to, and how much")]
pub struct Dispatch {
    /// Where to.
    pub to: Target,
    /// The length of the message, in bytes.
    pub len: usize,
}

/// One connection, or those chosen by a flood. A flood's target is void once another flood begins:
/// write a message to its connections before the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target(pub(super) TargetKind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetKind {
    One(RouteSource),
    Flood { number: u32 },
}

/// The connections of a [`Target`].
#[derive(Debug, Clone)]
pub struct Targets<'m> {
    conns: core::slice::Iter<'m, ConnSlot>,
    target: Target,
}

/// Message counters of a servent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stats {
    /// Received.
    pub received: u64,
    /// Delivered to the application.
    pub delivered: u64,
    /// Forwarded in floods; each copy counts.
    pub flooded: u64,
    /// Forwarded along the path back.
    pub routed: u64,
    /// Dropped: pings and queries that were received before.
    pub duplicates: u64,
    /// Dropped: the TTL ran out.
    pub expired: u64,
    /// Dropped: answers and pushes without a route.
    pub unroutable: u64,
    /// Dropped: payloads shorter than their fields.
    pub malformed: u64,
    /// Dropped: TTL 0, too high a TTL, relayed by a leaf, or no slot to remember the path.
    pub refused: u64,
    /// Copies of queries that were not sent because the table of the neighbour rules out a match.
    pub filtered: u64,
    /// Copies that were not sent because the neighbour reads too slowly or wants fewer.
    pub choked: u64,
}

/// A command was refused. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The buffer is too small for the message.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
    /// The payload is longer than the neighbours' limits, which are assumed to equal one's own.
    #[error("payload of {len} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// The length of the payload, in bytes.
        len: usize,
        /// The limit, in bytes.
        limit: u16,
    },
    /// A message with this GUID was seen recently; choose another.
    #[error("GUID {0} is in use")]
    GuidInUse(Guid),
    /// The route is not known, or its connection is closed.
    #[error("no route")]
    NoRoute,
    /// The route table has no slots, so that no answer would find its way.
    #[error("no slots for routes")]
    NoRouteSlots,
    /// This is not a valid address of another host, or there are no slots for hosts.
    #[error("{0} cannot be added to the host cache")]
    NotCached(SocketAddrV4),
    /// No such query is remembered.
    #[error("query {0} is not being pursued")]
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
    pub(super) fn new(conns: &'m [ConnSlot], target: Target) -> Self {
        Self { conns: candidates(conns, target).iter(), target }
    }
}

impl Iterator for Targets<'_> {
    type Item = ConnId;

    fn next(&mut self) -> Option<ConnId> {
        let is_target = |slot: &ConnSlot| match self.target.0 {
            TargetKind::One(source) => slot.source() == source,
            TargetKind::Flood { number } => slot.is_chosen(number),
        };
        self.conns.find_map(|slot| slot.live().filter(|_| is_target(slot))).map(|conn| conn.id)
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

/// Narrows the slots to those that `target` can mean.
fn candidates(conns: &[ConnSlot], target: Target) -> &[ConnSlot] {
    let Target(TargetKind::One(source)) = target else { return conns };
    let slot = index_of(source, conns.len()).and_then(|index| conns.get(index));
    slot.map(core::slice::from_ref).unwrap_or_default()
}

/// Increments a counter.
#[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
pub(super) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
