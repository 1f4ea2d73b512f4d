//! The journal: the values that writes replaced, so that they can be taken back and made again.

use super::entry::{Key, Value};
use super::store::Store;
use crate::error::Full;

/// Room for one write that may have to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalSlot {
    key: Key,
    value: Option<Value>, // what is not in the state: the old value once written, the new one once undone
}

impl JournalSlot {
    /// A free slot.
    pub const EMPTY: Self = Self { key: Key::from_bytes([0; 32]), value: None };
}

/// Where writes are recorded.
pub(crate) trait WriteLog {
    /// Fails unless one more write can be recorded.
    fn reserve(&self) -> Result<(), Full>;

    /// Records that a key had this value.
    fn push(&mut self, key: &Key, old: Option<&Value>);
}

/// Writes in order. A position in it is a state: everything before it is applied.
#[derive(Debug)]
pub(crate) struct Journal<'a> {
    slots: &'a mut [JournalSlot],
    len: usize,
}

impl<'a> Journal<'a> {
    pub(crate) fn new(slots: &'a mut [JournalSlot], len: usize) -> Self {
        Self { slots, len }
    }

    /// Returns the number of writes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Forgets the writes of a range, and moves those behind it down.
    pub(crate) fn remove(&mut self, from: usize, to: usize) {
        let removed = to.saturating_sub(from);
        if removed == 0 || to > self.len {
            return;
        }
        if let Some(used) = self.slots.get_mut(from..self.len) {
            used.rotate_left(removed.min(used.len()));
        }
        let len = self.len.saturating_sub(removed);
        if let Some(free) = self.slots.get_mut(len..self.len) {
            free.fill(JournalSlot::EMPTY);
        }
        self.len = len;
    }

    /// Makes the writes of a range again, in order.
    pub(crate) fn redo(&mut self, from: usize, to: usize, store: &mut dyn Store) {
        for slot in self.slots.get_mut(from..to).unwrap_or_default() {
            swap(slot, store);
        }
    }

    /// Takes back all writes from position `to` on, the last one first, and forgets them.
    pub(crate) fn undo(&mut self, to: usize, store: &mut dyn Store) {
        self.swap_back(to, self.len, store);
        if let Some(undone) = self.slots.get_mut(to..self.len) {
            undone.fill(JournalSlot::EMPTY);
        }
        self.len = to;
    }

    /// Takes back the writes of a range, the last one first, and keeps them for [`redo`](Self::redo).
    pub(crate) fn swap_back(&mut self, from: usize, to: usize, store: &mut dyn Store) {
        for slot in self.slots.get_mut(from..to).unwrap_or_default().iter_mut().rev() {
            swap(slot, store);
        }
    }
}

impl WriteLog for Journal<'_> {
    fn reserve(&self) -> Result<(), Full> {
        let capacity = self.slots.len();
        if self.len < capacity { Ok(()) } else { Err(Full { capacity }) }
    }

    fn push(&mut self, key: &Key, old: Option<&Value>) {
        if let Some(slot) = self.slots.get_mut(self.len) {
            *slot = JournalSlot { key: *key, value: old.copied() };
            self.len = self.len.saturating_add(1);
        }
    }
}

/// Exchanges the value in the state with the one in the journal. A slot that was in use is free again when it is
/// needed here, so this cannot fail.
fn swap(slot: &mut JournalSlot, store: &mut dyn Store) {
    if let Ok(replaced) = store.replace(&slot.key, slot.value.as_ref()) {
        slot.value = replaced;
    } else {
        crate::invariant::invariant!(false, "a recorded write cannot be made again");
    }
}

#[cfg(test)]
mod tests {
    use super::{Journal, JournalSlot, WriteLog as _};
    use crate::error::Full;
    use crate::state::{Key, Value};

    fn key(n: u8) -> Key {
        Key::from_bytes([n; 32])
    }

    /// A journal of writes to these keys.
    fn journal(slots: &mut [JournalSlot], writes: u8) -> Journal<'_> {
        let mut journal = Journal::new(slots, 0);
        for n in 0..writes {
            assert_eq!(journal.reserve(), Ok(()));
            journal.push(&key(n), Some(&Value::EMPTY));
        }
        journal
    }

    #[test]
    fn a_full_journal_has_no_room() {
        for capacity in 0..4_u8 {
            let mut slots = [JournalSlot::EMPTY; 4];
            let slots = slots.get_mut(..capacity.into()).unwrap_or_default();
            let full = journal(slots, capacity);
            assert_eq!(full.len(), usize::from(capacity));
            assert_eq!(full.reserve(), Err(Full { capacity: capacity.into() }));
        }
    }

    /// The writes behind a range that is removed move down, and the slots that they leave are free.
    #[test]
    fn writes_behind_a_removed_range_move_down() {
        for (from, to, expected) in [
            (0, 0, &[0, 1, 2, 3, 4][..]),
            (2, 2, &[0, 1, 2, 3, 4]),
            (0, 2, &[2, 3, 4]),
            (1, 3, &[0, 3, 4]),
            (3, 5, &[0, 1, 2]),
            (0, 5, &[]),
            (0, 6, &[0, 1, 2, 3, 4]), // more than there are: nothing
            (3, 1, &[0, 1, 2, 3, 4]),
        ] {
            let mut slots = [JournalSlot::EMPTY; 6];
            let mut journal = journal(&mut slots, 5);
            journal.remove(from, to);
            assert_eq!(journal.len(), expected.len(), "{from}..{to}");
            assert!(
                slots
                    .iter()
                    .map(|slot| slot.key)
                    .take(expected.len())
                    .eq(expected.iter().map(|n| key(*n)))
            );
            let free = slots.iter().skip(expected.len());
            assert!(free.into_iter().all(|slot| *slot == JournalSlot::EMPTY), "{from}..{to}");
        }
    }
}
