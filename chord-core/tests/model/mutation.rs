//! Faults that the checker has to find. They exist in this test only.

use std::vec::Vec;

use crate::id::Identifier;
use crate::node::data::NodeMut;
use crate::peer::Peer;
use crate::wire::Address;

/// A node with one of the faults that a Chord can have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Mutation {
    #[default]
    None,
    /// Join fills its list with the successor instead of copying the list.
    JoinWithoutCopy,
    /// A dead entry gives way to the own identifier.
    PadWithOwn,
    /// A dead entry gives way to the last one again.
    PadWithLast,
    /// Rectify adopts what is closer and never asks the old predecessor.
    RectifyNeverAsks,
    /// Rectify adopts only if the old predecessor is dead.
    RectifyOnlyIfDead,
    /// Rectify adopts any node that notifies.
    RectifyAlways,
    /// Stabilize adopts the predecessor of its successor without asking it.
    AdoptUnasked,
    /// A probe that has found another ring changes nothing.
    MergeNever,
    /// The owner that a probe has found becomes the successor without being asked, before the list that there was.
    MergeUnasked,
    /// A node gives way to another one with its identifier that its successor names, without asking that one.
    GiveWayUnasked,
    /// A node recognizes neither its own address in a state nor its own question that comes back.
    AskOneself,
    /// A node that waits for an answer answers queries meanwhile.
    AnswerWhileReading,
}

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    fn set_raw(&mut self, list: &[Peer<I, A>]) {
        self.table.successors.set_raw(list);
    }

    pub(in crate::node) fn mutate_join(&mut self, head: Peer<I, A>) {
        if self.core.mutation == Mutation::JoinWithoutCopy {
            self.set_raw(&[head; 7]);
        }
    }

    /// The first entry is gone; the list has one too few.
    pub(in crate::node) fn mutate_padding(&mut self) {
        let mut list = self.table.successors.as_slice().to_vec();
        let last = list.last().copied();
        match (self.core.mutation, last) {
            (Mutation::PadWithOwn, _) => list.push(self.core.me),
            (Mutation::PadWithLast, Some(last)) => list.push(last),
            _ => return,
        }
        self.set_raw(&list);
    }

    pub(in crate::node) fn mutate_twin(&self) -> bool {
        self.core.mutation == Mutation::GiveWayUnasked
    }

    pub(in crate::node) fn mutate_recognition(&self) -> bool {
        self.core.mutation == Mutation::AskOneself
    }

    pub(in crate::node) fn mutate_reading(&self) -> bool {
        self.core.mutation == Mutation::AnswerWhileReading
    }

    pub(in crate::node) fn mutate_adoption(&mut self, predecessor: Peer<I, A>) -> bool {
        let mutated = self.core.mutation == Mutation::AdoptUnasked;
        if mutated {
            let list: Vec<_> = [&[predecessor], self.table.successors.as_slice()].concat();
            self.set_raw(&list);
            self.core.notify = true;
            self.settle();
        }
        mutated
    }

    /// A probe has ended at an owner in another ring.
    pub(in crate::node) fn mutate_merge(&mut self, owner: Peer<I, A>) -> bool {
        match self.core.mutation {
            Mutation::MergeNever => true,
            Mutation::MergeUnasked => self.mutate_candidate(owner),
            _ => false,
        }
    }

    fn mutate_candidate(&mut self, owner: Peer<I, A>) -> bool {
        let old = self.table.successors.as_slice();
        let closer = old.first().is_some_and(|it| owner.id.between(self.core.me.id, it.id));
        if closer && self.core.question.is_none() {
            let r = self.table.successors.r();
            let list: Vec<_> = [&[owner], old].concat().into_iter().take(r).collect();
            self.set_raw(&list);
        }
        true
    }

    pub(in crate::node) fn mutate_rectify(&mut self, peer: Peer<I, A>) -> bool {
        let closer = peer.id.between(self.core.predecessor.id, self.core.me.id);
        match self.core.mutation {
            Mutation::RectifyAlways => self.set_predecessor(peer),
            Mutation::RectifyNeverAsks if closer => self.set_predecessor(peer),
            Mutation::RectifyNeverAsks => {}
            Mutation::RectifyOnlyIfDead if peer != self.core.predecessor => {
                self.ask();
                return true;
            }
            _ => return false,
        }
        self.rectified();
        true
    }
}
