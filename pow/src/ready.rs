//! Which of many slots have something to do, and which deadline is next, at a cost that does not grow with the
//! number of slots.
//!
//! Each slot holds an [`Entry`], so the caller's table is all the memory there is. A [`Queue`] is a list through
//! the entries. The deadlines are a tournament: slot `n` stands above the slots `2n + 1` and `2n + 2`, and its
//! entry names the slot with the next deadline among itself and all slots below it; of equal ones, the first slot. A
//! change climbs towards slot 0 and stops where it changes nothing.

use core::time::Duration;

/// The number of queues through a table.
pub(crate) const QUEUES: usize = 4;
/// The most slots of a table.
pub(crate) const MOST_SLOTS: usize = 65_534;

/// No deadline.
const NEVER: [u16; 3] = [u16::MAX; 3];
/// The link of the last slot in a queue.
const END: u16 = u16::MAX;

/// What a slot holds for the queues and the deadlines of its table: 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    deadline: [u16; 3],   // 48 bits of milliseconds, the highest first
    soonest: u16,         // the slot with the next deadline, of this one and those below it
    links: [u16; QUEUES], // 1 + the next slot of the queue; 0 outside of it
}

impl Entry {
    /// The entry of a slot before [`clear`].
    pub(crate) const EMPTY: Self = Self { deadline: NEVER, soonest: 0, links: [0; QUEUES] };
}

/// A slot that holds an entry.
pub(crate) trait Scheduled {
    fn entry(&self) -> &Entry;
    fn entry_mut(&mut self) -> &mut Entry;
}

/// A slot with the links of queues.
pub(crate) trait Linked {
    fn link(&self, queue: usize) -> Option<u16>;
    fn link_mut(&mut self, queue: usize) -> Option<&mut u16>;
}

impl<T: Scheduled> Linked for T {
    fn link(&self, queue: usize) -> Option<u16> {
        self.entry().links.get(queue).copied()
    }

    fn link_mut(&mut self, queue: usize) -> Option<&mut u16> {
        self.entry_mut().links.get_mut(queue)
    }
}

/// Takes all slots out of all queues and removes all deadlines. A table begins with this.
pub(crate) fn clear<T: Scheduled>(slots: &mut [T]) {
    for (index, slot) in (0..=u16::MAX).zip(slots) {
        *slot.entry_mut() = Entry { soonest: index, ..Entry::EMPTY };
    }
}

/// Slots in the order in which they were added, each at most once. The number tells the queues of a table apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue<const NUMBER: usize> {
    first: u16, // 1 + the slot; 0 if there is none
    last: u16,
}

impl<const NUMBER: usize> Queue<NUMBER> {
    /// A queue without slots.
    pub(crate) const EMPTY: Self = Self { first: 0, last: 0 };

    /// Adds a slot at the end. One that is in the queue keeps its place.
    pub(crate) fn push<T: Linked>(&mut self, slots: &mut [T], index: usize) {
        let Some(own) = number(index) else { return };
        match slots.get_mut(index).and_then(|slot| slot.link_mut(NUMBER)) {
            Some(link @ 0) => *link = END,
            _ => return,
        }
        let last = before(self.last).and_then(|last| slots.get_mut(last));
        match last.and_then(|slot| slot.link_mut(NUMBER)) {
            Some(link) => *link = own,
            None => self.first = own,
        }
        self.last = own;
    }

    /// Returns the slot at the front.
    pub(crate) fn first(self) -> Option<usize> {
        before(self.first)
    }

    /// Returns the slot behind one that is in the queue.
    pub(crate) fn after<T: Linked>(self, slots: &[T], index: usize) -> Option<usize> {
        let link = slots.get(index)?.link(NUMBER)?;
        if link == END { None } else { before(link) }
    }

    /// Returns the last slot.
    pub(crate) fn last(self) -> Option<usize> {
        before(self.last)
    }

    /// Removes the slot at the front and returns it.
    pub(crate) fn pop<T: Linked>(&mut self, slots: &mut [T]) -> Option<usize> {
        let index = self.first()?;
        let link = slots.get_mut(index)?.link_mut(NUMBER)?;
        self.first = if *link == END { 0 } else { *link };
        *link = 0;
        if self.first == 0 {
            self.last = 0;
        }
        Some(index)
    }
}

/// Sets the deadline of a slot, rounded down to a millisecond. One 8,900 years ahead counts as none.
pub(crate) fn set_deadline<T: Scheduled>(slots: &mut [T], index: usize, at: Option<Duration>) {
    let Some(slot) = slots.get_mut(index) else { return };
    let deadline = at.map_or(NEVER, pack);
    if slot.entry().deadline == deadline {
        return;
    }
    slot.entry_mut().deadline = deadline;
    let mut node = index;
    let mut least = least(slots, index);
    loop {
        let Some(entry) = slots.get_mut(node).map(T::entry_mut) else { return };
        let soonest = slot_of(least);
        let is_same = entry.soonest == soonest && usize::from(soonest) != index;
        entry.soonest = soonest;
        let Some(before) = node.checked_sub(1).filter(|_| !is_same) else { return };
        // An odd slot is the left one of two.
        let sibling = if node & 1 == 1 { node.saturating_add(1) } else { before };
        node = before / 2;
        least = least.min(least_at(slots, sibling)).min(own(slots, node));
    }
}

/// Returns the next deadline, and its slot.
pub(crate) fn next_deadline<T: Scheduled>(slots: &[T]) -> Option<(Duration, usize)> {
    let index = usize::from(slots.first()?.entry().soonest);
    Some((unpack(slots.get(index)?.entry().deadline)?, index))
}

