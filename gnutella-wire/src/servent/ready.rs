//! Which connections have something to send or to report, and when the first falls silent: counted at each change, so
//! that a poll costs the same however many connections there are.

use core::time::Duration;

use super::connection::{ConnSlot, Connection, silence_deadline};
use super::state::Core;

/// What the connections have due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ready {
    peers: usize,         // connections that are not those of leaves
    to_send: usize,       // connections with a message to be sent
    pub(super) at: usize, // where to look for one first
    over: usize,          // connections to be reported as closed
    silence: Option<Duration>,
}

/// What [`Ready`] counts of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Noted {
    to_send: bool,
    over: bool,
}

impl Ready {
    pub(super) const NONE: Self = Self { peers: 0, to_send: 0, at: 0, over: 0, silence: None };

    /// Returns how many connections are not those of leaves.
    pub(super) const fn peers(&self) -> usize {
        self.peers
    }

    /// Returns whether a connection is to be reported as closed.
    pub(super) const fn has_ended(&self) -> bool {
        self.over > 0
    }

    /// Returns when the first connection will have been silent for too long.
    pub(super) const fn silence(&self) -> Option<Duration> {
        self.silence
    }

    /// Returns the slots in the order in which to look for a message.
    pub(super) fn order(&self, slots: usize) -> impl Iterator<Item = usize> + use<> {
        let slots = if self.to_send > 0 { slots } else { 0 };
        let first = self.at.min(slots);
        (first..slots).chain(0..first)
    }
}

impl Core<'_> {
    /// Counts what a connection has due, after a change of it.
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(super) fn note(&mut self, index: usize) {
        let Some(slot) = self.conns.get(index) else { return };
        let Some(conn) = slot.conn.as_ref() else { return };
        let new = Noted {
            to_send: self.has_message(slot, conn),
            over: conn.leaving.is_some_and(|leaving| !leaving.bye_due),
        };
        let was_first = conn.leaving.is_some() && conn.deadline == self.state.ready.silence;
        let Some(conn) = self.conn(index) else { return };
        let old = core::mem::replace(&mut conn.noted, new);
        if was_first {
            self.find_silence();
        }
        self.count(index, old, new);
    }

    /// Counts what all connections have due.
    pub(super) fn note_all(&mut self) {
        (0..self.conns.len()).for_each(|index| self.note(index));
    }

    /// Counts a new connection.
    pub(super) fn note_new(&mut self, index: usize) {
        let Some(conn) = self.conns.get(index).and_then(|slot| slot.conn.as_ref()) else { return };
        let ready = &mut self.state.ready;
        ready.peers = ready.peers.saturating_add((!conn.is_leaf()).into());
        ready.silence = [ready.silence, conn.deadline].into_iter().flatten().min();
        self.note(index);
    }

    /// Stops counting a connection that was removed.
    pub(super) fn note_removed(&mut self, index: usize, conn: &Connection) {
        let ready = &mut self.state.ready;
        ready.peers = ready.peers.saturating_sub((!conn.is_leaf()).into());
        if conn.deadline == ready.silence {
            self.find_silence();
        }
        self.count(index, conn.noted, Noted::default());
    }

    /// Records a sign of life. Only that of the connection that was silent for longest moves the first deadline.
    pub(super) fn mark_alive(&mut self, index: usize) {
        let now = self.state.now;
        let Some(conn) = self.conns.get_mut(index).and_then(|slot| slot.conn.as_mut()) else {
            return;
        };
        let was_first = conn.deadline == self.state.ready.silence;
        conn.mark_alive(now, &self.state.config);
        if was_first {
            self.find_silence();
        }
    }

    pub(super) fn find_silence(&mut self) {
        self.state.ready.silence = silence_deadline(self.conns);
    }

    fn count(&mut self, index: usize, old: Noted, new: Noted) {
        let ready = &mut self.state.ready;
        if ready.to_send == 0 && new.to_send {
            ready.at = index;
        }
        let change = |count: usize, old: bool, new: bool| {
            count.saturating_add(new.into()).saturating_sub(old.into())
        };
        ready.to_send = change(ready.to_send, old.to_send, new.to_send);
        ready.over = change(ready.over, old.over, new.over);
    }

    /// Returns whether there is a message to be sent; of cached pongs, whether one may be.
    fn has_message(&self, slot: &ConnSlot, conn: &Connection) -> bool {
        if let Some(leaving) = conn.leaving {
            return leaving.bye_due;
        }
        conn.ping_due
            || conn.explore_due
            || conn.table_out.is_some()
            || conn.pongs_due.is_some_and(|due| due.own || due.others > 0)
            || self.has_advice(slot)
    }
}
