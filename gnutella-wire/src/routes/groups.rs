//! The logic of a route table over plain slots, compiled once for all storages.

use super::hasher::{Hasher, Places};
use super::slot::{Kind, RouteSlot};
use super::{Insertion, Key, Route, Spans};

/// The slots of a group: one for its tags, and those for keys.
const GROUP: usize = 16;
const ENTRIES: usize = GROUP - 1;

/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;
/// The lowest bit of each byte.
const LOW: u64 = 0x0101_0101_0101_0101;
/// A factor that moves the lowest bit of byte `n` to bit `n` of the highest byte.
const GATHER: u64 = 0x0102_0408_1020_4080;

/// How the slots of a table are divided. Slot `n` holds the tags of group `n`, so that all tags lie side by side and
/// most look-ups of unknown keys touch nothing else. Behind them are the slots for keys, group after group. A table of
/// fewer than 16 slots is one group without tags.
#[derive(Debug, Clone, Copy)]
pub(super) struct Groups<'t> {
    hasher: &'t Hasher,
    spans: Spans,
    count: usize,
    has_tags: bool,
}

/// A table while it changes.
pub(super) struct View<'t> {
    pub(super) hasher: &'t Hasher,
    pub(super) spans: Spans,
    pub(super) slots: &'t mut [RouteSlot],
}

impl<'t> Groups<'t> {
    pub(super) fn new(hasher: &'t Hasher, spans: Spans, slots: usize) -> Self {
        // Less than half a group would get as many keys as a whole one.
        let count = slots.saturating_add(GROUP / 2) / GROUP;
        Self { hasher, spans, count: count.max(1), has_tags: slots >= GROUP }
    }

    /// Returns the slot of a key that is remembered.
    pub(super) fn find(&self, slots: &[RouteSlot], at: u32, key: Key) -> Option<usize> {
        let (kind, id) = key.parts();
        self.find_at(slots, at, self.hasher.places(self.count, kind, id), kind, id)
    }

    fn find_at(
        &self,
        slots: &[RouteSlot],
        at: u32,
        places: Places,
        kind: Kind,
        id: u128,
    ) -> Option<usize> {
        let oldest = self.spans.oldest(kind, at);
        let is = |slot: &RouteSlot| slot.is(kind, id) && slot.seen() >= oldest;
        if let Some(found) = self.find_in(slots, places.first, places.tag, is) {
            return Some(found);
        }
        let overflows = |first: &RouteSlot| {
            self.has_tags && first.has_overflowed(self.spans.oldest(Kind::Free, at))
        };
        if !slots.get(places.first).is_some_and(overflows) {
            return None;
        }
        self.find_in(slots, places.second, places.tag, is)
    }

    /// Returns the slot of a group that `is` accepts, among those that look like the key.
    fn find_in(
        &self,
        slots: &[RouteSlot],
        group: usize,
        tag: u8,
        is: impl Fn(&RouteSlot) -> bool,
    ) -> Option<usize> {
        let (first, entries) = self.entries(slots, group);
        let mut alike =
            if self.has_tags { Alike::new(slots.get(group)?.tags(), tag) } else { Alike::ALL };
        let found = alike.find(|position| entries.get(*position).is_some_and(&is))?;
        first.checked_add(found)
    }

    /// Returns how many keys are remembered.
    pub(super) fn count(&self, slots: &[RouteSlot], at: u32) -> usize {
        let of_group = |group| {
            let (_, entries) = self.entries(slots, group);
            entries.iter().filter(|slot| slot.is_live(self.spans, at)).count()
        };
        (0..self.count).map(of_group).fold(0, usize::saturating_add)
    }

    /// Returns the slots of a group for keys, and the number of the first.
    fn entries<'s>(&self, slots: &'s [RouteSlot], group: usize) -> (usize, &'s [RouteSlot]) {
        let first = if self.has_tags {
            group.saturating_mul(ENTRIES).saturating_add(self.count)
        } else {
            0
        };
        let end = first.saturating_add(ENTRIES).min(slots.len());
        (first, slots.get(first..end).unwrap_or_default())
    }

    /// Returns the group of a slot for keys, and its place there.
    fn place_of(&self, slot: usize) -> (usize, usize) {
        let entry = slot.saturating_sub(self.count);
        (entry / ENTRIES, entry % ENTRIES)
    }

    /// Returns a slot of a group whose key is not remembered any more.
    fn free_in(&self, slots: &[RouteSlot], group: usize, at: u32) -> Option<usize> {
        let (first, entries) = self.entries(slots, group);
        if self.has_tags {
            let unused = Alike::new(slots.get(group)?.tags(), 0).next();
            if let Some(unused) = unused.filter(|unused| *unused < entries.len()) {
                return first.checked_add(unused);
            }
        }
        let free = entries.iter().position(|slot| !slot.is_live(self.spans, at))?;
        first.checked_add(free)
    }

    /// Returns the slot of the groups whose key was learnt first.
    fn oldest_of(&self, slots: &[RouteSlot], groups: [usize; 2]) -> Option<usize> {
        let mut oldest: Option<(u32, usize)> = None;
        for group in groups {
            let (first, entries) = self.entries(slots, group);
            for (entry, slot) in entries.iter().zip(first..) {
                if oldest.is_none_or(|(seen, _)| entry.seen() < seen) {
                    oldest = Some((entry.seen(), slot));
                }
            }
        }
        oldest.map(|(_, slot)| slot)
    }
}

