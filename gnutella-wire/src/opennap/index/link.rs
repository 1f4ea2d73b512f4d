//! The places of a user in lists.

use super::entries::NONE;

/// A place of a user in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) prev: u32,
    pub(super) next: u32,
    pub(super) linked: bool,
}

/// Which link of a slot a list uses. A user is in at most one list of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The lists of deadlines, each in order; and that of free slots.
    Deadline,
    /// Users with replies to send.
    Replies,
    /// Users with rows to send.
    Rows,
    /// Slots with an event to report.
    Events,
    /// Users that wait for sharers to answer, in the order of their deadlines.
    Wanted,
}

/// How many kinds of links a slot has.
pub(super) const LINKS: usize = 5;

impl Link {
    pub(super) const NONE: Self = Self { prev: NONE, next: NONE, linked: false };
}
