//! What a node holds apart from the lent slots, and how messages and time reach it.

use core::time::Duration;

use super::news::News;
use super::{State, Transmit};
use crate::config::Settings;
use crate::lookup::{Lookup, Slot};
use crate::request::{Patience, Request};
use crate::rng::Rng;
use crate::time::{Span, Time};
use crate::{
    Address, Backlog, BufferTooSmall, DatagramError, DecodeError, Identifier, KeyRange, List,
    LookupSlot, Message, Peer, Route, RoutingTable,
};

/// How many queries may wait for the end of a step.
const WAITING: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Core<I, A> {
    pub(super) settings: Settings,
    #[cfg(test)]
    pub(super) mutation: super::model::Mutation,
    pub(super) now: Time, // the newest seen
    pub(super) rng: Rng,
    pub(super) state: State,
    pub(super) table: RoutingTable<I, A>,
    /// Always set: a node that knows no other is its own predecessor.
    pub(super) predecessor: Peer<I, A>,
    /// Joining: whose list to copy. Stabilizing: the better successor. Rectifying: who notified.
    pub(super) saved: Option<Peer<I, A>>,
    /// The newest notification that came while a question was on its way.
    pub(super) notified: Option<Peer<I, A>>,
    /// The one question of maintenance that may be on its way, to the node [`asked`](Self::asked).
    pub(super) question: Option<Request>,
    pub(super) contact: Option<A>,
    /// How often a join may still start again.
    pub(super) attempts: u8,
    /// When to stabilize, or to go on with what was put off.
    pub(super) stabilize_at: Time,
    /// How long to wait between two stabilizations: the calmer, the longer.
    pub(super) pace: Span,
    pub(super) fix_at: Time,
    /// The finger to refresh next.
    pub(super) finger: u32,
    /// Whether the successor is to be notified.
    pub(super) notify: bool,
    /// Whom to tell that it is not the predecessor any more.
    pub(super) nudge: Option<A>,
    /// Whether to say farewell to the predecessor and to the successor.
    pub(super) farewells: [bool; 2],
    /// Queries: the state is read when it is sent, and not while this node reads another.
    waiting: List<(A, u32), WAITING>,
    /// The answer to another question; there is room for one, as it can be sent at once.
    answer: Option<Answer<I, A>>,
    /// The node's own lookup: for its place while it joins, for a finger later.
    pub(super) inner: Option<Lookup<I, A>>,
    pub(super) last_lookup: u32,
    pub(super) news: News<I, A>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Answer<I, A> {
    to: A,
    token: u32,
    what: What<I, A>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What<I, A> {
    Pong,
    Busy,
    /// `None`: with so many nodes avoided, nothing here leads to the key.
    Route(Option<Route<I, A>>),
}

/// What is to be sent next, and so what to strike off once it is.
enum Due {
    State,
    Answer,
    Notify,
    Nudge,
    Question,
    Inner,
    Slot(usize),
    Farewell(usize),
}

impl<I: Identifier, A: Address> Core<I, A> {
    pub(super) const fn new(settings: Settings, me: Peer<I, A>, rng: Rng) -> Self {
        Self {
            settings,
            #[cfg(test)]
            mutation: super::model::Mutation::None,
            now: Time::ZERO,
            rng,
            state: State::Outside,
            table: RoutingTable::new(me, settings.successors),
            predecessor: me,
            saved: None,
            notified: None,
            question: None,
            contact: None,
            attempts: 0,
            stabilize_at: Time::NEVER,
            pace: settings.stabilize,
            fix_at: Time::NEVER,
            finger: 1,
            notify: false,
            nudge: None,
            farewells: [false; 2],
            waiting: List::new(),
            answer: None,
            inner: None,
            last_lookup: 0,
            news: News::NONE,
        }
    }

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
        self.take_question(from, &message)?;
        self.relay(slots, from, &message)?;
        self.now = self.now.max(Time::new(now)); // only now: an error leaves the node unchanged
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
        Ok(())
    }

    /// Makes room for the answer to a question, if the message is one.
    fn take_question(&mut self, to: A, message: &Message<I, A>) -> Result<(), Backlog> {
        let (token, what) = match message {
            Message::Ping { token } => (*token, What::Pong),
            Message::Query { token } => {
                // The first query waits for the state; the asker's second shows its impatience.
                if !self.waiting.contains(&(to, *token)) && self.waiting.push((to, *token)).is_ok()
                {
                    return Ok(());
                }
                (*token, What::Busy)
            }
            Message::Find { token, key, avoid } => {
                let route = self.table.route_around(*key, |peer| !avoid.contains(&peer.id));
                (*token, What::Route(route))
            }
            Message::Route { token, back, .. } if back.is_empty() && !self.state.is_member() => {
                (*token, What::Busy) // as `Absent`: no member is ever too busy to pass it on
            }
            _ => return Ok(()),
        };
        if self.answer.is_some() {
            return Err(Backlog { capacity: 1 });
        }
        self.answer = Some(Answer { to, token, what });
        Ok(())
    }

    pub(super) fn handle_timeout(&mut self, slots: &mut [LookupSlot<I, A>], now: Duration) {
        self.now = self.now.max(Time::new(now));
        let question = self.question.as_mut();
        let patience = question.map(|request| request.handle_timeout(self.now, &self.settings));
        if patience == Some(Patience::Ends) {
            self.handle_dead();
        }
        if self.is_due(self.stabilize_at) {
            self.go_on();
        }
        self.handle_lookup_timeouts(slots);
        if self.state.is_member() && self.inner.is_none() && self.is_due(self.fix_at) {
            self.fix_fingers();
        }
    }

    pub(super) fn poll_timeout(&self, slots: &[LookupSlot<I, A>]) -> Option<Duration> {
        let maintenance = self.question.as_ref().map_or(self.stabilize_at, Request::deadline);
        let own = match &self.inner {
            Some(lookup) => lookup.deadline(),
            None if self.state.is_member() => self.fix_at,
            None => Time::NEVER,
        };
        let lookups = slots.iter().filter_map(LookupSlot::lookup).map(Lookup::deadline);
        lookups.fold(maintenance.min(own), Time::min).since_start()
    }

    pub(super) fn poll_transmit(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        buf: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let Some((due, to, message)) = self.next_message(slots) else { return Ok(None) };
        let len = message.encode(buf)?; // if this fails, nothing has changed
        match due {
            Due::State => drop(self.waiting.remove(0)),
            Due::Answer => self.answer = None,
            Due::Notify => self.notify = false,
            Due::Nudge => self.nudge = None,
            Due::Question => self.question.iter_mut().for_each(Request::set_sent),
            Due::Inner => self.inner.iter_mut().for_each(|lookup| lookup.set_sent(self.now)),
            Due::Slot(at) => match slots.get_mut(at).map(|slot| &mut slot.0) {
                Some(Slot::Lookup(lookup)) => lookup.set_sent(self.now),
                Some(relay) => *relay = Slot::Empty,
                None => {}
            },
            Due::Farewell(to) => {
                self.farewells.iter_mut().skip(to).take(1).for_each(|due| *due = false);
            }
        }
        Ok(Some(Transmit { to, len }))
    }

    fn next_message(&self, slots: &[LookupSlot<I, A>]) -> Option<(Due, A, Message<I, A>)> {
        let id = self.table.me.id;
        if let Some((to, token)) = self.waiting.first().filter(|_| !self.is_reading()) {
            return Some((Due::State, *to, self.state_message(*token)));
        }
        if let Some(answer) = &self.answer {
            return Some((Due::Answer, answer.to, self.answer_message(answer)));
        }
        if let Some(successor) = self.table.successors.first().filter(|_| self.notify) {
            return Some((Due::Notify, successor.address, Message::Notify { id }));
        }
        if let Some(to) = self.nudge {
            return Some((Due::Nudge, to, Message::Nudge { id }));
        }
        let question = self.question.as_ref().filter(|request| request.is_due());
        if let (Some(request), Some(peer)) = (question, self.asked()) {
            let token = request.token;
            let ping = self.pings();
            let message = if ping { Message::Ping { token } } else { Message::Query { token } };
            return Some((Due::Question, peer.address, message));
        }
        if let Some((to, message)) = self.inner.as_ref().and_then(Lookup::transmit) {
            return Some((Due::Inner, to, message));
        }
        let mut due = slots.iter().enumerate().filter_map(|(at, slot)| match &slot.0 {
            Slot::Empty => None,
            Slot::Lookup(lookup) => {
                lookup.transmit().map(|(to, message)| (Due::Slot(at), to, message))
            }
            Slot::Relay(relay) => Some((Due::Slot(at), relay.to, relay.message())),
        });
        due.next().or_else(|| self.farewell())
    }

    fn state_message(&self, token: u32) -> Message<I, A> {
        if !self.state.is_member() {
            return Message::Absent { token };
        }
        let successors = self.table.successors.as_slice().iter().copied().collect();
        let (id, predecessor) = (self.table.me.id, self.predecessor);
        Message::State { token, id, predecessor, successors }
    }

    fn answer_message(&self, answer: &Answer<I, A>) -> Message<I, A> {
        let (token, id) = (answer.token, self.table.me.id);
        match answer.what {
            _ if !self.state.is_member() => Message::Absent { token },
            What::Pong => Message::Pong { token, id },
            What::Busy | What::Route(None) => Message::Busy { token },
            What::Route(Some(route)) => Message::answer(token, id, route),
        }
    }

    fn farewell(&self) -> Option<(Due, A, Message<I, A>)> {
        let neighbours = [self.predecessor(), self.table.successors.first()];
        let mut due = self.farewells.iter().zip(neighbours).enumerate();
        let (at, (_, peer)) = due.find(|(_, (due, _))| **due)?;
        Some((Due::Farewell(at), peer?.address, Message::Leave { id: self.table.me.id }))
    }

    pub(super) fn predecessor(&self) -> Option<Peer<I, A>> {
        Some(self.predecessor).filter(|peer| *peer != self.table.me)
    }

    pub(super) fn keys(&self) -> KeyRange<I> {
        KeyRange { after: self.predecessor.id, through: self.table.me.id }
    }

    /// Asks the question that belongs to the state, of the node that it is for.
    pub(super) fn ask(&mut self) {
        self.question = Some(Request::new(self.now, &self.settings, &mut self.rng));
    }

    /// Returns whom the question of the state is for. Nothing changes that while the question is on its way.
    pub(super) fn asked(&self) -> Option<Peer<I, A>> {
        match self.state {
            State::Outside | State::Gone => None,
            // Who the contact is, its answer tells.
            State::Joining => {
                self.saved.or(self.contact.map(|address| Peer { address, ..self.table.me }))
            }
            State::Idle => self.table.successors.first(),
            State::Stabilizing => self.saved,
            State::Rectifying => Some(self.predecessor),
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
            self.question = None;
        } else {
            self.handle_dead();
        }
        right
    }

    pub(super) fn awaits(&self, from: A, token: u32) -> bool {
        self.question.as_ref().is_some_and(|request| request.token == token)
            && self.asked().is_some_and(|peer| peer.address == from)
    }

    /// Tells whether the question of this state is a ping: it only asks for a sign of life.
    pub(super) fn pings(&self) -> bool {
        self.state == State::Rectifying || (self.state == State::Joining && self.saved.is_none())
    }

    /// Tells whether a step reads another node, so that others must not read this one meanwhile.
    fn is_reading(&self) -> bool {
        self.question.is_some() && matches!(self.state, State::Idle | State::Stabilizing)
    }

    pub(super) fn is_due(&self, at: Time) -> bool {
        at != Time::NEVER && at <= self.now
    }

    /// Something about the ring is not as it was: looks closer.
    pub(super) fn set_changed(&mut self) {
        self.news.list = true;
        self.pace = self.settings.stabilize;
    }

    /// Returns the point in time about `span` from now.
    pub(super) fn after(&mut self, span: Span) -> Time {
        self.now.after_nanos(self.rng.around(span))
    }
}