impl<'t> View<'t> {
    pub(super) fn insert(&mut self, at: u32, key: Key, route: Route) -> Insertion {
        let known = self.groups().find(self.slots, at, key);
        if let Some(known) = known.and_then(|known| self.slots.get(known)) {
            return Insertion::Known(known.route());
        }
        if self.write(at, key, route) { Insertion::New } else { Insertion::Full }
    }

    pub(super) fn raise_ttl(&mut self, at: u32, key: Key, ttl: u8) {
        let known = self.groups().find(self.slots, at, key);
        if let Some(slot) = known.and_then(|known| self.slots.get_mut(known)) {
            slot.raise_ttl(ttl);
        }
    }

    /// Puts a key into its old slot, else a free one, else that of the oldest key. Returns whether there is a slot.
    pub(super) fn write(&mut self, at: u32, key: Key, route: Route) -> bool {
        let (kind, id) = key.parts();
        let groups = self.groups();
        let places = self.hasher.places(groups.count, kind, id);
        let slots = &*self.slots;
        let mut slot = groups
            .find_at(slots, at, places, kind, id)
            .or_else(|| groups.free_in(slots, places.first, at))
            .or_else(|| groups.free_in(slots, places.second, at));
        if slot.is_none() {
            slot = self.make_room(groups, at, places);
        }
        let slot = slot.or_else(|| groups.oldest_of(self.slots, [places.first, places.second]));
        let Some(slot) = slot else { return false };
        self.put(slot, RouteSlot::new(kind, id, at, route), places);
        true
    }

    fn groups(&self) -> Groups<'t> {
        Groups::new(self.hasher, self.spans, self.slots.len())
    }

    /// Moves a key of a full group to its other group, and returns its slot.
    fn make_room(&mut self, groups: Groups<'t>, at: u32, places: Places) -> Option<usize> {
        let (first, entries) = groups.entries(self.slots, places.first);
        let (from, slot, to, moved) = (first..).zip(entries).find_map(|(from, slot)| {
            let moved = self.hasher.places(groups.count, slot.kind(), slot.id());
            let other = if moved.first == places.first { moved.second } else { moved.first };
            let to = groups.free_in(self.slots, other, at)?;
            Some((from, *slot, to, moved))
        })?;
        self.put(to, slot, moved);
        Some(from)
    }

    /// Stores a key in a slot of one of its groups.
    fn put(&mut self, at: usize, slot: RouteSlot, places: Places) {
        let groups = self.groups();
        if groups.has_tags {
            let (group, position) = groups.place_of(at);
            if let Some(tags) = self.slots.get_mut(group) {
                tags.set_tag(position, places.tag);
            }
            if group != places.first
                && let Some(first) = self.slots.get_mut(places.first)
            {
                first.mark_overflow(slot.seen());
            }
        }
        if let Some(to) = self.slots.get_mut(at) {
            *to = slot;
        }
    }
}

/// Returns one bit for each byte that equals `byte`, that of the first byte lowest.
fn equal_bytes(bytes: u64, byte: u8) -> u32 {
    let differ = bytes ^ LOW.wrapping_mul(byte.into());
    // The sum has the highest bit of each byte whose other bits are not all 0, without a carry into the next.
    let equal = !((differ & !HIGH).wrapping_add(!HIGH) | differ) & HIGH;
    // Each bit is moved to its place in the highest byte; no two of the others meet.
    let gathered = (equal >> 7).wrapping_mul(GATHER) >> 56;
    u32::try_from(gathered).unwrap_or(0)
}

/// The places in a group where the tag is that of a key: one bit for each.
struct Alike(u32);

impl Alike {
    const ALL: Self = Self((1 << GROUP) - 1);

    fn new([low, high]: [u64; 2], tag: u8) -> Self {
        Self(equal_bytes(low, tag) | equal_bytes(high, tag) << 8)
    }
}

impl Iterator for Alike {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let position = usize::try_from(self.0.trailing_zeros()).ok();
        let found = position.filter(|_| self.0 != 0);
        self.0 &= self.0.wrapping_sub(1);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tags_are_found_and_no_others() {
        let bytes = *b"\x01\x00\x81\x80\x7F\x01\xFF\x02\x01\x00\x00\x11\x10\x01\x01\x81";
        for byte in 0..=u8::MAX {
            let expected = (0..16).filter(|place| bytes.get(*place) == Some(&byte));
            let mut slot = RouteSlot::EMPTY;
            for (place, tag) in bytes.into_iter().enumerate() {
                slot.set_tag(place, tag);
            }
            assert!(Alike::new(slot.tags(), byte).eq(expected), "{byte}");
        }
    }
}
