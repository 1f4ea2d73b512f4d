//! The corrected maintenance: the steps of Zave 2017 under their names there.
//!
//! Each step reads the state of at most one other member, and takes effect when that one answers.
//! Until then nobody may read this node: its answers wait. An asker whose second try meets a node
//! that waits itself is answered with BUSY, gives its step up, answers those that wait for it and tries again
//! after a random while; so nodes that wait for each other do not do so for long after one `patience`.

use super::data::{NEXT_STEP, NodeMut};
use super::pending::Flag;
use super::state::{Input, State};
use crate::contacts::{self, Kind};
use crate::id::Identifier;
use crate::peer::Peer;
use crate::time::Time;
use crate::wire::Address;

/// A node that has answered with BUSY this often in a row counts as dead. Honest ones do so more than 16 times
/// while many nodes join and fail around them.
const MOST_BUSY: u8 = 64;

/// A node that has lost all its successors names the next one as an owner after this many stabilizations, and one that has
/// lost its predecessor names itself as the owner of that one's keys after as many notifications of the next. Until then, nodes
/// between that have lost theirs as well find their place.
const UNVERIFIED_ROUNDS: u8 = 3;

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    /// Goes on with what the clock has brought: the next stabilization, or what was put off.
    pub(super) fn continue_step(&mut self) {
        if self.core.question.is_some() {
            return;
        }
        match self.core.state {
            State::Joining => self.continue_joining(),
            State::Outside | State::Gone => self.core.stabilize_at = Time::NEVER,
            State::Idle | State::Stabilizing | State::Rectifying => self.stabilize(),
        }
    }

    /// Asks the node that the next step reads.
    fn stabilize(&mut self) {
        self.core.stabilize_at = self.after(self.core.interval);
        let longest = self.core.settings.stabilize_when_calm.max(self.core.settings.stabilize);
        self.core.interval = self.core.interval.lengthened(longest);
        if self.table.successors.first().is_none() && self.core.state != State::Stabilizing {
            let nearest = self.fallback();
            if nearest.is_none() && self.core.predecessor == self.core.me {
                self.count_verified();
                return; // a lone node
            }
            // A node without successors is its own; every other one lies between it and itself.
            self.core.state = self.core.state.after(Input::Closer);
            self.core.saved = nearest.or(Some(self.core.predecessor));
        }
        self.ask(); // StabilizeFromSuccessor, or StabilizeFromPredecessor which was put off
    }

    /// The node asked has answered with its predecessor and its list.
    pub(super) fn handle_state(&mut self, predecessor: Peer<I, A>, list: &[Peer<I, A>]) {
        match (self.core.state, self.table.successors.first()) {
            (State::Joining, _) => self.copy(list),
            (State::Stabilizing, _) => self.stabilize_from_predecessor(Some(list)),
            (State::Idle, Some(successor)) => {
                self.stabilize_from_successor(successor, predecessor, list);
            }
            _ => {}
        }
    }

    /// `StabilizeFromSuccessor`: the successor lives.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    fn stabilize_from_successor(
        &mut self,
        successor: Peer<I, A>,
        predecessor: Peer<I, A>,
        list: &[Peer<I, A>],
    ) {
        self.core.successor_answered = true;
        self.core.known_to_successor = predecessor == self.core.me;
        if self.core.known_to_successor {
            self.count_verified();
        }
        if self.table.successors.replace(self.core.me.address, successor, list) {
            self.set_changed();
        }
        self.handle_twin(predecessor);
        let elsewhere = predecessor.address != self.core.me.address;
        #[cfg(test)]
        let elsewhere = elsewhere || self.mutate_recognition();
        if elsewhere && predecessor.id.between(self.core.me.id, successor.id) {
            #[cfg(test)]
            if self.mutate_adoption(predecessor) {
                return;
            }
            self.core.state = self.core.state.after(Input::Closer);
            self.core.saved = Some(predecessor);
            self.ask(); // not adopted before it has answered
        } else {
            self.core.notify = true;
            self.settle();
        }
    }

    /// The successor has named this node as its predecessor once more.
    fn count_verified(&mut self) {
        let left = self.core.unverified.successor().saturating_sub(1);
        self.core.unverified.set_successor(left);
    }

    /// Returns whether the node asked has answered before: other peers may have made the others up.
    fn has_answered(&self) -> bool {
        match self.core.state {
            State::Idle => self.core.successor_answered,
            State::Rectifying => true,
            State::Outside | State::Joining | State::Stabilizing | State::Gone => false,
        }
    }

    /// The node asked is dead.
    pub(super) fn handle_dead(&mut self) {
        let Some(_) = self.core.question.take() else { return };
        if core::mem::take(&mut self.core.verifying) {
            return self.handle_unverified();
        }
        if let Some(peer) = self.asked().filter(|_| self.core.state != State::Joining) {
            let kind = if self.has_answered() { Kind::Lost } else { Kind::Named };
            self.mark_failed(peer, kind);
        }
        match self.core.state {
            State::Joining => self.join_again(),
            State::Stabilizing => self.stabilize_from_predecessor(None),
            State::Rectifying => {
                let Some(peer) = self.core.saved else { return self.rectified() };
                self.adopt_predecessor(peer);
            }
            State::Idle => {
                // StabilizeFromSuccessor, dead; the next step follows at once
                self.table.successors.shift();
                self.core.successor_answered = false;
                self.core.known_to_successor = false;
                if self.table.successors.first().is_none() {
                    self.core.unverified.set_successor(UNVERIFIED_ROUNDS);
                }
                #[cfg(test)]
                self.mutate_padding();
                self.set_changed();
                self.core.pending_events.set(Flag::Successor);
                self.core.notify = true;
                self.core.stabilize_at = self.core.now;
                self.settle();
            }
            State::Outside | State::Gone => {}
        }
    }

    /// A stranger has given no sign of life: nothing happens to it.
    fn handle_unverified(&mut self) {
        if self.core.state == State::Stabilizing {
            self.stabilize_from_predecessor(None);
        } else {
            self.rectified();
        }
    }

    /// `StabilizeFromPredecessor`: the better successor has answered with its list, or is dead.
    #[cfg_attr(target_os = "none", inline(never))] // the caller's stack is deep
    fn stabilize_from_predecessor(&mut self, list: Option<&[Peer<I, A>]>) {
        self.core.state = self.core.state.after(Input::Settled);
        if let (Some(candidate), Some(list)) = (self.core.saved.take(), list) {
            let successor = self.table.successors.first().unwrap_or(self.core.me);
            if candidate.id.between(self.core.me.id, successor.id) {
                if self.table.successors.first().is_none() && self.core.unverified.successor() > 0 {
                    self.probe_from_afar();
                }
                let old = self.table.successors.first().filter(|_| self.core.successor_answered);
                self.table.successors.replace(self.core.me.address, candidate, list);
                self.keep_displaced(old);
                self.core.successor_answered = true;
                self.core.known_to_successor = false;
                self.core.pending_events.set(Flag::Successor);
                self.set_changed();
                // A still closer one may follow. Nodes that wait for an answer read this one first.
                self.core.stabilize_at = self.core.now.after_nanos(NEXT_STEP);
            }
        }
        self.core.notify = true;
        if self.table.successors.first().is_none() && self.fallback().is_some() {
            self.core.stabilize_at = self.core.now; // it may live
        } else if self.table.successors.first().is_none() {
            if self.core.predecessor != self.core.me {
                self.core.pending_events.set(Flag::Isolated);
            }
            self.set_predecessor(self.core.me); // nobody else is left
            self.hasten_probe();
        }
        self.settle();
    }

    /// Keeps the former successor, which has answered, if the new list does not name it: nobody has verified the other entries yet.
    fn keep_displaced(&mut self, old: Option<Peer<I, A>>) {
        let displaced = old.filter(|old| !self.table.successors.as_slice().contains(old));
        if let Some(peer) = displaced.filter(|peer| peer.address != self.core.me.address) {
            contacts::keep_backup(self.contacts, peer, &mut self.core.rng);
        }
    }

    /// Returns the nearest node to go on with when the whole list is dead: a finger, or a backup that has answered.
    pub(super) fn fallback(&self) -> Option<Peer<I, A>> {
        let me = self.core.me;
        let finger = self.table.fingers.iter().next();
        let backup = contacts::nearest_backup(self.contacts, me);
        let distance = |peer: Peer<I, A>| me.id.distance(peer.id);
        let nearer =
            |backup: &Peer<I, A>| finger.is_none_or(|finger| distance(*backup) < distance(finger));
        backup.filter(nearer).or(finger)
    }

    /// A node says that it is the predecessor (Zave: Notified).
    pub(super) fn handle_notify(&mut self, peer: Peer<I, A>) {
        let myself = peer.id == self.core.me.id || peer.address == self.core.me.address;
        if !self.core.state.is_member() || myself {
            return;
        }
        if self.core.question.is_some() {
            self.core.notified = Some(peer); // as if it came after the step that is under way
            return;
        }
        if self.core.state == State::Stabilizing {
            self.core.stabilize_at = self.core.now; // what is overwritten is made up for at once
        }
        self.core.state = self.core.state.after(Input::Notified);
        self.core.saved = Some(peer);
        self.rectify(peer);
    }

    /// Rectify: takes the place of `notify` and `check_predecessor` of the papers. A stranger shows first that it
    /// lives at its address, unless the old predecessor stays anyway.
    fn rectify(&mut self, peer: Peer<I, A>) {
        #[cfg(test)]
        if self.mutate_rectify(peer) {
            return;
        }
        if peer == self.core.predecessor {
            let left = self.core.unverified.keys().saturating_sub(1);
            self.core.unverified.set_keys(left);
            self.rectified();
        } else if peer.id.between(self.core.predecessor.id, self.core.me.id) {
            self.adopt_predecessor(peer);
        } else {
            self.ask(); // adopted only if the old one is dead
        }
    }

    /// Adopts a predecessor that has answered, and asks any other for a sign of life first.
    fn adopt_predecessor(&mut self, peer: Peer<I, A>) {
        if self.core.successor_answered && self.table.successors.first() == Some(peer) {
            self.rectify_verified(peer);
        } else {
            self.verify();
        }
    }

    /// A node that is to become the predecessor lives.
    fn rectify_verified(&mut self, peer: Peer<I, A>) {
        if peer.id.between(self.core.predecessor.id, self.core.me.id) {
            // The extra rule of Stoica 2003, V-A: the old one learns of the new one at once.
            self.core.nudge = self.core.predecessor().map(|old| old.address);
        }
        self.set_predecessor(peer);
        if self.table.successors.first().is_none() {
            self.core.stabilize_at = self.core.now; // a lone node has found its successor
        }
        self.rectified();
    }

    pub(super) fn set_predecessor(&mut self, peer: Peer<I, A>) {
        if peer != self.core.predecessor {
            self.core.pending_events.set(Flag::Predecessor);
        }
        if !peer.id.between(self.core.predecessor.id, self.core.me.id) {
            self.core.unverified.set_keys(UNVERIFIED_ROUNDS); // the keys of the old one are added
        }
        self.core.predecessor = peer;
        self.core.interval = self.core.settings.stabilize;
    }

    pub(super) fn rectified(&mut self) {
        self.core.saved = None;
        self.core.state = self.core.state.after(Input::Rectified);
        self.settle();
    }

    /// A step is finished: a stabilization that is due comes before another notification, so that
    /// no flood of these keeps the node from stabilizing.
    pub(super) fn settle(&mut self) {
        // At the end of time it is due at each call, and once in each is enough: others have to read this node, too.
        let due = self.core.is_due(self.core.stabilize_at) && !self.core.now.is_last();
        if self.core.question.is_none() && due {
            self.stabilize();
        }
        if self.core.question.is_none()
            && let Some(peer) = self.core.notified.take()
        {
            self.handle_notify(peer);
        }
    }

    /// A sign of life.
    pub(super) fn handle_pong(&mut self, from: A, token: u32, id: I) {
        if !self.awaits(from, token) || !self.pings() {
            return;
        }
        if self.core.state == State::Joining {
            self.core.question = None;
            return self.locate(Peer { id, address: from });
        }
        let Some(peer) = self.asked().filter(|peer| peer.id == id) else {
            return self.handle_dead();
        };
        self.core.question = None;
        if !core::mem::take(&mut self.core.verifying) {
            self.rectified(); // the old predecessor lives and stays
        } else if self.core.state == State::Stabilizing {
            self.ask(); // and now for its list
        } else {
            self.rectify_verified(peer);
        }
    }

    /// The node asked waits for an answer itself: this step did not happen.
    pub(super) fn postpone(&mut self) {
        self.core.known_to_successor = false; // the question may have been too short
        self.core.busy = self.core.busy.saturating_add(1);
        if self.core.busy >= MOST_BUSY {
            self.core.busy = 0;
            return self.handle_dead(); // it is never going to answer
        }
        self.core.question = None;
        self.core.stabilize_at = self.after(self.core.settings.patience);
        self.settle();
    }

    /// A neighbour has left: the question whether it lives is worth asking now.
    pub(super) fn handle_leave(&mut self, peer: Peer<I, A>) {
        if self.table.fingers.iter().any(|finger| finger == peer) {
            self.table.fingers.forget(peer.id);
        }
        if self.table.successors.first() == Some(peer) {
            self.handle_nudge(peer);
        }
    }

    /// The successor has something to say: stabilizes at once.
    pub(super) fn handle_nudge(&mut self, peer: Peer<I, A>) {
        if self.core.state == State::Idle && self.table.successors.first() == Some(peer) {
            self.core.stabilize_at = self.core.now;
            self.continue_step();
        } else {
            self.consider(peer, false); // of another ring
        }
    }

    /// Takes note of a failure, and reports it.
    fn mark_failed(&mut self, peer: Peer<I, A>, kind: Kind) {
        self.core.pending_events.push_failed(peer);
        self.forget_failed(peer, kind);
    }

    /// Fingers are hints and forget a peer that failed. The list of successors changes by the steps of
    /// maintenance alone.
    pub(super) fn forget_failed(&mut self, peer: Peer<I, A>, kind: Kind) {
        self.table.fingers.forget(peer.id);
        self.remember(peer, kind);
        self.hasten_probe();
    }
}
