//! What a node holds apart from its storage, and how messages and time reach it.

use core::time::Duration;

use super::events::PendingEvents;
use super::state::State;
use super::storage::NodeParts;
use crate::config::Settings;
use crate::contacts::ContactSlot;
use crate::error::{BufferTooSmall, DatagramError, DecodeError, Full};
use crate::event::LookupFailure;
use crate::fingers::{FingerSlot, FingerTable};
use crate::id::{Identifier, KeyRange};
use crate::list::List;
use crate::lookup::{Lookup, LookupSlot, Slot};
use crate::message::Message;
use crate::peer::Peer;
use crate::request::{Patience, Request};
use crate::rng::Rng;
use crate::routing::{Route, RoutingTable, RoutingTableRef};
use crate::successors::SuccessorList;
use crate::time::{Span, Time};
use crate::wire::Address;

/// How many queries may wait for the end of a step.
const WAITING: usize = 4;

/// A datagram that [`Node::poll_transmit`](crate::Node::poll_transmit) has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a datagram has an addressee and a length")]
pub struct Transmit<A> {
    /// Where to send it.
    pub to: A,
    /// Its length in bytes, from the start of the buffer.
    pub len: usize,
}

/// All of a node but the storage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Core<I, A> {
    pub(super) settings: Settings,
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
    waiting: List<(A, u32), WAITING>,
    /// The answer to another question; there is room for one, as it can be sent at once.
    answer: Option<Answer<I, A>>,
    pub(super) last_lookup: u32,
    pub(super) probe_at: Time,
    /// Whose turn it is.
    pub(super) next_contact: u8,
    /// Whether the own lookup is a probe.
    pub(super) probing: bool,
    /// More probes than this have to end at the node itself before a merge is over; 0 without one.
    pub(super) quiet_probes_left: u8,
    /// How often in a row the successor has preferred a node of the same identifier.
    pub(super) twin_rounds: u8,
    /// How often in a row the node asked was busy.
    pub(super) busy: u8,
    pub(super) pending_events: PendingEvents<I, A>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Answer<I, A> {
    to: A,
    token: u32,
    content: Content<I, A>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Content<I, A> {
    Pong,
    Busy,
    /// `None`: with these nodes avoided, nothing here leads to the key.
    Route(Option<Route<I, A>>),
}

/// What is to be sent next, and so what to mark as sent.
enum Due {
    State,
    Answer,
    Notify,
    NotifyOther,
    Nudge,
    Question,
    OwnLookup,
    Slot(usize),
    LeaveNotice(usize),
}

/// What a node waits for.
#[derive(Clone, Copy)]
enum Timer {
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
    const ALL: [Self; 5] =
        [Self::Question, Self::Stabilize, Self::Lookups, Self::FixFingers, Self::Probe];
}

/// A node with its storage borrowed: the logic, compiled once for all kinds of storage.
pub(super) struct NodeMut<'a, I, A> {
    pub(super) core: &'a mut Core<I, A>,
    pub(super) table: Table<'a, I, A>,
    /// The node's own lookup: for its place while it joins, for a finger later.
    pub(super) own: &'a mut LookupSlot<I, A>,
    pub(super) contacts: &'a mut [ContactSlot<I, A>],
}

type Table<'a, I, A> = RoutingTable<I, A, &'a mut [Peer<I, A>], &'a mut [FingerSlot<I, A>]>;

