//! All of a picker but the memory.

use super::front::{Front, RareSlot};
use super::order::{EXTENTS, PRIORITIES};
use super::partial::Rings;
use super::pieces::{first_piece, lane};
use super::{BlockSlot, Holds, NORMAL, PartialSlot, PieceSlot, PieceState, Policy, piece_slots};
use crate::geometry::{count, slot};
use crate::invariant::invariant;
use crate::rng::Rng;
use crate::small::Maybe;
use crate::{Bitfield, Block, ConfigError, ConnId, Geometry, PieceIndex};

/// How many complete pieces are kept in the order they came.
const RECENT: usize = 32;

/// All of a picker but the memory.
#[derive(Debug, Clone)]
pub(crate) struct State<'t> {
    pub(crate) geometry: Geometry<'t>,
    pub(super) policy: Policy,
    pub(super) height: u8, // how many bits the highest availability ever had
    pub(super) seeds: u32,
    pub(super) had: u32,
    pub(super) candidates: u32,
    pub(super) by_priority: [u32; PRIORITIES], // candidates
    pub(super) present: u8,                    // a bit for each priority that candidates have
    pub(super) weighted: bool,                 // some priority was changed
    pub(super) cursors: (u32, u32),            // all candidates are in these words
    pub(super) extents: [Maybe; EXTENTS],      // opened of late, the newest first
    pub(super) front: Front,
    pub(super) rings: Rings,
    pub(super) partials: u16, // slots for open pieces
    pub(super) failures: u32, // pieces that failed, and nobody was told
    pub(super) rng: Rng,
    pub(super) steps: u64,
    generation: u32, // changes when a peer with nothing to do may find something
    recent: [PieceIndex; RECENT], // the last complete ones
    pub(super) completed: u32, // how many became complete, wrapping
    pub(super) untold: u32, // of which no event told
}

/// A picker whose memory is borrowed: the logic, compiled once.
pub(crate) struct View<'a, 't> {
    pub(crate) state: &'a mut State<'t>,
    pub(crate) pieces: &'a mut [PieceSlot],
    pub(crate) rarest: &'a mut [RareSlot],
    pub(crate) partials: &'a mut [PartialSlot],
    pub(crate) blocks: &'a mut [BlockSlot],
}

/// What became complete since a peer was last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Nothing,
    Piece(PieceIndex),
    /// More than are kept in mind.
    Many,
}

impl<'t> State<'t> {
    pub(crate) fn new(
        geometry: Geometry<'t>,
        seed: u64,
        have: Bitfield<&[u8]>,
        pieces: &mut [PieceSlot],
        partials: &mut [PartialSlot],
        blocks: &mut [BlockSlot],
    ) -> Result<Self, ConfigError> {
        let total = geometry.pieces();
        let words = piece_slots(total);
        if pieces.len() < words {
            return Err(ConfigError::PieceSlots(words));
        }
        if have.len() != total {
            return Err(ConfigError::Bitfield(have.len()));
        }
        // As many pieces can be open as have both a slot and room for all their blocks.
        let rooms = blocks.len().checked_div(geometry.stride()).unwrap_or(0).min(partials.len());
        let rooms = u16::try_from(rooms).ok().filter(|rooms| *rooms < u16::MAX);
        let rooms = rooms.ok_or(ConfigError::TooManySlots(partials.len()))?;
        blocks.fill(BlockSlot::EMPTY);
        let mut state = Self {
            geometry,
            policy: Policy::new(),
            height: 0,
            seeds: 0,
            had: have.count_ones(),
            candidates: 0,
            by_priority: [0; PRIORITIES],
            present: 0,
            weighted: false,
            cursors: (0, count(words)),
            extents: [Maybe::NONE; EXTENTS],
            front: Front::new(),
            rings: Rings::new(),
            partials: rooms,
            failures: 0,
            rng: Rng::new(seed),
            steps: 0,
            generation: 0,
            recent: [PieceIndex(0); RECENT],
            completed: 0,
            untold: 0,
        };
        state.reset_partials(partials);
        state.candidates = total.saturating_sub(state.had);
        if let Some(normal) = state.by_priority.get_mut(slot(NORMAL)) {
            *normal = state.candidates;
        }
        state.see_priorities();
        for (word, entry) in pieces.iter_mut().enumerate() {
            let rest = total.saturating_sub(first_piece(word, u64::MAX).0);
            let all = u64::MAX.checked_shr(rest).map_or(u64::MAX, |spare| !spare);
            let had = have.word(word);
            *entry = PieceSlot::new(all & !had, had);
        }
        Ok(state)
    }

