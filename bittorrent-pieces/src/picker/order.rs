//! The missing pieces in order of rarity.
//!
//! One array holds every piece: first the candidates (missing and not open) by availability, then
//! the open ones, then those that are there, the newest first. A change of availability by one is a
//! swap with the edge of a level; so the order costs nothing to keep, whatever its length.

use super::{Holds, PieceSlot, State};
use crate::PieceIndex;
use crate::geometry::{count, slot};

/// How many availabilities are told apart; above, all pieces count as common.
pub(super) const LEVELS: usize = 64;

/// How many places of the order are looked at, at least, before a walk over the peer's bits.
const SCAN: u32 = 256;

impl State {
    /// Puts all pieces in random order, all of them candidates that nobody has.
    pub(super) fn shuffle(&mut self, pieces: &mut [PieceSlot]) {
        let total = self.geometry.pieces();
        for (piece, index) in pieces.iter_mut().zip(0..total) {
            *piece = PieceSlot { position: index, order: index, ..PieceSlot::EMPTY };
        }
        for last in (1..total).rev() {
            let other = self.rng.below(last.saturating_add(1));
            swap(pieces, last, other);
        }
        self.bounds = [total; LEVELS];
        self.have_start = total;
    }

    /// Returns the end of the candidates in the order.
    pub(super) fn candidates(&self) -> u32 {
        self.bounds.last().copied().unwrap_or(0)
    }

    /// Returns where the candidates begin that some peer has.
    fn available(&self) -> u32 {
        if self.seeds > 0 { 0 } else { self.bound(0) }
    }

    /// Returns whether a piece that some peer has is missing and not open.
    pub(super) fn has_candidate(&self) -> bool {
        self.available() < self.candidates()
    }

    /// Counts one more (or one fewer) peer that has the piece.
    pub(super) fn count_peer(&mut self, pieces: &mut [PieceSlot], piece: PieceIndex, more: bool) {
        let Some(entry) = pieces.get_mut(piece.slot()) else { return };
        let before = level(entry.availability);
        entry.availability = if more {
            entry.availability.saturating_add(1)
        } else {
            entry.availability.saturating_sub(1)
        };
        let (after, position) = (level(entry.availability), entry.position);
        if position >= self.candidates() || before == after {
            return;
        }
        // The levels are neighbours: step over the edge between them.
        if let Some(edge) = self.bounds.get_mut(before.min(after)) {
            if more {
                *edge = edge.saturating_sub(1);
                swap(pieces, position, *edge);
            } else {
                swap(pieces, position, *edge);
                *edge = edge.saturating_add(1);
            }
        }
    }

    /// Takes a candidate out of the order: it becomes the first of the open pieces.
    pub(super) fn remove(&mut self, pieces: &mut [PieceSlot], piece: PieceIndex) {
        let Some(entry) = pieces.get(piece.slot()) else { return };
        let (from, mut position) = (level(entry.availability), entry.position);
        for edge in self.bounds.iter_mut().skip(from) {
            *edge = edge.saturating_sub(1);
            swap(pieces, position, *edge);
            position = *edge;
        }
    }

    /// Makes an open piece a candidate again.
    pub(super) fn restore(&mut self, pieces: &mut [PieceSlot], piece: PieceIndex) {
        let Some(entry) = pieces.get(piece.slot()) else { return };
        let (to, mut position) = (level(entry.availability), entry.position);
        for edge in self.bounds.iter_mut().skip(to).rev() {
            swap(pieces, position, *edge);
            position = *edge;
            *edge = edge.saturating_add(1);
        }
    }

    /// Puts an open piece behind those that are there already.
    pub(super) fn finish(&mut self, pieces: &mut [PieceSlot], piece: PieceIndex) {
        let Some(entry) = pieces.get(piece.slot()) else { return };
        let position = entry.position;
        self.have_start = self.have_start.saturating_sub(1);
        swap(pieces, position, self.have_start);
    }

