//! The rarest candidates, sorted: a list in front of the words.

mod upkeep;

use crate::bitfield::Bitfield;
use crate::block::PieceIndex;
use crate::index::slot;

pub(super) use upkeep::unlist;

/// The number of pieces that are compared as fast as a list is read. Among 1,000 a list saves five sixths of a pick.
const FEW: u32 = 512;
/// The length of the list of a torrent of up to 16,384 pieces.
const SHORT: usize = 64;
/// The pieces of a larger torrent for each slot of its list: a peer with one piece of 1,000 has one of the list.
const PIECES_PER_SLOT: u32 = 256;
/// The most slots that are used: those of 16 million pieces.
const LONGEST: usize = 65_535;
/// The words of a torrent in which a walk is so short that only many of them pay for the list.
pub(super) const FEW_WORDS: usize = 16;
/// How many walks over all of these words take as long as to make the list, with a margin.
const FEW_PATIENCE: u32 = 64;

/// The key of an entry that is to be dropped. Those of the list are below its ceiling, and so below this one.
const MARKED: u32 = u32::MAX;

/// Room for one of the rarest pieces: 8 bytes.
///
/// See [`rarest_slots`] for how many a torrent takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RarestSlot {
    key: u32, // at most that of the piece, if it is wanted: to be checked when the entry is met
    pub(super) piece: PieceIndex,
}

impl RarestSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self { key: 0, piece: PieceIndex(0) };

    pub(super) const fn key(self) -> u32 {
        self.key
    }
}

/// Returns the number of [`RarestSlot`]s that makes picks fast: none for up to 512 pieces, 64 for up to 16,384,
/// and one for 256 pieces of a larger torrent, at most 65,535.
///
/// With fewer slots the picker chooses the same pieces, and looks for them longer.
#[must_use]
pub const fn rarest_slots(pieces: u32) -> usize {
    let slots = slot(pieces / PIECES_PER_SLOT);
    match pieces {
        0..=FEW => 0,
        _ if slots < SHORT => SHORT,
        _ if slots > LONGEST => LONGEST,
        _ => slots,
    }
}

/// The candidates whose key is below `ceiling`, the rarest first, ties at random: the used part
/// of the caller's list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RarestList {
    start: u16,
    end: u16,
    /// Every candidate with a lower key that some peer has is in the list.
    pub(super) ceiling: u32,
    /// How many words are to be walked until the list is rebuilt: they pay for it.
    unpaid: u32,
    /// The lowest key that was picked from the list since it was made.
    least: u32,
}

impl RarestList {
    /// Creates an empty list of a torrent with this number of words.
    pub(super) const fn new(words: u32) -> Self {
        Self { start: 0, end: 0, ceiling: 0, unpaid: price(words), least: u32::MAX }
    }

