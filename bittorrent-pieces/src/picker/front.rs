//! The rarest candidates, sorted: a short list in front of the words.

use core::fmt;

use super::State;
use super::order::PRIORITIES;
use super::pieces::{PieceSlot, first_piece, lane, lanes};
use crate::PieceIndex;
use crate::geometry::slot;

/// How many pieces the list holds.
const FRONT: usize = 64;

/// How many words are looked at in one go when the list is made: 262,144 pieces. More would make one call long.
const SLICE: usize = 4096;

/// The candidates whose key is below `ceiling`, the rarest first, ties at random. Keys are those of
/// the time when an entry was written: an entry is checked when it is met.
#[derive(Clone)]
pub(super) struct Front {
    entries: [Entry; FRONT],
    len: usize,
    /// Every candidate with a lower key is in the list, as far as the list is made.
    pub(super) ceiling: u32,
    /// The word from which on the list is still to be made; `None` once it is made.
    pub(super) next: Option<usize>,
    /// Keys may have fallen since the list was sorted.
    pub(super) unsorted: bool,
    /// How many words were walked since the list was made; it pays for the next one.
    debt: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: u32,
    pub(super) piece: PieceIndex,
}

impl Front {
    pub(super) const fn new() -> Self {
        let none = Entry { key: 0, piece: PieceIndex(0) };
        Self { entries: [none; FRONT], len: 0, ceiling: 0, next: None, unsorted: false, debt: 0 }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        self.entries.get(..self.len).unwrap_or_default()
    }

    /// Forgets all: the order of keys changed.
    pub(super) fn clear(&mut self) {
        (self.len, self.ceiling, self.next, self.debt) = (0, 0, None, u32::MAX);
    }

    /// Returns the key below which every candidate is in the list: none while it is being made.
    pub(super) fn floor(&self) -> u32 {
        if self.next.is_none() { self.ceiling } else { 0 }
    }

    /// Takes in a piece that became a candidate, or whose key fell.
    pub(super) fn enter(&mut self, piece: PieceIndex, key: u32) {
        let unseen = self.next.is_some_and(|next| slot(piece.0 / 64) >= next);
        if key >= self.ceiling || unseen {
            return;
        }
        self.unsorted = true; // its old entry may be here still
        if self.entries().iter().all(|entry| entry.piece != piece) && !self.push(piece, key) {
            self.ceiling = key;
        }
    }

    fn push(&mut self, piece: PieceIndex, key: u32) -> bool {
        let Some(entry) = self.entries.get_mut(self.len) else { return false };
        *entry = Entry { key, piece };
        self.len = self.len.saturating_add(1);
        true
    }

    /// Counts words that were walked because the list did not help.
    pub(super) fn owe(&mut self, words: u32) {
        self.debt = self.debt.saturating_add(words);
    }

    /// Makes room by giving up the higher keys: at least half of them, if they are not all equal.
    fn shrink(&mut self) {
        let entries = self.entries.get_mut(..self.len).unwrap_or_default();
        let middle = entries.len() / 2;
        let Some(least) = entries.iter().map(|entry| entry.key).min() else { return };
        let (_, pivot, _) = entries.select_nth_unstable_by_key(middle, |entry| entry.key);
        let pivot = pivot.key;
        self.ceiling = if least < pivot { pivot } else { pivot.saturating_add(1) };
        self.retain(|entry| entry.key);
        if self.len == FRONT {
            (self.len, self.ceiling) = (0, pivot); // too many of one key
        }
    }

    /// Writes all keys anew and keeps the entries below the ceiling.
    fn retain(&mut self, mut key: impl FnMut(&Entry) -> u32) {
        let mut kept = 0;
        for at in 0..self.len {
            let Some(mut entry) = self.entries.get(at).copied() else { break };
            entry.key = key(&entry);
            if entry.key < self.ceiling {
                if let Some(place) = self.entries.get_mut(kept) {
                    *place = entry;
                }
                kept = kept.saturating_add(1);
            }
        }
        self.len = kept;
    }

    pub(super) fn remove(&mut self, at: usize) {
        if let Some(tail) = self.entries.get_mut(at..self.len) {
            tail.rotate_left(1);
            self.len = self.len.saturating_sub(1);
        }
    }

