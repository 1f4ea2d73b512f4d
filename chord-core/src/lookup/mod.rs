//! One lookup: asks node after node, each closer before the key, around the dead ones; or lets the nodes
//! pass the question on, and asks by itself if that brings no answer.

mod silent;

use crate::config::{Settings, Style};
use crate::event::{Event, LookupFailure, LookupId};
use crate::id::{Identifier, KeyRange};
use crate::list::List;
use crate::message::AVOIDED;
use crate::message::Message;
use crate::peer::Peer;
use crate::request::{Patience, Request};
use crate::rng::Rng;
use crate::routing::Route;
use crate::time::Time;
use crate::wire::Address;
pub(crate) use silent::{Silence, Silent};

/// How many silent nodes a lookup goes on asking beside the one whose turn it is.
const SILENT: usize = 3;
/// More nodes than this are not asked for one key.
const MOST_ASKED: u8 = 250;
/// More of them than this must not be dead: each costs the patience of all tries.
const MOST_DEAD: u8 = 24;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
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
    /// Whether the node asked has given the sign of life.
    lives: bool,
    /// Nodes that have not answered in time: others are asked to go around them.
    avoid: List<I, AVOIDED>,
    /// Those of them that are still being asked.
    silent: List<Silent<I, A>, SILENT>,
    /// A peer that was found dead, and has yet to be reported.
    failed: Option<Peer<I, A>>,
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
    /// None: the lookup has ended, or waits for those that it has asked.
    Nobody,
}

