//! Events that the application has yet to poll.

use crate::event::JoinFailure;
use crate::peer::Peer;

/// An event that has no content of its own: what it names is read when it is polled.
#[derive(Debug, Clone, Copy)]
pub(super) enum Flag {
    Split,
    Isolated,
    Merged,
    Joined,
    Successor,
    Predecessor,
    List,
    /// The keys are the successor's, as the node has left.
    Left,
}

impl Flag {
    const fn bit(self) -> u8 {
        match self {
            Self::Split => 1,
            Self::Isolated => 1 << 1,
            Self::Merged => 1 << 2,
            Self::Joined => 1 << 3,
            Self::Successor => 1 << 4,
            Self::Predecessor => 1 << 5,
            Self::List => 1 << 6,
            Self::Left => 1 << 7,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PendingEvents<I, A> {
    pub(super) join_failed: Option<JoinFailure>,
    /// A failure. Lookups keep theirs.
    pub(super) failed: Option<Peer<I, A>>,
    /// How many more there were.
    pub(super) more_failed: u16,
    /// Where the keys begin that the application takes for this node's.
    pub(super) owned: Option<I>,
    /// A bit for each [`Flag`].
    flags: u8,
}

impl<I, A> PendingEvents<I, A> {
    pub(super) const NONE: Self =
        Self { join_failed: None, failed: None, more_failed: 0, owned: None, flags: 0 };
}

impl<I, A> PendingEvents<I, A> {
    pub(super) fn set(&mut self, flag: Flag) {
        self.flags |= flag.bit();
    }

    /// Returns whether the event is pending; from now on it is not.
    pub(super) fn take(&mut self, flag: Flag) -> bool {
        let pending = self.flags & flag.bit() != 0;
        self.flags &= !flag.bit();
        pending
    }

    /// Keeps a failure, or counts it if there is no room.
    pub(super) fn push_failed(&mut self, peer: Peer<I, A>) {
        if self.failed.is_some() {
            self.count_failed();
        }
        self.failed.get_or_insert(peer);
    }

    /// Counts a failure that there is no room for.
    pub(super) fn count_failed(&mut self) {
        self.more_failed = self.more_failed.saturating_add(1);
    }
}
