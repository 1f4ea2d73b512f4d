//! Finds the slot of a key, such as a connection, at a cost that does not grow with the number of slots.
//!
//! A hash table with chains through the slots themselves: slot `n` also holds the start of chain `n`. The slots that
//! no connection uses are a queue by the same links, so that the one that was freed first is used first.

/// What a slot holds for the index of its table: 4 bytes. All numbers are 1 + a slot, or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Links {
    chain: u16, // the first slot of the chain of this number
    next: u16,  // in the chain of its key, or among the unused slots
}

impl Links {
    pub(crate) const EMPTY: Self = Self { chain: 0, next: 0 };
}

/// A slot that holds links.
pub(crate) trait Indexed {
    type Key: Copy;
    /// Hashes a key. All bits of the result count.
    fn hash(key: Self::Key) -> u64;
    fn links(&self) -> &Links;
    fn links_mut(&mut self) -> &mut Links;
    /// Returns whether the slot is that of a key.
    fn is_of(&self, key: Self::Key) -> bool;
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

    /// Returns whether a slot is unused.
    pub(crate) fn has_unused(self) -> bool {
        self.first != 0
    }

    /// Returns the slot that was released first.
    fn unused(self) -> Option<usize> {
        at(self.first)
    }

    /// Takes the slot that was released first and adds it to the chain of a key.
    pub(crate) fn take<T: Indexed>(&mut self, slots: &mut [T], key: T::Key) -> Option<usize> {
        let index = self.unused()?;
        self.first = slots.get(index)?.links().next;
        if self.first == 0 {
            self.last = 0;
        }
        insert(slots, key, index);
        Some(index)
    }

    /// Removes the slot of a key from its chain and adds it behind the unused slots.
    pub(crate) fn give_back<T: Indexed>(&mut self, slots: &mut [T], key: T::Key, index: usize) {
        if remove(slots, key, index) {
            self.release(slots, index);
        }
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

/// Adds a slot that is in no chain to that of a key.
pub(crate) fn insert<T: Indexed>(slots: &mut [T], key: T::Key, index: usize) {
    let Some(own) = number(index) else { return };
    let Some(chain) = slots.get_mut(chain_of::<T>(key, slots.len())) else { return };
    let rest = core::mem::replace(&mut chain.links_mut().chain, own);
    if let Some(slot) = slots.get_mut(index) {
        slot.links_mut().next = rest;
    }
}

/// Removes a slot from the chain of a key. Returns whether there is such a slot.
pub(crate) fn remove<T: Indexed>(slots: &mut [T], key: T::Key, index: usize) -> bool {
    let Some(own) = number(index) else { return false };
    let Some(next) = slots.get(index).map(|slot| slot.links().next) else { return false };
    let chain = chain_of::<T>(key, slots.len());
    let Some(mut before) = slots.get(chain).map(|slot| slot.links().chain) else { return false };
    if before == own {
        if let Some(slot) = slots.get_mut(chain) {
            slot.links_mut().chain = next;
        }
        return true;
    }
    while let Some(slot) = at(before).and_then(|before| slots.get_mut(before)) {
        if slot.links().next == own {
            slot.links_mut().next = next;
            break;
        }
        before = slot.links().next;
    }
    true
}

/// Returns the slot of a key.
pub(crate) fn find<T: Indexed>(slots: &[T], key: T::Key) -> Option<usize> {
    let mut next = slots.get(chain_of::<T>(key, slots.len()))?.links().chain;
    while let Some(index) = at(next) {
        let slot = slots.get(index)?;
        if slot.is_of(key) {
            return Some(index);
        }
        next = slot.links().next;
    }
    None
}

/// Returns the number of the chain of a key.
fn chain_of<T: Indexed>(key: T::Key, slots: usize) -> usize {
    let hash = usize::try_from(T::hash(key) >> 33).unwrap_or(0);
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
    struct Slot(Option<u32>, Links);

    impl Indexed for Slot {
        type Key = u32;

        fn hash(key: u32) -> u64 {
            u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        }

        fn links(&self) -> &Links {
            &self.1
        }

        fn links_mut(&mut self) -> &mut Links {
            &mut self.1
        }

        fn is_of(&self, key: u32) -> bool {
            self.0 == Some(key)
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
            for conn in steps {
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
            for conn in 0..24 {
                let known = slots.iter().position(|slot| slot.0 == Some(conn));
                prop_assert_eq!(find(&slots, conn), known);
            }
        }
    }
}
