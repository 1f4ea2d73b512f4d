//! How messages and time reach a node.

use core::time::Duration;

use super::data::{Answer, Content, NodeMut, Timer, Waiting};
use super::pending::Flag;
use super::state::State;
use crate::error::{DatagramError, DecodeError, Full};
use crate::event::LookupFailure;
use crate::id::Identifier;
use crate::lookup_slot::LookupSlot;
use crate::message::{AMPLIFICATION, Message};
use crate::peer::Peer;
use crate::request::{Request, RequestStatus};
use crate::routing::Route;
use crate::time::{Span, Time};
use crate::wire::Address;

/// How often a peer is pinged that nobody but itself has named: each costs its alleged address a datagram.
const TRIES_FOR_STRANGERS: u8 = 2;

/// What is left to do for a message, without its lists.
enum Received<I, A> {
    /// A question that this node has asked itself.
    OwnQuestion {
        token: u32,
    },
    /// The state of another node than the one asked, which is dead.
    OtherState,
    Pong {
        token: u32,
        id: I,
    },
    Busy {
        token: u32,
    },
    Absent {
        token: u32,
    },
    Notify {
        id: I,
    },
    Route {
        token: u32,
        id: I,
        route: Route<I, A>,
    },
    Nudge {
        id: I,
    },
    Leave {
        id: I,
    },
    Found {
        token: u32,
        id: I,
        peer: Peer<I, A>,
        hops: u8,
    },
    /// Nothing: the node has read the state, answered, or passed the message on.
    Done,
}

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    pub(super) fn handle_datagram(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        now: Duration,
        from: A,
        bytes: &[u8],
    ) -> Result<(), DatagramError> {
        let received = self.decode_and_handle(slots, now, from, bytes)?;
        self.handle_received(slots, from, &received);
        self.finish_inner();
        self.fail_lookups(slots);
        Ok(())
    }

    /// A message is large: it is borrowed where it was read, and each step has its own stack. What leads to the
    /// deepest calls is returned.
    #[cfg_attr(target_os = "none", inline(never))]
    fn decode_and_handle(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        now: Duration,
        from: A,
        bytes: &[u8],
    ) -> Result<Received<I, A>, DatagramError> {
        match &Message::decode(bytes) {
            Ok((message, [])) => self.handle_decoded(slots, now, from, message),
            Ok((_, rest)) => Err(DecodeError::Trailing(rest.len()).into()),
            Err(error) => Err((*error).into()),
        }
    }

    fn handle_decoded(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        now: Duration,
        from: A,
        message: &Message<I, A>,
    ) -> Result<Received<I, A>, DatagramError> {
        let own = message.question_token().filter(|token| self.is_own_question(slots, *token));
        #[cfg(test)]
        let own = own.filter(|_| !self.mutate_recognition());
        if let Some(token) = own {
            self.core.advance_clock(now);
            return Ok(Received::OwnQuestion { token });
        }
        self.take_question(from, message)?;
        self.relay(slots, from, message)?;
        self.core.advance_clock(now); // only now: an error leaves the node unchanged
        if let Message::State { token, id, predecessor, successors } = message
            && self.awaits(from, *token)
            && !self.pings()
        {
            if !self.take_answered(*id) {
                return Ok(Received::OtherState);
            }
            self.handle_state(*predecessor, successors);
        }
        Ok(Received::of(message))
    }

    #[cfg_attr(target_os = "none", inline(never))] // see `decode_and_handle`
    fn handle_received(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        from: A,
        received: &Received<I, A>,
    ) {
        match *received {
            Received::OwnQuestion { token } => self.handle_own_question(slots, token),
            Received::OtherState => self.handle_dead(),
            Received::Pong { token, id } => self.handle_pong(from, token, id),
            Received::Busy { token } => self.handle_busy(slots, from, token),
            Received::Absent { token } => self.handle_absent(slots, from, token),
            Received::Notify { id } => self.handle_notify(Peer { id, address: from }),
            Received::Route { token, id, route } => {
                self.handle_route(slots, from, token, id, route);
            }
            Received::Nudge { id } => self.handle_nudge(Peer { id, address: from }),
            Received::Leave { id } => self.handle_leave(Peer { id, address: from }),
            Received::Found { token, id, peer, hops } => {
                self.handle_found(slots, token, id, peer, hops);
            }
            Received::Done => {}
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
            || slots.iter().filter_map(LookupSlot::lookup).any(|lookup| lookup.has_asked(token))
    }

    /// No other node is where the question went.
    pub(super) fn handle_own_question(&mut self, slots: &mut [LookupSlot<I, A>], token: u32) {
        if self.core.question.as_ref().is_some_and(|request| request.token == token) {
            self.handle_dead();
        }
        self.with_lookups(slots, &mut |node, lookup| {
            if lookup.has_token(token) {
                node.go_around(lookup);
            }
            lookup.forget_silent(token);
        });
    }

    /// Makes room for the answer to a question, if the message is one.
    #[inline(never)] // see `handle_datagram`
    fn take_question(&mut self, to: A, message: &Message<I, A>) -> Result<(), Full> {
        let (token, content) = match message {
            Message::Ping { padding, .. } if *padding < Message::<I, A>::ping_padding() => {
                return Ok(()); // its answer would be too long for a stranger
            }
            Message::Ping { token, .. } => (*token, Content::Pong),
            Message::Query { token, .. } => {
                if self.wait_for_state(to, *token, message.encoded_len()) {
                    return Ok(());
                }
                (*token, Content::Busy)
            }
            Message::Find { token, key, avoid } => {
                (*token, Content::Route(self.route_for(*key, avoid)))
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

    /// Lets a query of `len` bytes wait for the state. Returns `false` for the second one of an asker, which shows
    /// its impatience, and if too many wait.
    fn wait_for_state(&mut self, to: A, token: u32, len: usize) -> bool {
        let asked = |waiting: &Waiting<A>| waiting.to == to && waiting.token == token;
        if self.core.waiting.iter().any(asked) {
            return false;
        }
        // The predecessor has shown that it receives what is sent to its address.
        let known = self.core.predecessor().is_some_and(|peer| peer.address == to);
        let longest = if known { usize::MAX } else { len.saturating_mul(AMPLIFICATION) };
        let limit = u16::try_from(longest).unwrap_or(u16::MAX);
        self.core.waiting.push(Waiting { to, token, limit }).is_ok()
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
                if patience == Some(RequestStatus::Failed) {
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

    /// Asks the question that belongs to the state, of the node that it is for.
    pub(super) fn ask(&mut self) {
        let mut settings = self.core.settings;
        if self.core.verifying {
            settings.tries = settings.tries.min(TRIES_FOR_STRANGERS);
        }
        self.core.question = Some(Request::new(self.core.now, &settings, &mut self.core.rng));
    }

    /// Asks a stranger for a sign of life before anything else: its address may be that of a victim.
    pub(super) fn verify(&mut self) {
        self.core.verifying = true;
        self.ask();
    }

    /// Returns the peer that the question of the state is for. Nothing changes that while the question is on its way.
    pub(super) fn asked(&self) -> Option<Peer<I, A>> {
        match self.core.state {
            State::Outside | State::Gone => None,
            // The answer of the contact names its identifier.
            State::Joining => self
                .core
                .saved
                .or(self.core.contact.map(|address| Peer { address, ..self.core.me })),
            State::Idle => self.table.successors.first(),
            State::Stabilizing => self.core.saved,
            State::Rectifying if self.core.verifying => self.core.saved,
            State::Rectifying => Some(self.core.predecessor),
        }
    }

    /// Ends the query that node `id` has answered. Returns `false` if another identifier was asked at the
    /// same address.
    fn take_answered(&mut self, id: I) -> bool {
        let right = self.asked().is_some_and(|peer| peer.id == id);
        if right {
            self.core.question = None;
            self.core.busy = 0;
        }
        right
    }

    pub(super) fn awaits(&self, from: A, token: u32) -> bool {
        self.core.question.as_ref().is_some_and(|request| request.token == token)
            && self.asked().is_some_and(|peer| peer.address == from)
    }

    /// Returns whether the question of this state is a ping: it only asks for a sign of life.
    pub(super) fn pings(&self) -> bool {
        self.core.verifying
            || self.core.state == State::Rectifying
            || (self.core.state == State::Joining && self.core.saved.is_none())
    }

    /// Returns whether a step reads another node, so that others must not read this one meanwhile.
    pub(super) fn is_reading(&self) -> bool {
        let reads = matches!(self.core.state, State::Idle | State::Stabilizing);
        self.core.question.is_some() && reads && !self.core.verifying
    }

    /// Something about the ring is not as it was: looks closer.
    pub(super) fn set_changed(&mut self) {
        self.core.pending_events.set(Flag::List);
        self.core.interval = self.core.settings.stabilize;
    }

    /// Returns the point in time about `span` from now.
    pub(super) fn after(&mut self, span: Span) -> Time {
        self.core.now.after_nanos(span.jittered(&mut self.core.rng))
    }
}

impl<I: Identifier, A: Address> Received<I, A> {
    fn of(message: &Message<I, A>) -> Self {
        match *message {
            Message::Pong { token, id } => Self::Pong { token, id },
            Message::Busy { token } => Self::Busy { token },
            Message::Absent { token } => Self::Absent { token },
            Message::Notify { id } => Self::Notify { id },
            Message::Closer { token, id, peer } => {
                Self::Route { token, id, route: Route::Ask(peer) }
            }
            Message::Owner { token, id, peer } => {
                Self::Route { token, id, route: Route::Owner(peer) }
            }
            Message::Nudge { id } => Self::Nudge { id },
            Message::Leave { id } => Self::Leave { id },
            Message::Found { token, id, peer, hops, ref back } if back.is_empty() => {
                Self::Found { token, id, peer, hops }
            }
            Message::Ping { .. }
            | Message::State { .. }
            | Message::Query { .. }
            | Message::Find { .. }
            | Message::Route { .. }
            | Message::Found { .. } => Self::Done,
        }
    }
}
