//! The slot of a connection, which several tables link.

use super::accounts::{AccountSlot, WorkerId, spread};
use super::event::CloseReason;
use crate::conn::ConnId;
use crate::conn_index::{Indexed, Links};
use crate::ready::{Entry, Scheduled};

/// Storage for one connection: at most 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnSlot {
    pub(super) conn: ConnId,
    pub(super) account: u16,
    lease: u16, // 1 + its slot; 0 for none
    pub(super) state: ConnState,
    pub(super) place: Place,        // among those that wait for a lease
    pub(super) tally_changed: bool, // since it was sent
    pub(super) strikes: u8,         // leases in a row without the expected shares
    entry: Entry,
    links: Links,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnState {
    Free,
    Open,
    /// Closed by the pool; the event was not polled yet.
    Closed(CloseReason),
}

/// Where a connection waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    None,
    Same,
    Others,
}

impl ConnSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        conn: ConnId(0),
        account: 0,
        lease: 0,
        state: ConnState::Free,
        place: Place::None,
        tally_changed: false,
        strikes: 0,
        entry: Entry::EMPTY,
        links: Links::EMPTY,
    };

    pub(super) fn is_open(&self) -> bool {
        self.state == ConnState::Open
    }

    /// Returns the slot of its lease.
    pub(super) fn lease(&self) -> Option<usize> {
        self.lease.checked_sub(1).map(usize::from)
    }

    pub(super) fn set_lease(&mut self, lease: Option<usize>) {
        let number = lease.and_then(|lease| u16::try_from(lease).ok()?.checked_add(1));
        self.lease = number.unwrap_or(0);
    }

    pub(super) fn worker(&self, accounts: &[AccountSlot]) -> Option<WorkerId> {
        Some(accounts.get(usize::from(self.account))?.worker)
    }

    /// Becomes a slot in another state. Its places in the tables remain.
    pub(super) fn restart(&mut self, conn: ConnId, state: ConnState) {
        let Self { entry, links, .. } = *self;
        *self = Self { conn, state, entry, links, ..Self::EMPTY };
    }
}

impl Scheduled for ConnSlot {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn entry_mut(&mut self) -> &mut Entry {
        &mut self.entry
    }
}

impl Indexed for ConnSlot {
    type Key = ConnId;

    fn hash(conn: ConnId) -> u64 {
        spread(conn.0.into())
    }

    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    fn is_of(&self, conn: ConnId) -> bool {
        self.conn == conn
    }
}
