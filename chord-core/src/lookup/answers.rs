//! What an answer means for a lookup: where it goes next, which nodes it goes around, and when it waits.

use super::{End, Lookup, Next};
use crate::config::{Settings, Style};
use crate::event::LookupFailure;
use crate::id::{Identifier, KeyRange};
use crate::peer::Peer;
use crate::routing::Route;
use crate::time::Time;
use crate::wire::Address;

/// A pause counts as this many silent nodes.
const PAUSE: u8 = 2;
/// As many nodes as this may be named one by the other, each by the owner after it: few join at one place at a time.
const MOST_BEHIND: u8 = 8;

impl<I: Identifier, A: Address> Lookup<I, A> {
    /// Node `id` before the key says after `hops` hops who owns it.
    pub(crate) fn handle_found(&mut self, id: I, owner: Peer<I, A>, hops: u8) -> Next<I, A> {
        let sound = (KeyRange { after: id, through: owner.id }).contains(self.key);
        if !sound || id == owner.id {
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
    /// counts as no answer: a node that lies cannot make it go round without end. A node that was named as
    /// the owner may know of another one that lies before it.
    pub(crate) fn handle_answer(
        &mut self,
        now: Time,
        settings: &Settings,
        id: I,
        route: Route<I, A>,
    ) -> Next<I, A> {
        self.round_trip = self.sent_at.map_or(u16::MAX, |at| at.millis_to(now));
        if self.starts_at_contact && self.asked == self.origin {
            let first = self.at == self.origin;
            self.origin.id = id;
            self.asked.id = id;
            if first {
                self.at = self.origin;
            }
        }
        if self.confirming && id == self.asked.id {
            if let Some(nearer) = self.nearer(self.asked, &route) {
                return self.follow_nearer(nearer, now, settings);
            }
            self.confirm(self.asked);
            return Next::Nobody;
        }
        let route = self.verified(id, route);
        if id != self.asked.id || !route.is_none_or(|route| self.is_sound(id, &route)) {
            return self.handle_death();
        }
        if self.asked != self.at || self.hops == 0 {
            self.hops = self.hops.saturating_add(1);
        }
        self.at = self.asked;
        match route {
            Some(Route::Owner(_)) if self.spans_unsure(id) => self.pause(now, settings),
            Some(route) => return self.follow(route),
            None => return self.handle_unsure(now, settings),
        }
        Next::Nobody
    }

    /// The node asked lives, and knows nobody after itself: others are asked unless the last one was like that, too.
    pub(crate) fn handle_unsure(&mut self, now: Time, settings: &Settings) -> Next<I, A> {
        let id = self.asked.id;
        if self.spans_unsure(id) {
            self.pause(now, settings);
            return Next::Nobody;
        }
        self.set_unsure(id);
        self.handle_death()
    }

    pub(super) fn set_unsure(&mut self, id: I) {
        self.forget_candidates();
        if let Some(before) = self.unsure.replace(id) {
            self.allow(before); // the new one is nearer
        }
    }

    /// Returns whether a node that knows nobody after itself lies between node `id` and the key.
    pub(crate) fn spans_unsure(&self, id: I) -> bool {
        self.unsure.is_some_and(|unsure| unsure.between(id, self.key))
    }

    /// Reads an answer of node `id`. A node to ask that lies beyond the key is the next one that `id` knows, and others
    /// may lie between: `None`, unless that is good enough for a lookup of the node itself.
    pub(super) fn verified(&self, id: I, route: Route<I, A>) -> Option<Route<I, A>> {
        match route {
            Route::Ask(peer) if (KeyRange { after: id, through: peer.id }).contains(self.key) => {
                self.is_own().then_some(Route::Owner(peer))
            }
            route => Some(route),
        }
    }

    /// Returns the node that owns the key in the place of `owner` if `route`, the answer of `owner`, names a usable one.
    /// Only the application's lookups heed it: others want what the node before the key says.
    pub(crate) fn nearer(&self, owner: Peer<I, A>, route: &Route<I, A>) -> Option<Peer<I, A>> {
        let Route::Owner(peer) = *route else { return None };
        let nearer = self.key.distance(peer.id) < self.key.distance(owner.id);
        (nearer && !self.is_own() && self.is_usable(&peer)).then_some(peer)
    }

    /// Returns whether an answer of node `id` brings the lookup closer to its key.
    pub(super) fn is_sound(&self, id: I, route: &Route<I, A>) -> bool {
        match route {
            Route::Ask(peer) => peer.id.between(id, self.key) && self.is_usable(peer),
            // It takes itself for alone, but the member that asks it exists, too.
            Route::Owner(peer) if peer.id == id && !self.is_own() => false,
            Route::Owner(peer) if self.passes_asker(*peer) => false,
            Route::Owner(peer) => {
                (KeyRange { after: id, through: peer.id }).contains(self.key)
                    && self.is_usable(peer)
            }
        }
    }

    /// Returns whether an owner that was named for a finger lies beyond the node that looks it up. That node is a member nearer to
    /// the key, so the one that named the owner lies, or belongs to another ring. To record the owner would empty the table of fingers.
    fn passes_asker(&self, owner: Peer<I, A>) -> bool {
        let refreshes_finger = self.is_own() && !self.starts_at_contact;
        refreshes_finger && self.key.distance(owner.id) > self.key.distance(self.origin.id)
    }

    /// Asks the node before an owner, which that one has named.
    pub(crate) fn follow_nearer(
        &mut self,
        peer: Peer<I, A>,
        now: Time,
        settings: &Settings,
    ) -> Next<I, A> {
        let behind = self.behind.saturating_add(1);
        if behind > MOST_BEHIND {
            self.pause(now, settings);
            return Next::Nobody;
        }
        self.hops = self.hops.saturating_add(1);
        let next = self.follow(Route::Owner(peer));
        self.behind = behind;
        next
    }

    /// Goes where the own table leads, or an answer.
    pub(crate) fn follow(&mut self, route: Route<I, A>) -> Next<I, A> {
        self.request = None;
        self.resumes_at = Time::NEVER;
        self.behind = 0;
        match route {
            Route::Owner(peer) if !self.confirm || self.needs_no_sign(peer) => {
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

    /// Returns whether an owner has answered before.
    pub(super) fn needs_no_sign(&self, owner: Peer<I, A>) -> bool {
        owner == self.at || (owner == self.origin && self.is_own())
    }

    /// The node asked is dead: the last one that answered has to name another, and if that is the
    /// dead one, the way starts again.
    pub(crate) fn handle_death(&mut self) -> Next<I, A> {
        self.request = None;
        self.confirming = false;
        self.timeouts = self.timeouts.saturating_add(1);
        self.shun(self.asked.id);
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

    /// Nobody knows the owner yet: starts again after a while.
    pub(crate) fn pause(&mut self, now: Time, settings: &Settings) {
        self.request = None;
        self.confirming = false;
        self.lives = false;
        self.behind = 0;
        self.distrust_silent();
        self.timeouts = self.timeouts.saturating_add(PAUSE);
        if let Some(unsure) = self.unsure.take() {
            self.allow(unsure);
        }
        self.at = self.origin;
        self.resumes_at = now.after(settings.patience).after(settings.patience);
        if self.is_exhausted() || self.is_own() {
            self.fail(LookupFailure::NoRoute);
        }
    }

    /// Avoids a node from now on. In a full list the one gives way that is farthest from the key: nodes that are near it are
    /// still to be named.
    pub(crate) fn shun(&mut self, id: I) {
        if self.avoid.contains(&id) {
            return;
        }
        if self.avoid.is_full() {
            let apart = |id: &I| self.key.distance(*id).min(id.distance(self.key));
            let farthest = self.avoid.iter().enumerate().max_by_key(|(_, id)| apart(id));
            if let Some((at, _)) = farthest {
                self.avoid.remove(at);
            }
        }
        self.avoid.push_over(id);
    }

    /// A node that was avoided may be named again.
    pub(super) fn allow(&mut self, id: I) {
        if let Some(at) = self.avoid.iter().position(|avoided| *avoided == id) {
            self.avoid.remove(at);
        }
    }
}