    pub(crate) fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.front.clear();
        self.extents = [Maybe::NONE; EXTENTS];
        self.touch();
    }

    /// Returns how many words have pieces.
    pub(super) fn words(&self) -> usize {
        piece_slots(self.geometry.pieces())
    }

    pub(crate) fn have_count(&self) -> u32 {
        self.had
    }

    /// Returns a number that changes when a peer with nothing to do may find something.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn is_had(&self, pieces: &[PieceSlot], piece: PieceIndex) -> bool {
        let word = pieces.get(slot(piece.0 / 64)).filter(|_| piece.0 < self.geometry.pieces());
        word.is_some_and(|word| word.had & lane(piece) != 0)
    }

    /// Returns whether a piece is missing, and not skipped.
    pub(crate) fn is_sought(&self, pieces: &[PieceSlot], piece: PieceIndex) -> bool {
        let word = pieces.get(slot(piece.0 / 64)).filter(|_| piece.0 < self.geometry.pieces());
        word.is_some_and(|word| word.sought() & lane(piece) != 0)
    }

    /// Returns how many of a peer's pieces are missing, and not skipped.
    pub(crate) fn sought(&mut self, pieces: &[PieceSlot], bits: Bitfield<&[u8]>) -> u32 {
        self.walked(self.words());
        let words = pieces.iter().take(self.words()).enumerate();
        let sought = words.map(|(index, word)| (word.sought() & bits.word(index)).count_ones());
        sought.fold(0, u32::saturating_add)
    }

    /// Returns how many pieces became complete so far, wrapping.
    pub(crate) fn completed(&self) -> u32 {
        self.completed
    }

    /// Returns the piece that became complete after so many others.
    pub(crate) fn news(&self, told: u32) -> News {
        let behind = self.completed.wrapping_sub(told);
        if behind == 0 {
            return News::Nothing;
        }
        let known = slot(behind) <= RECENT;
        let piece = self.recent.get(slot(told) % RECENT).filter(|_| known);
        piece.map_or(News::Many, |piece| News::Piece(*piece))
    }

    /// Returns the first piece that is there, from the given one on.
    pub(crate) fn next_had(&self, pieces: &[PieceSlot], from: u32) -> Option<PieceIndex> {
        let first = slot(from / 64);
        for word in first..self.words() {
            let had = pieces.get(word)?.had;
            let had = if word == first { had & u64::MAX.wrapping_shr(from) } else { had };
            if had != 0 {
                return Some(first_piece(word, had));
            }
        }
        None
    }

    pub(super) fn complete(&mut self, piece: PieceIndex) {
        if let Some(place) = self.recent.get_mut(slot(self.completed) % RECENT) {
            *place = piece;
        }
        self.completed = self.completed.wrapping_add(1);
        self.untold = self.untold.saturating_add(1);
        self.had = self.had.saturating_add(1);
        invariant!(self.had <= self.geometry.pieces(), "more complete pieces than pieces");
    }

    /// Returns a random number below `bound`, or 0 if `bound` is 0.
    pub(super) fn draw(&mut self, bound: u32) -> u32 {
        u32::try_from(self.rng.below(u64::from(bound))).unwrap_or(0)
    }

    pub(super) fn touch(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Counts the work of a call.
    pub(super) fn walked(&mut self, steps: usize) {
        self.steps = self.steps.wrapping_add(u64::try_from(steps).unwrap_or(u64::MAX));
    }

    pub(super) fn state_of(
        &self,
        pieces: &[PieceSlot],
        partials: &[PartialSlot],
        piece: PieceIndex,
    ) -> Option<PieceState> {
        if piece.0 >= self.geometry.pieces() {
            return None;
        }
        if self.is_had(pieces, piece) {
            return Some(PieceState::Have);
        }
        let partial = self.find(partials, piece).and_then(|at| partials.get(usize::from(at)));
        Some(match partial {
            None => PieceState::Missing,
            Some(partial) if partial.is_open() => PieceState::Open,
            Some(_) => PieceState::Full,
        })
    }

    pub(super) fn requesters(
        &self,
        partials: &[PartialSlot],
        blocks: &[BlockSlot],
        block: Block,
    ) -> [Option<ConnId>; 2] {
        let entry = || {
            let number = slot(self.geometry.number(block)?);
            let at = self.find(partials, block.piece)?;
            let start = usize::from(at).checked_mul(self.geometry.stride())?;
            blocks.get(start.checked_add(number)?)
        };
        entry().map_or([None, None], BlockSlot::requesters)
    }

    /// The rarest piece that we have and a peer has not, rather none of those that are offered.
    pub(crate) fn offer(
        &mut self,
        pieces: &[PieceSlot],
        holds: &Holds<'_>,
        offered: &[PieceIndex],
    ) -> Option<PieceIndex> {
        let fresh = self.rarest_had(pieces, holds, offered);
        fresh.or_else(|| self.rarest_had(pieces, holds, &[]))
    }

    fn rarest_had(
        &mut self,
        pieces: &[PieceSlot],
        holds: &Holds<'_>,
        offered: &[PieceIndex],
    ) -> Option<PieceIndex> {
        let (mut best, mut ties) = (None, 0_u32);
        for word in self.all_words() {
            let Some(entry) = pieces.get(word) else { break };
            let of_word = offered.iter().filter(|piece| slot(piece.0 / 64) == word);
            let taken = of_word.fold(0, |taken, piece| taken | lane(*piece));
            let lanes = entry.had & !holds.word(word) & !taken;
            if lanes == 0 {
                continue;
            }
            let (least, lanes) = entry.least(lanes, self.height);
            let known = best.map_or(u32::MAX, |(known, _, _)| known);
            if least < known {
                ties = 0;
            } else if least > known {
                continue;
            }
            ties = ties.saturating_add(lanes.count_ones());
            if self.draw(ties) < lanes.count_ones() {
                best = Some((least, word, lanes));
            }
        }
        self.walked(self.words());
        let (_, word, lanes) = best?;
        self.any_lane(word, lanes)
    }
}