impl<I: Identifier, A: Address> Core<I, A> {
    pub(super) const fn new(settings: Settings, me: Peer<I, A>, rng: Rng) -> Self {
        Self {
            settings,
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
            probing: false,
            quiet_probes_left: 0,
            twin_rounds: 0,
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
        let mut none = LookupSlot::EMPTY;
        let (own, lookups) = match parts.lookups {
            [own, lookups @ ..] => (own, lookups),
            [] => (&mut none, <&mut [_]>::default()), // refused by `Node::new`
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

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    pub(super) fn handle_datagram(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        now: Duration,
        from: A,
        bytes: &[u8],
    ) -> Result<(), DatagramError> {
        let (message, rest) = Message::decode(bytes)?;
        if !rest.is_empty() {
            return Err(DecodeError::Trailing(rest.len()).into());
        }
        if let Some(token) = message.question_token()
            && self.is_own_question(slots, token)
        {
            self.core.advance_clock(now);
            self.handle_own_question(slots, token);
            return Ok(());
        }
        self.take_question(from, &message)?;
        self.relay(slots, from, &message)?;
        self.core.advance_clock(now); // only now: an error leaves the node unchanged
        self.handle_message(slots, from, message);
        self.fail_lookups(slots);
        Ok(())
    }

    fn handle_message(&mut self, slots: &mut [LookupSlot<I, A>], from: A, message: Message<I, A>) {
        match message {
            Message::Pong { token, id } => self.handle_pong(from, token, id),
            Message::State { token, id, predecessor, successors } => {
                if self.take_answered(from, token, id) {
                    self.handle_state(predecessor, &successors);
                }
            }
            Message::Busy { token } => self.handle_busy(slots, from, token),
            Message::Absent { token } => self.handle_absent(slots, from, token),
            Message::Notify { id } => self.handle_notify(Peer { id, address: from }),
            Message::Closer { token, id, peer } => {
                self.handle_route(slots, from, token, id, Route::Ask(peer));
            }
            Message::Owner { token, id, peer } => {
                self.handle_route(slots, from, token, id, Route::Owner(peer));
            }
            Message::Nudge { id } => self.handle_nudge(Peer { id, address: from }),
            Message::Leave { id } => self.handle_leave(Peer { id, address: from }),
            Message::Found { token, id, peer, hops, back } if back.is_empty() => {
                self.handle_found(slots, token, id, peer, hops);
            }
            // All there is to do was to answer, or to pass it on.
            Message::Ping { .. }
            | Message::Query { .. }
            | Message::Find { .. }
            | Message::Route { .. }
            | Message::Found { .. } => {}
        }
    }

    /// Ends the lookups of a node that is not a member any more.
    fn fail_lookups(&mut self, slots: &mut [LookupSlot<I, A>]) {
        if self.core.state.is_member() {
            return;
        }
        for lookup in slots.iter_mut().filter_map(LookupSlot::lookup_mut) {
            if lookup.outcome().is_none() {
                lookup.fail(LookupFailure::NotMember);
            }
        }
    }

    /// Returns whether a question with this token is one that this node has asked itself: it has reached the
    /// node under an address that it did not know for its own.
    fn is_own_question(&self, slots: &[LookupSlot<I, A>], token: u32) -> bool {
        self.core.question.as_ref().is_some_and(|request| request.token == token)
            || self.own.lookup().is_some_and(|lookup| lookup.has_token(token))
            || slots.iter().filter_map(LookupSlot::lookup).any(|lookup| lookup.has_token(token))
    }

    /// No other node is where the question went.
    fn handle_own_question(&mut self, slots: &mut [LookupSlot<I, A>], token: u32) {
        if self.core.question.as_ref().is_some_and(|request| request.token == token) {
            self.handle_dead();
        }
        self.with_lookups(slots, |node, lookup| {
            if lookup.has_token(token) {
                node.go_around(lookup);
            }
        });
    }

    /// Makes room for the answer to a question, if the message is one.
    fn take_question(&mut self, to: A, message: &Message<I, A>) -> Result<(), Full> {
        let (token, content) = match message {
            Message::Ping { token } => (*token, Content::Pong),
            Message::Query { token } => {
                // The first query waits for the state; the asker's second shows its impatience.
                if !self.core.waiting.contains(&(to, *token))
                    && self.core.waiting.push((to, *token)).is_ok()
                {
                    return Ok(());
                }
                (*token, Content::Busy)
            }
            Message::Find { token, key, avoid } => {
                let route = self.table.route_around(*key, |peer| !avoid.contains(&peer.id));
                (*token, Content::Route(route))
            }
            Message::Route { token, back, .. }
                if back.is_empty() && !self.core.state.is_member() =>
            {
                (*token, Content::Busy) // as `Absent`: no member is ever too busy to pass it on
            }
            _ => return Ok(()),
        };
        if self.core.answer.is_some() {
            return Err(Full { capacity: 1 });
        }
        self.core.answer = Some(Answer { to, token, content });
        Ok(())
    }

    pub(super) fn handle_timeout(&mut self, slots: &mut [LookupSlot<I, A>], now: Duration) {
        self.core.advance_clock(now);
        for timer in Timer::ALL {
            self.fire(timer, slots);
        }
        self.fail_lookups(slots);
    }

    /// Fires a timer if it has expired.
    fn fire(&mut self, timer: Timer, slots: &mut [LookupSlot<I, A>]) {
        match timer {
            Timer::Question => {
                let now = self.core.now;
                let settings = self.core.settings;
                let question = self.core.question.as_mut();
                let patience = question.map(|request| request.handle_timeout(now, &settings));
                if patience == Some(Patience::Ends) {
                    self.handle_dead();
                }
            }
            Timer::Stabilize => {
                if self.core.is_due(self.core.stabilize_at) {
                    self.continue_step();
                }
            }
            Timer::Lookups => self.handle_lookup_timeouts(slots),
            Timer::FixFingers => {
                let idle = self.own.is_empty();
                if self.core.state.is_member() && idle && self.core.is_due(self.core.fix_at) {
                    self.fix_fingers();
                }
            }
            Timer::Probe => {
                let idle = self.own.is_empty();
                if self.core.state.is_member() && idle && self.core.is_due(self.core.probe_at) {
                    self.probe();
                }
            }
        }
    }

    pub(super) fn poll_transmit(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        buf: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let Some((due, to, message)) = self.next_message(slots) else { return Ok(None) };
        let len = message.encode(buf)?; // if this fails, nothing has changed
        match due {
            Due::State => drop(self.core.waiting.remove(0)),
            Due::Answer => self.core.answer = None,
            Due::Notify => self.core.notify = false,
            Due::NotifyOther => self.core.contact = None,
            Due::Nudge => self.core.nudge = None,
            Due::Question => self.core.question.iter_mut().for_each(Request::set_sent),
            Due::OwnLookup => {
                if let Some(lookup) = self.own.lookup_mut() {
                    lookup.set_sent(self.core.now);
                }
            }
            Due::Slot(at) => match slots.get_mut(at).map(|slot| &mut slot.0) {
                Some(Slot::Lookup(lookup)) => lookup.set_sent(self.core.now),
                Some(slot) => slot.set_relay_sent(self.core.now, self.core.settings.patience),
                None => {}
            },
            Due::LeaveNotice(to) => {
                self.core.leave_notices.iter_mut().skip(to).take(1).for_each(|due| *due = false);
            }
        }
        Ok(Some(Transmit { to, len }))
    }

    fn next_message(&self, slots: &[LookupSlot<I, A>]) -> Option<(Due, A, Message<I, A>)> {
        let id = self.core.me.id;
        if let Some((to, token)) = self.core.waiting.first().filter(|_| !self.is_reading()) {
            return Some((Due::State, *to, self.state_message(*token)));
        }
        if let Some(answer) = &self.core.answer {
            return Some((Due::Answer, answer.to, self.answer_message(answer)));
        }
        if let Some(successor) = self.table.successors.first().filter(|_| self.core.notify) {
            return Some((Due::Notify, successor.address, Message::Notify { id }));
        }
        if let Some(to) = self.core.contact.filter(|_| self.core.state.is_member()) {
            return Some((Due::NotifyOther, to, Message::Notify { id }));
        }
        if let Some(to) = self.core.nudge {
            return Some((Due::Nudge, to, Message::Nudge { id }));
        }
        let question = self.core.question.as_ref().filter(|request| request.is_due());
        if let (Some(request), Some(peer)) = (question, self.asked()) {
            let token = request.token;
            let ping = self.pings();
            let message = if ping { Message::Ping { token } } else { Message::Query { token } };
            return Some((Due::Question, peer.address, message));
        }
        if let Some((to, message)) = self.own.lookup().and_then(Lookup::transmit) {
            return Some((Due::OwnLookup, to, message));
        }
        let mut due = slots.iter().enumerate().filter_map(|(at, slot)| match &slot.0 {
            Slot::Empty | Slot::Passed { .. } => None,
            Slot::Lookup(lookup) => {
                lookup.transmit().map(|(to, message)| (Due::Slot(at), to, message))
            }
            Slot::Relay(relay) => Some((Due::Slot(at), relay.to, relay.message())),
        });
        due.next().or_else(|| self.leave_notice())
    }

    fn state_message(&self, token: u32) -> Message<I, A> {
        if !self.core.state.is_member() {
            return Message::Absent { token };
        }
        let successors = self.table.successors.as_slice().iter().copied().collect();
        let (id, predecessor) = (self.core.me.id, self.core.predecessor);
        Message::State { token, id, predecessor, successors }
    }

    fn answer_message(&self, answer: &Answer<I, A>) -> Message<I, A> {
        let (token, id) = (answer.token, self.core.me.id);
        match answer.content {
            _ if !self.core.state.is_member() => Message::Absent { token },
            Content::Pong => Message::Pong { token, id },
            Content::Busy | Content::Route(None) => Message::Busy { token },
            Content::Route(Some(route)) => Message::answer(token, id, route),
        }
    }

    fn leave_notice(&self) -> Option<(Due, A, Message<I, A>)> {
        let neighbours = [self.core.predecessor(), self.table.successors.first()];
        let mut due = self.core.leave_notices.iter().zip(neighbours).enumerate();
        let (at, (_, peer)) = due.find(|(_, (due, _))| **due)?;
        Some((Due::LeaveNotice(at), peer?.address, Message::Leave { id: self.core.me.id }))
    }

    /// Asks the question that belongs to the state, of the node that it is for.
    pub(super) fn ask(&mut self) {
        self.core.question =
            Some(Request::new(self.core.now, &self.core.settings, &mut self.core.rng));
    }

    /// Returns the peer that the question of the state is for. Nothing changes that while the question is on its way.
    pub(super) fn asked(&self) -> Option<Peer<I, A>> {
        match self.core.state {
            State::Outside | State::Gone => None,
            // Who the contact is, its answer tells.
            State::Joining => self
                .core
                .saved
                .or(self.core.contact.map(|address| Peer { address, ..self.core.me })),
            State::Idle => self.table.successors.first(),
            State::Stabilizing => self.core.saved,
            State::Rectifying => Some(self.core.predecessor),
        }
    }

    /// Ends the question if it was a query and node `id` has answered it. Another identifier at the
    /// same address means that the node asked is dead.
    fn take_answered(&mut self, from: A, token: u32, id: I) -> bool {
        if !self.awaits(from, token) || self.pings() {
            return false;
        }
        let right = self.asked().is_some_and(|peer| peer.id == id);
        if right {
            self.core.question = None;
            self.core.busy = 0;
        } else {
            self.handle_dead();
        }
        right
    }

    pub(super) fn awaits(&self, from: A, token: u32) -> bool {
        self.core.question.as_ref().is_some_and(|request| request.token == token)
            && self.asked().is_some_and(|peer| peer.address == from)
    }

    /// Returns whether the question of this state is a ping: it only asks for a sign of life.
    pub(super) fn pings(&self) -> bool {
        self.core.state == State::Rectifying
            || (self.core.state == State::Joining && self.core.saved.is_none())
    }

    /// Returns whether a step reads another node, so that others must not read this one meanwhile.
    fn is_reading(&self) -> bool {
        self.core.question.is_some() && matches!(self.core.state, State::Idle | State::Stabilizing)
    }

    /// Something about the ring is not as it was: looks closer.
    pub(super) fn set_changed(&mut self) {
        self.core.pending_events.list = true;
        self.core.interval = self.core.settings.stabilize;
    }

    /// Returns the point in time about `span` from now.
    pub(super) fn after(&mut self, span: Span) -> Time {
        self.core.now.after_nanos(span.jittered(&mut self.core.rng))
    }
}
