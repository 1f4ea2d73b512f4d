//! The connections of a servent: one slot each.

use core::time::Duration;

use super::config::{Config, Role};
use super::event::{CloseReason, Event};
use super::neighbour::Neighbour;
use super::penalties::Faults;
use super::quota::Quota;
use super::table_out::TableOut;
use crate::conn_index::{self, Indexed, Links};
use crate::id::Guid;
use crate::machine::{ConnId, after, earliest};
use crate::place::Place;
use crate::qrp::ReceiverState;
use crate::rng::mix;
use crate::routes::RouteSource;
use crate::wire::ByeCode;

/// The serial number of a slot that was never used.
const NEVER: u32 = u32::MAX;

/// The hops-flow that wants all queries.
pub(super) const ALL_HOPS: u8 = u8::MAX;

/// What own messages come by.
pub(super) const OWN: RouteSource = RouteSource(NEVER);

/// Storage for one connection: 216 bytes on a 64-bit host.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnSlot {
    /// Names the connection for good: the index of the slot plus a multiple of their number.
    serial: u32, // one more, so that all bytes of an empty slot are 0
    links: Links,
    pub(super) conn: Place<Connection>,
}

/// The state of a neighbour, and the messages due to it.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "what is due is independent of each other")]
pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) neighbour: Neighbour,
    pub(super) leaving: Option<Leaving>,
    pub(super) faults: Faults,
    /// Which flood it was last chosen for.
    pub(super) mark: u32,

    pub(super) deadline: Option<Duration>, // when it has been silent for too long
    pub(super) asked: bool,                // a keep-alive ping is out
    pub(super) missed: u8,
    pub(super) ping_due: bool,
    pub(super) explore_due: bool,
    pub(super) pongs_due: Option<PongsDue>,

    pub(super) skip: u32, // bytes of an oversized message that are still to come
    pub(super) quota: Quota, // of new GUIDs
    pub(super) backlog: u32, // bytes that wait in its send buffer
    pub(super) choked: bool, // too many: only what is important goes there
    pub(super) hops_flow_received: u8, // queries with as many hops or more are not wanted
    pub(super) hops_flow_sent: u8, // the value it was sent

    pub(super) table_in: ReceiverState,
    pub(super) table_unread: bool, // its table came in a form that nobody read
    pub(super) table_version: u32, // of the table that it has or is being sent; 0 for none
    pub(super) table_out: Option<TableOut>,

    pub(super) status_due: Option<StatusDue>,
    pub(super) stop_due: Option<Guid>,
}

/// A connection about to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Leaving {
    pub(super) reason: CloseReason,
    pub(super) bye_due: bool,
}

/// The answer to a ping, as far as it is outstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PongsDue {
    pub(super) guid: Guid,
    pub(super) ttl: u8, // that it needs
    pub(super) own: bool,
    pub(super) others: u8, // how many of the host cache
    pub(super) at: u16,    // and from which fresh one on
}

/// A question about a query: how many hits it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusDue {
    /// An ultrapeer asks its leaf.
    Ask(Guid),
    /// A leaf answers its ultrapeer.
    Answer(Guid),
}

impl ConnSlot {
    /// No connection.
    pub const EMPTY: Self = Self { serial: 0, links: Links::EMPTY, conn: Place::Empty };

    pub(super) fn source(&self) -> RouteSource {
        RouteSource(self.serial.wrapping_sub(1))
    }

    /// Returns the connection unless it is about to end.
    pub(super) fn live(&self) -> Option<&Connection> {
        self.conn.as_ref().filter(|conn| conn.leaving.is_none())
    }

    /// Returns the connection unless it is about to end.
    pub(super) fn live_mut(&mut self) -> Option<&mut Connection> {
        self.conn.as_mut().filter(|conn| conn.leaving.is_none())
    }

    /// Returns whether a flood, counted from 1, was to go there.
    pub(super) fn is_chosen(&self, number: u32) -> bool {
        self.conn.as_ref().is_some_and(|conn| conn.mark == number)
    }

    /// Begins a connection under a number that no earlier one had.
    pub(super) fn open(&mut self, index: usize, slots: usize, conn: Connection) {
        let number = |n: usize| u32::try_from(n).unwrap_or(NEVER);
        let is_used = self.serial != 0;
        let next = self.serial.checked_add(number(slots)).filter(|_| is_used);
        self.serial = next.unwrap_or(number(index).saturating_add(1));
        self.conn = Place::Taken(conn);
    }

