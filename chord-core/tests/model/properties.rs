//! The invariant of Zave 2017 and what follows from it.

use std::vec::Vec;

use stateright::Property;

use super::local::Mod;
use super::{Ring, State};
use crate::id::Identifier;
use crate::peer::Peer;
use crate::successors::SuccessorList;

use super::local::peer;

pub(super) fn all<const N: usize>() -> Vec<Property<Ring<N>>> {
    std::vec![
        Property::always("OneLiveSuccessor", |ring, state| {
            let state = &ring.after_answers(state);
            ring.members(state).all(|id| ring.best(state, id).is_some())
        }),
        Property::always("SufficientPrincipals", |ring, state| {
            let state = &ring.after_answers(state);
            ring.principals(state).count() > usize::from(ring.r)
        }),
        Property::always("OrderedSuccessorLists", |ring, state| {
            let state = &ring.after_answers(state);
            ring.members(state).all(|id| {
                let list = ring.extended(state, id);
                let pair = |j: usize, k: usize| list[j].between(list[0], list[k]);
                (1..list.len()).all(|j| (j + 1..list.len()).all(|k| pair(j, k)))
            })
        }),
        Property::always("NoDuplicates", |ring, state| {
            let state = &ring.after_answers(state);
            ring.members(state).all(|id| {
                let list = ring.extended(state, id);
                (1..list.len()).all(|at| !list[..at].contains(&list[at]))
            })
        }),
        Property::always("OneOrderedRing", |ring, state| {
            let state = &ring.after_answers(state);
            let on_ring: Vec<u8> =
                ring.members(state).filter(|id| ring.is_on_ring(state, *id)).collect();
            // Each ring member's best successor is the next ring member.
            !on_ring.is_empty()
                && on_ring.iter().enumerate().all(|(at, id)| {
                    ring.best(state, *id) == Some(on_ring[(at + 1) % on_ring.len()])
                })
        }),
        Property::always("ConnectedAppendages", |ring, state| {
            let state = &ring.after_answers(state);
            ring.members(state).all(|id| {
                let mut at = Some(id);
                for _ in 0..N {
                    at = at.and_then(|id| ring.best(state, id));
                }
                at.is_some_and(|id| ring.is_on_ring(state, id))
            })
        }),
        Property::always("PrincipalsInRing", |ring, state| {
            let state = &ring.after_answers(state);
            ring.principals(state).all(|id| ring.is_on_ring(state, id))
        }),
        Property::always("Progress", |ring, state| !ring.progress || ring.becomes_ideal(state)),
        Property::sometimes("AllIdeal", |ring: &Ring<N>, state: &State<N>| {
            state.nodes.iter().all(|local| local.is_member()) && ring.is_ideal(state)
        }),
    ]
}

impl<const N: usize> Ring<N> {
    pub(super) fn members(&self, state: &State<N>) -> impl Iterator<Item = u8> + use<N> {
        let nodes = state.nodes;
        (0..N as u8).filter(move |id| nodes[usize::from(*id)].is_member())
    }

    /// Returns the first living entry of a list. A node that knows no other is its own successor: `create` of the papers says
    /// so, and so it is until it has read the node that has joined it.
    pub(super) fn best(&self, state: &State<N>, id: u8) -> Option<u8> {
        let fields = state.nodes[usize::from(id)].fields();
        let list = fields.successors();
        if list.is_empty() {
            return Some(id);
        }
        list.iter().copied().find(|id| state.nodes[usize::from(*id)].is_member())
    }

    fn is_on_ring(&self, state: &State<N>, id: u8) -> bool {
        let mut at = Some(id);
        (0..N).any(|_| {
            at = at.and_then(|at| self.best(state, at));
            at == Some(id)
        })
    }

    /// Returns a node and its list, with the artificial entries.
    fn extended(&self, state: &State<N>, id: u8) -> Vec<Mod<N>> {
        let fields = state.nodes[usize::from(id)].fields();
        let list: Vec<_> = fields.successors().iter().map(|id| peer(*id)).collect();
        let mut slots = SuccessorList::new(Mod(id), std::vec![Peer::EMPTY; usize::from(self.r)]);
        slots.set_raw(&list);
        core::iter::once(Mod(id)).chain(slots.identifiers()).collect()
    }

    /// Returns the members that no list skips.
    fn principals(&self, state: &State<N>) -> impl Iterator<Item = u8> + use<N> {
        let lists: Vec<_> = self.members(state).map(|id| self.extended(state, id)).collect();
        self.members(state).filter(move |id| {
            let skips = |pair: &[Mod<N>]| Mod(*id).between(pair[0], pair[1]);
            !lists.iter().any(|list| list.windows(2).any(skips))
        })
    }

    /// Returns whether the assumptions on failures let a member fail now.
    pub(super) fn may_fail(&self, state: &State<N>, id: u8) -> bool {
        let state = &self.after_answers(state);
        let mut after = *state;
        after.nodes[usize::from(id)] = super::local::Local::GONE;
        if self.members(&after).next().is_none() {
            return false;
        }
        let live = |ring: &Self| ring.members(&after).all(|id| ring.best(&after, id).is_some());
        if self.keeps_live_entry && !live(self) {
            return false;
        }
        if !self.keeps_principals {
            return true;
        }
        let principals: Vec<u8> = self.principals(state).collect();
        principals.len() > usize::from(self.r) + 1 || !principals.contains(&id)
    }

    /// Returns whether all lists and predecessors are those of the sorted ring.
    pub(super) fn is_ideal(&self, state: &State<N>) -> bool {
        let ring: Vec<u8> = self.members(state).collect();
        let next = |at: usize, by: usize| ring[(at + by) % ring.len()];
        ring.iter().enumerate().all(|(at, id)| {
            let fields = state.nodes[usize::from(*id)].fields();
            let known = usize::from(self.r).min(ring.len() - 1);
            let list = (1..=known).map(|by| next(at, by));
            fields.successors().iter().copied().eq(list)
                && fields.predecessor == next(at, ring.len() - 1)
        })
    }
}
