//! What a node holds apart from the lent slots, and how messages and time reach it.

use core::time::Duration;

use super::relay::{RELAYS, Relay};
use super::{State, Transmit};
use crate::lookup::Lookup;
use crate::request::{Patience, Request, earlier};
use crate::rng::Rng;
use crate::{
    Address, Backlog, BufferTooSmall, Config, DatagramError, DecodeError, Event, Identifier,
    JoinFailure, KeyRange, List, LookupSlot, Message, Peer, Route, RoutingTable,
};

/// How many answers may wait to be sent.
const ANSWERS: usize = 8;
/// How many of them may be states that wait for the end of a step: room is left for pings.
const STATES: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Core<I, A> {
    pub(super) config: Config,
    #[cfg(test)]
    pub(super) mutation: super::model::Mutation,
    pub(super) now: Duration, // the newest seen
    pub(super) rng: Rng,
    pub(super) state: State,
    pub(super) table: RoutingTable<I, A>,
    /// Always set: a node that knows no other is its own predecessor.
    pub(super) predecessor: Peer<I, A>,
    /// Joining: whose list to copy. Stabilizing: the better successor. Rectifying: who notified.
    pub(super) saved: Option<Peer<I, A>>,
    /// The newest notification that came while a question was on its way.
    pub(super) notified: Option<Peer<I, A>>,
    /// The one question of maintenance that may be on its way.
    pub(super) question: Option<Question<I, A>>,
    pub(super) contact: Option<A>,
    /// How often a join may still start again.
    pub(super) attempts: u8,
    /// When to stabilize, or to go on with what was put off.
    pub(super) stabilize_at: Option<Duration>,
    /// How long to wait between two stabilizations: the calmer, the longer.
    pub(super) pace: Duration,
    pub(super) fix_at: Option<Duration>,
    /// The finger to refresh next.
    pub(super) finger: u32,
    pub(super) notify: Option<A>,
    pub(super) farewells: List<A, 2>,
    answers: List<Answer<I, A>, ANSWERS>,
    pub(super) relays: List<Relay<I, A>, RELAYS>,
    /// The node's own lookup: for its place while it joins, for a finger later.
    pub(super) inner: Option<Lookup<I, A>>,
    pub(super) last_lookup: u32,
    pub(super) news: News<I, A>,
}

/// A question to a peer, whose identifier counts only if it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question<I, A> {
    pub(super) peer: Peer<I, A>,
    request: Request<A>,
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
    /// Read when it is sent, and not while a query is in flight.
    State,
    Busy,
    /// `None`: with so many nodes avoided, nothing here leads to the key.
    Route(Option<Route<I, A>>),
}

/// What the application has not been told yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct News<I, A> {
    pub(super) joined: bool,
    pub(super) join_failed: Option<JoinFailure>,
    pub(super) failed: List<Peer<I, A>, 4>,
    pub(super) list_changed: bool,
    /// The keys that the application takes for this node's.
    pub(super) owned: Option<KeyRange<I>>,
    /// Whom the application has to give these keys as the node leaves.
    pub(super) left_to: Option<(KeyRange<I>, Peer<I, A>)>,
    successor_told: Option<Peer<I, A>>,
    predecessor_told: Option<Peer<I, A>>,
}

/// What is to be sent next, and so what to strike off once it is.
enum Due {
    Answer(usize),
    Relay,
    Notify,
    Question,
    Inner,
    Slot(usize),
    Farewell,
}

