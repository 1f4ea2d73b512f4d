//! Nodes that have not answered a lookup in time. It goes on asking them, and others beside them, so that several dead
//! nodes cost hardly more time than one.

use super::{End, Lookup, Next};
use crate::config::Settings;
use crate::event::LookupFailure;
use crate::id::Identifier;
use crate::peer::Peer;
use crate::request::{Request, RequestStatus};
use crate::routing::Route;
use crate::time::Time;
use crate::wire::Address;

/// A node that has not answered in time, and is still being asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Silent<I, A> {
    pub(super) peer: Peer<I, A>,
    pub(super) request: Request,
    /// Whether it is asked for a sign of life, as the owner of the key.
    pub(super) confirming: bool,
    /// Whether it has not been silent for a second try yet.
    pub(super) fresh: bool,
    /// Whether it was asked before the last pause, perhaps to go around a node that must not be left out.
    pub(super) outdated: bool,
}

/// How long a node has been silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It may well answer.
    Short,
    /// Others are to be asked beside it.
    Long,
    /// It is dead.
    Final,
}

impl<I, A> Silent<I, A> {
    /// Returns the node if it may be the owner of the key.
    pub(crate) const fn candidate(&self) -> Option<Peer<I, A>>
    where
        I: Copy,
        A: Copy,
    {
        if self.confirming { Some(self.peer) } else { None }
    }
}

impl<I: Identifier, A: Address> Lookup<I, A> {
    /// Returns whether others may be asked beside a silent node.
    pub(super) fn may_go_beside(&self) -> bool {
        let room = !self.silent.is_full() || self.needless().is_some();
        !self.is_own() && !self.is_passed_on() && room
    }

    /// Returns the position of the silent node that could only name others, from farther away than the rest and the one
    /// whose turn it is.
    fn needless(&self) -> Option<usize> {
        let distance = |peer: &Peer<I, A>| peer.id.distance(self.key);
        let farther = |silent: &Silent<I, A>| {
            self.confirming || distance(&silent.peer) > distance(&self.asked)
        };
        let hops = self.silent.iter().enumerate().filter(|(_, it)| !it.confirming && farther(it));
        hops.max_by_key(|(_, silent)| distance(&silent.peer)).map(|(at, _)| at)
    }

    /// Asks others beside the node whose turn it is, which has been silent for long.
    pub(crate) fn go_beside(&mut self) -> Next<I, A> {
        let Some(request) = self.request.take() else { return Next::Nobody };
        let silent = Silent {
            peer: self.asked,
            request,
            confirming: self.confirming,
            fresh: true,
            outdated: false,
        };
        if self.silent.is_full()
            && let Some(needless) = self.needless().and_then(|at| self.silent.remove(at))
        {
            self.allow(needless.peer.id); // it may live, and know best if all nearer ones are dead
        }
        let _ = self.silent.push(silent); // there is room: `may_go_beside`
        self.confirming = false;
        self.timeouts = self.timeouts.saturating_add(1);
        self.shun(self.asked.id);
        if self.asked == self.at {
            self.at = self.origin;
        }
        if self.is_exhausted() { Next::Nobody } else { self.next_after_silence() }
    }

    /// Returns the node that has to name another one for a silent one.
    fn next_after_silence(&self) -> Next<I, A> {
        if self.at == self.origin { Next::OwnTable } else { Next::Peer(self.at) }
    }

    /// Nobody is left to ask: waits for the silent ones. Without any it starts again after a while.
    pub(crate) fn wait(&mut self, now: Time, settings: &Settings) {
        self.request = None;
        if self.silent.is_empty() {
            self.pause(now, settings);
        }
    }

    /// Returns whether one of the silent nodes may be the owner of the key.
    pub(crate) fn awaits_owner(&self) -> bool {
        self.silent.iter().any(|silent| silent.confirming)
    }

    /// A node that knows nobody after itself lies before the key: the silent ones that others have named as the owner may not
    /// be it. If one is, it is going to be named again.
    pub(super) fn forget_candidates(&mut self) {
        while let Some(at) = self.silent.iter().position(|silent| silent.confirming) {
            if let Some(silent) = self.silent.remove(at) {
                self.allow(silent.peer.id);
            }
        }
    }

    /// The lookup starts again: the silent nodes may have been asked to go around one that is asked again.
    pub(super) fn distrust_silent(&mut self) {
        self.forget_candidates();
        for silent in self.silent.as_mut_slice() {
            silent.outdated = true;
        }
    }

    /// Fires the timers of the silent nodes. Returns one that is dead; call it until it returns `None`.
    pub(crate) fn take_dead(&mut self, now: Time, settings: &Settings) -> Option<Peer<I, A>> {
        for at in 0..self.silent.len() {
            let left = self.silent.get(at).map_or(0, |silent| silent.request.tries_left());
            let settings = self.hastened(settings, left);
            let silent = self.silent.get_mut(at)?;
            silent.fresh &= silent.request.deadline() > now;
            if silent.request.handle_timeout(now, &settings) == RequestStatus::Failed {
                return self.silent.remove(at).map(|silent| silent.peer);
            }
        }
        None
    }

