//! The rarest candidates, sorted: a short list in front of the words.

use super::State;
use super::pieces::{PieceSlot, first_piece, lane, lanes};
use super::policy::PRIORITIES;
use crate::block::PieceIndex;
use crate::index::{count, slot};

/// How many words are looked at in one go when the list is made: 262,144 pieces. More would make one call long.
const SLICE: usize = 4096;
/// The number of pieces that are compared as fast as a list is read. Among 1,000 a list saves five sixths of a pick.
const FEW: u32 = 512;
/// The words of a torrent in which a walk is so short that only many of them pay for the list.
pub(super) const FEW_WORDS: usize = 16;
/// How many walks over all of these words take as long as to make the list, with a margin.
const FEW_PATIENCE: usize = 64;
/// The list is made.
const COMPLETE: u32 = u32::MAX;

/// Room for one of the rarest pieces: 8 bytes.
///
/// See [`rarest_slots`] for how many a torrent takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RarestSlot {
    pub(super) key: u32, // of the time when it was written: to be checked when the entry is met
    pub(super) piece: PieceIndex,
}

impl RarestSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self { key: 0, piece: PieceIndex(0) };
}

/// Returns the number of [`RarestSlot`]s that makes picks fast: 0 if there are few pieces.
#[must_use]
pub const fn rarest_slots(pieces: u32) -> usize {
    if pieces > FEW { 64 } else { 0 }
}

/// The candidates whose key is below `ceiling`, the rarest first, ties at random: the used part
/// of the caller's list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RarestList {
    len: u8,
    /// Keys may have fallen since the list was sorted.
    pub(super) unsorted: bool,
    /// Every candidate with a lower key is in the list, as far as the list is made.
    pub(super) ceiling: u32,
    /// The word from which on the list is still to be made.
    next: u32,
    /// How many words were walked since the list was made; it pays for the next one.
    debt: u32,
}

impl RarestList {
    pub(super) const fn new() -> Self {
        Self { len: 0, unsorted: false, ceiling: 0, next: COMPLETE, debt: 0 }
    }

    pub(super) fn entries<'l>(&self, list: &'l [RarestSlot]) -> &'l [RarestSlot] {
        list.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn entries_mut<'l>(&self, list: &'l mut [RarestSlot]) -> &'l mut [RarestSlot] {
        list.get_mut(..usize::from(self.len)).unwrap_or_default()
    }

    /// Forgets all: the order of keys changed.
    pub(super) fn clear(&mut self) {
        *self = Self { debt: u32::MAX, ..Self::new() };
    }

    pub(super) fn is_complete(&self) -> bool {
        self.next == COMPLETE
    }

    /// Returns whether the list is made as far as this piece.
    pub(super) fn reaches(&self, piece: PieceIndex) -> bool {
        piece.0 / 64 < self.next
    }

    /// Returns the key below which every candidate is in the list: none while it is being made.
    pub(super) fn floor(&self) -> u32 {
        if self.is_complete() { self.ceiling } else { 0 }
    }

    /// Inserts a piece that became a candidate, or whose key fell.
    pub(super) fn enter(&mut self, list: &mut [RarestSlot], piece: PieceIndex, key: u32) {
        if key >= self.ceiling || !self.reaches(piece) {
            return;
        }
        self.unsorted = true; // its old entry may be here still
        let known = self.entries(list).iter().any(|entry| entry.piece == piece);
        if !known && !self.push(list, piece, key) {
            self.ceiling = key;
        }
    }

    fn push(&mut self, list: &mut [RarestSlot], piece: PieceIndex, key: u32) -> bool {
        let place = list.get_mut(usize::from(self.len));
        let (Some(place), Some(len)) = (place, self.len.checked_add(1)) else { return false };
        *place = RarestSlot { key, piece };
        self.len = len;
        true
    }

    /// Counts words that were walked because the list did not help.
    pub(super) fn add_debt(&mut self, words: u32) {
        self.debt = self.debt.saturating_add(words);
    }

    /// Makes room by giving up the higher keys: at least half of them, if they are not all equal.
    fn shrink(&mut self, list: &mut [RarestSlot]) {
        let entries = self.entries_mut(list);
        let before = self.len;
        let middle = entries.len() / 2;
        let Some(least) = entries.iter().map(|entry| entry.key).min() else { return };
        let (_, pivot, _) = entries.select_nth_unstable_by_key(middle, |entry| entry.key);
        let pivot = pivot.key;
        self.ceiling = if least < pivot { pivot } else { pivot.saturating_add(1) };
        self.retain(list, |entry| entry.key);
        if self.len == before {
            self.len = 0;
            self.ceiling = pivot; // too many of one key
        }
    }

    /// Recomputes all keys and keeps the entries below the ceiling.
    fn retain(&mut self, list: &mut [RarestSlot], mut key: impl FnMut(&RarestSlot) -> u32) {
        let mut kept = 0_u8;
        for at in 0..usize::from(self.len) {
            let Some(mut entry) = list.get(at).copied() else { break };
            entry.key = key(&entry);
            if entry.key < self.ceiling {
                if let Some(place) = list.get_mut(usize::from(kept)) {
                    *place = entry;
                }
                kept = kept.saturating_add(1);
            }
        }
        self.len = kept;
    }

    pub(super) fn remove(&mut self, list: &mut [RarestSlot], at: usize) {
        if let Some(tail @ [_, ..]) = self.entries_mut(list).get_mut(at..) {
            tail.rotate_left(1);
            self.len = self.len.saturating_sub(1);
        }
    }

    /// Puts the entry at a place where its new, higher key belongs.
    pub(super) fn rise(&mut self, list: &mut [RarestSlot], at: usize, key: u32) {
        if key >= self.ceiling {
            return self.remove(list, at);
        }
        let Some(tail) = self.entries_mut(list).get_mut(at..) else { return };
        let behind = tail.get(1..).unwrap_or_default();
        let place = behind.partition_point(|entry| entry.key < key);
        if let Some(entry) = tail.first_mut() {
            entry.key = key;
        }
        if let Some(passed @ [_, ..]) = tail.get_mut(..place.saturating_add(1)) {
            passed.rotate_left(1);
        }
    }
}

