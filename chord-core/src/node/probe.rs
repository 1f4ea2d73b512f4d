//! Healing: looks for members that the ring has lost, and merges rings.
//!
//! A probe is a lookup of the own identifier whose first hop is a remembered peer. In a healthy ring it ends at
//! the node itself. An owner that is another node belongs to another ring, or the ring has not settled: the node
//! notifies that owner, takes it for a candidate if it lies before the successor, and nudges the node before. All
//! three go through the steps of maintenance, which read a node before they adopt it.

use core::time::Duration;

use super::data::{NEXT_STEP, NodeMut, OwnLookup};
use super::pending::Flag;
use super::state::{Input, State};
use crate::contacts::{self, Kind};
use crate::error::Full;
use crate::event::JoinFailure;
use crate::id::Identifier;
use crate::lookup::{Ended, Outcome};
use crate::peer::Peer;
use crate::time::Time;
use crate::wire::Address;

/// After this many probes in a row that end at the node itself, a merge is over.
const QUIET_PROBES: u8 = 3;
/// A node that has found another ring sends this many probes in quick succession at most, until it finds one again.
const EAGER_PROBES: u8 = 12;
/// How often a remembered peer is asked in one probe.
const PROBE_TRIES: u8 = 2;
/// How many stabilizations pass between two probes while a peer is lost, and how many milliseconds at least.
const WHEN_LOST: (u32, u32) = (6, 30_000);
/// The same while no peer is lost.
const WHEN_CALM: (u32, u32) = (24, 120_000);
/// After this many stabilizations whose successor prefers a node of the same identifier, that one is right if it lives.
const TWIN_ROUNDS: u8 = 3;

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    /// Remembers a peer, unless its address is that of this node.
    pub(super) fn remember(&mut self, peer: Peer<I, A>, kind: Kind) {
        if peer.address != self.core.me.address {
            contacts::remember(self.contacts, peer, kind, &mut self.core.rng);
        }
    }

    /// The application knows an address at which there is always a node.
    pub(super) fn add_seed(&mut self, address: A) -> Result<(), Full> {
        if !contacts::has_room(self.contacts) {
            return Err(Full { capacity: self.contacts.len() });
        }
        // The identifier is learnt from the first answer.
        self.remember(Peer { address, ..self.core.me }, Kind::Seed);
        if self.core.state.is_member() {
            self.hasten_probe();
        }
        Ok(())
    }

    /// The application knows a member of another part of the ring.
    pub(super) fn merge(&mut self, now: Duration, contact: A) -> Result<(), Full> {
        if self.contacts.is_empty() {
            return Err(Full { capacity: 0 });
        }
        self.core.advance_clock(now);
        // The identifier is learnt from the first answer.
        self.remember(Peer { address: contact, ..self.core.me }, Kind::Seed);
        self.core.quiet_probes_left = QUIET_PROBES;
        self.core.eager_probes_left = EAGER_PROBES;
        self.core.probe_at = self.core.now;
        Ok(())
    }

    /// Plans the next probe.
    pub(super) fn plan_probe(&mut self) {
        let span = self.core.settings.stabilize;
        let alone = self.table.successors.first().is_none();
        let span = if self.is_recovering() || self.is_eager() {
            span
        } else {
            let lost = contacts::has_lost(self.contacts);
            let (rounds, least) = if lost { WHEN_LOST } else { WHEN_CALM };
            span.times(rounds, least)
        };
        let nobody = self.contacts.is_empty() && !alone;
        self.core.probe_at = if nobody { Time::NEVER } else { self.after(span) };
    }

    /// Returns whether rings are being merged, so that a probe is due at every stabilization.
    fn is_eager(&self) -> bool {
        self.core.quiet_probes_left > 0 && self.core.eager_probes_left > 0
    }

    /// Returns whether all successors have failed, and no other one has been verified yet.
    fn is_recovering(&self) -> bool {
        self.table.successors.first().is_none() || self.core.unverified.successor() > 0
    }

    /// A peer was lost: the next probe need not wait for a calm round.
    pub(super) fn hasten_probe(&mut self) {
        let planned = self.core.probe_at;
        self.plan_probe();
        self.core.probe_at = self.core.probe_at.min(planned);
    }

    #[inline(never)] // the caller's stack is deep
    pub(super) fn probe(&mut self) {
        self.core.eager_probes_left = self.core.eager_probes_left.saturating_sub(1);
        self.plan_probe();
        let Some(contact) = self.next_contact() else { return };
        let key = self.probe_key();
        let at_home = key == self.core.me.id;
        self.core.own_lookup = if at_home { OwnLookup::Probe } else { OwnLookup::Gap };
        if let Some(lookup) = self.begin_own(key, contact) {
            lookup.set_confirm(true);
            lookup.start_at_contact();
        }
        self.ask_origin(PROBE_TRIES);
    }

    /// Returns the key to look up: the own identifier. A node that has lost all its successors knows no way to nodes between itself and
    /// the next one that it has found, and others may: two times of three it looks up one of the keys in the nearer half of those.
    fn probe_key(&mut self) -> I {
        let me = self.core.me.id;
        let successor = self.table.successors.first().filter(|_| self.is_recovering());
        let bits = successor.and_then(|it| me.distance(it.id).log2());
        match bits {
            Some(bits) if !self.core.probes.is_multiple_of(3) => self.inside(me, bits),
            _ => me,
        }
    }

    /// A lookup of a key between this node and its unverified successor has ended: takes the node that it has met there, if any.
    #[inline(never)] // the caller's stack is deep
    pub(super) fn handle_gap(&mut self, ended: &Ended<I, A>) {
        let owner = match ended.outcome {
            Outcome::Owner(owner) => Some(owner),
            Outcome::Failed(_) => None,
        };
        let answered = Some(ended.at).filter(|at| *at != ended.origin);
        let me = self.core.me.id;
        let met = [owner, answered].into_iter().flatten();
        let nearest = met.filter(|peer| peer.id != me).min_by_key(|peer| me.distance(peer.id));
        if let Some(peer) = nearest {
            self.consider(peer, true);
        }
    }

    /// Returns the peer whose turn it is: a contact. While the node has to find its successor, every second time the one that
    /// it has found so far, or a finger.
    fn next_contact(&mut self) -> Option<Peer<I, A>> {
        self.core.probes = self.core.probes.wrapping_add(1);
        if self.is_recovering() && self.core.probes.is_multiple_of(2) {
            if let Some(successor) = self.table.successors.first() {
                return Some(successor);
            }
            let turn = usize::from(self.core.probes / 2);
            let at = turn.checked_rem(self.table.fingers.len());
            if let Some(finger) = at.and_then(|at| self.table.fingers.iter().nth(at)) {
                return Some(finger);
            }
        }
        let seeds = self.core.probes.is_multiple_of(2);
        let (contact, next) = contacts::next(self.contacts, self.core.next_contact, seeds)?;
        self.core.next_contact = next;
        Some(contact)
    }

    /// A probe has ended.
    pub(super) fn probed(&mut self, ended: &Ended<I, A>) {
        let contact = ended.origin;
        let Outcome::Owner(owner) = ended.outcome else {
            let alone = self.table.successors.first().is_none();
            return contacts::failed(self.contacts, contact.address, alone);
        };
        if owner.id == self.core.me.id {
            if owner.address == self.core.me.address {
                return self.found_at_home(contact);
            }
            // The successor decides which of two nodes with one identifier is a member, and a node on the way may lie.
            if self.table.successors.first().is_none() {
                self.give_way();
            }
            return;
        }
        #[cfg(test)]
        if self.mutate_merge(owner) {
            return;
        }
        if self.core.quiet_probes_left == 0 {
            self.core.pending_events.set(Flag::Split);
        }
        self.core.quiet_probes_left = QUIET_PROBES;
        self.core.eager_probes_left = EAGER_PROBES;
        self.core.contact = Some(owner.address);
        let before = ended.at;
        if before != owner && before.address != self.core.me.address {
            self.core.nudge = Some(before.address);
        }
        self.consider(owner, true);
        self.plan_probe();
    }

    /// The remembered peer belongs to the ring of this node.
    fn found_at_home(&mut self, contact: Peer<I, A>) {
        contacts::found(self.contacts, contact.address);
        if let Some(left) = self.core.quiet_probes_left.checked_sub(1) {
            self.core.quiet_probes_left = left;
            if left == 0 {
                self.core.pending_events.set(Flag::Merged);
            }
        }
    }

    /// A node whose successors have all failed has found another one, which may be far away: the lookup of a probe leads to the
    /// nearest one faster than the way back from predecessor to predecessor.
    pub(super) fn probe_from_afar(&mut self) {
        self.core.probes |= 1; // the next one goes through the successor
        self.core.probe_at = self.core.now.after_nanos(NEXT_STEP);
    }

    /// Takes a node for the candidate of the next step if it lies before the successor. One that has not `answered`
    /// is pinged first. Where all successors have failed, one that has takes the place of a candidate farther away, whose
    /// step then does not happen.
    pub(super) fn consider(&mut self, peer: Peer<I, A>, answered: bool) {
        let successor = self.table.successors.first().unwrap_or(self.core.me);
        let closer = peer.id.between(self.core.me.id, successor.id);
        let free = self.core.state == State::Idle && self.core.question.is_none();
        let candidate = self.core.saved.filter(|_| self.core.state == State::Stabilizing);
        let nearer = candidate.is_none_or(|it| peer.id.between(self.core.me.id, it.id));
        let overtakes = answered && nearer && self.is_recovering() && self.is_reading();
        if closer && (free || overtakes) && peer.address != self.core.me.address {
            self.core.state = self.core.state.after(Input::Closer);
            self.core.saved = Some(peer);
            if answered {
                self.ask();
            } else {
                self.verify();
            }
        }
    }

    /// Counts the rounds in which the successor prefers a node that has the identifier of this one. It may be this node at a
    /// former address, or made up, so in the end a third node is asked who has this identifier, and that one for a sign of life.
    pub(super) fn handle_twin(&mut self, predecessor: Peer<I, A>) {
        let me = self.core.me;
        if predecessor.id != me.id || predecessor.address == me.address {
            self.core.twin_rounds = 0;
            return;
        }
        self.core.twin_rounds = self.core.twin_rounds.saturating_add(1);
        #[cfg(test)]
        if self.core.twin_rounds >= TWIN_ROUNDS && self.mutate_twin() {
            return self.give_way();
        }
        if self.core.twin_rounds >= TWIN_ROUNDS && self.own.is_empty() {
            self.look_for_twin(predecessor);
        }
    }

    #[inline(never)] // the caller's stack is deep
    fn look_for_twin(&mut self, twin: Peer<I, A>) {
        self.core.own_lookup = OwnLookup::Twin;
        let witness = self.witness(twin);
        if let Some(lookup) = self.begin_own(self.core.me.id, witness.unwrap_or(twin)) {
            if witness.is_some() {
                lookup.set_confirm(true);
                lookup.start_at_contact();
            } else {
                lookup.check_origin();
            }
        }
        self.ask_origin(PROBE_TRIES);
    }

    /// Returns a node that can say who has the identifier of this node: neither the successor nor the `twin`, as both may lie.
    /// `None` if no other one is known. Each call may return another one, as some may be dead.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    fn witness(&mut self, twin: Peer<I, A>) -> Option<Peer<I, A>> {
        let me = self.core.me;
        let successor = self.table.successors.first().unwrap_or(me);
        let other = |peer: &Peer<I, A>| {
            peer.address != me.address
                && peer.address != successor.address
                && peer.address != twin.address
        };
        let others = || {
            let near = core::iter::once(self.core.predecessor);
            let list = self.table.successors.as_slice().iter().copied();
            near.chain(list).chain(self.table.fingers.iter()).filter(other)
        };
        let count = u64::try_from(others().count()).unwrap_or(u64::MAX);
        let mut rng = self.core.rng;
        let turn = usize::try_from(rng.below(count.max(1))).unwrap_or(0);
        let witness = others().nth(turn);
        self.core.rng = rng;
        witness
    }

    /// Gives way if another node has answered that has this identifier and is named by the successor and by a node that
    /// does not follow this one. If it is silent, or was made up by the successor, this node stays.
    pub(super) fn handle_twin_checked(&mut self, outcome: Outcome<I, A>) {
        self.core.twin_rounds = 0;
        let me = self.core.me;
        if let Outcome::Owner(owner) = outcome
            && owner.id == me.id
            && owner.address != me.address
        {
            self.give_way();
        }
    }

    /// Another node has this identifier, and the ring knows that one: this one is outside from now on.
    fn give_way(&mut self) {
        self.core.twin_rounds = 0;
        self.core.question = None;
        self.core.verifying = false;
        self.core.successor_answered = false;
        self.core.known_to_successor = false;
        self.own.clear(None);
        self.core.own_lookup = OwnLookup::Finger;
        self.core.notify = false;
        self.core.notified = None;
        self.core.nudge = None;
        self.core.fix_at = Time::NEVER;
        self.core.probe_at = Time::NEVER;
        self.core.pending_events.owned = None;
        self.be(self.core.me.id);
        self.refuse(JoinFailure::IdentifierTaken);
    }
}
