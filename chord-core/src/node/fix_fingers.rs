//! How a node refreshes its fingers: each is the owner of a key, found by a lookup of the node itself.

use super::data::{NodeMut, OwnLookup};
use crate::contacts::{self, Kind};
use crate::id::Identifier;
use crate::lookup::{Ended, Next, Outcome};
use crate::peer::Peer;
use crate::wire::Address;

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    /// Refreshes the next finger (Stoica 2003, `fix_fingers`). The successor stands for all fingers
    /// up to itself, and so does each finger found: a turn of the table takes about log2 N calls.
    #[inline(never)] // the caller's stack is deep
    pub(super) fn fix_fingers(&mut self) {
        self.core.fix_at = self.after(self.core.settings.fix_fingers);
        let Some(successor) = self.table.successors.first() else { return };
        let nearest = self.table.fingers.iter().next();
        if let Some(nearer) = nearest.filter(|peer| self.precedes(*peer, successor)) {
            return self.check(nearer); // it is dead, or the better successor
        }
        if self.core.finger <= 1 {
            self.table.fingers.set(1, successor);
            self.core.finger = self.table.fingers.beyond(successor.id);
            if let Some(backup) = self.next_backup() {
                self.core.fix_at = self.core.fix_at.min(self.after(self.core.settings.patience));
                return self.check_as(backup, OwnLookup::Backup);
            }
        }
        if u32::from(self.core.finger) > I::BITS {
            self.core.finger = 1;
            return;
        }
        let mut key = self.core.me.id.finger_start(self.core.finger.into());
        if self.core.settings.proximity() {
            let bits = u32::from(self.core.finger.saturating_sub(1));
            key = self.inside(key, bits);
        }
        self.refresh(key);
        self.finish_inner();
    }

    fn refresh(&mut self, key: I) {
        let proximity = self.core.settings.proximity();
        if let Some(lookup) = self.begin_own(key, self.core.me) {
            lookup.set_confirm(proximity); // for the round trip
        }
        self.visit_own(|node, lookup| node.advance(lookup, Next::OwnTable));
    }

    /// Returns a random one of the 2^`bits` identifiers from `start` on.
    pub(super) fn inside(&mut self, start: I, bits: u32) -> I {
        let mut key = start;
        let mut random = 0u64;
        for exponent in 0..bits {
            if exponent.is_multiple_of(u32::BITS) {
                random = self.core.rng.next_u64() >> 32;
            }
            if random & 1 == 1 {
                key = key.plus(I::power_of_two(exponent));
            }
            random >>= 1;
        }
        key
    }

    /// A lookup for a finger has ended. Nothing is recorded or displaced before the peer that it concerns has
    /// answered: one node that is wrong or lies could empty the table.
    pub(super) fn handle_finger(&mut self, ended: &Ended<I, A>) {
        if ended.at != self.core.me {
            self.remember(ended.at, Kind::Witness); // it has answered; the owner it names perhaps never
        }
        let Outcome::Owner(owner) = ended.outcome else {
            self.core.finger = self.core.finger.saturating_add(1); // its turn comes again
            return;
        };
        let known = self.table.fingers.finger(self.core.finger.into());
        if self.core.settings.proximity() {
            self.table.fingers.offer(owner, ended.round_trip);
            self.pass_finger(owner);
        } else if owner.id == self.core.me.id && known.is_none() {
            self.pass_finger(owner); // no node is farther away
        } else if let Some(known) = known.filter(|known| self.precedes(*known, owner)) {
            self.check(known); // it should have been named
        } else if known == Some(owner) {
            self.pass_finger(owner);
        } else {
            self.check(owner);
        }
    }

    /// Returns whether `peer` comes before `other`, clockwise from this node.
    fn precedes(&self, peer: Peer<I, A>, other: Peer<I, A>) -> bool {
        let me = self.core.me.id;
        other.id == me || me.distance(peer.id) < me.distance(other.id)
    }

    /// Goes on with the finger after `peer`.
    fn pass_finger(&mut self, peer: Peer<I, A>) {
        let next = self.core.finger.saturating_add(1);
        let beyond = self.table.fingers.beyond(peer.id);
        self.core.finger = if beyond < next { 1 } else { beyond }; // smaller: it came round to this node
    }

    /// Returns an entry of the successor list behind the first one, chosen at random: once in a turn of the fingers one of
    /// them is asked for a sign of life. A node with fingers falls back on these, which have answered as well.
    fn next_backup(&mut self) -> Option<Peer<I, A>> {
        let (first, backups) = self.table.successors.as_slice().split_first()?;
        let has_fingers = self.table.fingers.iter().any(|finger| finger != *first);
        if has_fingers || backups.is_empty() || self.contacts.is_empty() {
            return None;
        }
        let count = u64::try_from(backups.len()).unwrap_or(1);
        let turn = usize::try_from(self.core.rng.below(count)).unwrap_or(0);
        backups.get(turn).copied().filter(|peer| peer.address != self.core.me.address)
    }

    /// A backup lives, or not: one that has answered is kept until another one has.
    pub(super) fn handle_backup(&mut self, outcome: Outcome<I, A>) {
        if let Outcome::Owner(peer) = outcome {
            contacts::keep_backup(self.contacts, peer, &mut self.core.rng);
        }
    }

    /// Asks a peer for a sign of life.
    fn check(&mut self, peer: Peer<I, A>) {
        if peer.address == self.core.me.address {
            self.table.fingers.forget(peer.id); // a former life
            self.core.finger = self.core.finger.saturating_add(1);
            return;
        }
        self.check_as(peer, OwnLookup::Check);
    }

    pub(super) fn check_as(&mut self, peer: Peer<I, A>, purpose: OwnLookup) {
        self.core.own_lookup = purpose;
        if let Some(lookup) = self.begin_own(peer.id, peer) {
            lookup.check_origin();
        }
        self.ask_origin(self.core.settings.tries);
    }

    /// A peer that was checked lives, or not; a dead one has been forgotten.
    pub(super) fn handle_checked(&mut self, outcome: Outcome<I, A>) {
        let Outcome::Owner(peer) = outcome else { return };
        self.remember(peer, Kind::Witness);
        let successor = self.table.successors.first().unwrap_or(self.core.me);
        if self.precedes(peer, successor) {
            return self.consider(peer, true);
        }
        let finger = self.core.finger.into();
        let displaced = self.table.fingers.finger(finger).filter(|known| *known != peer);
        self.table.fingers.set(finger, peer);
        if let Some(displaced) = displaced {
            self.remember(displaced, Kind::Witness); // the new one may have been named by a liar
        }
        self.pass_finger(peer);
    }
}