impl State {
    /// Sorts the list if needed, or rebuilds it if walks have paid for that. Among few words it is emptied instead of sorted.
    pub(super) fn refresh_rarest(&mut self, pieces: &[PieceSlot], list: &mut [RarestSlot]) {
        let few = self.words() <= FEW_WORDS;
        let patience = if few { FEW_PATIENCE } else { 1 };
        let paid = slot(self.rarest_list.debt) > self.words().saturating_mul(patience);
        if paid || !self.rarest_list.is_complete() {
            self.continue_rebuild(pieces, list);
        } else if self.rarest_list.unsorted && few {
            let debt = self.rarest_list.debt;
            self.rarest_list = RarestList { debt, ..RarestList::new() };
        } else if self.rarest_list.unsorted {
            let mut front = self.rarest_list;
            front.retain(list, |entry| {
                let word = pieces.get(slot(entry.piece.0 / 64));
                let wanted = word.filter(|word| word.wanted & lane(entry.piece) != 0);
                wanted.map_or(u32::MAX, |word| self.key(word, lane(entry.piece)))
            });
            self.rarest_list = front;
            self.sort(list);
        }
    }

    /// Rebuilds the list if walks have paid for that: between two picks, in a large torrent.
    pub(super) fn rebuild_if_due(&mut self, pieces: &[PieceSlot], list: &mut [RarestSlot]) {
        let paid = slot(self.rarest_list.debt) > self.words();
        if self.words() > SLICE && (paid || !self.rarest_list.is_complete()) {
            self.continue_rebuild(pieces, list);
        }
    }

    /// Makes a slice of the list: a pass over words, with a ceiling that sinks whenever the list is full.
    fn continue_rebuild(&mut self, pieces: &[PieceSlot], list: &mut [RarestSlot]) {
        if list.is_empty() {
            return;
        }
        let mut front = self.rarest_list;
        if front.is_complete() {
            front = RarestList { ceiling: u32::MAX, next: 0, ..RarestList::new() };
        }
        let start = slot(front.next);
        let end = start.saturating_add(SLICE).min(self.words());
        let mut limits = self.limits(front.ceiling.saturating_sub(1));
        for (word, entry) in pieces.iter().enumerate().take(end).skip(start) {
            let low = if entry.wanted == 0 { 0 } else { self.within(entry, &limits) };
            if low == 0 {
                continue;
            }
            let pickable = if self.seeds > 0 { low } else { low & entry.held(self.height) };
            for lane in lanes(pickable) {
                let key = self.key(entry, lane);
                if key < front.ceiling && !front.push(list, first_piece(word, lane), key) {
                    front.shrink(list);
                    limits = self.limits(front.ceiling.saturating_sub(1));
                    if key < front.ceiling {
                        front.push(list, first_piece(word, lane), key);
                    }
                }
            }
        }
        self.walked(end.saturating_sub(start));
        front.next = if end < self.words() { count(end) } else { COMPLETE };
        self.rarest_list = front;
        if front.is_complete() {
            self.rarest_list.debt = 0;
            self.sort(list);
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

    fn sort(&mut self, list: &mut [RarestSlot]) {
        let entries = self.rarest_list.entries_mut(list);
        for last in (1..entries.len()).rev() {
            let other = self.draw(count(last).saturating_add(1));
            if let Ok([one, two]) = entries.get_disjoint_mut([last, slot(other)]) {
                core::mem::swap(one, two);
            }
        }
        entries.sort_unstable_by_key(|entry| entry.key);
        self.rarest_list.unsorted = false;
    }
}