    /// Chooses the candidate that a peer should be asked for next: any at random before the first
    /// complete piece, then a rarest one; ties are random.
    pub(super) fn choose(&mut self, pieces: &[PieceSlot], holds: &Holds<'_>) -> Option<PieceIndex> {
        let (mut from, end) = (self.available(), self.candidates());
        let random = self.have_start == self.geometry.pieces();
        let mut budget = SCAN.saturating_add(self.geometry.pieces() / 64);
        let mut levels = self.bounds;
        if random {
            levels = [end; LEVELS];
        }
        for to in levels {
            if to <= from {
                continue;
            }
            let found = self.scan(pieces, holds, from, to, &mut budget);
            if found.is_some() {
                return found;
            }
            if budget == 0 {
                return self.walk(pieces, holds, random);
            }
            from = to;
        }
        None
    }

    /// Looks through the places `from..to` of the order, from a random one on.
    fn scan(
        &mut self,
        pieces: &[PieceSlot],
        holds: &Holds<'_>,
        from: u32,
        to: u32,
        budget: &mut u32,
    ) -> Option<PieceIndex> {
        let start = from.saturating_add(self.rng.below(to.saturating_sub(from)));
        for position in (start..to).chain(from..start) {
            let piece = PieceIndex(pieces.get(slot(position))?.order);
            if holds.has(piece) {
                return Some(piece);
            }
            *budget = budget.saturating_sub(1);
            if *budget == 0 {
                return None;
            }
        }
        None
    }

    /// Looks through the pieces that the peer has: cheap where they are few.
    fn walk(
        &mut self,
        pieces: &[PieceSlot],
        holds: &Holds<'_>,
        random: bool,
    ) -> Option<PieceIndex> {
        let Holds::Some(bits) = holds else { return None };
        let candidates = self.candidates();
        let (mut best, mut ties) = (None, 0_u32);
        for piece in bits.ones() {
            let Some(entry) = pieces.get(piece.slot()) else { break };
            if entry.position >= candidates {
                continue;
            }
            let rarity = if random { 0 } else { entry.availability };
            match best {
                Some((lowest, _)) if rarity > lowest => continue,
                Some((lowest, _)) if rarity == lowest => ties = ties.saturating_add(1),
                _ => ties = 1,
            }
            if self.rng.below(ties) == 0 {
                best = Some((rarity, piece));
            }
        }
        best.map(|(_, piece)| piece)
    }

    /// Returns the pieces that are there, the oldest first, from the given one on.
    pub(super) fn had(&self, pieces: &[PieceSlot], nth: u32) -> Option<PieceIndex> {
        let place = self.geometry.pieces().checked_sub(nth)?.checked_sub(1)?;
        let entry = pieces.get(slot(place)).filter(|_| place >= self.have_start)?;
        Some(PieceIndex(entry.order))
    }

    fn bound(&self, level: usize) -> u32 {
        self.bounds.get(level).copied().unwrap_or(0)
    }
}

fn level(availability: u16) -> usize {
    usize::from(availability).min(LEVELS.saturating_sub(1))
}

/// Exchanges two places of the order.
fn swap(pieces: &mut [PieceSlot], a: u32, b: u32) {
    let order = |pieces: &[PieceSlot], at: u32| pieces.get(slot(at)).map(|entry| entry.order);
    let (Some(at_a), Some(at_b)) = (order(pieces, a), order(pieces, b)) else { return };
    for (place, piece) in [(a, at_b), (b, at_a)] {
        if let Some(entry) = pieces.get_mut(slot(place)) {
            entry.order = piece;
        }
        if let Some(entry) = pieces.get_mut(slot(piece)) {
            entry.position = place;
        }
    }
}

/// Recounts the order; for tests of the picker.
pub(super) fn is_sound(state: &State, pieces: &[PieceSlot]) -> bool {
    let total = state.geometry.pieces();
    let mut before = 0;
    let ordered = state.bounds.iter().all(|edge| {
        let rises = before <= *edge;
        before = *edge;
        rises
    });
    let placed = pieces.iter().take(slot(total)).enumerate().all(|(index, entry)| {
        let back = pieces.get(slot(entry.position)).map(|other| other.order);
        let at = level(entry.availability);
        let from = at.checked_sub(1).map_or(0, |below| state.bound(below));
        let fits = (from..state.bound(at)).contains(&entry.position);
        back == Some(count(index)) && (fits || entry.position >= state.candidates())
    });
    ordered && placed && state.candidates() <= state.have_start && state.have_start <= total
}
