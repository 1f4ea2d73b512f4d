//! What a node holds apart from its storage.

use core::time::Duration;

use super::pending::PendingEvents;
use super::state::State;
use super::storage::NodeParts;
use crate::config::{LookupDeadline, Settings};
use crate::contacts::ContactSlot;
use crate::fingers::{FingerSlot, FingerTable};
use crate::id::{Identifier, KeyRange};
use crate::list::List;
use crate::lookup_slot::{LookupSlot, OwnSlot};
use crate::peer::Peer;
use crate::request::Request;
use crate::rng::Rng;
use crate::routing::{Route, RoutingTable, RoutingTableRef};
use crate::successors::SuccessorList;
use crate::time::{Span, Time};
use crate::wire::Address;

/// How many queries may wait for the end of a step.
const WAITING: usize = 4;

/// How many nanoseconds after a step one begins that must not be part of the same call.
pub(super) const NEXT_STEP: u64 = 1_000_000;

/// All of a node but the storage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each named by its field")]
pub(super) struct Core<I, A> {
    pub(super) settings: Settings,
    pub(super) lookup_deadline: LookupDeadline,
    #[cfg(test)]
    pub(super) mutation: super::model::Mutation,
    pub(super) now: Time, // the newest seen
    pub(super) rng: Rng,
    pub(super) me: Peer<I, A>,
    pub(super) state: State,
    /// How many slots for successors are in use.
    successors: u8,
    /// How many slots for fingers are in use.
    fingers: u8,
    /// Always set: a node that knows no other is its own predecessor.
    pub(super) predecessor: Peer<I, A>,
    /// Joining: whose list to copy. Stabilizing: the better successor. Rectifying: the sender of the notification.
    pub(super) saved: Option<Peer<I, A>>,
    /// The newest notification that came while a question was in flight.
    pub(super) notified: Option<Peer<I, A>>,
    /// The one question of maintenance that may be in flight, to the node [`asked`](NodeMut::asked).
    pub(super) question: Option<Request>,
    /// Joining: where to start. A member: another node to notify besides the successor.
    pub(super) contact: Option<A>,
    /// How often a join may still start again.
    pub(super) attempts: u8,
    /// When to stabilize, or to continue a postponed step.
    pub(super) stabilize_at: Time,
    /// The wait between two stabilizations: the calmer, the longer.
    pub(super) interval: Span,
    pub(super) fix_at: Time,
    /// The finger to refresh next.
    pub(super) finger: u16,
    /// Whether the successor is to be notified.
    pub(super) notify: bool,
    /// The former predecessor, which has yet to receive a NUDGE.
    pub(super) nudge: Option<A>,
    /// Whether to send LEAVE to the predecessor and to the successor.
    pub(super) leave_notices: [bool; 2],
    /// Queries: the state is read when it is sent, and not while this node reads another.
    pub(super) waiting: List<Waiting<A>, WAITING>,
    /// The answer to another question; there is room for one, as it can be sent at once.
    pub(super) answer: Option<Answer<I, A>>,
    pub(super) last_lookup: u32,
    pub(super) probe_at: Time,
    /// Whose turn it is.
    pub(super) next_contact: u8,
    /// How many probes there were; the numbers start again after 256.
    pub(super) probes: u8,
    pub(super) own_lookup: OwnLookup,
    /// More probes than this have to end at the node itself before a merge is over; 0 without one.
    pub(super) quiet_probes_left: u8,
    /// How many of them may follow each other quickly.
    pub(super) eager_probes_left: u8,
    /// How often in a row the successor has preferred a node of the same identifier.
    pub(super) twin_rounds: u8,
    /// Whether the question is a ping to `saved`, which has not yet shown that it receives.
    pub(super) verifying: bool,
    /// Whether the successor has named this node as its predecessor, so that its queries need no padding.
    pub(super) known_to_successor: bool,
    /// How long this node does not name owners near it, as it has lost too much to know them.
    pub(super) unverified: Unverified,
    /// Whether the successor has answered this node.
    pub(super) successor_answered: bool,
    /// How often in a row the node asked was busy.
    pub(super) busy: u8,
    pub(super) pending_events: PendingEvents<I, A>,
}