    pub(super) fn entries<'l>(&self, list: &'l [RarestSlot]) -> &'l [RarestSlot] {
        list.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    fn entries_mut<'l>(&self, list: &'l mut [RarestSlot]) -> &'l mut [RarestSlot] {
        list.get_mut(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    /// Counts words that were walked because the list did not help.
    pub(super) fn pay(&mut self, words: u32) {
        self.unpaid = self.unpaid.saturating_sub(words);
    }

    /// Notes that a piece was picked from the list.
    pub(super) fn note_pick(&mut self, key: u32) {
        self.least = self.least.min(key);
    }

    /// Answers for no key any more. The entries stay until the next list is made.
    fn give_up(&mut self) {
        self.ceiling = 0;
        self.least = u32::MAX;
    }

    /// Adds an entry behind the last one, while the list is made.
    fn push(&mut self, list: &mut [RarestSlot], entry: RarestSlot) -> bool {
        let place = list.get_mut(usize::from(self.end));
        let (Some(place), Some(end)) = (place, self.end.checked_add(1)) else { return false };
        *place = entry;
        self.end = end;
        true
    }

    /// Drops the entries with the highest keys while the list is made. If the remaining words are like those `seen`, they
    /// fill three quarters of the list.
    fn shrink(&mut self, list: &mut [RarestSlot], seen: usize, words: usize) {
        let entries = self.entries_mut(list);
        let len = entries.len();
        let kept = len.saturating_mul(seen).saturating_mul(3).checked_div(words.saturating_mul(4));
        let kept = kept.unwrap_or(0).min(len / 2).max(len / 16);
        let Some(least) = entries.iter().map(|entry| entry.key).min() else { return };
        let (_, pivot, _) = entries.select_nth_unstable_by_key(kept, |entry| entry.key);
        let pivot = pivot.key;
        self.ceiling = if least < pivot { pivot } else { pivot.saturating_add(1) };
        let mut kept = 0_usize;
        for at in 0..len {
            let Some(entry) = list.get(at).copied().filter(|entry| entry.key < self.ceiling) else {
                continue;
            };
            if let Some(place) = list.get_mut(kept) {
                *place = entry;
            }
            kept = kept.saturating_add(1);
        }
        if kept == len {
            kept = 0;
            self.ceiling = pivot; // too many of one key
        }
        self.end = u16::try_from(kept).unwrap_or(u16::MAX);
    }

    /// Inserts an entry behind those of its key, and returns its place. In a full list it takes the room of the
    /// one with the highest key, which is returned too.
    fn insert(
        &mut self,
        list: &mut [RarestSlot],
        entry: RarestSlot,
    ) -> (Option<usize>, Option<PieceIndex>) {
        let mut evicted = None;
        if self.start == 0 && usize::from(self.end) >= list.len().min(LONGEST) {
            let last = self.entries(list).last().copied();
            let Some(last) = last.filter(|last| last.key > entry.key) else {
                self.ceiling = self.ceiling.min(entry.key);
                return (None, None);
            };
            self.ceiling = self.ceiling.min(last.key);
            self.end = self.end.saturating_sub(1);
            evicted = Some(last.piece);
        }
        if self.push(list, entry) {
            let at = self.entries(list).len().saturating_sub(1);
            return (Some(self.sink(list, at, entry.key)), evicted);
        }
        self.start = self.start.saturating_sub(1);
        if let Some(place) = list.get_mut(usize::from(self.start)) {
            *place = RarestSlot { key: 0, ..entry };
        }
        (Some(self.rise(list, 0, entry.key)), evicted)
    }

    /// Marks an entry that is to be dropped.
    pub(super) fn mark(&mut self, list: &mut [RarestSlot], at: usize) {
        if let Some(entry) = self.entries_mut(list).get_mut(at) {
            entry.key = MARKED;
        }
    }

    /// Drops the marked ones of the first `len` entries: those between them move up, which are few where picks look.
    pub(super) fn drop_marked(&mut self, list: &mut [RarestSlot], len: usize) {
        let Some(head) = self.entries_mut(list).get_mut(..len) else { return };
        let mut first = head.len();
        for at in (0..head.len()).rev() {
            let entry = head.get(at).copied().filter(|entry| entry.key != MARKED);
            let Some(entry) = entry else { continue };
            first = first.saturating_sub(1);
            if let Some(place) = head.get_mut(first) {
                *place = entry;
            }
        }
        self.start = self.start.saturating_add(u16::try_from(first).unwrap_or(0));
    }

    /// Gives an entry a higher key, and returns the place where it belongs: it changes places with the last one of each
    /// key that it passes.
    pub(super) fn rise(&mut self, list: &mut [RarestSlot], mut at: usize, key: u32) -> usize {
        let entries = self.entries_mut(list);
        if let Some(entry) = entries.get_mut(at) {
            entry.key = key;
        }
        while let Some(next) = entries.get(at.saturating_add(1)).filter(|next| next.key < key) {
            let run = run_len(entries.get(at.saturating_add(1)..).unwrap_or_default(), next.key);
            let last = at.saturating_add(run.max(1));
            swap(entries, at, last);
            at = last;
        }
        at
    }

    /// Gives an entry a lower key, and returns the place where it belongs: behind those of that key. It changes places
    /// with the first one of each key that it passes.
    fn sink(&mut self, list: &mut [RarestSlot], mut at: usize, key: u32) -> usize {
        let entries = self.entries_mut(list);
        if let Some(entry) = entries.get_mut(at) {
            entry.key = key;
        }
        while let Some([before @ .., last]) = entries.get(..at).filter(|_| at > 0) {
            if last.key <= key {
                break;
            }
            let first = run_start(before, last.key);
            swap(entries, at, first);
            at = first;
        }
        at
    }

    /// Moves the keys of the pieces of a peer that joined or left by `step`. Among those of one key the lower ones come
    /// first then. Nothing branches on what the peer has, which is hard to predict.
    #[inline(never)] // so that a HAVE and a pick are laid out without it
    fn shift(&self, list: &mut [RarestSlot], bits: Bitfield<&[u8]>, step: u32, joins: bool) {
        let entries = self.entries_mut(list);
        let mut key = u32::MAX;
        let mut first = 0_usize; // of those of this key that stand behind the lower ones
        for at in 0..entries.len() {
            let Some(mut entry) = entries.get(at).copied() else { return };
            first = if entry.key == key { first } else { at };
            key = entry.key;
            let held = bits.bit(entry.piece).unwrap_or(0);
            let moved = step.wrapping_mul(held);
            entry.key = if joins { key.saturating_add(moved) } else { key.saturating_sub(moved) };
            let is_lower = (held == 1) != joins;
            let Some(other) = entries.get(first).copied() else { return };
            if let Some(place) = entries.get_mut(at) {
                *place = other;
            }
            if let Some(place) = entries.get_mut(first) {
                *place = entry;
            }
            first = first.saturating_add(usize::from(is_lower));
        }
    }

    /// Returns where an entry is whose key is above `above` and at most `most`.
    fn find(&self, list: &[RarestSlot], piece: PieceIndex, above: u32, most: u32) -> Option<usize> {
        let entries = self.entries(list);
        let start = entries.partition_point(|entry| entry.key <= above);
        let mut rest = entries.get(start..)?.iter().take_while(|entry| entry.key <= most);
        rest.position(|entry| entry.piece == piece).map(|at| start.saturating_add(at))
    }
}

