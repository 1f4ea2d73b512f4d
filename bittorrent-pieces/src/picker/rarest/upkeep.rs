//! What keeps the list of the rarest right while peers join and leave, and pieces come and go.

use super::{FEW_WORDS, RarestList, RarestSlot, price, run_len, run_start, swap};
use crate::bitfield::Bitfield;
use crate::block::PieceIndex;
use crate::index::{count, slot};
use crate::invariant::invariant;
use crate::picker::State;
use crate::picker::pieces::{PLANES, PieceSlot, first_piece, lane, lanes};
use crate::picker::policy::PRIORITIES;

impl State {
    /// Rebuilds the list if walks have paid for that.
    pub(crate) fn refresh_rarest(&mut self, pieces: &mut [PieceSlot], list: &mut [RarestSlot]) {
        if self.rarest_list.unpaid == 0 {
            self.rebuild_rarest(pieces, list);
        }
    }

    /// Gives up the list: the order of keys changed.
    pub(crate) fn discard_rarest(&mut self) {
        self.rarest_list.give_up();
        // Among few words walks have to pay for the list first.
        let words = self.words();
        self.rarest_list.unpaid = if words <= FEW_WORDS { price(count(words)) } else { 0 };
    }

    /// Takes note of the pieces of a peer that joined: the keys of the list rise. Those of the list of few words are
    /// corrected when they are met, and so are all where a count may be at its end.
    pub(crate) fn raise_rarest(&mut self, list: &mut [RarestSlot], theirs: Bitfield<&[u8]>) {
        let is_in_use = self.rarest_list.ceiling > 0;
        let is_exact = usize::from(self.height) < PLANES && self.words() > FEW_WORDS;
        if let Some(step) = self.step().filter(|_| is_in_use && is_exact) {
            self.rarest_list.shift(list, theirs, step, true);
        }
    }

    /// Takes note of the pieces of a peer that left. Any other candidate may have been one of them, so the ceiling sinks. A
    /// list that would soon be of no use is rebuilt, as all words were looked at anyway; among few words it is given up.
    pub(crate) fn lower_rarest(
        &mut self,
        pieces: &mut [PieceSlot],
        list: &mut [RarestSlot],
        theirs: Bitfield<&[u8]>,
    ) {
        if self.rarest_list.ceiling == 0 {
            return;
        }
        self.rarest_list.ceiling = self.key_below(self.rarest_list.ceiling);
        let soon = self.rarest_list.least.checked_add(1);
        if soon.is_none_or(|soon| self.rarest_list.ceiling > soon) {
            self.lower_keys(list, theirs);
        } else if self.words() > FEW_WORDS {
            self.rebuild_rarest(pieces, list);
        } else {
            self.rarest_list.give_up();
        }
    }

    /// Lowers the keys of the pieces of a peer that left; all of them among few words, and where products differ.
    fn lower_keys(&mut self, list: &mut [RarestSlot], theirs: Bitfield<&[u8]>) {
        if let Some(step) = self.step().filter(|_| self.words() > FEW_WORDS) {
            return self.rarest_list.shift(list, theirs, step, false);
        }
        for entry in self.rarest_list.entries_mut(list) {
            entry.key = self.key_below(entry.key);
        }
    }

    /// Inserts a candidate that was not one, or whose key fell from at most `before`.
    pub(crate) fn enter_rarest(
        &mut self,
        pieces: &mut [PieceSlot],
        list: &mut [RarestSlot],
        piece: PieceIndex,
        before: u32,
    ) {
        let Some(word) = pieces.get_mut(slot(piece.0 / 64)) else { return };
        let key = self.key(word, lane(piece));
        let mut front = self.rarest_list;
        let place = if word.listed & lane(piece) != 0 {
            let at = front.find(list, piece, key, before);
            at.map(|at| front.sink(list, at, key))
        } else if key < front.ceiling {
            let (place, evicted) = front.insert(list, RarestSlot { key, piece });
            if place.is_some() {
                word.listed |= lane(piece);
            }
            unlist(pieces, evicted);
            place
        } else {
            None
        };
        self.rarest_list = front;
        if let Some(at) = place {
            let entries = front.entries_mut(list);
            let behind = entries.get(at.saturating_add(1)..).unwrap_or_default();
            let first = run_start(entries.get(..at).unwrap_or_default(), key);
            let ties = at.saturating_sub(first).saturating_add(run_len(behind, key));
            let tie = self.draw(count(ties).saturating_add(1));
            swap(entries, at, first.saturating_add(slot(tie)));
        }
    }

    /// Rebuilds the list.
    pub(crate) fn rebuild_rarest(&mut self, pieces: &mut [PieceSlot], list: &mut [RarestSlot]) {
        if list.is_empty() {
            return;
        }
        self.collect(pieces, list);
        self.sort(list);
    }

    /// Fills the list: a pass over words, with a ceiling that sinks whenever the list is full.
    #[inline(never)] // the limits do not stand on the stack while the list is sorted
    fn collect(&mut self, pieces: &mut [PieceSlot], list: &mut [RarestSlot]) {
        for entry in self.rarest_list.entries(list) {
            unlist(pieces, Some(entry.piece));
        }
        let words = self.words();
        let mut front = RarestList { ceiling: u32::MAX, ..RarestList::new(count(words)) };
        let mut limits = self.limits(front.ceiling.saturating_sub(1));
        for (word, entry) in pieces.iter().enumerate().take(words) {
            let low = if entry.wanted == 0 { 0 } else { self.within(entry, &limits) };
            if low == 0 {
                continue;
            }
            let pickable = if self.seeds > 0 { low } else { low & entry.held(self.height) };
            for lane in lanes(pickable) {
                let entry =
                    RarestSlot { key: self.key(entry, lane), piece: first_piece(word, lane) };
                if entry.key < front.ceiling && !front.push(list, entry) {
                    front.shrink(list, word.saturating_add(1), words);
                    limits = self.limits(front.ceiling.saturating_sub(1));
                    if entry.key < front.ceiling {
                        front.push(list, entry);
                    }
                }
            }
        }
        self.walked(words);
        self.rarest_list = front;
        for entry in front.entries(list) {
            let word = pieces.get_mut(slot(entry.piece.0 / 64));
            invariant!(word.is_some(), "a piece of the list that does not exist");
            if let Some(word) = word {
                word.listed |= lane(entry.piece);
            }
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
            swap(entries, last, slot(other));
        }
        entries.sort_unstable_by_key(|entry| entry.key);
    }
}

/// Notes that a piece is not in the list any more.
pub(crate) fn unlist(pieces: &mut [PieceSlot], piece: Option<PieceIndex>) {
    let word = piece.and_then(|piece| Some((pieces.get_mut(slot(piece.0 / 64))?, lane(piece))));
    if let Some((word, lane)) = word {
        word.listed &= !lane;
    }
}