    /// Returns why a connection that has no more to send ends.
    pub(super) fn event(&self) -> Option<Event> {
        let conn = self.conn.as_ref()?;
        let Leaving { reason, bye_due: false } = conn.leaving? else { return None };
        Some(Event::Closed { conn: conn.id, reason })
    }
}

impl Connection {
    pub(super) fn new(id: ConnId, neighbour: Neighbour) -> Self {
        Self {
            id,
            neighbour,
            leaving: None,
            faults: Faults::default(),
            mark: 0,
            deadline: None,
            asked: false,
            missed: 0,
            ping_due: false,
            explore_due: false,
            pongs_due: None,
            skip: 0,
            quota: Quota::FULL,
            backlog: 0,
            choked: false,
            hops_flow_received: ALL_HOPS,
            hops_flow_sent: ALL_HOPS,
            table_in: ReceiverState::NONE,
            table_unread: false,
            table_version: 0,
            table_out: None,
            status_due: None,
            stop_due: None,
        }
    }

    /// Skips bytes of an oversized message, and returns how many of the `available` ones.
    pub(super) fn skipped(&mut self, available: usize) -> usize {
        let skipped = u32::try_from(available).unwrap_or(u32::MAX).min(self.skip);
        self.skip = self.skip.saturating_sub(skipped);
        usize::try_from(skipped).unwrap_or(available)
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.neighbour.role == Role::Leaf
    }

    /// Traffic of any kind is a sign of life.
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(super) fn mark_alive(&mut self, now: Duration, config: &Config) {
        self.asked = false;
        self.missed = 0;
        self.ping_due = false;
        self.rearm(now, config);
    }

    /// Asks a silent neighbour for a sign of life, or gives it up.
    pub(super) fn handle_timeout(&mut self, now: Duration, config: &Config) {
        if self.leaving.is_some() || self.deadline.is_none_or(|at| at > now) {
            return;
        }
        if self.asked && !self.ping_due {
            self.missed = self.missed.saturating_add(1);
        }
        if self.missed > 0 && self.missed >= config.max_missed_pings {
            self.dismiss(ByeCode::NO_REPLY);
        } else {
            self.ping_due = true;
            self.rearm(now, config);
        }
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    fn rearm(&mut self, now: Duration, config: &Config) {
        self.deadline = after(now, config.idle);
    }

    /// Sends a bye before the connection ends.
    pub(super) fn dismiss(&mut self, code: ByeCode) {
        self.leave(Leaving { reason: CloseReason::Dismissed(code), bye_due: true });
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(super) fn leave(&mut self, leaving: Leaving) {
        if self.leaving.is_none() {
            self.leaving = Some(leaving);
        }
    }
}

impl Indexed for ConnSlot {
    type Key = ConnId;

    fn hash(conn: ConnId) -> u64 {
        mix(conn.0.into())
    }

    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    fn is_of(&self, conn: ConnId) -> bool {
        self.conn.as_ref().is_some_and(|own| own.id == conn)
    }
}

/// Finds the slot of a connection by the caller's name.
#[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
pub(super) fn find(conns: &[ConnSlot], conn: ConnId) -> Option<usize> {
    conn_index::find(conns, conn)
}

/// Returns the slot of a connection, unless that is over.
#[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
pub(super) fn place_of(conns: &[ConnSlot], source: RouteSource) -> Option<usize> {
    let is = |at: &usize| {
        conns.get(*at).is_some_and(|slot| slot.source() == source && slot.live().is_some())
    };
    index_of(source, conns.len()).filter(is)
}

/// Which slot a connection had, if any ever had that number.
pub(super) fn index_of(source: RouteSource, slots: usize) -> Option<usize> {
    usize::try_from(source.0).ok()?.checked_rem(slots)
}

/// Returns when the first connection will have been silent for too long.
pub(super) fn silence_deadline(conns: &[ConnSlot]) -> Option<Duration> {
    earliest(&mut conns.iter().filter_map(|slot| slot.live()?.deadline))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ConnSlot;
    use crate::conn_index::Indexed as _;
    use crate::machine::ConnId;

    #[test]
    fn connections_have_different_hashes() {
        let hashes: BTreeSet<u64> = (0..100).map(|conn| ConnSlot::hash(ConnId(conn))).collect();
        assert_eq!(hashes.len(), 100);
    }
}
