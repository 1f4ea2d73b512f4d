//! What changes a picker piece by piece.

use super::pieces::{NEAR, PieceSlot, first_piece, lane};
use super::rarest::FEW_WORDS;
use super::state::{Completed, View};
use super::{NORMAL, PeerPieces, Priority, Weights};
use crate::block::PieceIndex;
use crate::index::slot;

impl View<'_> {
    pub(crate) fn count(&mut self, theirs: &PeerPieces<'_>, joins: bool) {
        let state = &mut *self.state;
        let few = state.words() <= FEW_WORDS;
        match theirs {
            PeerPieces::All => {
                let before = state.seeds;
                state.seeds =
                    if joins { before.saturating_add(1) } else { before.saturating_sub(1) };
                if before == 0 || state.policy.weights == Weights::Product {
                    state.discard_rarest(); // pieces that only seeds have, or other products
                }
            }
            PeerPieces::Some(bits) if joins => {
                let soonest = state.classes().next().map_or(0, |class| state.key_of(class, 1));
                let mut news = 0;
                let unlisted = soonest < state.rarest_list.ceiling;
                for (word, entry) in self.pieces.iter_mut().take(state.words()).enumerate() {
                    let lanes = theirs.word(word);
                    if unlisted {
                        let rare = lanes & entry.wanted & !entry.held(state.height.min(NEAR));
                        if rare != 0 {
                            news |= rare & !entry.held(state.height);
                        }
                    }
                    state.height = if few {
                        state.height.max(entry.add(lanes))
                    } else {
                        entry.add_many(lanes, state.height)
                    };
                }
                state.raise_rarest(self.rarest, *bits);
                if news != 0 {
                    state.rarest_list.ceiling = soonest; // no peer had them, so they are not listed
                }
                state.walked(state.words());
            }
            PeerPieces::Some(bits) => {
                for (word, entry) in self.pieces.iter_mut().take(state.words()).enumerate() {
                    entry.sub_many(theirs.word(word), state.height);
                }
                state.walked(state.words());
                state.lower_rarest(self.pieces, self.rarest, *bits);
            }
        }
    }

    pub(crate) fn have(&mut self, piece: PieceIndex) {
        let known = piece.0 < self.geometry.pieces();
        let word = self.pieces.get_mut(slot(piece.0 / 64)).filter(|_| known);
        let Some(word) = word else { return };
        let height = word.add(lane(piece));
        self.state.height = self.state.height.max(height);
        // A piece that no peer had is not listed, however rare.
        let first = height == 1 && !word.is_common(lane(piece), self.state.height);
        if first && word.wanted & lane(piece) != 0 {
            self.state.enter_rarest(self.pieces, self.rarest, piece, 0);
        }
    }

    pub(crate) fn dont_have(&mut self, piece: PieceIndex) {
        let known = piece.0 < self.geometry.pieces();
        let word = self.pieces.get_mut(slot(piece.0 / 64)).filter(|_| known);
        let Some(word) = word else { return };
        word.sub(lane(piece));
        if word.wanted & lane(piece) != 0 {
            let key = self.state.key(word, lane(piece));
            if key < self.state.rarest_list.ceiling {
                let before = self.state.key_above(key);
                self.state.enter_rarest(self.pieces, self.rarest, piece, before);
            }
        }
    }

    pub(crate) fn set_priority(&mut self, piece: PieceIndex, priority: Priority) {
        let known = piece.0 < self.geometry.pieces();
        let bit = lane(piece);
        let level = u32::from(priority.level());
        let word = self.pieces.get_mut(slot(piece.0 / 64)).filter(|_| known);
        let Some(word) = word else { return };
        self.state.weighted |= level != NORMAL;
        let is_had = word.had & bit != 0;
        self.state.remove_candidate(self.pieces, piece);
        if let Some(word) = self.pieces.get_mut(slot(piece.0 / 64)) {
            word.set_priority(bit, level);
        }
        if is_had || self.state.find(self.partials, piece).is_some() {
            self.state.touch();
        } else {
            self.state.insert_candidate(self.pieces, self.rarest, piece);
        }
    }

    pub(crate) fn lose(&mut self, piece: PieceIndex) -> bool {
        if !self.state.is_had(self.pieces, piece) {
            return false;
        }
        if let Some(word) = self.pieces.get_mut(slot(piece.0 / 64)) {
            self.state.unreported =
                self.state.unreported.saturating_sub(u32::from(word.unreported & lane(piece) != 0));
            word.had &= !lane(piece);
            word.unreported &= !lane(piece);
        }
        self.state.had = self.state.had.saturating_sub(1);
        self.state.insert_candidate(self.pieces, self.rarest, piece);
        true
    }

    /// Returns a piece that became complete, once.
    pub(crate) fn next_complete(&mut self) -> Option<PieceIndex> {
        self.state.unreported.checked_sub(1)?;
        let oldest = self.state.completed.wrapping_sub(self.state.unreported);
        let is_unreported = |pieces: &[PieceSlot], piece: PieceIndex| {
            let word = pieces.get(slot(piece.0 / 64));
            word.is_some_and(|word| word.unreported & lane(piece) != 0)
        };
        let piece = match self.state.completed_after(oldest) {
            Completed::Piece(piece) if is_unreported(self.pieces, piece) => piece,
            _ => {
                let mut words = self.pieces.iter().enumerate();
                let (word, entry) = words.find(|(_, entry)| entry.unreported != 0)?;
                first_piece(word, entry.unreported)
            }
        };
        if let Some(word) = self.pieces.get_mut(slot(piece.0 / 64)) {
            word.unreported &= !lane(piece);
        }
        self.state.unreported = self.state.unreported.saturating_sub(1);
        Some(piece)
    }
}
