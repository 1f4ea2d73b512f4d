//! The connections that wait for a lease.
//!
//! Two lists: all connections of the first are of one worker, and the first of the second is of another. So one of
//! another worker than any given one is found at once. A connection changes from the second list to the first at most
//! once.

use super::conn_slot::{ConnSlot, Place};
use crate::ready::Linked;

/// The links of a slot to the slots before and behind it.
const LINKS: [usize; 2] = [2, 3];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    same: List,
    others: List,
}

/// A list by links in both directions. All numbers are 1 + a slot, or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct List {
    first: u16,
    last: u16,
}

impl Waiting {
    pub(super) const EMPTY: Self = Self { same: List::EMPTY, others: List::EMPTY };

    /// Returns the connection that waits first.
    pub(super) fn first(self) -> Option<usize> {
        at(self.same.first)
    }

    /// Returns the connections of other workers than that of the first.
    pub(super) fn others(
        self,
        slots: &[ConnSlot],
    ) -> impl Iterator<Item = (usize, &ConnSlot)> + use<'_> {
        let first = at(self.others.first);
        let behind = |index: &usize| at(slots.get(*index)?.link(LINKS[1])?);
        let indices = core::iter::successors(first, behind);
        indices.filter_map(|index| Some((index, slots.get(index)?)))
    }

    /// Adds a connection unless it waits.
    pub(super) fn push(&mut self, slots: &mut [ConnSlot], index: usize) {
        let Some(slot) = slots.get(index).filter(|slot| slot.place == Place::None) else { return };
        let first = self.first().and_then(|first| slots.get(first));
        let is_same = first.is_none_or(|first| first.account == slot.account);
        self.append(slots, index, if is_same { Place::Same } else { Place::Others });
    }

    /// Removes a connection if it waits.
    pub(super) fn remove(&mut self, slots: &mut [ConnSlot], index: usize) {
        let Some(slot) = slots.get_mut(index) else { return };
        match core::mem::replace(&mut slot.place, Place::None) {
            Place::None => return,
            Place::Same => self.same.unlink(slots, index),
            Place::Others => self.others.unlink(slots, index),
        }
        while let Some(next) = at(self.others.first) {
            let account = |index: usize| slots.get(index).map(|slot| slot.account);
            if self.first().is_some_and(|first| account(first) != account(next)) {
                return;
            }
            self.others.unlink(slots, next);
            self.append(slots, next, Place::Same);
        }
    }

    fn append(&mut self, slots: &mut [ConnSlot], index: usize, place: Place) {
        match place {
            Place::None => return,
            Place::Same => self.same.append(slots, index),
            Place::Others => self.others.append(slots, index),
        }
        if let Some(slot) = slots.get_mut(index) {
            slot.place = place;
        }
    }
}

impl List {
    const EMPTY: Self = Self { first: 0, last: 0 };

    fn append(&mut self, slots: &mut [ConnSlot], index: usize) {
        let Some(own) = number(index) else { return };
        set(slots, index, [self.last, 0]);
        match at(self.last) {
            Some(last) => set_link(slots, last, LINKS[1], own),
            None => self.first = own,
        }
        self.last = own;
    }

    fn unlink(&mut self, slots: &mut [ConnSlot], index: usize) {
        let Some(slot) = slots.get(index) else { return };
        let [before, behind] = LINKS.map(|link| slot.link(link).unwrap_or(0));
        set(slots, index, [0; 2]);
        match at(before) {
            Some(before) => set_link(slots, before, LINKS[1], behind),
            None => self.first = behind,
        }
        match at(behind) {
            Some(behind) => set_link(slots, behind, LINKS[0], before),
            None => self.last = before,
        }
    }
}

fn set(slots: &mut [ConnSlot], index: usize, links: [u16; 2]) {
    for (link, number) in LINKS.into_iter().zip(links) {
        set_link(slots, index, link, number);
    }
}

fn set_link(slots: &mut [ConnSlot], index: usize, link: usize, number: u16) {
    if let Some(to) = slots.get_mut(index).and_then(|slot| slot.link_mut(link)) {
        *to = number;
    }
}

fn number(index: usize) -> Option<u16> {
    u16::try_from(index).ok()?.checked_add(1)
}

fn at(number: u16) -> Option<usize> {
    number.checked_sub(1).map(usize::from)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The first list is of one worker, the second starts with another, and both hold all that wait.
        #[test]
        fn the_lists_tell_workers_apart(
            accounts in prop::collection::vec(0_u16..3, 1..12),
            steps in prop::collection::vec((any::<bool>(), 0_usize..14), 0..100),
        ) {
            let slot = |account: &u16| {
                let mut slot = ConnSlot::EMPTY;
                slot.account = *account;
                slot
            };
            let mut slots: Vec<_> = accounts.iter().map(slot).collect();
            let mut waits = vec![false; slots.len()];
            let mut waiting = Waiting::EMPTY;
            for (push, index) in steps {
                if push { waiting.push(&mut slots, index) } else { waiting.remove(&mut slots, index) }
                if let Some(waits) = waits.get_mut(index) {
                    *waits = push;
                }
                let others: Vec<_> = waiting.others(&slots).map(|(index, _)| index).collect();
                let mut all: Vec<_> = core::iter::successors(waiting.first(), |index| {
                    at(slots[*index].link(LINKS[1]).unwrap_or(0))
                }).collect();
                prop_assert!(all.iter().all(|index| accounts[*index] == accounts[all[0]]));
                if let Some(other) = others.first() {
                    prop_assert_ne!(accounts[*other], accounts[all[0]]);
                }
                all.extend(others);
                all.sort_unstable();
                let expected: Vec<_> = (0..waits.len()).filter(|index| waits[*index]).collect();
                prop_assert_eq!(all, expected);
            }
        }
    }
}
