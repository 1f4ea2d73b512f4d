//! The first and the last step of a node's life.

use core::time::Duration;

use super::machine::Core;
use super::{Input, State};
use crate::lookup::{Lookup, Outcome};
use crate::time::Time;
use crate::{
    Address, Identifier, JoinFailure, LookupFailure, LookupId, LookupSlot, Peer, RoutingTable,
    StartError,
};

impl<I: Identifier, A: Address> Core<I, A> {
    pub(super) fn create(
        &mut self,
        now: Duration,
        members: Option<&[Peer<I, A>]>,
    ) -> Result<(), StartError> {
        if self.state != State::Outside {
            return Err(StartError::Started);
        }
        if let Some(members) = members {
            let me = self.table.me;
            let table = RoutingTable::of_ring(me, self.settings.successors, members);
            let (known, r) = (table.successors.as_slice().len(), table.successors.r());
            if known < r {
                let (members, needed) = (known.saturating_add(1), r.saturating_add(1));
                return Err(StartError::BaseTooSmall { members, needed });
            }
            let others = members.iter().filter(|peer| peer.id != me.id);
            let last = others.max_by_key(|peer| me.id.distance(peer.id));
            self.set_predecessor(last.copied().unwrap_or(me));
            self.table = table;
            self.news.successor = true;
        } else {
            self.news.owned = Some(self.table.me.id); // all keys, and no data yet
        }
        self.now = self.now.max(Time::new(now));
        self.state = self.state.after(Input::Create);
        self.stabilize_at = self.after(self.pace);
        self.fix_at = self.after(self.settings.fix_fingers);
        Ok(())
    }

    pub(super) fn join(&mut self, now: Duration, contact: A) -> Result<(), StartError> {
        if self.state != State::Outside {
            return Err(StartError::Started);
        }
        self.now = self.now.max(Time::new(now));
        self.state = self.state.after(Input::Join);
        self.contact = Some(contact);
        self.attempts = self.settings.tries;
        self.go_on_joining();
        Ok(())
    }

    /// Asks the contact who it is, or the predecessor for its list again.
    pub(super) fn go_on_joining(&mut self) {
        self.stabilize_at = Time::NEVER;
        self.ask();
    }

    /// The contact has answered: looks for the own identifier.
    pub(super) fn locate(&mut self, contact: Peer<I, A>) {
        let key = self.table.me.id;
        if contact.id == key {
            return self.refuse(JoinFailure::IdentifierTaken);
        }
        let mut lookup = Lookup::new(LookupId(0), key, contact);
        lookup.ask(contact, self.now, &self.settings, &mut self.rng);
        self.inner = Some(lookup);
    }

    /// The lookup of the own identifier has ended at the node before it.
    pub(super) fn located(&mut self, predecessor: Peer<I, A>, outcome: Outcome<I, A>) {
        match outcome {
            Outcome::Owner(owner) if owner.id == self.table.me.id => {
                self.refuse(JoinFailure::IdentifierTaken);
            }
            Outcome::Owner(_) => {
                self.saved = Some(predecessor);
                self.ask();
            }
            Outcome::Failed(_) => self.join_again(),
        }
    }

    /// Join (Zave 2017): copies the whole list of the predecessor, and is a member at once.
    pub(super) fn copy(&mut self, list: &[Peer<I, A>]) {
        let Some(before) = self.saved.take() else { return };
        let (head, tail) = match list {
            [head, tail @ ..] => (*head, tail),
            [] => (before, list), // a lone node is its own successor
        };
        if !self.table.me.id.between(before.id, head.id) {
            return self.join_again(); // another node was faster here
        }
        self.table.successors.replace(head, tail);
        #[cfg(test)]
        self.mutate_join(head);
        self.set_changed();
        self.news.successor = true;
        self.set_predecessor(before);
        self.state = self.state.after(Input::Joined);
        self.news.joined = true;
        self.stabilize_at = self.now;
        self.fix_at = self.after(self.settings.patience);
        self.settle();
    }

    /// Starts a join again after a while, unless it has had enough of that.
    pub(super) fn join_again(&mut self) {
        self.saved = None;
        match self.attempts.checked_sub(1) {
            Some(attempts) => {
                self.attempts = attempts;
                self.stabilize_at = self.after(self.settings.patience);
            }
            None => self.refuse(JoinFailure::NoRing),
        }
    }

    fn refuse(&mut self, reason: JoinFailure) {
        self.state = self.state.after(Input::Refused);
        (self.saved, self.stabilize_at) = (None, Time::NEVER);
        self.news.join_failed = Some(reason);
    }

    /// Begins a new life after a departure.
    pub(super) fn rejoin(&mut self, now: Duration, id: I, contact: A) -> Result<(), StartError> {
        if self.state != State::Gone {
            return Err(StartError::Started);
        }
        if id == self.table.me.id {
            return Err(StartError::IdentifierUsed);
        }
        // Tokens go on, so that no answer to the former life fits; so do the names of lookups.
        let rng = self.rng.clone();
        let mut new = Self::new(self.settings, Peer { id, ..self.table.me }, rng);
        (new.now, new.last_lookup) = (self.now, self.last_lookup);
        *self = new;
        self.join(now, contact)
    }

    pub(super) fn leave(&mut self, slots: &mut [LookupSlot<I, A>], now: Duration) {
        self.now = self.now.max(Time::new(now));
        if self.state.is_member() {
            let (before, next) = (self.predecessor(), self.table.successors.first());
            self.farewells = [before.is_some(), next.is_some() && next != before];
            self.news.left = next.is_some();
        }
        let state = self.state.after(Input::Leave);
        if state == self.state {
            return; // it has not started, or has left before
        }
        self.state = state;
        (self.question, self.inner, self.notify) = (None, None, false);
        (self.saved, self.notified, self.nudge) = (None, None, None);
        (self.stabilize_at, self.fix_at) = (Time::NEVER, Time::NEVER);
        for lookup in slots.iter_mut().filter_map(LookupSlot::lookup_mut) {
            if lookup.outcome().is_none() {
                lookup.fail(LookupFailure::NotMember);
            }
        }
    }
}
