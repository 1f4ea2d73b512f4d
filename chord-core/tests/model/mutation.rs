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
