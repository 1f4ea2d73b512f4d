//! The lookups of the application and the node's own.

use core::time::Duration;

use super::data::{NEXT_STEP, NodeMut, OwnLookup};
use super::state::State;
use crate::config::Settings;
use crate::contacts::{self, Kind};
use crate::error::Full;
use crate::event::{LookupFailure, LookupId};
use crate::id::Identifier;
use crate::lookup::{Ended, Lookup, Next, Silence};
use crate::lookup_slot::{LookupSlot, Slot};
use crate::peer::Peer;
use crate::routing::Route;
use crate::time::Span;
use crate::wire::Address;

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    pub(super) fn lookup(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        now: Duration,
        key: I,
        within: Span,
    ) -> Result<LookupId, Full> {
        let capacity = slots.len();
        let free = slots.iter_mut().find(|slot| slot.is_empty());
        let slot = free.ok_or(Full { capacity })?;
        self.core.advance_clock(now);
        self.core.last_lookup = self.core.last_lookup.checked_add(1).unwrap_or(1); // 0 is the node's own
        let id = LookupId(self.core.last_lookup);
        slot.put(id, key, self.core.me);
        let Some(lookup) = slot.lookup_mut() else { return Err(Full { capacity }) }; // it is there
        lookup.set_until(self.core.now.after_if_ever(within));
        lookup.set_confirm(self.core.settings.confirm());
        lookup.set_style(self.core.settings.style);
        if self.core.state.is_member() {
            self.advance(lookup, Next::OwnTable);
        } else {
            lookup.fail(LookupFailure::NotMember);
        }
        Ok(id)
    }

    /// Frees the slot of a lookup.
    pub(super) fn cancel(&mut self, slots: &mut [LookupSlot<I, A>], id: LookupId) {
        let is = |slot: &&mut LookupSlot<I, A>| slot.lookup().is_some_and(|it| it.is(id));
        let Some(slot) = slots.iter_mut().find(is) else { return };
        if let Some(peer) = slot.take_failed() {
            self.core.pending_events.push_failed(peer);
        }
        *slot = LookupSlot::EMPTY;
    }

    /// Begins a lookup of the node itself, and returns it. It is large: it is set up where it is kept.
    pub(super) fn begin_own(&mut self, key: I, origin: Peer<I, A>) -> Option<&mut Lookup<I, A>> {
        if let Some(peer) = self.own.take_failed() {
            self.core.pending_events.push_failed(peer);
        }
        self.own.put(LookupId(0), key, origin);
        self.own.lookup_mut()
    }

    /// Asks the node where the own lookup starts, at most `tries` times.
    pub(super) fn ask_origin(&mut self, tries: u8) {
        let tries = self.core.settings.tries.min(tries);
        let settings = Settings { tries, ..self.core.settings };
        if let Some(lookup) = self.own.lookup_mut() {
            lookup.ask(lookup.origin(), self.core.now, &settings, &mut self.core.rng);
        }
    }

    /// Does what the end of the own lookup was awaited for: at the end of a call, when the stack is free.
    #[inline(never)]
    pub(super) fn finish_inner(&mut self) {
        let Some(ended) = self.take_ended() else { return };
        // The next own lookup begins in another call, so that the failure can be polled before.
        let soon = self.core.now.after_nanos(NEXT_STEP);
        self.core.fix_at = self.core.fix_at.max(soon);
        self.core.probe_at = self.core.probe_at.max(soon);
        if self.core.state == State::Joining {
            return self.located(&ended);
        }
        match core::mem::take(&mut self.core.own_lookup) {
            OwnLookup::Probe => self.probed(&ended),
            OwnLookup::Gap => self.handle_gap(&ended),
            OwnLookup::Check => self.handle_checked(ended.outcome),
            OwnLookup::Finger => self.handle_finger(&ended),
            OwnLookup::Backup => self.handle_backup(ended.outcome),
            OwnLookup::Twin => self.handle_twin_checked(ended.outcome),
            OwnLookup::SecondWay | OwnLookup::Third => {} // only a joining node has one
        }
    }

    /// Frees the slot of the own lookup if it has ended. A peer that it has found dead stays there until it is reported.
    #[inline(never)] // the caller's stack is deep
    fn take_ended(&mut self) -> Option<Ended<I, A>> {
        let lookup = self.own.lookup_mut()?;
        let ended = lookup.ended()?;
        let failed = lookup.take_failed();
        self.own.clear(failed);
        Some(ended)
    }

    /// Another node says where a key leads.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    pub(super) fn handle_route(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        from: A,
        token: u32,
        id: I,
        route: Route<I, A>,
    ) {
        self.with_lookups(slots, &mut |core, lookup| {
            if lookup.is_answered_by(from, token) {
                let next = lookup.handle_answer(core.core.now, &core.core.settings, id, route);
                core.advance(lookup, next);
            } else if let Some(silent) = lookup.take_silent(from, token) {
                let settings = core.core.settings;
                let at = (core.core.now, &settings);
                let next = lookup.handle_late_answer(&silent, at, id, route);
                core.advance(lookup, next);
            }
        });
    }

    /// Another node says that it has nothing to show now, without its identifier.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    pub(super) fn handle_busy(&mut self, slots: &mut [LookupSlot<I, A>], from: A, token: u32) {
        if self.awaits(from, token) && !self.pings() {
            self.postpone();
        }
        self.with_lookups(slots, &mut |core, lookup| {
            let twin = lookup.is_own() && core.core.own_lookup == OwnLookup::Twin;
            if lookup.is_answered_by(from, token) && lookup.is_confirming() && !twin {
                lookup.confirm(lookup.asked()); // alive: it need not know a way
            } else if lookup.is_answered_by(from, token) && lookup.awaits_owner() {
                lookup.wait(core.core.now, &core.core.settings); // it knows nobody beyond the silent ones
            } else if lookup.is_answered_by(from, token)
                && !lookup.is_own()
                && !lookup.is_passed_on()
            {
                let next = lookup.handle_unsure(core.core.now, &core.core.settings);
                core.advance(lookup, next);
            } else if lookup.is_answered_by(from, token) {
                core.go_around(lookup); // of no use to this lookup, but alive
            } else if let Some(silent) = lookup.take_silent(from, token) {
                match silent.candidate() {
                    Some(peer) => lookup.confirm(peer),
                    None => lookup.handle_late_unsure(&silent, core.core.now, &core.core.settings),
                }
            }
        });
    }

    /// Another node says that it is no member.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    pub(super) fn handle_absent(&mut self, slots: &mut [LookupSlot<I, A>], from: A, token: u32) {
        if self.awaits(from, token) {
            self.handle_dead();
        }
        self.with_lookups(slots, &mut |core, lookup| {
            if lookup.is_answered_by(from, token) {
                core.give_up(lookup);
            } else {
                lookup.take_silent(from, token); // it was avoided before
            }
        });
    }

    pub(super) fn handle_lookup_timeouts(&mut self, slots: &mut [LookupSlot<I, A>]) {
        for slot in &mut *slots {
            if let Slot::Passed { until, .. } = slot.0
                && self.core.is_due(until)
            {
                *slot = LookupSlot::EMPTY;
            }
        }
        self.with_lookups(slots, &mut Self::fire_lookup);
        self.finish_inner();
    }

    fn fire_lookup(&mut self, lookup: &mut Lookup<I, A>) {
        let now = self.core.now;
        let settings = self.core.settings;
        while let Some(peer) = lookup.take_dead(now, &settings) {
            self.report_dead(lookup, peer);
        }
        match lookup.handle_timeout(now, &settings) {
            Silence::Short => {}
            Silence::Long => {
                let next = lookup.go_beside();
                self.advance(lookup, next);
            }
            Silence::Final => self.give_up(lookup),
        }
    }

    pub(super) fn go_around(&mut self, lookup: &mut Lookup<I, A>) {
        let passed_on = lookup.is_passed_on();
        let next = if passed_on { lookup.handle_no_answer() } else { lookup.handle_death() };
        self.advance(lookup, next);
    }

    /// Shows all lookups to `visit`, the own one first. Compiled once.
    #[inline(never)]
    pub(super) fn with_lookups(
        &mut self,
        slots: &mut [LookupSlot<I, A>],
        visit: &mut dyn FnMut(&mut Self, &mut Lookup<I, A>),
    ) {
        self.visit_own(&mut *visit);
        for lookup in slots.iter_mut().filter_map(LookupSlot::lookup_mut) {
            visit(self, lookup);
            let next = lookup.settle();
            self.advance(lookup, next);
        }
    }

    /// Shows the own lookup to `visit`. Meanwhile the node has no slot for it.
    pub(super) fn visit_own(&mut self, visit: impl FnOnce(&mut Self, &mut Lookup<I, A>)) {
        let Some(slot) = self.own.0.take() else { return };
        if let Some(lookup) = slot.lookup_mut() {
            visit(self, lookup);
        }
        self.own.0 = Some(slot);
    }

    /// Goes around a dead node.
    fn give_up(&mut self, lookup: &mut Lookup<I, A>) {
        self.report_dead(lookup, lookup.asked());
        self.go_around(lookup);
    }

    /// Takes note of a dead node, and reports it.
    fn report_dead(&mut self, lookup: &mut Lookup<I, A>, peer: Peer<I, A>) {
        let twin = lookup.is_own() && self.core.own_lookup == OwnLookup::Twin;
        if self.core.state != State::Joining && !lookup.is_passed_on() && !twin {
            let probes = matches!(self.core.own_lookup, OwnLookup::Probe | OwnLookup::Gap);
            let probed = lookup.origin() == peer && probes;
            if !probed || !contacts::is_silent(self.contacts, &peer.address) {
                self.forget_failed(peer, Kind::Named);
                if !lookup.set_failed(peer) {
                    self.core.pending_events.count_failed();
                }
            }
        }
    }

    pub(super) fn advance(&mut self, lookup: &mut Lookup<I, A>, next: Next<I, A>) {
        let mut next = next;
        loop {
            next = match next {
                Next::Nobody => return,
                Next::OwnTable if lookup.origin() != self.core.me => Next::Peer(lookup.origin()),
                Next::OwnTable => self.follow_own_table(lookup),
                Next::Peer(peer) if peer.address == self.core.me.address => {
                    self.meet_oneself(lookup, peer)
                }
                Next::Peer(peer) => {
                    let settings = self.core.settings;
                    return lookup.ask(peer, self.core.now, &settings, &mut self.core.rng);
                }
            };
        }
    }

    /// The way leads to the address of this node: it is the owner, or the name is one of a former life.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    fn meet_oneself(&mut self, lookup: &mut Lookup<I, A>, peer: Peer<I, A>) -> Next<I, A> {
        if peer == self.core.me && lookup.is_confirming() {
            let before = self.owner_or_before(lookup.key(), |peer| lookup.is_usable(peer));
            if let Some(before) = before.and_then(|route| lookup.nearer(peer, &route)) {
                return lookup.follow_nearer(before, self.core.now, &self.core.settings);
            }
            lookup.confirm(peer);
            return Next::Nobody;
        }
        lookup.set_asked(peer);
        lookup.handle_death()
    }

    /// Goes where the own table leads; a node knows best which keys are its own.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    fn follow_own_table(&mut self, lookup: &mut Lookup<I, A>) -> Next<I, A> {
        let verified = self.core.unverified.successor() == 0;
        let known =
            self.core.predecessor().is_some() && self.core.unverified.keys() == 0 && verified;
        if known && self.core.keys().contains(lookup.key()) {
            return lookup.follow(Route::Owner(self.core.me));
        }
        let route = self.route_around(lookup.key(), |peer| lookup.is_usable(peer));
        let unsure = !verified || lookup.spans_unsure(self.core.me.id);
        let between = unsure && !lookup.is_own();
        match route {
            Some(Route::Owner(_)) if between => {}
            Some(route) => return lookup.follow(route),
            None => {}
        }
        lookup.wait(self.core.now, &self.core.settings);
        Next::Nobody
    }

    /// Routes by the own table for another node, which avoids some. One that asks this node to avoid itself takes it for
    /// the owner.
    pub(super) fn route_for(&self, key: I, avoid: &[I]) -> Option<Route<I, A>> {
        let usable = |peer: &Peer<I, A>| !avoid.contains(&peer.id);
        if avoid.contains(&self.core.me.id) {
            return self.owner_or_before(key, usable);
        }
        match self.route_around(key, usable)? {
            Route::Owner(peer) if self.core.unverified.successor() > 0 => Some(Route::Ask(peer)),
            route => Some(route),
        }
    }

    /// Decides where `key` leads. A node whose successors are all dead, and that has yet to find others, does not know
    /// who owns any key.
    pub(super) fn route_around(
        &self,
        key: I,
        usable: impl Fn(&Peer<I, A>) -> bool,
    ) -> Option<Route<I, A>> {
        let alone = self.core.predecessor().is_none() && self.fallback().is_none();
        if self.table.successors.first().is_none() && !alone {
            return None;
        }
        self.table.route_around(key, usable)
    }

    /// Returns this node if it owns `key`, and else its predecessor: others take this node for the owner. `None` if it
    /// knows no predecessor.
    fn owner_or_before(&self, key: I, usable: impl Fn(&Peer<I, A>) -> bool) -> Option<Route<I, A>> {
        let before = self.core.predecessor()?;
        let owns = self.core.keys().contains(key) || !usable(&before);
        Some(Route::Owner(if owns { self.core.me } else { before }))
    }
}
