//! All of a picker but the memory.

use super::order::EXTENTS;
use super::partial::Rings;
use super::pieces::{first_piece, lane};
use super::policy::PRIORITIES;
use super::rarest::{RarestList, RarestSlot};
use super::{
    BlockSlot, NORMAL, PartialSlot, PeerPieces, PickerParts, PieceSlot, PieceState, Policy,
    piece_slots,
};
use crate::bitfield::Bitfield;
use crate::block::{BLOCK_LEN, Block, PieceIndex};
use crate::compact_time::Maybe;
use crate::error::ConfigError;
use crate::geometry::Geometry;
use crate::id::ConnId;
use crate::index::{count, slot};
use crate::invariant::invariant;
use crate::rng::Rng;

/// How many complete pieces are kept in the order they came.
const RECENT: usize = 32;

/// All of a picker but the memory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) shape: Shape,
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
    pub(super) rarest_list: RarestList,
    pub(super) rings: Rings,
    pub(super) partials: u16, // slots for open pieces
    pub(super) failures: u32, // pieces that failed and were not reported
    pub(super) rng: Rng,
    #[cfg(debug_assertions)]
    pub(super) steps: u64,
    generation: u32, // changes when a peer with nothing to do may find something
    recent: [PieceIndex; RECENT], // the last complete ones
    pub(super) completed: u32, // how many became complete, wrapping
    pub(super) unreported: u32, // not reported by an event
}

/// The numbers of a geometry that most of the picker needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    pieces: u32,
    piece_len: u32,
}

impl Shape {
    pub(crate) const fn pieces(self) -> u32 {
        self.pieces
    }

    pub(crate) const fn full_piece_len(self) -> u32 {
        self.piece_len
    }

    /// Returns the number of block slots of an open piece.
    pub(crate) const fn stride(self) -> usize {
        slot(self.piece_len.div_ceil(BLOCK_LEN))
    }
}

/// A picker whose memory is borrowed: the logic, compiled once.
pub(crate) struct View<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) geometry: Geometry<'a>,
    pub(crate) pieces: &'a mut [PieceSlot],
    pub(crate) rarest: &'a mut [RarestSlot],
    pub(crate) partials: &'a mut [PartialSlot],
    pub(crate) blocks: &'a mut [BlockSlot],
}

/// The pieces that became complete since the last have message to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completed {
    Nothing,
    Piece(PieceIndex),
    /// More than are remembered.
    Many,
}

