//! One hash table for all that an index looks up: connections, nicks, names of files, their words.
//!
//! An entry is a key and a value; many entries may have the same key. Slot `i` holds the `i`-th entry and, apart
//! from it, the head of the `i`-th chain. Keys are hashed with a seed, so that no user can choose keys that
//! collide.

/// Not the number of a slot.
pub(super) const NONE: u32 = u32::MAX;

/// Storage for one entry of the table of an index: 32 bytes.
///
/// Every connection takes up to twelve of them, every file one and one for each of its words, up to 31. Aligned, so that none
/// lies in two lines of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(32))]
pub struct EntrySlot {
    head: u32,  // of the chain with the number of this slot
    count: u32, // of the entries in that chain
    hash: u32,
    value: u32,
    next: u32, // in the chain of this entry, or of free slots
    prev: u32,
    sibling: u32, // the next entry of the same file
    pins: u16,    // how many searches stand here
    removed: bool,
}

/// How far the slots are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryUse {
    fresh: u32, // slots from here on were never used
    free: u32,  // the first of those that are free again
    used: u32,
}

/// The table, whatever its storage is.
pub(super) struct Entries<'m> {
    pub(super) slots: &'m mut [EntrySlot],
    pub(super) usage: &'m mut EntryUse,
}

impl EntrySlot {
    /// No entry.
    pub const EMPTY: Self = Self {
        head: NONE,
        count: 0,
        hash: 0,
        value: NONE,
        next: NONE,
        prev: NONE,
        sibling: NONE,
        pins: 0,
        removed: false,
    };
}

impl EntryUse {
    pub(super) const NONE: Self = Self { fresh: 0, free: NONE, used: 0 };
}

/// Returns the slot with the number `at`.
pub(super) fn slot<T>(slots: &[T], at: u32) -> Option<&T> {
    slots.get(usize::try_from(at).ok()?)
}

/// Returns the slot with the number `at`.
pub(super) fn slot_mut<T>(slots: &mut [T], at: u32) -> Option<&mut T> {
    slots.get_mut(usize::try_from(at).ok()?)
}

/// Spreads hashes over the chains.
fn chain_of(slots: &[EntrySlot], hash: u32) -> u32 {
    let chains = u64::try_from(slots.len()).unwrap_or(u64::MAX).min(NONE.into());
    u32::try_from(u64::from(hash).saturating_mul(chains) >> 32).unwrap_or(0)
}

/// Returns the first entry with this key.
pub(super) fn first(slots: &[EntrySlot], hash: u32) -> u32 {
    let head = slot(slots, chain_of(slots, hash)).map_or(NONE, |chain| chain.head);
    seek(slots, hash, head)
}

/// Returns the next entry with this key after `at`, in constant time where chains are short.
pub(super) fn next(slots: &[EntrySlot], hash: u32, at: u32) -> u32 {
    let next = slot(slots, at).map_or(NONE, |entry| entry.next);
    seek(slots, hash, next)
}

fn seek(slots: &[EntrySlot], hash: u32, mut at: u32) -> u32 {
    while let Some(entry) = slot(slots, at) {
        if entry.hash == hash && !entry.removed {
            return at;
        }
        at = entry.next;
    }
    NONE
}

/// Returns the value of an entry; none if it was removed.
pub(super) fn value(slots: &[EntrySlot], hash: u32, at: u32) -> Option<u32> {
    let entry = slot(slots, at).filter(|entry| entry.hash == hash && !entry.removed)?;
    Some(entry.value)
}

/// Returns the entry after `at` in its chain, of whatever key: one step of a walk.
pub(super) fn step(slots: &[EntrySlot], at: u32) -> u32 {
    slot(slots, at).map_or(NONE, |entry| entry.next)
}

/// Returns at least how many entries have this key; a few others may count.
pub(super) fn count(slots: &[EntrySlot], hash: u32) -> u32 {
    slot(slots, chain_of(slots, hash)).map_or(0, |chain| chain.count)
}