/// Returns how many words are walked before the list of a torrent with this number of words is made.
const fn price(words: u32) -> u32 {
    if slot(words) <= FEW_WORDS { words.saturating_mul(FEW_PATIENCE) } else { words }
}

/// Returns how many of the first entries have keys of at most `key`, and looks at about twice the logarithm of that.
fn run_len(entries: &[RarestSlot], key: u32) -> usize {
    let mut bound = 1_usize;
    while entries.get(bound).is_some_and(|entry| entry.key <= key) {
        bound = bound.saturating_mul(2);
    }
    let known = bound / 2;
    let rest = entries.get(known..bound.min(entries.len())).unwrap_or_default();
    known.saturating_add(rest.partition_point(|entry| entry.key <= key))
}

/// Returns the first of the last entries whose keys are `key` or higher.
fn run_start(entries: &[RarestSlot], key: u32) -> usize {
    let from_end = |back: usize| entries.len().checked_sub(back).and_then(|at| entries.get(at));
    let mut bound = 1_usize;
    while from_end(bound).is_some_and(|entry| entry.key >= key) {
        bound = bound.saturating_mul(2);
    }
    let low = entries.len().saturating_sub(bound);
    let high = entries.len().saturating_sub(bound / 2);
    let rest = entries.get(low..high).unwrap_or_default();
    low.saturating_add(rest.partition_point(|entry| entry.key < key))
}

fn swap(entries: &mut [RarestSlot], one: usize, other: usize) {
    if let Ok([one, other]) = entries.get_disjoint_mut([one, other]) {
        core::mem::swap(one, other);
    }
}