/// Two counts of up to 15, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Unverified(u8);

impl Unverified {
    /// After all successors have failed, nodes that this one does not know may lie before the next one that it finds:
    /// until that one has named this node as its predecessor this often.
    pub(super) const fn successor(self) -> u8 {
        self.0 & 15
    }

    pub(super) const fn set_successor(&mut self, rounds: u8) {
        self.0 = (self.0 & !15) | (rounds & 15);
    }

    /// After the predecessor has failed, nodes that this one does not know may lie behind the next one that notifies: until
    /// that one has notified again this often.
    pub(super) const fn keys(self) -> u8 {
        self.0 >> 4
    }

    pub(super) const fn set_keys(&mut self, rounds: u8) {
        self.0 = (self.0 & 15) | (rounds << 4);
    }
}

/// What the own lookup of a member is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum OwnLookup {
    /// A finger is refreshed, or a joining node looks for its place.
    #[default]
    Finger,
    /// A backup of the successor list is asked for a sign of life.
    Backup,
    /// A peer is asked for a sign of life before it is recorded, or because another one was named in its place.
    Check,
    /// A remembered peer is probed.
    Probe,
    /// A node between this one and its unverified successor is looked for.
    Gap,
    /// The successor prefers a node that has the identifier of this one: a third node is asked whether there is such a one, and that
    /// one for a sign of life. A joining node asks the other one for a sign of life.
    Twin,
    /// A joining node looks for its place once more, around the node that has named another one with its identifier.
    SecondWay,
    /// A joining node that knows that one alone looks for a third node, on the other side of the ring.
    Third,
}

/// A query that has yet to be answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Waiting<A> {
    pub(super) to: A,
    pub(super) token: u32,
    /// The longest answer in bytes.
    pub(super) limit: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Answer<I, A> {
    pub(super) to: A,
    pub(super) token: u32,
    pub(super) content: Content<I, A>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Content<I, A> {
    Pong,
    Busy,
    /// `None`: with these nodes avoided, nothing here leads to the key.
    Route(Option<Route<I, A>>),
}

/// What a node waits for.
#[derive(Clone, Copy)]
pub(super) enum Timer {
    /// The question of maintenance is asked again, or given up.
    Question,
    /// The next stabilization, or a postponed step. Waits while a question is in flight.
    Stabilize,
    /// Questions of lookups, the own one included, are asked again or given up.
    Lookups,
    /// The next finger is refreshed. Waits for the end of the own lookup.
    FixFingers,
    /// A remembered peer is probed. Waits for the end of the own lookup.
    Probe,
}

impl Timer {
    /// In the order in which they fire.
    pub(super) const ALL: [Self; 5] =
        [Self::Question, Self::Stabilize, Self::Lookups, Self::FixFingers, Self::Probe];
}

/// A node with its storage borrowed: the logic, compiled once for all kinds of storage.
pub(super) struct NodeMut<'a, I, A> {
    pub(super) core: &'a mut Core<I, A>,
    pub(super) table: Table<'a, I, A>,
    /// The node's own lookup: for its place while it joins, for a finger later.
    pub(super) own: OwnSlot<'a, I, A>,
    pub(super) contacts: &'a mut [ContactSlot<I, A>],
}

type Table<'a, I, A> = RoutingTable<I, A, &'a mut [Peer<I, A>], &'a mut [FingerSlot<I, A>]>;

impl<I: Identifier, A: Address> Core<I, A> {
    pub(super) const fn new(
        settings: Settings,
        lookup_deadline: LookupDeadline,
        me: Peer<I, A>,
        rng: Rng,
    ) -> Self {
        Self {
            settings,
            lookup_deadline,
            #[cfg(test)]
            mutation: super::model::Mutation::None,
            now: Time::ZERO,
            rng,
            me,
            state: State::Outside,
            successors: 0,
            fingers: 0,
            predecessor: me,
            saved: None,
            notified: None,
            question: None,
            contact: None,
            attempts: 0,
            stabilize_at: Time::NEVER,
            interval: settings.stabilize,
            fix_at: Time::NEVER,
            finger: 1,
            notify: false,
            nudge: None,
            leave_notices: [false; 2],
            waiting: List::new(),
            answer: None,
            last_lookup: 0,
            probe_at: Time::NEVER,
            next_contact: 0,
            probes: 0,
            own_lookup: OwnLookup::Finger,
            quiet_probes_left: 0,
            eager_probes_left: 0,
            twin_rounds: 0,
            verifying: false,
            known_to_successor: false,
            unverified: Unverified(0),
            successor_answered: false,
            busy: 0,
            pending_events: PendingEvents::NONE,
        }
    }