impl Entries<'_> {
    /// Returns how many entries still fit.
    pub(super) fn room(&self) -> usize {
        let used = usize::try_from(self.usage.used).unwrap_or(usize::MAX);
        self.slots.len().saturating_sub(used)
    }

    /// Adds an entry in front of its chain, so that a search that is under way does not meet it, and returns its
    /// number; none if all slots are taken.
    pub(super) fn insert(&mut self, hash: u32, value: u32, sibling: u32) -> Option<u32> {
        let at = if self.usage.free == NONE { self.usage.fresh } else { self.usage.free };
        let chain = chain_of(self.slots, hash);
        let head = slot(self.slots, chain)?.head;
        let entry = slot_mut(self.slots, at).filter(|_| at != NONE)?;
        if self.usage.free == NONE {
            self.usage.fresh = self.usage.fresh.saturating_add(1);
        } else {
            self.usage.free = entry.next;
        }
        entry.hash = hash;
        entry.value = value;
        entry.next = head;
        entry.prev = NONE;
        entry.sibling = sibling;
        entry.pins = 0;
        entry.removed = false;
        if let Some(old) = slot_mut(self.slots, head) {
            old.prev = at;
        }
        if let Some(chain) = slot_mut(self.slots, chain) {
            chain.head = at;
            chain.count = chain.count.saturating_add(1);
        }
        self.usage.used = self.usage.used.saturating_add(1);
        Some(at)
    }

    /// Removes an entry and returns the next of the same file. Its slot stays in the chain while a search stands
    /// there.
    pub(super) fn remove(&mut self, at: u32) -> u32 {
        let Some(entry) = slot_mut(self.slots, at) else { return NONE };
        let sibling = entry.sibling;
        entry.removed = true;
        self.release(at);
        sibling
    }

    /// Keeps the slot of an entry in its chain.
    pub(super) fn pin(&mut self, at: u32) {
        if let Some(entry) = slot_mut(self.slots, at) {
            entry.pins = entry.pins.saturating_add(1);
        }
    }

    /// Undoes [`pin`](Self::pin).
    pub(super) fn unpin(&mut self, at: u32) {
        if let Some(entry) = slot_mut(self.slots, at) {
            entry.pins = entry.pins.saturating_sub(1);
            self.release(at);
        }
    }

    /// Frees the slot of an entry that was removed and that no search stands at.
    fn release(&mut self, at: u32) {
        let Some(entry) = slot(self.slots, at).copied() else { return };
        if !entry.removed || entry.pins > 0 {
            return;
        }
        let chain = chain_of(self.slots, entry.hash);
        if let Some(next) = slot_mut(self.slots, entry.next) {
            next.prev = entry.prev;
        }
        if let Some(prev) = slot_mut(self.slots, entry.prev) {
            prev.next = entry.next;
        } else if let Some(chain) = slot_mut(self.slots, chain) {
            chain.head = entry.next;
        }
        if let Some(chain) = slot_mut(self.slots, chain) {
            chain.count = chain.count.saturating_sub(1);
        }
        if let Some(entry) = slot_mut(self.slots, at) {
            entry.next = self.usage.free;
            entry.prev = NONE;
            entry.value = NONE;
        }
        self.usage.free = at;
        self.usage.used = self.usage.used.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{EntrySlot, chain_of};

    /// The high bits of a hash choose the chain, so that a table of any size is used evenly.
    #[test]
    fn hashes_spread_over_all_chains() {
        for len in [1_u32, 2, 7, 64, 100] {
            let slots = std::vec![EntrySlot::EMPTY; usize::try_from(len).unwrap_or(0)];
            let step = u32::MAX / (4 * len);
            let chains: BTreeSet<u32> =
                (0..4 * len).map(|n| chain_of(&slots, n.wrapping_mul(step))).collect();
            assert!(chains.into_iter().eq(0..len), "{len} chains");
            assert_eq!(chain_of(&slots, u32::MAX), len - 1);
        }
        assert_eq!(chain_of(&[], 77), 0);
    }
}
