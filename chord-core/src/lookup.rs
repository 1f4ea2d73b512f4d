//! One lookup: asks node after node, each closer before the key, around the dead ones; or lets the nodes
//! pass the question on, and asks by itself if that brings no answer.

use crate::config::{Settings, Style};
use crate::event::{Event, LookupFailure, LookupId};
use crate::id::{Identifier, KeyRange};
use crate::list::List;
use crate::message::AVOIDED;
use crate::message::Message;
use crate::peer::Peer;
use crate::relay::{Relay, Relayed};
use crate::request::{Patience, Request};
use crate::rng::Rng;
use crate::routing::Route;
use crate::time::{Span, Time};
use crate::wire::Address;

/// More nodes than this are not asked for one key.
const MOST_ASKED: u8 = 250;
/// More of them than this must not be dead: each costs the patience of all tries.
const MOST_DEAD: u8 = 24;

/// Room for one lookup of the application, or for a question or an answer that the node passes on for
/// others, until it is sent. See the crate's page for its size.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookupSlot<I, A>(pub(crate) Slot<I, A>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Slot<I, A> {
    Empty,
    Lookup(Lookup<I, A>),
    Relay(Relay<I, A>),
    /// A question was passed on; its answer may go back until then.
    Passed {
        token: u32,
        to: A,
        until: Time,
    },
}

impl<I: Identifier, A: Address> Slot<I, A> {
    /// What was to be passed on is sent. A question whose answer comes back this way is remembered for as long
    /// as two tries take: no other answer is passed on.
    pub(crate) fn set_relay_sent(&mut self, now: Time, patience: Span) {
        let Self::Relay(relay) = self else { return };
        *self = match relay.what {
            Relayed::Question { direct: false, .. } => Self::Passed {
                token: relay.token,
                to: relay.to,
                until: now.after(patience).after(patience),
            },
            Relayed::Question { .. } | Relayed::Answer { .. } => Self::Empty,
        };
    }
}

impl<I, A> LookupSlot<I, A> {
    /// A slot without a lookup.
    pub const EMPTY: Self = Self(Slot::Empty);

    pub(crate) fn put(&mut self, lookup: Lookup<I, A>) {
        self.0 = Slot::Lookup(lookup);
    }

    /// Takes a lookup out of its slot.
    pub(crate) fn take(&mut self) -> Option<Lookup<I, A>> {
        match core::mem::replace(self, Self::EMPTY).0 {
            Slot::Lookup(lookup) => Some(lookup),
            Slot::Empty | Slot::Relay(_) | Slot::Passed { .. } => None,
        }
    }

    /// Returns whether a question with this token was passed on to `from`.
    pub(crate) fn has_passed(&self, token: u32, from: &A) -> bool
    where
        A: PartialEq,
    {
        matches!(&self.0, Slot::Passed { token: passed, to, .. } if *passed == token && to == from)
    }

    /// Returns whether the slot serves a lookup of another node.
    pub(crate) fn is_for_others(&self) -> bool {
        matches!(self.0, Slot::Relay(_) | Slot::Passed { .. })
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.0, Slot::Empty)
    }

    pub(crate) fn lookup(&self) -> Option<&Lookup<I, A>> {
        if let Slot::Lookup(lookup) = &self.0 { Some(lookup) } else { None }
    }

    pub(crate) fn lookup_mut(&mut self) -> Option<&mut Lookup<I, A>> {
        if let Slot::Lookup(lookup) = &mut self.0 { Some(lookup) } else { None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Lookup<I, A> {
    id: LookupId,
    key: I,
    /// Where the way starts: the node itself, or its contact while it joins.
    origin: Peer<I, A>,
    /// The last node that has answered, or `origin`.
    at: Peer<I, A>,
    /// The node that is asked now, or the owner once the lookup has ended there.
    asked: Peer<I, A>,
    request: Option<Request>,
    /// Not iterative while the question is being passed on.
    style: Style,
    /// When the question was first sent, for the round trip.
    sent_at: Option<Time>,
    /// Of the last answer, in milliseconds.
    round_trip: u16,
    confirm: bool,
    /// Whether the node at the address of the origin may have any identifier.
    any_origin: bool,
    /// The owner is found and is being asked for a sign of life.
    confirming: bool,
    dead: List<I, AVOIDED>,
    hops: u8,
    hops_reported: u8,
    timeouts: u8,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    Open,
    Owner,
    Failed(LookupFailure),
}

/// How a lookup has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome<I, A> {
    Owner(Peer<I, A>),
    Failed(LookupFailure),
}

/// Which node a lookup has to ask next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next<I, A> {
    /// The node's own table.
    OwnTable,
    /// Another node.
    Peer(Peer<I, A>),
    /// The lookup has ended.
    Ended,
}

