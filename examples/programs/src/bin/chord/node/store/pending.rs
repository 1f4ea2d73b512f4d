//! Commands that wait for the owner of a key.

use core::time::Duration;

use chord_core::{Id160, LookupId};

use super::transfer::Change;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    Put(Change),
    Get,
    /// Return a stray entry to its owner.
    Return,
}

/// A command for the owner of a key, sent again until it is answered.
#[derive(Debug)]
pub(super) struct PendingCommand<A> {
    pub(super) what: Action,
    pub(super) key: Id160,
    pub(super) token: u32,
    pub(super) lookup: Option<LookupId>,
    /// Where it was sent last.
    pub(super) owner: Option<A>,
    pub(super) retry_at: Duration,
    pub(super) until: Duration,
}
