//! The connections of a pool: which wait for a lease, and which have something to be sent or reported.

use core::time::Duration;

use super::conn_slot::{ConnSlot, ConnState};
use super::event::CloseReason;
use super::waiting::Waiting;
use crate::conn::ConnId;
use crate::conn_index::ConnIndex;
use crate::ready::{self, Queue};

/// The connections by what they wait for. The deadline of each is when it is idle for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connections {
    pub(super) waiting: Waiting,
    index: ConnIndex,
    tallies: Queue<0>, // whose tally has changed, and others behind the first
    closed: Queue<1>,  // whose closing is to be reported, and others behind the first
}

impl Connections {
    /// Begins with slots that no connection uses.
    pub(super) fn new(slots: &mut [ConnSlot]) -> Self {
        slots.fill(ConnSlot::EMPTY);
        ready::clear(slots);
        Self {
            waiting: Waiting::EMPTY,
            index: ConnIndex::new(slots),
            tallies: Queue::EMPTY,
            closed: Queue::EMPTY,
        }
    }

    /// Returns whether there is a slot for another connection.
    pub(super) fn has_free(&self) -> bool {
        self.index.has_unused()
    }

    /// Opens a connection that waits for a lease.
    pub(super) fn open(&mut self, slots: &mut [ConnSlot], conn: ConnId, account: u16) {
        let Some(at) = self.index.take(slots, conn) else { return };
        if let Some(slot) = slots.get_mut(at) {
            slot.restart(conn, ConnState::Open);
            slot.account = account;
        }
        self.waiting.push(slots, at);
    }

    /// Closes an open connection. Without a reason to report its slot becomes free.
    pub(super) fn close(&mut self, slots: &mut [ConnSlot], at: usize, reason: Option<CloseReason>) {
        self.waiting.remove(slots, at);
        set_idle_at(slots, at, None);
        let Some(slot) = slots.get_mut(at) else { return };
        let conn = slot.conn;
        if let Some(reason) = reason {
            slot.restart(conn, ConnState::Closed(reason));
            self.closed.push(slots, at);
        } else {
            self.free(slots, at);
        }
        self.drop_idle(slots);
    }

    /// Removes a closed connection whose event is not needed any more.
    pub(super) fn forget(&mut self, slots: &mut [ConnSlot], at: usize) {
        self.free(slots, at);
        self.drop_idle(slots);
    }

    fn free(&mut self, slots: &mut [ConnSlot], at: usize) {
        let Some(slot) = slots.get_mut(at) else { return };
        let conn = slot.conn;
        slot.restart(ConnId(0), ConnState::Free);
        self.index.give_back(slots, conn, at);
    }

    /// Notes that the tally of a connection has changed.
    pub(super) fn tally(&mut self, slots: &mut [ConnSlot], at: usize) {
        if let Some(slot) = slots.get_mut(at).filter(|slot| slot.is_open()) {
            slot.tally_changed = true;
            self.tallies.push(slots, at);
        }
    }

    /// Returns the first connection whose tally has changed.
    pub(super) fn first_tally(&self) -> Option<usize> {
        self.tallies.first()
    }

    /// Notes that the first tally was sent.
    pub(super) fn tally_sent(&mut self, slots: &mut [ConnSlot]) {
        let first = self.tallies.pop(slots).and_then(|at| slots.get_mut(at));
        if let Some(slot) = first {
            slot.tally_changed = false;
        }
        self.drop_idle(slots);
    }

    /// Removes the connection whose closing is to be reported, and returns what to report.
    pub(super) fn take_closed(&mut self, slots: &mut [ConnSlot]) -> Option<(ConnId, CloseReason)> {
        let at = self.closed.pop(slots)?;
        let slot = slots.get(at)?;
        let ConnState::Closed(reason) = slot.state else { return None };
        let conn = slot.conn;
        self.forget(slots, at);
        Some((conn, reason))
    }

    /// Removes slots whose connection is no longer there from the front of the queues, so that a poll that finds
    /// nothing changes nothing.
    fn drop_idle(&mut self, slots: &mut [ConnSlot]) {
        let has_tally = |slot: &ConnSlot| slot.tally_changed;
        while let Some(at) = self.tallies.first()
            && !slots.get(at).is_some_and(has_tally)
        {
            self.tallies.pop(slots);
        }
        let is_closed = |slot: &ConnSlot| matches!(slot.state, ConnState::Closed(_));
        while let Some(at) = self.closed.first()
            && !slots.get(at).is_some_and(is_closed)
        {
            self.closed.pop(slots);
        }
    }
}

/// Sets when an open connection is idle for too long. Not set while the pool owes it a lease.
pub(super) fn set_idle_at(slots: &mut [ConnSlot], at: usize, deadline: Option<Duration>) {
    ready::set_deadline(slots, at, deadline);
}