impl<I: Identifier, A: Address> Lookup<I, A> {
    pub(crate) fn new(id: LookupId, key: I, origin: Peer<I, A>) -> Self {
        Self {
            id,
            key,
            origin,
            at: origin,
            asked: origin,
            request: None,
            style: Style::Iterative,
            sent_at: None,
            round_trip: u16::MAX,
            confirm: false,
            any_origin: false,
            confirming: false,
            dead: List::new(),
            hops: 0,
            hops_reported: 0,
            timeouts: 0,
            end: End::Open,
        }
    }

    /// Makes the lookup ask the owner for a sign of life, or not.
    pub(crate) fn set_confirm(&mut self, confirm: bool) {
        self.confirm = confirm;
    }

    /// Lets the origin be the node at its address, whatever its identifier is.
    pub(crate) fn accept_any_origin(&mut self) {
        self.any_origin = true;
    }

    pub(crate) fn is(&self, id: LookupId) -> bool {
        self.id == id
    }

    /// Ends the lookup at `peer`, which needs no sign of life.
    pub(crate) fn end_at(&mut self, peer: Peer<I, A>) {
        self.request = None;
        self.asked = peer;
        self.end = End::Owner;
    }

    /// Returns whether the owner is found and is being asked for a sign of life.
    pub(crate) fn is_confirming(&self) -> bool {
        self.confirming
    }

    /// Sets the node that is asked without asking it.
    pub(crate) fn set_asked(&mut self, peer: Peer<I, A>) {
        self.asked = peer;
    }

    pub(crate) fn set_style(&mut self, style: Style) {
        self.style = style;
    }

    /// Returns whether other nodes pass the question on.
    pub(crate) fn is_passed_on(&self) -> bool {
        self.style != Style::Iterative
    }

    /// Returns how long the last answer took, in milliseconds; `u16::MAX` if that is not known.
    pub(crate) fn round_trip(&self) -> u16 {
        self.round_trip
    }

    pub(crate) fn key(&self) -> I {
        self.key
    }

    pub(crate) fn outcome(&self) -> Option<Outcome<I, A>> {
        match self.end {
            End::Open => None,
            End::Owner => Some(Outcome::Owner(self.asked)),
            End::Failed(reason) => Some(Outcome::Failed(reason)),
        }
    }

    /// Returns the node that named the owner: the predecessor of the key.
    pub(crate) fn at(&self) -> Peer<I, A> {
        self.at
    }

    pub(crate) fn origin(&self) -> Peer<I, A> {
        self.origin
    }

    pub(crate) fn asked(&self) -> Peer<I, A> {
        self.asked
    }

    pub(crate) fn fail(&mut self, reason: LookupFailure) {
        self.request = None;
        self.end = End::Failed(reason);
    }

    pub(crate) fn is_usable(&self, peer: &Peer<I, A>) -> bool {
        !self.dead.contains(&peer.id)
    }

    /// Asks `peer` next.
    pub(crate) fn ask(&mut self, peer: Peer<I, A>, now: Time, settings: &Settings, rng: &mut Rng) {
        self.asked = peer;
        // What is passed on gets one try: silence does not tell who of many is dead.
        let tries = if self.is_passed_on() { 1 } else { settings.tries };
        self.request = Some(Request::new(now, &Settings { tries, ..*settings }, rng));
        self.sent_at = None;
    }

    pub(crate) fn is_answered_by(&self, from: A, token: u32) -> bool {
        self.asked.address == from && self.has_token(token)
    }

    /// Returns whether a node that was not asked by this one may answer.
    pub(crate) fn is_found_by(&self, token: u32) -> bool {
        self.is_passed_on() && self.has_token(token)
    }

    pub(crate) fn has_token(&self, token: u32) -> bool {
        self.request.as_ref().is_some_and(|request| request.token == token)
    }

    /// Node `id` before the key says after `hops` hops who owns it.
    pub(crate) fn handle_found(&mut self, id: I, owner: Peer<I, A>, hops: u8) -> Next<I, A> {
        if !(KeyRange { after: id, through: owner.id }).contains(self.key) {
            return self.handle_no_answer();
        }
        self.style = Style::Iterative;
        self.hops = hops;
        self.hops_reported = hops;
        self.follow(Route::Owner(owner))
    }

    /// The question was passed on, and nobody has answered: asks by itself.
    pub(crate) fn handle_no_answer(&mut self) -> Next<I, A> {
        self.request = None;
        self.style = Style::Iterative;
        self.timeouts = self.timeouts.saturating_add(1);
        Next::OwnTable
    }