impl<I: Identifier, A: Address> Core<I, A> {
    pub(super) const fn new(config: Config, me: Peer<I, A>) -> Self {
        Self {
            config,
            #[cfg(test)]
            mutation: super::model::Mutation::None,
            now: Duration::ZERO,
            rng: Rng::new(config.seed),
            state: State::Outside,
            table: RoutingTable::new(me, config.successors),
            predecessor: me,
            saved: None,
            notified: None,
            question: None,
            contact: None,
            attempts: 0,
            stabilize_at: None,
            pace: config.stabilize,
            fix_at: None,
            finger: 1,
            notify: None,
            farewells: List::new(),
            answers: List::new(),
            relays: List::new(),
            inner: None,
            last_lookup: 0,
            news: News {
                joined: false,
                join_failed: None,
                failed: List::new(),
                list_changed: false,
                owned: None,
                left_to: None,
                successor_told: None,
                predecessor_told: None,
            },
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
        if let Some(answer) = self.answer(from, &message) {
            self.answers.push(answer).map_err(|_| Backlog { capacity: ANSWERS })?;
        }
        self.relay(from, &message)?;
        self.now = self.now.max(now); // only now: an error leaves the node unchanged
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

    /// Returns what to answer to a question.
    fn answer(&self, to: A, message: &Message<I, A>) -> Option<Answer<I, A>> {
        let (token, what) = match message {
            Message::Ping { token } => (*token, What::Pong),
            Message::Query { token } => {
                // The first query waits for the state; the asker's second shows its impatience.
                let first = Answer { to, token: *token, what: What::State };
                let again = self.answers.contains(&first);
                let states = self.answers.iter().filter(|answer| answer.what == What::State);
                let busy = again || states.count() >= STATES;
                (*token, if busy { What::Busy } else { What::State })
            }
            Message::Find { token, key, avoid } => {
                let route = self.table.route_around(*key, |peer| !avoid.contains(&peer.id));
                (*token, What::Route(route))
            }
            Message::Route { token, back, .. } if back.is_empty() && !self.state.is_member() => {
                (*token, What::Busy) // as `Absent`: no member is ever too busy to pass it on
            }
            _ => return None,
        };
        Some(Answer { to, token, what })
    }

    pub(super) fn handle_timeout(&mut self, slots: &mut [LookupSlot<I, A>], now: Duration) {
        self.now = self.now.max(now);
        let question = self.question.as_mut().map(|question| &mut question.request);
        let patience = question.map(|request| request.handle_timeout(self.now, &self.config));
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
        let maintenance = match &self.question {
            Some(question) => question.request.deadline(),
            None => self.stabilize_at,
        };
        let own = match &self.inner {
            Some(lookup) => lookup.deadline(),
            None => self.fix_at.filter(|_| self.state.is_member()),
        };
        let lookups = slots.iter().filter_map(|slot| slot.0.as_ref()?.deadline()).min();
        earlier(earlier(maintenance, own), lookups)
    }

    pub(super) fn poll_transmit(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        buf: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let Some((due, to, message)) = self.next_message(slots) else { return Ok(None) };
        let len = message.encode(buf)?; // if this fails, nothing has changed
        match due {
            Due::Answer(at) => drop(self.answers.remove(at)),
            Due::Relay => drop(self.relays.remove(0)),
            Due::Notify => self.notify = None,
            Due::Question => {
                if let Some(question) = &mut self.question {
                    question.request.set_sent();
                }
            }
            Due::Inner => self.inner.iter_mut().for_each(|lookup| lookup.set_sent(self.now)),
            Due::Slot(at) => {
                let slot = slots.get_mut(at).and_then(|slot| slot.0.as_mut());
                if let Some(lookup) = slot {
                    lookup.set_sent(self.now);
                }
            }
            Due::Farewell => drop(self.farewells.remove(0)),
        }
        Ok(Some(Transmit { to, len }))
    }

    fn next_message(&self, slots: &[LookupSlot<I, A>]) -> Option<(Due, A, Message<I, A>)> {
        let id = self.table.me.id;
        let is_ready = |answer: &Answer<I, A>| answer.what != What::State || !self.is_reading();
        if let Some(at) = self.answers.iter().position(is_ready) {
            let answer = self.answers.get(at)?;
            return Some((Due::Answer(at), answer.to, self.answer_message(answer)));
        }
        if let Some(relay) = self.relays.first() {
            return Some((Due::Relay, relay.to, relay.message()));
        }
        if let Some(to) = self.notify {
            return Some((Due::Notify, to, Message::Notify { id }));
        }
        if let Some(question) = self.question.as_ref().filter(|ours| ours.request.is_due()) {
            let token = question.request.token;
            let ping = self.pings();
            let message = if ping { Message::Ping { token } } else { Message::Query { token } };
            return Some((Due::Question, question.request.to, message));
        }
        if let Some((to, message)) = self.inner.as_ref().and_then(Lookup::transmit) {
            return Some((Due::Inner, to, message));
        }
        let lookups = slots.iter().enumerate();
        let mut due = lookups.filter_map(|(at, slot)| Some((at, slot.0.as_ref()?.transmit()?)));
        if let Some((at, (to, message))) = due.next() {
            return Some((Due::Slot(at), to, message));
        }
        self.farewells.first().map(|to| (Due::Farewell, *to, Message::Leave { id }))
    }

    fn answer_message(&self, answer: &Answer<I, A>) -> Message<I, A> {
        let (token, id) = (answer.token, self.table.me.id);
        match answer.what {
            _ if !self.state.is_member() => Message::Absent { token },
            What::Pong => Message::Pong { token, id },
            What::State => Message::State {
                token,
                id,
                predecessor: self.predecessor,
                successors: self.table.successors.as_slice().iter().copied().collect(),
            },
            What::Busy | What::Route(None) => Message::Busy { token },
            What::Route(Some(route)) => Message::answer(token, id, route),
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<Event<I, A>> {
        if core::mem::take(&mut self.news.joined) {
            return Some(Event::Joined);
        }
        if let Some(reason) = self.news.join_failed.take() {
            return Some(Event::JoinFailed(reason));
        }
        let successor = self.table.successors.first();
        if successor != self.news.successor_told {
            self.news.successor_told = successor;
            return Some(Event::SuccessorChanged(successor));
        }
        let predecessor = self.predecessor();
        if predecessor != self.news.predecessor_told {
            self.news.predecessor_told = predecessor;
            return Some(Event::PredecessorChanged { predecessor, range: self.keys() });
        }
        if let Some(event) = self.moved_keys() {
            return Some(event);
        }
        if core::mem::take(&mut self.news.list_changed) {
            return Some(Event::ListChanged);
        }
        self.news.failed.remove(0).map(Event::PeerFailed)
    }

    /// Returns which keys have come or gone since the application was last told.
    fn moved_keys(&mut self) -> Option<Event<I, A>> {
        if let Some((range, to)) = self.news.left_to.take() {
            self.news.owned = None;
            return Some(Event::HandOver { range, to });
        }
        let new = self.keys();
        if !self.state.is_member() || self.news.owned == Some(new) {
            return None;
        }
        let Some(old) = self.news.owned.replace(new) else {
            return Some(Event::TakeOver { range: new });
        };
        if new.after.between(old.after, old.through) {
            let range = KeyRange { after: old.after, through: new.after };
            return Some(Event::HandOver { range, to: self.predecessor });
        }
        Some(Event::TakeOver { range: KeyRange { after: new.after, through: old.after } })
    }

    pub(super) fn predecessor(&self) -> Option<Peer<I, A>> {
        Some(self.predecessor).filter(|peer| *peer != self.table.me)
    }

    pub(super) fn keys(&self) -> KeyRange<I> {
        KeyRange { after: self.predecessor.id, through: self.table.me.id }
    }

    /// Asks `peer` the question that belongs to the state.
    pub(super) fn ask(&mut self, peer: Peer<I, A>) {
        let request = Request::new(peer.address, self.now, &self.config, &mut self.rng);
        self.question = Some(Question { peer, request });
    }

    /// Ends the question if it was a query and node `id` has answered it. Another identifier at the
    /// same address means that the node asked is dead.
    fn take_answered(&mut self, from: A, token: u32, id: I) -> bool {
        if !self.awaits(from, token) || self.pings() {
            return false;
        }
        let right = self.question.as_ref().is_some_and(|question| question.peer.id == id);
        if right {
            self.question = None;
        } else {
            self.handle_dead();
        }
        right
    }

    pub(super) fn awaits(&self, from: A, token: u32) -> bool {
        let question = self.question.as_ref();
        question.is_some_and(|question| question.request.is_answered_by(from, token))
    }

    /// Tells whether the question of this state is a ping: it only asks for a sign of life.
    pub(super) fn pings(&self) -> bool {
        self.state == State::Rectifying || (self.state == State::Joining && self.saved.is_none())
    }

    /// Tells whether a step reads another node, so that others must not read this one meanwhile.
    fn is_reading(&self) -> bool {
        self.question.is_some() && matches!(self.state, State::Idle | State::Stabilizing)
    }

    pub(super) fn is_due(&self, at: Option<Duration>) -> bool {
        at.is_some_and(|at| at <= self.now)
    }

    /// Something about the ring is not as it was: looks closer.
    pub(super) fn set_changed(&mut self) {
        self.news.list_changed = true;
        self.pace = self.config.stabilize;
    }

    /// Returns the point in time about `span` from now.
    pub(super) fn after(&mut self, span: Duration) -> Option<Duration> {
        self.now.checked_add(self.rng.around(span))
    }
}
