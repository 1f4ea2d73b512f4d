//! One lookup: asks node after node, each closer before the key, around the dead ones; or lets the nodes
//! pass the question on, and asks by itself if that brings no answer.

mod answers;
mod silent;

use crate::config::{Settings, Style};
use crate::event::{Event, LookupFailure, LookupId};
use crate::id::Identifier;
use crate::list::List;
use crate::message::AVOIDED;
use crate::message::Message;
use crate::peer::Peer;
use crate::request::{Request, RequestStatus};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::Address;
pub(crate) use silent::{Silence, Silent};

/// How many silent nodes a lookup goes on asking beside the one whose turn it is.
const SILENT: usize = 3;
/// More nodes than this are not asked for one key.
const MOST_ASKED: u8 = 250;
/// After this many nodes that did not answer in time a lookup is in a part of the ring that has lost many.
const MANY_SILENT: u8 = 3;
/// How often a node is asked that only the owner after it knows: the node before both has found it dead, or it is new.
const TRIES_BEHIND: u8 = 2;
/// More of them than this must not be silent.
const MOST_DEAD: u8 = 64;

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
    /// Whether the origin is another node, which may have any identifier.
    starts_at_contact: bool,
    /// The owner is found and is being asked for a sign of life.
    confirming: bool,
    /// Whether the node asked has given the sign of life.
    lives: bool,
    /// How many nodes in a row, up to the one asked, were named by the owner that follows them.
    behind: u8,
    /// The last node before the key that lives and knows nobody after itself: others cannot know who comes after it, either.
    unsure: Option<I>,
    /// When to start again, as nobody knows the owner yet.
    resumes_at: Time,
    /// When it ends without an owner. [`Time::NEVER`] for lookups of the node itself, and once it has ended.
    until: Time,
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

/// What is left of a lookup that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<I, A> {
    /// Where the way started.
    pub(crate) origin: Peer<I, A>,
    /// The node that named the owner: the predecessor of the key.
    pub(crate) at: Peer<I, A>,
    /// How long the last answer took, in milliseconds; `u16::MAX` if that is not known.
    pub(crate) round_trip: u16,
    pub(crate) outcome: Outcome<I, A>,
}