    /// Puts the entry at a place where its new, higher key belongs.
    pub(super) fn rise(&mut self, at: usize, key: u32) {
        if key >= self.ceiling {
            return self.remove(at);
        }
        let Some(tail) = self.entries.get_mut(at..self.len) else { return };
        let behind = tail.get(1..).unwrap_or_default();
        let place = behind.partition_point(|entry| entry.key < key);
        if let Some(entry) = tail.first_mut() {
            entry.key = key;
        }
        if let Some(passed) = tail.get_mut(..place.saturating_add(1)) {
            passed.rotate_left(1);
        }
    }
}

impl State<'_> {
    /// Sees to it that the list is sorted, or is made anew if walks have paid for that.
    pub(super) fn see_front(&mut self, pieces: &[PieceSlot]) {
        let patience = if self.words > SLICE { 8 } else { 1 };
        let paid = slot(self.front.debt) > self.words.saturating_mul(patience);
        if paid || self.front.next.is_some() {
            self.make_on(pieces);
        } else if self.front.unsorted {
            let mut front = self.front.clone();
            front.retain(|entry| {
                let word = pieces.get(slot(entry.piece.0 / 64));
                let wanted = word.filter(|word| word.wanted & lane(entry.piece) != 0);
                wanted.map_or(u32::MAX, |word| self.key(word, lane(entry.piece)))
            });
            self.front = front;
            self.sort();
        }
    }

    /// Makes the list anew if walks have paid for that: between two picks, in a large torrent.
    pub(super) fn tidy(&mut self, pieces: &[PieceSlot]) {
        let paid = slot(self.front.debt) > self.words;
        if self.words > SLICE && (paid || self.front.next.is_some()) {
            self.make_on(pieces);
        }
    }

    /// Makes a slice of the list: a pass over words, with a ceiling that sinks whenever the list is full.
    fn make_on(&mut self, pieces: &[PieceSlot]) {
        let mut front = core::mem::replace(&mut self.front, Front::new());
        if front.next.is_none() {
            front = Front { ceiling: u32::MAX, ..Front::new() };
        }
        let start = front.next.unwrap_or(0);
        let end = start.saturating_add(SLICE).min(self.words);
        let mut limits = self.limits(front.ceiling.saturating_sub(1));
        for (word, entry) in pieces.iter().enumerate().take(end).skip(start) {
            let low = if entry.wanted == 0 { 0 } else { self.within(entry, &limits) };
            if low == 0 {
                continue;
            }
            let pickable = if self.seeds > 0 { low } else { low & entry.held(self.height) };
            for lane in lanes(pickable) {
                let key = self.key(entry, lane);
                if key < front.ceiling && !front.push(first_piece(word, lane), key) {
                    front.shrink();
                    limits = self.limits(front.ceiling.saturating_sub(1));
                    if key < front.ceiling {
                        front.push(first_piece(word, lane), key);
                    }
                }
            }
        }
        self.walked(end.saturating_sub(start));
        front.next = Some(end).filter(|end| *end < self.words);
        self.front = front;
        if self.front.next.is_none() {
            self.front.debt = 0;
            self.sort();
        }
    }

    /// Returns the candidates that no more peers have than the limit of their priority.
    fn within(&self, entry: &PieceSlot, limits: &[Option<u32>; PRIORITIES]) -> u64 {
        self.classes().fold(0, |found, priority| {
            let class = self.class(entry, entry.wanted, priority);
            let limit = limits.get(slot(priority)).copied().flatten();
            let (below, equal) =
                limit.map_or((0, 0), |limit| entry.compare(class, limit, self.height));
            found | below | equal
        })
    }

    fn sort(&mut self) {
        let entries = self.front.entries.get_mut(..self.front.len).unwrap_or_default();
        for last in (1..entries.len()).rev() {
            let other = self.rng.below(crate::geometry::count(last).saturating_add(1));
            entries.swap(last, slot(other));
        }
        entries.sort_unstable_by_key(|entry| entry.key);
        self.front.unsorted = false;
    }
}

/// Only what is in use, as the states of machines are compared by what they print.
impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("entries", &self.entries())
            .field("ceiling", &self.ceiling)
            .field("next", &self.next)
            .field("unsorted", &self.unsorted)
            .field("debt", &self.debt)
            .finish_non_exhaustive()
    }
}