    /// Takes out the silent node that answers with this token.
    pub(crate) fn take_silent(&mut self, from: A, token: u32) -> Option<Silent<I, A>> {
        let asked =
            |silent: &Silent<I, A>| silent.request.token == token && silent.peer.address == from;
        let at = self.silent.iter().position(asked)?;
        self.silent.remove(at)
    }

    /// Returns whether any node was asked with this token.
    pub(crate) fn has_asked(&self, token: u32) -> bool {
        let silent = |silent: &Silent<I, A>| silent.request.token == token;
        self.has_token(token) || self.silent.iter().any(silent)
    }

    /// Takes out the silent node that was asked with this token, wherever it is.
    pub(crate) fn forget_silent(&mut self, token: u32) {
        if let Some(at) = self.silent.iter().position(|silent| silent.request.token == token) {
            self.silent.remove(at);
        }
    }

    /// Processes the late answer of node `id`, which was taken out. It counts if the lookup has not got farther
    /// without it.
    pub(crate) fn handle_late_answer(
        &mut self,
        silent: &Silent<I, A>,
        (now, settings): (Time, &Settings),
        id: I,
        route: Route<I, A>,
    ) -> Next<I, A> {
        let peer = silent.peer;
        if id != peer.id || self.end != End::Open {
            return Next::Nobody;
        }
        self.allow(id);
        if silent.confirming {
            return self.handle_late_owner(peer, &route, now, settings);
        }
        if !self.is_ahead(id) {
            return Next::Nobody;
        }
        match self.verified(id, route) {
            None => self.handle_late_unsure(silent, now, settings),
            Some(Route::Owner(_)) if silent.outdated => {}
            Some(route) if !self.is_sound(id, &route) || !self.is_better(id, &route) => {}
            Some(route) => {
                self.hops = self.hops.saturating_add(1);
                self.at = peer;
                self.lives = false;
                self.confirming = false;
                return self.follow(route);
            }
        }
        Next::Nobody
    }

    /// Returns whether node `id` lies between the last one that has answered and the key.
    fn is_ahead(&self, id: I) -> bool {
        self.at == self.origin || id.between(self.at.id, self.key)
    }

    /// Returns whether a late answer leads to a nearer owner than the one that is being asked, if one is.
    fn is_better(&self, id: I, route: &Route<I, A>) -> bool {
        let Route::Owner(peer) = route else { return true };
        let owner = self.confirming || self.lives;
        let nearer = self.key.distance(peer.id) < self.key.distance(self.asked.id);
        !self.spans_unsure(id) && (!owner || nearer)
    }

    /// A node before the key lives after all, and knows nobody after itself: neither does the one that was believed
    /// without it.
    pub(crate) fn handle_late_unsure(
        &mut self,
        silent: &Silent<I, A>,
        now: Time,
        settings: &Settings,
    ) {
        let id = silent.peer.id;
        self.allow(id); // it lives, so no other one may answer in its place
        if self.is_own() || self.end != End::Open || !self.is_ahead(id) || self.spans_unsure(id) {
            return;
        }
        if self.confirming || self.lives {
            self.pause(now, settings);
        } else {
            self.shun(id);
            self.set_unsure(id);
        }
    }

    /// A node that may be the owner lives, or knows of a nearer one.
    fn handle_late_owner(
        &mut self,
        owner: Peer<I, A>,
        route: &Route<I, A>,
        now: Time,
        settings: &Settings,
    ) -> Next<I, A> {
        let distance = |peer: &Peer<I, A>| self.key.distance(peer.id);
        let asks_nearer = self.confirming && distance(&self.asked) < distance(&owner);
        match self.nearer(owner, route) {
            Some(nearer) if !asks_nearer => {
                self.lives = false;
                return self.follow_nearer(nearer, now, settings);
            }
            Some(_) => {}
            None => self.confirm(owner),
        }
        Next::Nobody
    }

    /// A node that may be the owner lives. It is the owner once no nearer one is left that may be.
    pub(crate) fn confirm(&mut self, peer: Peer<I, A>) {
        let distance = |peer: &Peer<I, A>| self.key.distance(peer.id);
        if self.lives && distance(&self.asked) < distance(&peer) {
            return;
        }
        self.request = None;
        self.resumes_at = Time::NEVER;
        self.asked = peer;
        self.confirming = true;
        self.lives = true;
        self.settle();
    }

    /// Ends the lookup if its owner is known. Returns the node to ask if all silent ones are dead or have answered
    /// and nobody is being asked.
    pub(crate) fn settle(&mut self) -> Next<I, A> {
        if self.end != End::Open || self.request.is_some() || self.resumes_at != Time::NEVER {
            return Next::Nobody;
        }
        if self.lives {
            let distance = |peer: &Peer<I, A>| self.key.distance(peer.id);
            // One before the key that may well answer still knows better than the one that has named the owner.
            let nearer = |silent: &Silent<I, A>| {
                if silent.confirming {
                    distance(&silent.peer) < distance(&self.asked)
                } else {
                    silent.fresh && self.is_ahead(silent.peer.id)
                }
            };
            if !self.silent.iter().any(nearer) {
                self.end_at(self.asked);
            }
            return Next::Nobody;
        }
        if !self.silent.is_empty() {
            return Next::Nobody;
        }
        if self.is_exhausted() {
            self.fail(LookupFailure::NoRoute);
            return Next::Nobody;
        }
        self.next_after_silence()
    }
}