impl<I, A> Lookup<I, A> {
    pub(crate) const fn take_failed(&mut self) -> Option<Peer<I, A>> {
        self.failed.take()
    }
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
            lives: false,
            avoid: List::new(),
            silent: List::new(),
            failed: None,
            hops: 0,
            hops_reported: 0,
            timeouts: 0,
            end: End::Open,
        }
    }

    /// Creates a lookup that only asks `peer` for a sign of life.
    pub(crate) fn check(peer: Peer<I, A>) -> Self {
        Self { confirming: true, ..Self::new(LookupId(0), peer.id, peer) }
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
    fn end_at(&mut self, peer: Peer<I, A>) {
        self.request = None;
        self.asked = peer;
        self.end = End::Owner;
        self.silent = List::new();
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
        self.silent = List::new();
        self.end = End::Failed(reason);
    }

    pub(crate) fn is_usable(&self, peer: &Peer<I, A>) -> bool {
        !self.avoid.contains(&peer.id)
    }

    /// Asks `peer` next.
    pub(crate) fn ask(&mut self, peer: Peer<I, A>, now: Time, settings: &Settings, rng: &mut Rng) {
        self.asked = peer;
        // What is passed on gets one try: silence does not tell who of many is dead.
        let tries = if self.is_passed_on() { 1 } else { settings.tries };
        let settings = Settings { tries, ..self.hastened(settings, tries) };
        self.request = Some(Request::new(now, &settings, rng));
        self.sent_at = None;
    }

    pub(crate) fn is_answered_by(&self, from: A, token: u32) -> bool {
        self.asked.address == from && self.has_token(token)
    }

    /// Returns whether a node that was not asked by this one may answer.
    pub(crate) fn is_found_by(&self, token: u32) -> bool {
        self.is_passed_on() && self.has_token(token)
    }

    /// Returns whether the node whose turn it is was asked with this token.
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
    /// counts as no answer: a node that lies cannot make it go round without end.
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
            self.confirm(self.asked);
            return Next::Nobody; // it lives; where it would send us is of no interest
        }
        if id != self.asked.id || !self.is_sound(id, &route) {
            return self.handle_death();
        }
        if self.asked != self.at || self.hops == 0 {
            self.hops = self.hops.saturating_add(1);
        }
        self.at = self.asked;
        self.follow(route)
    }

    /// Returns whether an answer of node `id` brings the lookup closer to its key.
    fn is_sound(&self, id: I, route: &Route<I, A>) -> bool {
        match route {
            Route::Ask(peer) => peer.id.between(id, self.key) && self.is_usable(peer),
            Route::Owner(peer) => {
                (KeyRange { after: id, through: peer.id }).contains(self.key)
                    && self.is_usable(peer)
            }
        }
    }

    /// Goes where the own table leads, or an answer.
    pub(crate) fn follow(&mut self, route: Route<I, A>) -> Next<I, A> {
        self.request = None;
        match route {
            Route::Owner(peer) if !self.confirm || peer == self.at || peer == self.origin => {
                self.confirm(peer);
                return Next::Nobody;
            }
            Route::Owner(peer) | Route::Ask(peer) if !self.is_exhausted() => {
                self.confirming = matches!(route, Route::Owner(_));
                return Next::Peer(peer);
            }
            Route::Owner(_) | Route::Ask(_) => self.fail(LookupFailure::NoRoute),
        }
        Next::Nobody
    }

    /// The node asked is dead: the last one that answered has to name another, and if that is the
    /// dead one, the way starts again.
    pub(crate) fn handle_death(&mut self) -> Next<I, A> {
        self.request = None;
        self.confirming = false;
        self.timeouts = self.timeouts.saturating_add(1);
        self.avoid.push_over(self.asked.id);
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
            End::Owner | End::Failed(_) => Next::Nobody,
        }
    }

    fn is_exhausted(&self) -> bool {
        self.hops >= MOST_ASKED || self.timeouts >= MOST_DEAD
    }

    /// Fires the timer of the node whose turn it is.
    pub(crate) fn handle_timeout(&mut self, now: Time, settings: &Settings) -> Silence {
        let Some(request) = &self.request else { return Silence::Short };
        let settings = self.hastened(settings, request.tries_left());
        let was_sent = !request.is_due();
        let Some(request) = &mut self.request else { return Silence::Short };
        if request.handle_timeout(now, &settings) == Patience::Ends {
            return Silence::Final;
        }
        let expired = was_sent && request.is_due();
        if expired && self.may_go_beside() { Silence::Long } else { Silence::Short }
    }

    /// Returns the settings for the next one of `left` tries. The application waits for the end of its lookups: the
    /// first try has three quarters of the patience and the next ones have a quarter. The last one has it all, so that a
    /// late answer to any of them still counts.
    fn hastened(&self, settings: &Settings, left: u8) -> Settings {
        if self.is_own() || left <= 1 {
            return *settings;
        }
        let all = settings.patience;
        let patience = if left >= settings.tries { all.three_quarters() } else { all.part(4) };
        Settings { patience, ..*settings }
    }

    /// Returns whether the node itself wants to know, and not the application.
    fn is_own(&self) -> bool {
        self.id == LookupId(0)
    }

    pub(crate) fn deadline(&self) -> Time {
        let silent = self.silent.iter().map(|silent| silent.request.deadline());
        let own = self.request.as_ref().map_or(Time::NEVER, Request::deadline);
        silent.fold(own, Time::min)
    }

    /// Returns whether anything is to be sent.
    pub(crate) fn is_due(&self) -> bool {
        let due = |request: &Request| request.is_due();
        self.request.as_ref().is_some_and(due) || self.silent.iter().any(|it| due(&it.request))
    }

    /// Returns what is to be sent, if anything is.
    pub(crate) fn transmit(&self) -> Option<(A, Message<I, A>)> {
        let Some(request) = self.request.as_ref().filter(|request| request.is_due()) else {
            let silent = self.silent.iter().find(|silent| silent.request.is_due())?;
            return Some((silent.peer.address, self.find(silent.request.token)));
        };
        let token = request.token;
        let message = if self.is_passed_on() {
            let direct = self.style == Style::SemiRecursive;
            Message::Route { token, key: self.key, hops: 1, direct, back: List::new() }
        } else {
            self.find(token)
        };
        Some((self.asked.address, message))
    }

    fn find(&self, token: u32) -> Message<I, A> {
        Message::Find { token, key: self.key, avoid: self.avoid.clone() }
    }

    /// What [`transmit`](Self::transmit) has returned is sent.
    pub(crate) fn set_sent(&mut self, now: Time) {
        if let Some(request) = self.request.as_mut().filter(|request| request.is_due()) {
            request.set_sent();
            self.sent_at = self.sent_at.or(Some(now));
        } else if let Some(silent) =
            self.silent.as_mut_slice().iter_mut().find(|it| it.request.is_due())
        {
            silent.request.set_sent();
        }
    }

    /// Keeps a failure until it is polled. Returns whether there was room.
    pub(crate) fn set_failed(&mut self, peer: Peer<I, A>) -> bool {
        let room = self.failed.is_none();
        self.failed.get_or_insert(peer);
        room
    }

    /// Returns the next event: a failure, a hop, or the end.
    pub(crate) fn poll_event(&mut self) -> Option<Event<I, A>> {
        let id = self.id;
        let key = self.key;
        if let Some(peer) = self.failed.take() {
            return Some(Event::PeerFailed(peer));
        }
        if self.hops_reported != self.hops {
            self.hops_reported = self.hops;
            return Some(Event::LookupHop { lookup: id, hop: self.hops, peer: self.at });
        }
        let hops = self.hops;
        let timeouts = self.timeouts;
        Some(match self.outcome()? {
            Outcome::Owner(owner) => Event::LookupDone { lookup: id, key, owner, hops, timeouts },
            Outcome::Failed(reason) => Event::LookupFailed { lookup: id, key, reason },
        })
    }
}