    /// Processes the answer of node `id`. What does not bring the lookup closer to its key
    /// counts as no answer: a node that lies cannot make it go round in circles.
    pub(crate) fn handle_answer(&mut self, now: Time, id: I, route: Route<I, A>) -> Next<I, A> {
        self.round_trip = self.sent_at.map_or(u16::MAX, |at| at.millis_to(now));
        if self.any_origin && self.asked == self.origin {
            let first = self.at == self.origin;
            self.origin.id = id;
            self.asked.id = id;
            if first {
                self.at = self.origin;
            }
        }
        if self.confirming && id == self.asked.id {
            self.request = None;
            self.end = End::Owner;
            return Next::Ended; // it lives; where it would send us is of no interest
        }
        let sound = match route {
            Route::Ask(peer) => peer.id.between(id, self.key) && self.is_usable(&peer),
            Route::Owner(peer) => {
                (KeyRange { after: id, through: peer.id }).contains(self.key)
                    && self.is_usable(&peer)
            }
        };
        if id != self.asked.id || !sound {
            return self.handle_death();
        }
        if self.asked != self.at || self.hops == 0 {
            self.hops = self.hops.saturating_add(1);
        }
        self.at = self.asked;
        self.follow(route)
    }

    /// Goes where the own table leads, or an answer.
    pub(crate) fn follow(&mut self, route: Route<I, A>) -> Next<I, A> {
        self.request = None;
        match route {
            Route::Owner(peer) if !self.confirm || peer == self.at || peer == self.origin => {
                self.asked = peer;
                self.end = End::Owner;
                return Next::Ended;
            }
            Route::Owner(peer) | Route::Ask(peer) if !self.is_exhausted() => {
                self.confirming = matches!(route, Route::Owner(_));
                return Next::Peer(peer);
            }
            Route::Owner(_) | Route::Ask(_) => self.fail(LookupFailure::NoRoute),
        }
        Next::Ended
    }

    /// The node asked is dead: the last one that answered has to name another, and if that is the
    /// dead one, the way starts again.
    pub(crate) fn handle_death(&mut self) -> Next<I, A> {
        self.request = None;
        self.confirming = false;
        self.timeouts = self.timeouts.saturating_add(1);
        self.dead.push_over(self.asked.id);
        if self.asked == self.at {
            self.at = self.origin;
        }
        let lost = self.asked == self.origin; // only a contact can be that
        if lost || self.is_exhausted() {
            self.fail(LookupFailure::NoRoute);
        }
        match self.end {
            End::Open if self.at == self.origin => Next::OwnTable,
            End::Open => Next::Peer(self.at),
            End::Owner | End::Failed(_) => Next::Ended,
        }
    }

    fn is_exhausted(&self) -> bool {
        self.hops >= MOST_ASKED || self.timeouts >= MOST_DEAD
    }

    /// Returns whether the node asked has to be given up.
    pub(crate) fn handle_timeout(&mut self, now: Time, settings: &Settings) -> bool {
        let request = self.request.as_mut();
        request.is_some_and(|request| request.handle_timeout(now, settings) == Patience::Ends)
    }

    pub(crate) fn deadline(&self) -> Time {
        self.request.as_ref().map_or(Time::NEVER, Request::deadline)
    }

    /// Returns what is to be sent, if anything is.
    pub(crate) fn transmit(&self) -> Option<(A, Message<I, A>)> {
        let request = self.request.as_ref().filter(|request| request.is_due())?;
        let token = request.token;
        let key = self.key;
        let message = if self.is_passed_on() {
            let direct = self.style == Style::SemiRecursive;
            Message::Route { token, key, hops: 1, direct, back: List::new() }
        } else {
            Message::Find { token, key, avoid: self.dead.clone() }
        };
        Some((self.asked.address, message))
    }

    pub(crate) fn set_sent(&mut self, now: Time) {
        if let Some(request) = &mut self.request {
            request.set_sent();
            self.sent_at = self.sent_at.or(Some(now));
        }
    }
}

impl<I: Identifier, A: Address> LookupSlot<I, A> {
    pub(crate) fn deadline(&self) -> Time {
        match &self.0 {
            Slot::Empty | Slot::Relay(_) => Time::NEVER,
            Slot::Lookup(lookup) => lookup.deadline(),
            Slot::Passed { until, .. } => *until,
        }
    }

    /// Returns the next thing to tell; after the last one the slot is free.
    pub(crate) fn poll_event(&mut self) -> Option<Event<I, A>> {
        let lookup = self.lookup_mut()?;
        let id = lookup.id;
        let key = lookup.key;
        if lookup.hops_reported != lookup.hops {
            lookup.hops_reported = lookup.hops;
            return Some(Event::LookupHop { lookup: id, hop: lookup.hops, peer: lookup.at });
        }
        let hops = lookup.hops;
        let timeouts = lookup.timeouts;
        let event = match lookup.outcome()? {
            Outcome::Owner(owner) => Event::LookupDone { lookup: id, key, owner, hops, timeouts },
            Outcome::Failed(reason) => Event::LookupFailed { lookup: id, key, reason },
        };
        self.0 = Slot::Empty;
        Some(event)
    }
}
