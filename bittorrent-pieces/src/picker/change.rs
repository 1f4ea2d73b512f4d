//! What changes a picker piece by piece.

use super::front::RareSlot;
use super::pieces::{PieceSlot, first_piece, lane};
use super::state::{News, State, View};
use super::{Holds, NORMAL, Priority, Weights};
use crate::PieceIndex;
use crate::geometry::slot;

impl View<'_, '_> {
    pub(crate) fn count(&mut self, holds: &Holds<'_>, joins: bool) {
        let state = &mut *self.state;
        match holds {
            Holds::All => {
                let before = state.seeds;
                state.seeds =
                    if joins { before.saturating_add(1) } else { before.saturating_sub(1) };
                if before == 0 || state.policy.weights == Weights::Product {
                    state.front.clear(); // pieces that only seeds have, or other products
                }
            }
            Holds::Some(_) if joins => {
                let soonest = state.classes().next().map_or(0, |class| state.key_of(class, 1));
                let (mut news, unlisted) = (0, soonest < state.front.ceiling);
                for (word, entry) in self.pieces.iter_mut().take(state.words()).enumerate() {
                    let lanes = holds.word(word);
                    if unlisted {
                        news |= lanes & entry.wanted & !entry.held(state.height);
                    }
                    state.height = state.height.max(entry.add(lanes));
                }
                if news != 0 {
                    state.front.ceiling = soonest; // nobody had them, so they are not listed
                }
                state.walked(state.words());
            }
            Holds::Some(_) => {
                for (word, entry) in self.pieces.iter_mut().take(state.words()).enumerate() {
                    entry.sub(holds.word(word));
                }
                state.front.ceiling = state.key_below(state.front.ceiling);
                state.front.unsorted = true;
                state.walked(state.words());
            }
        }
    }

    pub(crate) fn have(&mut self, piece: PieceIndex) {
        let known = piece.0 < self.state.geometry.pieces();
        let word = self.pieces.get_mut(slot(piece.0 / 64)).filter(|_| known);
        let Some(word) = word else { return };
        let height = word.add(lane(piece));
        self.state.height = self.state.height.max(height);
        // One that nobody had is not listed, however rare.
        let first = height == 1 && word.count(lane(piece), self.state.height) == 1;
        if first && word.wanted & lane(piece) != 0 {
            let key = self.state.key(word, lane(piece));
            self.state.front.enter(self.rarest, piece, key);
        }
    }

    pub(crate) fn dont_have(&mut self, piece: PieceIndex) {
        let known = piece.0 < self.state.geometry.pieces();
        let word = self.pieces.get_mut(slot(piece.0 / 64)).filter(|_| known);
        let Some(word) = word else { return };
        let before = self.state.key(word, lane(piece));
        word.sub(lane(piece));
        if word.wanted & lane(piece) != 0 {
            let key = self.state.key(word, lane(piece));
            self.state.rekey(self.rarest, piece, before, key);
        }
    }

    pub(crate) fn set_priority(&mut self, piece: PieceIndex, priority: Priority) {
        let known = piece.0 < self.state.geometry.pieces();
        let (bit, level) = (lane(piece), u32::from(priority.level()));
        let word = self.pieces.get_mut(slot(piece.0 / 64)).filter(|_| known);
        let Some(word) = word else { return };
        self.state.weighted |= level != NORMAL;
        let is_had = word.had & bit != 0;
        self.state.unlist(self.pieces, piece);
        if let Some(word) = self.pieces.get_mut(slot(piece.0 / 64)) {
            word.set_priority(bit, level);
        }
        if is_had || self.state.find(self.partials, piece).is_some() {
            self.state.touch();
        } else {
            self.state.list(self.pieces, self.rarest, piece);
        }
    }

    pub(crate) fn lose(&mut self, piece: PieceIndex) -> bool {
        if !self.state.is_had(self.pieces, piece) {
            return false;
        }
        if let Some(word) = self.pieces.get_mut(slot(piece.0 / 64)) {
            self.state.untold =
                self.state.untold.saturating_sub(u32::from(word.untold & lane(piece) != 0));
            word.had &= !lane(piece);
            word.untold &= !lane(piece);
        }
        self.state.had = self.state.had.saturating_sub(1);
        self.state.list(self.pieces, self.rarest, piece);
        true
    }

    /// Returns a piece that became complete, once.
    pub(crate) fn next_complete(&mut self) -> Option<PieceIndex> {
        self.state.untold.checked_sub(1)?;
        let oldest = self.state.completed.wrapping_sub(self.state.untold);
        let is_untold = |pieces: &[PieceSlot], piece: PieceIndex| {
            let word = pieces.get(slot(piece.0 / 64));
            word.is_some_and(|word| word.untold & lane(piece) != 0)
        };
        let piece = match self.state.news(oldest) {
            News::Piece(piece) if is_untold(self.pieces, piece) => piece,
            _ => {
                let mut words = self.pieces.iter().enumerate();
                let (word, entry) = words.find(|(_, entry)| entry.untold != 0)?;
                first_piece(word, entry.untold)
            }
        };
        if let Some(word) = self.pieces.get_mut(slot(piece.0 / 64)) {
            word.untold &= !lane(piece);
        }
        self.state.untold = self.state.untold.saturating_sub(1);
        Some(piece)
    }
}

impl State<'_> {
    /// Takes note that the key of a candidate changed.
    fn rekey(&mut self, list: &mut [RareSlot], piece: PieceIndex, before: u32, key: u32) {
        if before < self.front.ceiling {
            self.front.unsorted = true; // it is listed
        } else {
            self.front.enter(list, piece, key);
        }
    }
}