impl State {
    pub(crate) fn new(
        seed: u64,
        have: Bitfield<&[u8]>,
        parts: PickerParts<'_>,
    ) -> Result<Self, ConfigError> {
        let PickerParts { geometry, pieces, rarest: _, partials, blocks } = parts;
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
            shape: Shape { pieces: total, piece_len: geometry.full_piece_len() },
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
            rarest_list: RarestList::new(count(words)),
            rings: Rings::new(),
            partials: rooms,
            failures: 0,
            rng: Rng::new(seed),
            #[cfg(debug_assertions)]
            steps: 0,
            generation: 0,
            recent: [PieceIndex(0); RECENT],
            completed: 0,
            unreported: 0,
        };
        state.reset_partials(partials);
        state.candidates = total.saturating_sub(state.had);
        if let Some(normal) = state.by_priority.get_mut(slot(NORMAL)) {
            *normal = state.candidates;
        }
        state.update_present();
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
        self.discard_rarest();
        self.extents = [Maybe::NONE; EXTENTS];
        self.touch();
    }

    /// Returns how many words have pieces.
    pub(super) fn words(&self) -> usize {
        piece_slots(self.shape.pieces())
    }

    pub(crate) fn have_count(&self) -> u32 {
        self.had
    }

    /// Returns a number that changes when a peer with nothing to do may find something.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn is_had(&self, pieces: &[PieceSlot], piece: PieceIndex) -> bool {
        let word = pieces.get(slot(piece.0 / 64)).filter(|_| piece.0 < self.shape.pieces());
        word.is_some_and(|word| word.had & lane(piece) != 0)
    }

    /// Returns whether a piece is missing, and not skipped.
    pub(crate) fn is_sought(&self, pieces: &[PieceSlot], piece: PieceIndex) -> bool {
        let word = pieces.get(slot(piece.0 / 64)).filter(|_| piece.0 < self.shape.pieces());
        word.is_some_and(|word| word.sought() & lane(piece) != 0)
    }

    /// Returns whether no piece is missing that is not skipped.
    pub(crate) fn seeks_nothing(&self, pieces: &[PieceSlot]) -> bool {
        let whole = slot(self.shape.pieces() / 64);
        let rest = self.shape.pieces() % 64; // the other bits of the last word stand for nothing
        let (words, last) = pieces.split_at_checked(whole).unwrap_or((pieces, &[]));
        let none_in = |word: &PieceSlot, lanes: u64| word.sought() & lanes == 0;
        self.candidates == 0
            && words.iter().all(|word| none_in(word, u64::MAX))
            && last.first().is_none_or(|word| none_in(word, !u64::MAX.wrapping_shr(rest)))
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

    /// Returns the piece that became complete after `completed` others.
    pub(crate) fn completed_after(&self, completed: u32) -> Completed {
        let behind = self.completed.wrapping_sub(completed);
        if behind == 0 {
            return Completed::Nothing;
        }
        let known = slot(behind) <= RECENT;
        let piece = self.recent.get(slot(completed) % RECENT).filter(|_| known);
        piece.map_or(Completed::Many, |piece| Completed::Piece(*piece))
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
        self.unreported = self.unreported.saturating_add(1);
        self.had = self.had.saturating_add(1);
        invariant!(self.had <= self.shape.pieces(), "more complete pieces than pieces");
    }

    /// Returns a random number below `bound`, or 0 if `bound` is 0.
    pub(super) fn draw(&mut self, bound: u32) -> u32 {
        u32::try_from(self.rng.below(u64::from(bound))).unwrap_or(0)
    }

    pub(super) fn touch(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Counts the work of a call, which tests bound.
    #[cfg(debug_assertions)]
    pub(super) fn walked(&mut self, steps: usize) {
        self.steps = self.steps.wrapping_add(u64::try_from(steps).unwrap_or(u64::MAX));
    }

    /// Does nothing in a release build.
    #[cfg(not(debug_assertions))]
    pub(super) fn walked(&mut self, _: usize) {}

    pub(super) fn state_of(
        &self,
        pieces: &[PieceSlot],
        partials: &[PartialSlot],
        piece: PieceIndex,
    ) -> Option<PieceState> {
        if piece.0 >= self.shape.pieces() {
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
        geometry: Geometry<'_>,
        partials: &[PartialSlot],
        blocks: &[BlockSlot],
        block: Block,
    ) -> [Option<ConnId>; 2] {
        let entry = || {
            let number = slot(geometry.number(block)?);
            let at = self.find(partials, block.piece)?;
            let start = usize::from(at).checked_mul(self.shape.stride())?;
            blocks.get(start.checked_add(number)?)
        };
        entry().map_or([None, None], BlockSlot::requesters)
    }

    /// The rarest piece that we have and a peer has not, rather none of those that are offered.
    pub(crate) fn offer(
        &mut self,
        pieces: &[PieceSlot],
        theirs: &PeerPieces<'_>,
        offered: &[PieceIndex],
    ) -> Option<PieceIndex> {
        let fresh = self.rarest_had(pieces, theirs, offered);
        fresh.or_else(|| self.rarest_had(pieces, theirs, &[]))
    }

    fn rarest_had(
        &mut self,
        pieces: &[PieceSlot],
        theirs: &PeerPieces<'_>,
        offered: &[PieceIndex],
    ) -> Option<PieceIndex> {
        let mut best = None;
        let mut ties = 0_u32;
        for word in self.all_words() {
            let Some(entry) = pieces.get(word) else { break };
            let of_word = offered.iter().filter(|piece| slot(piece.0 / 64) == word);
            let taken = of_word.fold(0, |taken, piece| taken | lane(*piece));
            let lanes = entry.had & !theirs.word(word) & !taken;
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