/// Returns the order of what comes next among a slot and those below it, by the entries right below.
fn least<T: Scheduled>(slots: &[T], index: usize) -> u64 {
    let left = index.saturating_mul(2).saturating_add(1);
    let below = least_at(slots, left).min(least_at(slots, left.saturating_add(1)));
    below.min(own(slots, index))
}

/// Returns the order of what comes next among a slot and those below it, by its own entry.
fn least_at<T: Scheduled>(slots: &[T], index: usize) -> u64 {
    slots.get(index).map_or(u64::MAX, |slot| own(slots, slot.entry().soonest.into()))
}

/// Returns the deadline of a slot and then its number, as one number: the least of all comes next.
fn own<T: Scheduled>(slots: &[T], index: usize) -> u64 {
    let deadline = slots.get(index).map_or(NEVER, |slot| slot.entry().deadline);
    let [high, middle, low] = deadline.map(u64::from);
    high << 48 | middle << 32 | low << 16 | u64::try_from(index & 0xFFFF).unwrap_or(0)
}

/// Returns the slot of an order.
fn slot_of(order: u64) -> u16 {
    u16::try_from(order & 0xFFFF).unwrap_or(0)
}

/// Returns the number of a slot in a link.
fn number(index: usize) -> Option<u16> {
    u16::try_from(index).ok()?.checked_add(1).filter(|number| *number != END)
}

/// Returns the slot of a number in a link.
fn before(number: u16) -> Option<usize> {
    number.checked_sub(1).map(usize::from)
}

fn pack(at: Duration) -> [u16; 3] {
    let millis = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
    let part = |shift: u32| u16::try_from(millis >> shift & 0xFFFF).unwrap_or(u16::MAX);
    if millis >> 48 == 0 { [part(32), part(16), part(0)] } else { NEVER }
}

fn unpack(deadline: [u16; 3]) -> Option<Duration> {
    let [high, middle, low] = deadline.map(u64::from);
    (deadline != NEVER).then(|| Duration::from_millis(high << 32 | middle << 16 | low))
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use std::collections::VecDeque;
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone)]
    struct Slot(Entry);

    impl Scheduled for Slot {
        fn entry(&self) -> &Entry {
            &self.0
        }

        fn entry_mut(&mut self) -> &mut Entry {
            &mut self.0
        }
    }

    fn table(len: usize) -> Vec<Slot> {
        let mut slots = vec![Slot(Entry::EMPTY); len];
        clear(&mut slots);
        slots
    }

    proptest! {
        /// The next deadline is the least of all, whatever was set and removed before.
        #[test]
        fn the_next_deadline_is_the_least(
            len in 0_usize..40,
            changes in prop::collection::vec((0_usize..45, prop::option::of(0_u64..50)), 0..200),
        ) {
            let mut slots = table(len);
            let mut model = vec![None; len];
            for (index, at) in changes {
                let at = at.map(Duration::from_millis);
                set_deadline(&mut slots, index, at);
                if let Some(deadline) = model.get_mut(index) {
                    *deadline = at;
                }
                let next = next_deadline(&slots);
                prop_assert_eq!(next.map(|(at, _)| at), model.iter().copied().flatten().min());
                prop_assert!(next.is_none_or(|(at, index)| model[index] == Some(at)));
            }
        }

        /// Two queues through one table are first in, first out, and hold a slot at most once.
        #[test]
        fn queues_are_first_in_first_out(
            len in 0_usize..12,
            steps in prop::collection::vec((any::<bool>(), prop::option::of(0_usize..14)), 0..200),
        ) {
            let mut slots = table(len);
            let mut one = Queue::<0>::EMPTY;
            let mut two = Queue::<3>::EMPTY;
            let mut models = [VecDeque::new(), VecDeque::new()];
            for (which, push) in steps {
                let model = &mut models[usize::from(which)];
                if let Some(index) = push {
                    if which { two.push(&mut slots, index) } else { one.push(&mut slots, index) }
                    if index < len && !model.contains(&index) {
                        model.push_back(index);
                    }
                } else {
                    let popped = if which { two.pop(&mut slots) } else { one.pop(&mut slots) };
                    prop_assert_eq!(popped, model.pop_front());
                }
                prop_assert_eq!(one.first(), models[0].front().copied());
                prop_assert_eq!(two.last(), models[1].back().copied());
                let second = two.first().and_then(|first| two.after(&slots, first));
                prop_assert_eq!(second, models[1].get(1).copied());
            }
        }
    }

    #[test]
    fn a_deadline_beyond_48_bits_of_milliseconds_counts_as_none() {
        let mut slots = table(1);
        set_deadline(&mut slots, 0, Some(Duration::MAX));
        assert_eq!(next_deadline(&slots), None);
        set_deadline(&mut slots, 0, Some(Duration::from_millis((1 << 48) - 2)));
        assert_eq!(next_deadline(&slots), Some((Duration::from_millis((1 << 48) - 2), 0)));
    }

    #[test]
    fn the_last_slot_of_the_largest_table_has_a_place_in_a_queue() {
        let mut slots = table(MOST_SLOTS);
        let mut queue = Queue::<1>::EMPTY;
        queue.push(&mut slots, MOST_SLOTS - 1);
        set_deadline(&mut slots, MOST_SLOTS - 1, Some(Duration::from_secs(1)));
        assert_eq!(next_deadline(&slots), Some((Duration::from_secs(1), MOST_SLOTS - 1)));
        assert_eq!(queue.pop(&mut slots), Some(MOST_SLOTS - 1));
        assert_eq!(queue.pop(&mut slots), None);
    }
}
