//! Finds the slot of a connection, at a cost that does not grow with the number of slots.
//!
//! A hash table with chains through the slots themselves: slot `n` also holds the start of chain `n`. The slots that
//! no connection uses are a queue by the same links, so that the one that was freed first is used first.

use crate::id::ConnId;
use crate::rng::mix;

/// What a slot holds for the index of its table: 4 bytes. All numbers are 1 + a slot, or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Links {
    chain: u16, // the first slot of the chain of this number
    next: u16,  // in the chain of its connection, or among the unused slots
}

impl Links {
    pub(crate) const EMPTY: Self = Self { chain: 0, next: 0 };
}

/// A slot that holds links.
pub(crate) trait Indexed {
    fn links(&self) -> &Links;
    fn links_mut(&mut self) -> &mut Links;
    /// Returns whether the slot belongs to a connection.
    fn is_of(&self, conn: ConnId) -> bool;
}

/// The unused slots of a table; the used ones are in its chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnIndex {
    first: u16,
    last: u16,
}

impl ConnIndex {
    /// Returns the index of a table of at most 65,534 slots whose slots are all unused.
    pub(crate) fn new<T: Indexed>(slots: &mut [T]) -> Self {
        let mut index = Self { first: 0, last: 0 };
        for slot in slots.iter_mut() {
            *slot.links_mut() = Links::EMPTY;
        }
        (0..slots.len()).for_each(|at| index.release(slots, at));
        index
    }

    /// Returns the slot that was released first.
    fn unused(self) -> Option<usize> {
        at(self.first)
    }

    /// Takes the slot that was released first and adds it to the chain of a connection.
    pub(crate) fn take<T: Indexed>(&mut self, slots: &mut [T], conn: ConnId) -> Option<usize> {
        let index = self.unused()?;
        let next = slots.get(index)?.links().next;
        let chain = &mut slots.get_mut(chain_of(conn, slots.len()))?.links_mut().chain;
        let rest = core::mem::replace(chain, self.first);
        slots.get_mut(index)?.links_mut().next = rest;
        self.first = next;
        if next == 0 {
            self.last = 0;
        }
        Some(index)
    }

    /// Removes the slot of a connection from its chain and adds it behind the unused slots.
    pub(crate) fn give_back<T: Indexed>(&mut self, slots: &mut [T], conn: ConnId, index: usize) {
        let Some(own) = number(index) else { return };
        let Some(next) = slots.get(index).map(|slot| slot.links().next) else { return };
        let chain = chain_of(conn, slots.len());
        let Some(mut before) = slots.get(chain).map(|slot| slot.links().chain) else { return };
        if before == own {
            if let Some(slot) = slots.get_mut(chain) {
                slot.links_mut().chain = next;
            }
        } else {
            while let Some(slot) = at(before).and_then(|before| slots.get_mut(before)) {
                if slot.links().next == own {
                    slot.links_mut().next = next;
                    break;
                }
                before = slot.links().next;
            }
        }
        self.release(slots, index);
    }

    /// Adds a slot that is in no chain behind the unused slots.
    fn release<T: Indexed>(&mut self, slots: &mut [T], index: usize) {
        let Some(own) = number(index) else { return };
        let Some(slot) = slots.get_mut(index) else { return };
        slot.links_mut().next = 0;
        match at(self.last).and_then(|last| slots.get_mut(last)) {
            Some(last) => last.links_mut().next = own,
            None => self.first = own,
        }
        self.last = own;
    }
}

/// Returns the slot of a connection.
pub(crate) fn find<T: Indexed>(slots: &[T], conn: ConnId) -> Option<usize> {
    let mut next = slots.get(chain_of(conn, slots.len()))?.links().chain;
    while let Some(index) = at(next) {
        let slot = slots.get(index)?;
        if slot.is_of(conn) {
            return Some(index);
        }
        next = slot.links().next;
    }
    None
}

/// Returns the number of the chain of a connection.
fn chain_of(conn: ConnId, slots: usize) -> usize {
    let hash = usize::try_from(mix(u64::from(conn.0)) >> 33).unwrap_or(0);
    hash.checked_rem(slots).unwrap_or(0)
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

    #[derive(Clone)]
    struct Slot(Option<ConnId>, Links);

    impl Indexed for Slot {
        fn links(&self) -> &Links {
            &self.1
        }

        fn links_mut(&mut self) -> &mut Links {
            &mut self.1
        }

        fn is_of(&self, conn: ConnId) -> bool {
            self.0 == Some(conn)
        }
    }

    proptest! {
        /// Connections that come and go are found, whatever chain they are in, and get the slot that was free for longest.
        #[test]
        fn connections_are_found_and_slots_are_reused_in_order(
            len in 0_usize..9,
            steps in prop::collection::vec(0_u32..24, 0..200),
        ) {
            let mut slots = vec![Slot(None, Links::EMPTY); len];
            let mut index = ConnIndex::new(&mut slots);
            let mut unused: Vec<_> = (0..len).collect();
            for number in steps {
                let conn = ConnId(number);
                let known = slots.iter().position(|slot| slot.0 == Some(conn));
                prop_assert_eq!(find(&slots, conn), known);
                if let Some(at) = known {
                    slots[at].0 = None;
                    index.give_back(&mut slots, conn, at);
                    unused.push(at);
                } else {
                    let next = unused.first().copied();
                    prop_assert_eq!(index.take(&mut slots, conn), next);
                    if let Some(at) = next {
                        unused.remove(0);
                        slots[at].0 = Some(conn);
                    }
                }
            }
            for conn in (0..24).map(ConnId) {
                let known = slots.iter().position(|slot| slot.0 == Some(conn));
                prop_assert_eq!(find(&slots, conn), known);
            }
        }
    }
}
