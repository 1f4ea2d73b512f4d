//! Commands that wait for the owner of a key.

use core::time::Duration;

use chord_core::{Id160, LookupId};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Put(Vec<u8>),
    Get,
    /// Return a stray entry to its owner.
    Return,
}

/// A command for the owner of a key, sent again until it is answered.
#[derive(Debug)]
pub(crate) struct PendingCommand {
    pub(crate) what: Action,
    pub(crate) key: Id160,
    pub(crate) token: u32,
    pub(crate) lookup: Option<LookupId>,
    pub(crate) retry_at: Duration,
    pub(crate) until: Duration,
}