    /// Passes the storage to `call`, with the slots for lookups of the application apart.
    pub(super) fn with<R>(
        &mut self,
        parts: NodeParts<'_, I, A>,
        call: impl FnOnce(&mut NodeMut<'_, I, A>, &mut [LookupSlot<I, A>]) -> R,
    ) -> R {
        let (own, lookups) = match parts.lookups {
            [own, lookups @ ..] => (OwnSlot(Some(own)), lookups),
            [] => (OwnSlot(None), <&mut [_]>::default()), // refused by `Node::new`
        };
        let id = self.me.id;
        let table = RoutingTable {
            me: self.me,
            fingers: FingerTable::resume(id, parts.fingers, self.fingers),
            successors: SuccessorList::resume(id, parts.successors, self.successors),
        };
        let mut node = NodeMut { core: self, table, own, contacts: parts.contacts };
        let result = call(&mut node, lookups);
        node.core.fingers = node.table.fingers.count();
        node.core.successors = node.table.successors.count();
        result
    }

    pub(super) fn table<'a>(
        &self,
        successors: &'a [Peer<I, A>],
        fingers: &'a [FingerSlot<I, A>],
    ) -> RoutingTableRef<'a, I, A> {
        RoutingTable {
            me: self.me,
            fingers: FingerTable::resume(self.me.id, fingers, self.fingers),
            successors: SuccessorList::resume(self.me.id, successors, self.successors),
        }
    }

    pub(super) fn poll_timeout(&self, lookups: &[LookupSlot<I, A>]) -> Option<Duration> {
        let deadlines = Timer::ALL.into_iter().map(|timer| self.deadline(timer, lookups));
        deadlines.fold(Time::NEVER, Time::min).since_start()
    }

    fn deadline(&self, timer: Timer, lookups: &[LookupSlot<I, A>]) -> Time {
        let own = lookups.first().and_then(LookupSlot::lookup);
        match timer {
            Timer::Question => self.question.as_ref().map_or(Time::NEVER, Request::deadline),
            Timer::Stabilize if self.question.is_none() => self.stabilize_at,
            Timer::FixFingers if self.state.is_member() && own.is_none() => self.fix_at,
            Timer::Probe if self.state.is_member() && own.is_none() => self.probe_at,
            Timer::Stabilize | Timer::FixFingers | Timer::Probe => Time::NEVER,
            Timer::Lookups => lookups.iter().map(LookupSlot::deadline).fold(Time::NEVER, Time::min),
        }
    }

    /// Returns whether nothing is to be sent. Drivers ask far more often than there is something.
    pub(super) fn is_silent(&self, lookups: &[LookupSlot<I, A>]) -> bool {
        let asks = self.question.as_ref().is_some_and(Request::is_due);
        let answers = self.answer.is_some() || !self.waiting.is_empty();
        let tells = self.notify || self.contact.is_some() || self.nudge.is_some();
        let leaves = self.leave_notices != [false; 2];
        !(asks || answers || tells || leaves) && lookups.iter().all(LookupSlot::is_silent)
    }

    pub(super) fn predecessor(&self) -> Option<Peer<I, A>> {
        Some(self.predecessor).filter(|peer| *peer != self.me)
    }

    pub(super) fn keys(&self) -> KeyRange<I> {
        KeyRange { after: self.predecessor.id, through: self.me.id }
    }

    pub(super) fn is_due(&self, at: Time) -> bool {
        at != Time::NEVER && at <= self.now
    }

    /// A call of the driver: its time counts unless it is older than the newest seen.
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.now = self.now.newest(now);
    }
}
