//! The first and the last step of a node's life.

use core::time::Duration;

use super::data::{Core, NodeMut, OwnLookup};
use super::pending::Flag;
use super::state::{Input, State};
use crate::contacts::{self, Kind};
use crate::error::StartError;
use crate::event::{JoinFailure, LookupFailure};
use crate::id::Identifier;
use crate::lookup::{Ended, Outcome};
use crate::lookup_slot::LookupSlot;
use crate::peer::Peer;
use crate::time::Time;
use crate::wire::Address;

impl<I: Identifier, A: Address> Core<I, A> {
    /// The node is reached elsewhere from now on.
    pub(super) fn set_address(&mut self, address: A) {
        if self.predecessor == self.me {
            self.predecessor.address = address; // it is its own
        }
        self.me.address = address;
    }
}

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    pub(super) fn create(
        &mut self,
        now: Duration,
        members: Option<&[Peer<I, A>]>,
    ) -> Result<(), StartError> {
        if self.core.state != State::Outside {
            return Err(StartError::Started);
        }
        if let Some(members) = members {
            let me = self.core.me;
            let r = self.table.successors.r();
            self.table.learn(members);
            let known = self.table.successors.as_slice().len();
            if known < r {
                self.table.fingers.clear();
                self.table.successors.clear();
                let members = known.saturating_add(1);
                return Err(StartError::BaseTooSmall { members, needed: r.saturating_add(1) });
            }
            let others = members.iter().filter(|peer| peer.id != me.id);
            let last = others.max_by_key(|peer| me.id.distance(peer.id));
            self.set_predecessor(last.copied().unwrap_or(me));
            self.core.pending_events.set(Flag::Successor);
            self.core.successor_answered = true; // the application knows it
        } else {
            self.core.pending_events.owned = Some(self.core.me.id); // all keys, and no data yet
        }
        self.core.advance_clock(now);
        self.core.state = self.core.state.after(Input::Create);
        self.core.stabilize_at = self.after(self.core.interval);
        self.core.fix_at = self.after(self.core.settings.fix_fingers);
        self.plan_probe();
        Ok(())
    }

    pub(super) fn join(&mut self, now: Duration, contact: A) -> Result<(), StartError> {
        if self.core.state != State::Outside {
            return Err(StartError::Started);
        }
        self.core.advance_clock(now);
        self.core.state = self.core.state.after(Input::Join);
        self.core.contact = Some(contact);
        self.core.attempts = self.core.settings.tries;
        self.continue_joining();
        Ok(())
    }

    pub(super) fn set_id(&mut self, id: I) -> Result<(), StartError> {
        if self.core.state != State::Outside {
            return Err(StartError::Started);
        }
        self.be(id);
        Ok(())
    }

    /// Takes an identifier; nothing of the ring is known under it yet.
    pub(super) fn be(&mut self, id: I) {
        self.core.me.id = id;
        self.core.predecessor = self.core.me;
        self.table.me = self.core.me;
        self.table.successors.restart(id);
        self.table.fingers.restart(id);
    }

    /// Asks the contact who it is, or the predecessor for its list again.
    pub(super) fn continue_joining(&mut self) {
        self.core.stabilize_at = Time::NEVER;
        self.ask();
    }

    /// The contact has answered: looks for the own identifier.
    #[inline(never)] // the caller's stack is deep
    pub(super) fn locate(&mut self, contact: Peer<I, A>) {
        let key = self.core.me.id;
        if contact.id == key && self.join_elsewhere(contact) {
            return;
        }
        self.remember(contact, Kind::Seed);
        if let Some(lookup) = self.begin_own(key, contact) {
            lookup.start_at_contact();
        }
        self.ask_origin(self.core.settings.tries);
    }

    /// The contact has the identifier of this node, or says so: goes on by another one. Returns `false` if none is known: then
    /// the contact is asked where that identifier is, which one that only poses as the twin answers rightly.
    fn join_elsewhere(&mut self, contact: Peer<I, A>) -> bool {
        let other = contacts::next_known(self.contacts, contact.address);
        match (other, self.core.attempts.checked_sub(1)) {
            (Some(other), Some(attempts)) => {
                self.core.attempts = attempts;
                self.core.contact = Some(other.address);
                self.continue_joining();
            }
            (None, Some(_)) => return false,
            (_, None) => self.refuse(JoinFailure::IdentifierTaken),
        }
        true
    }

    /// The lookup of the own identifier has ended at the node before it.
    pub(super) fn located(&mut self, ended: &Ended<I, A>) {
        let purpose = core::mem::take(&mut self.core.own_lookup);
        if purpose == OwnLookup::Third {
            return self.third_found(ended);
        }
        match ended.outcome {
            Outcome::Owner(owner) if owner.id == self.core.me.id => match purpose {
                // The other one has answered itself, or a second node has named it.
                OwnLookup::Twin | OwnLookup::SecondWay => self.refuse(JoinFailure::IdentifierTaken),
                _ => self.doubt(ended.origin, ended.at, owner),
            },
            Outcome::Owner(_) => {
                self.core.saved = Some(ended.at);
                self.ask();
            }
            Outcome::Failed(_) if purpose == OwnLookup::SecondWay => self.ask_twin(),
            Outcome::Failed(_) => self.join_again(),
        }
    }

    /// A node has named another one, the `twin`, that has the identifier of this one. It may lie: looks for the own place once more, around
    /// that node. Where no other way is known, the twin has to answer itself.
    fn doubt(&mut self, origin: Peer<I, A>, namer: Peer<I, A>, twin: Peer<I, A>) {
        self.core.saved = Some(twin);
        let elsewhere = Some(origin).filter(|origin| origin.address != namer.address);
        let start = elsewhere.or_else(|| contacts::next_known(self.contacts, namer.address));
        match start.filter(|start| start.address != twin.address) {
            Some(start) => self.look_around(start, namer),
            None => self.look_for_third(namer),
        }
    }

    /// Asks the only node that is known for one on the other side of the ring: it may lie about this place alone.
    fn look_for_third(&mut self, namer: Peer<I, A>) {
        self.core.own_lookup = OwnLookup::Third;
        let key = self.core.me.id.plus(I::power_of_two(I::BITS.saturating_sub(1)));
        if let Some(lookup) = self.begin_own(key, namer) {
            lookup.start_at_contact();
        }
        self.ask_origin(self.core.settings.tries);
    }

    fn third_found(&mut self, ended: &Ended<I, A>) {
        let namer = ended.origin;
        let twin = self.core.saved.unwrap_or(namer);
        let known = [namer.address, twin.address, self.core.me.address];
        match ended.outcome {
            Outcome::Owner(third) if !known.contains(&third.address) => {
                self.look_around(third, namer);
            }
            _ => self.ask_twin(),
        }
    }

    fn look_around(&mut self, start: Peer<I, A>, namer: Peer<I, A>) {
        self.core.own_lookup = OwnLookup::SecondWay;
        if let Some(lookup) = self.begin_own(self.core.me.id, start) {
            lookup.start_at_contact();
            lookup.shun(namer.id);
        }
        self.ask_origin(self.core.settings.tries);
    }

    /// Asks a node that is said to have the identifier of this one for a sign of life.
    fn ask_twin(&mut self) {
        match self.core.saved.take() {
            Some(twin) if twin.address != self.core.me.address => {
                self.check_as(twin, OwnLookup::Twin);
            }
            Some(_) => self.refuse(JoinFailure::IdentifierTaken), // its former life
            None => self.join_again(),
        }
    }

    /// Join (Zave 2017): copies the whole list of the predecessor, and is a member at once.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    pub(super) fn copy(&mut self, list: &[Peer<I, A>]) {
        let Some(before) = self.core.saved.take() else { return };
        let list = match list {
            [head, tail @ ..] if head.address == self.core.me.address => tail, // a former life
            list => list,
        };
        let (head, tail) = match list {
            [head, tail @ ..] => (*head, tail),
            [] => (before, list), // a lone node is its own successor
        };
        if head.id == self.core.me.id {
            self.core.saved = Some(head);
            return self.ask_twin();
        }
        if !self.core.me.id.between(before.id, head.id) {
            return self.copy_from_nearer(before, list);
        }
        self.table.successors.replace(self.core.me.address, head, tail);
        self.core.successor_answered = head == before;
        #[cfg(test)]
        self.mutate_join(head);
        self.set_changed();
        self.core.pending_events.set(Flag::Successor);
        self.set_predecessor(before);
        self.core.state = self.core.state.after(Input::Joined);
        self.core.pending_events.set(Flag::Joined);
        self.core.stabilize_at = self.core.now;
        self.core.fix_at = self.after(self.core.settings.patience);
        self.core.contact = None;
        self.plan_probe();
        self.settle();
    }

    /// Others lie between the node that was found and the place of this one: they have joined meanwhile, or the lookup went around
    /// one that has another address now. The last of them is asked for its list.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    fn copy_from_nearer(&mut self, before: Peer<I, A>, list: &[Peer<I, A>]) {
        let me = self.core.me;
        let between = |peer: &&Peer<I, A>| peer.id.between(before.id, me.id);
        let nearest = list.iter().filter(between).max_by_key(|peer| before.id.distance(peer.id));
        match (nearest, self.core.attempts.checked_sub(1)) {
            (Some(nearest), Some(attempts)) if nearest.address != me.address => {
                self.core.attempts = attempts;
                self.core.saved = Some(*nearest);
                self.ask();
            }
            _ => self.join_again(),
        }
    }

    /// Starts a join again after a while, by another contact if one is known, unless it has had enough of that.
    pub(super) fn join_again(&mut self) {
        self.core.saved = None;
        match self.core.attempts.checked_sub(1) {
            Some(attempts) => {
                self.core.attempts = attempts;
                let next = |contact| contacts::next_known(self.contacts, contact);
                if let Some(other) = self.core.contact.and_then(next) {
                    self.core.contact = Some(other.address);
                }
                self.core.stabilize_at = self.after(self.core.settings.patience);
            }
            None => self.refuse(JoinFailure::NoRing),
        }
    }

    pub(super) fn refuse(&mut self, reason: JoinFailure) {
        self.core.state = self.core.state.after(Input::Refused);
        self.core.saved = None;
        self.core.stabilize_at = Time::NEVER;
        self.core.pending_events.join_failed = Some(reason);
    }

    /// Begins a new life after a departure.
    pub(super) fn rejoin(&mut self, now: Duration, id: I, contact: A) -> Result<(), StartError> {
        if self.core.state != State::Gone {
            return Err(StartError::Started);
        }
        if id == self.core.me.id {
            return Err(StartError::IdentifierUsed);
        }
        // The sequence of tokens continues, so that no answer to the former life fits; so do the names of lookups.
        let me = Peer { id, ..self.core.me };
        let deadline = self.core.lookup_deadline;
        let mut new = Core::new(self.core.settings, deadline, me, self.core.rng);
        new.now = self.core.now;
        new.last_lookup = self.core.last_lookup;
        *self.core = new;
        self.be(id);
        self.join(now, contact)
    }

    pub(super) fn leave(&mut self, slots: &mut [LookupSlot<I, A>], now: Duration) {
        self.core.advance_clock(now);
        if self.core.state.is_member() {
            let before = self.core.predecessor();
            let next = self.table.successors.first();
            self.core.leave_notices = [before.is_some(), next.is_some() && next != before];
            if next.is_some() {
                self.core.pending_events.set(Flag::Left);
            }
        }
        let state = self.core.state.after(Input::Leave);
        if state == self.core.state {
            return; // it has not started, or has left before
        }
        self.core.state = state;
        self.core.question = None;
        self.core.verifying = false;
        self.own.clear(None);
        self.core.notify = false;
        self.core.saved = None;
        self.core.notified = None;
        self.core.nudge = None;
        self.core.contact = None;
        self.core.own_lookup = OwnLookup::Finger;
        self.core.probe_at = Time::NEVER;
        self.core.stabilize_at = Time::NEVER;
        self.core.fix_at = Time::NEVER;
        for lookup in slots.iter_mut().filter_map(LookupSlot::lookup_mut) {
            if lookup.outcome().is_none() {
                lookup.fail(LookupFailure::NotMember);
            }
        }
    }
}