/// A question that a lookup has to send.
pub(crate) struct Question<I, A> {
    pub(crate) to: A,
    /// The identifier of the node at `to`.
    id: I,
    token: u32,
    /// How the question is passed on, if it is.
    style: Option<Style>,
    /// Whether the node is asked as the owner.
    confirms: bool,
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
            starts_at_contact: false,
            confirming: false,
            lives: false,
            behind: 0,
            unsure: None,
            resumes_at: Time::NEVER,
            until: Time::NEVER,
            avoid: List::new(),
            silent: List::new(),
            failed: None,
            hops: 0,
            hops_reported: 0,
            timeouts: 0,
            end: End::Open,
        }
    }

    /// Makes the lookup only ask the origin for a sign of life.
    pub(crate) fn check_origin(&mut self) {
        self.confirming = true;
    }

    /// Makes the lookup ask the owner for a sign of life, or not.
    pub(crate) fn set_confirm(&mut self, confirm: bool) {
        self.confirm = confirm;
    }

    /// Makes the lookup end then if no owner is found.
    pub(crate) fn set_until(&mut self, until: Time) {
        self.until = until;
    }

    /// Starts the way at a contact: the node at the address of the origin, whatever its identifier is.
    pub(crate) fn start_at_contact(&mut self) {
        self.starts_at_contact = true;
    }

    pub(crate) fn is(&self, id: LookupId) -> bool {
        self.id == id
    }

    /// Ends the lookup at `peer`, which needs no sign of life.
    fn end_at(&mut self, peer: Peer<I, A>) {
        self.request = None;
        self.resumes_at = Time::NEVER;
        self.until = Time::NEVER;
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

    pub(crate) fn ended(&self) -> Option<Ended<I, A>> {
        let outcome = self.outcome()?;
        Some(Ended { origin: self.origin, at: self.at, round_trip: self.round_trip, outcome })
    }

    pub(crate) fn origin(&self) -> Peer<I, A> {
        self.origin
    }

    pub(crate) fn asked(&self) -> Peer<I, A> {
        self.asked
    }

    pub(crate) fn fail(&mut self, reason: LookupFailure) {
        self.request = None;
        self.resumes_at = Time::NEVER;
        self.until = Time::NEVER;
        self.silent = List::new();
        self.end = End::Failed(reason);
    }

    pub(crate) fn is_usable(&self, peer: &Peer<I, A>) -> bool {
        !self.avoid.contains(&peer.id)
    }

    /// Asks `peer` next.
    pub(crate) fn ask(&mut self, peer: Peer<I, A>, now: Time, settings: &Settings, rng: &mut Rng) {
        self.asked = peer;
        let tries = match () {
            () if self.is_passed_on() => 1, // silence does not tell which of many is dead
            () if self.behind > 0 => settings.tries.min(TRIES_BEHIND),
            () => settings.tries,
        };
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

    fn is_exhausted(&self) -> bool {
        self.hops >= MOST_ASKED || self.timeouts >= MOST_DEAD
    }

    /// Fires the timer of the node whose turn it is.
    pub(crate) fn handle_timeout(&mut self, now: Time, settings: &Settings) -> Silence {
        if self.until <= now {
            self.fail(LookupFailure::TimedOut);
            return Silence::Short;
        }
        if self.resumes_at <= now {
            self.resumes_at = Time::NEVER; // `settle` goes on
        }
        let Some(request) = &self.request else { return Silence::Short };
        let settings = self.hastened(settings, request.tries_left());
        let was_sent = !request.is_due();
        let Some(request) = &mut self.request else { return Silence::Short };
        if request.handle_timeout(now, &settings) == RequestStatus::Failed {
            return Silence::Final;
        }
        let expired = was_sent && request.is_due();
        if expired && self.may_go_beside() { Silence::Long } else { Silence::Short }
    }

    /// Returns the settings for the next one of `left` tries. The application waits for the end of its lookups: the
    /// first try has three quarters of the patience, or less where other nodes were silent, the next ones have a quarter
    /// and the last one has half of it. A late answer to any of them counts meanwhile.
    fn hastened(&self, settings: &Settings, left: u8) -> Settings {
        if self.is_own() || self.is_passed_on() {
            return *settings;
        }
        let all = settings.patience;
        let patience = match () {
            () if left <= 1 => all.part(2),
            () if left < settings.tries => all.part(4),
            () if self.timeouts == 0 => all.three_quarters(),
            () if self.timeouts < MANY_SILENT => all.part(2),
            () => all.part(4),
        };
        Settings { patience, ..*settings }
    }

    /// Returns whether the node itself wants to know, and not the application.
    pub(crate) fn is_own(&self) -> bool {
        self.id == LookupId(0)
    }

    pub(crate) fn deadline(&self) -> Time {
        let silent = self.silent.iter().map(|silent| silent.request.deadline());
        let own = self.request.as_ref().map_or(Time::NEVER, Request::deadline);
        silent.fold(own.min(self.resumes_at).min(self.until), Time::min)
    }

    /// Returns whether anything is to be sent.
    pub(crate) fn is_due(&self) -> bool {
        let due = |request: &Request| request.is_due();
        self.request.as_ref().is_some_and(due) || self.silent.iter().any(|it| due(&it.request))
    }

    /// Returns what is to be asked, if anything is.
    pub(crate) fn due_question(&self) -> Option<Question<I, A>> {
        let Some(request) = self.request.as_ref().filter(|request| request.is_due()) else {
            let silent = self.silent.iter().find(|silent| silent.request.is_due())?;
            let token = silent.request.token;
            let Peer { id, address } = silent.peer;
            return Some(Question {
                to: address,
                id,
                token,
                style: None,
                confirms: silent.confirming,
            });
        };
        let style = self.is_passed_on().then_some(self.style);
        let Peer { id, address } = self.asked;
        let token = request.token;
        Some(Question { to: address, id, token, style, confirms: self.confirming })
    }

    /// Returns a question as it is sent. A node that is asked as the owner is asked to avoid itself: it then names the node
    /// before it if that is the owner.
    pub(crate) fn message(&self, question: &Question<I, A>) -> Message<I, A> {
        let token = question.token;
        let key = self.key;
        if let Some(style) = question.style {
            let direct = style == Style::SemiRecursive;
            return Message::Route { token, key, hops: 1, direct, back: List::new() };
        }
        let others = self.avoid.iter().copied().filter(|id| *id != question.id);
        let mut avoid: List<I, AVOIDED> = others.collect();
        if question.confirms && !self.is_own() {
            avoid.push_over(question.id);
        }
        Message::Find { token, key, avoid }
    }

    /// What [`due_question`](Self::due_question) has returned is sent.
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
