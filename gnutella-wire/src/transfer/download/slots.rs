//! The slots of a download: sources and blocks.

use core::net::SocketAddrV4;
use core::time::Duration;

use super::event::{DownloadCloseReason, SourceFault, SourceId};
use crate::id::ServentId;
use crate::machine::ConnId;
use crate::thex::Node;
use crate::transfer::chunked::Chunked;
use crate::transfer::ranges::Ranges;
use crate::transfer::rate::Rate;

/// Where a file can be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// The address.
    pub address: SocketAddrV4,
    /// The servent, if it is known: it can be pushed.
    pub servent: Option<ServentId>,
    /// The index of the file there. Used in pushes, and in requests by name.
    pub index: u32,
    /// Whether it is behind a firewall, and can only be pushed.
    pub push: bool,
    /// A neighbour of it that forwards a push.
    pub proxy: Option<SocketAddrV4>,
}

impl Source {
    /// Names a source that can be dialled.
    #[must_use]
    pub const fn at(address: SocketAddrV4) -> Self {
        Self { address, servent: None, index: 0, push: false, proxy: None }
    }

    /// Names the file of a hit.
    #[must_use]
    pub const fn of_hit(address: SocketAddrV4, servent: ServentId, index: u32, push: bool) -> Self {
        Self { address, servent: Some(servent), index, push, proxy: None }
    }
}

/// Memory for a source, in bytes: at most 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceSlot {
    pub(super) peer: Option<Peer>,
    pub(super) closed: Option<(ConnId, DownloadCloseReason)>,
}

impl SourceSlot {
    /// A free slot.
    pub const EMPTY: Self = Self { peer: None, closed: None };
}

/// Memory for a block, the part of a file that is fetched and checked as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockSlot {
    pub(super) have: u64,  // bytes from its beginning
    pub(super) owner: u32, // the source that it is requested from, or 0
    pub(super) from: u32,  // the last source that sent some of it, or 0
    pub(super) status: Status,
    pub(super) mixed: bool, // more than one source sent some of it
    pub(super) alone: bool, // to be fetched from one source as a whole
    pub(super) node: Node,  // of the tree
}

impl BlockSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        have: 0,
        owner: 0,
        from: 0,
        status: Status::Missing,
        mixed: false,
        alone: false,
        node: [0; 24],
    };

    pub(super) const fn is_wanted(&self) -> bool {
        matches!(self.status, Status::Missing) && self.owner == 0
    }

    /// Discards what was received.
    pub(super) const fn clear(&mut self) {
        let node = self.node;
        let alone = self.alone;
        *self = Self { alone, node, ..Self::EMPTY };
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Status {
    #[default]
    Missing,
    /// Received; not compared with a tree.
    Written,
    /// Received; the driver is to be asked for its hash.
    VerifyDue,
    /// The driver is asked for its hash.
    Verifying,
    Verified,
}

/// A source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) id: u32,
    pub(super) source: Source,
    pub(super) giver: u32, // the source that named it, or 0
    pub(super) phase: Phase,
    pub(super) deadline: Option<Duration>,
    pub(super) failures: u8,
    pub(super) event_due: bool, // Dial, Push or SourceLost, by its phase
    pub(super) request_due: bool,
    pub(super) tree_failed: bool,
    pub(super) first: usize, // of the blocks that it owns
    pub(super) end: usize,
    pub(super) asked: (u64, u64), // of the last request; the end is not included
    pub(super) ranges: Ranges,
    pub(super) place: Option<Place>,
    pub(super) rate: Rate,
    pub(super) delivered: u64,
    pub(super) verified: u32,
}

/// A place in the queue of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: Option<u32>,
    pub(super) id: Option<[u8; 32]>, // hexadecimal digits, as they came
    pub(super) poll_after: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    Dialling,
    Pushing,
    Ready(ConnId),
    Head(ConnId, Wanted),
    Body(ConnId, Body),
    Queued(ConnId),
    Lost(SourceFault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Part,
    Tree,
}

/// A body that is being received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) kind: BodyKind,
    pub(super) at: u64,
    pub(super) end: u64,
    pub(super) keep_alive: bool,
    pub(super) is_useful: bool,
    pub(super) chunked: Option<Chunked>, // how far, if it comes in chunks
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyKind {
    /// Bytes of the file; `at` counts from its beginning.
    Part,
    Tree,
    /// The text of a refusal.
    Discard,
}

impl Peer {
    pub(super) const fn new(id: u32, source: Source, giver: u32) -> Self {
        Self {
            id,
            source,
            giver,
            phase: Phase::Waiting,
            deadline: None,
            failures: 0,
            event_due: false,
            request_due: false,
            tree_failed: false,
            first: 0,
            end: 0,
            asked: (0, 0),
            ranges: Ranges::ALL,
            place: None,
            rate: Rate::NEW,
            delivered: 0,
            verified: 0,
        }
    }

    pub(super) const fn id(&self) -> SourceId {
        SourceId(self.id)
    }

    pub(super) const fn conn(&self) -> Option<ConnId> {
        match self.phase {
            Phase::Ready(conn)
            | Phase::Head(conn, _)
            | Phase::Body(conn, _)
            | Phase::Queued(conn) => Some(conn),
            Phase::Waiting | Phase::Dialling | Phase::Pushing | Phase::Lost(_) => None,
        }
    }

    /// Returns whether it takes one of the connections that are allowed at a time.
    pub(super) const fn is_connecting(&self) -> bool {
        !matches!(self.phase, Phase::Waiting | Phase::Lost(_))
    }

    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.phase, Phase::Lost(_))
    }
}
