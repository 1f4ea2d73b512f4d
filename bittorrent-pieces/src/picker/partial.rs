//! The open pieces: their slots, found by their piece, and in rings by how far they are.

use super::block_slot::BlockSlot;
use super::pieces::{PieceSlot, lane};
use super::rarest::RarestSlot;
use super::{Selection, State, View};
use crate::block::{BLOCK_LEN, PieceIndex};
use crate::geometry::Geometry;
use crate::id::ConnId;
use crate::index::slot;

/// No slot.
const NONE: u16 = u16::MAX;

/// Room for one open piece: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialSlot {
    pub(super) piece: PieceIndex,
    pub(super) free: u32,      // blocks that were not requested
    pub(super) received: u32,  // blocks that are there
    pub(super) next_free: u32, // no block before this one is free
    pub(super) owner: ConnId,  // the first peer that was asked, if it is owned
    pub(super) phase: Phase,
    pub(super) facts: Facts,
    next: u16, // in the ring of its phase
    before: u16,
    bucket: u16,  // the first open piece of this hash
    chained: u16, // the next one of the same hash as this slot's piece
}

/// What is known of an open piece, a bit for each fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts(u8);

impl Facts {
    /// A peer was asked for it first.
    pub(super) const OWNED: Self = Self(1);
    /// Others than the owner were asked too.
    pub(super) const SHARED: Self = Self(2);
    /// It failed or its owner is on parole: it is for its owner alone.
    pub(super) const RETRY: Self = Self(4);
    /// Its failure is not yet reported.
    pub(super) const FAILED: Self = Self(8);

    pub(super) const fn has(self, fact: Self) -> bool {
        self.0 & fact.0 != 0
    }

    pub(super) const fn set(&mut self, fact: Self, on: bool) {
        self.0 = if on { self.0 | fact.0 } else { self.0 & !fact.0 };
    }

    pub(super) const fn add(&mut self, fact: Self, on: bool) {
        self.set(fact, on || self.has(fact));
    }
}

/// The life of an open piece; for each there is a ring of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Unused,
    Open,
    Busy,     // all missing blocks are asked for
    Full,     // all blocks are there
    Checking, // and the caller knows
}

/// The first slot of each ring.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rings([u16; 5]);

impl PartialSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self {
        piece: PieceIndex(0),
        free: 0,
        received: 0,
        next_free: 0,
        owner: ConnId(0),
        phase: Phase::Unused,
        facts: Facts(0),
        next: NONE,
        before: NONE,
        bucket: NONE,
        chained: NONE,
    };

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Busy)
    }

    /// Returns whether a peer may be asked for its free blocks.
    pub(super) fn admits(&self, conn: ConnId) -> bool {
        self.is_open()
            && (!self.facts.has(Facts::RETRY)
                || !self.facts.has(Facts::OWNED)
                || self.owner == conn)
    }

    /// Returns whether no other peer was asked for, or sent, any block of it.
    pub(super) fn is_all_of(&self, conn: ConnId) -> bool {
        !self.facts.has(Facts::SHARED) && (!self.facts.has(Facts::OWNED) || self.owner == conn)
    }

    /// Makes it a piece of which nothing is known but the padding.
    pub(super) fn begin(&mut self, piece: PieceIndex, blocks: u32, padding: u32) {
        self.piece = piece;
        self.next_free = 0;
        self.free = blocks.saturating_sub(padding);
        self.received = padding;
        self.facts.set(Facts::OWNED, false);
        self.facts.set(Facts::SHARED, false);
        self.facts.set(Facts::RETRY, false);
        self.facts.set(Facts::FAILED, false);
    }

    /// Remembers the peer that was asked.
    pub(super) fn add_source(&mut self, conn: ConnId) {
        self.facts.add(Facts::SHARED, self.facts.has(Facts::OWNED) && self.owner != conn);
        if !self.facts.has(Facts::OWNED) {
            self.facts.set(Facts::OWNED, true);
            self.owner = conn;
        }
    }
}

impl Rings {
    pub(super) const fn new() -> Self {
        Self([NONE; 5])
    }

    fn first(&mut self, phase: Phase) -> &mut u16 {
        let [unused, open, busy, full, checking] = &mut self.0;
        match phase {
            Phase::Unused => unused,
            Phase::Open => open,
            Phase::Busy => busy,
            Phase::Full => full,
            Phase::Checking => checking,
        }
    }
}

impl State {
    /// Puts all slots into the ring of unused ones.
    pub(super) fn reset_partials(&mut self, partials: &mut [PartialSlot]) {
        partials.fill(PartialSlot::EMPTY);
        self.rings = Rings::new();
        for at in 0..self.partials {
            self.link(partials, at, Phase::Unused);
        }
    }

    /// Moves a slot to the end of another ring.
    pub(super) fn move_to_ring(&mut self, partials: &mut [PartialSlot], at: u16, phase: Phase) {
        let Some(partial) = partials.get(usize::from(at)).copied() else { return };
        if partial.phase == phase {
            return;
        }
        if let Some(before) = partials.get_mut(usize::from(partial.before)) {
            before.next = partial.next;
        }
        if let Some(next) = partials.get_mut(usize::from(partial.next)) {
            next.before = partial.before;
        }
        let first = self.rings.first(partial.phase);
        if *first == at {
            *first = if partial.next == at { NONE } else { partial.next };
        }
        self.link(partials, at, phase);
    }

    fn link(&mut self, partials: &mut [PartialSlot], at: u16, phase: Phase) {
        let first = self.rings.first(phase);
        if *first == NONE {
            *first = at;
        }
        let first = *first;
        let last = if first == at {
            at
        } else {
            partials.get(usize::from(first)).map_or(at, |partial| partial.before)
        };
        if let Some(partial) = partials.get_mut(usize::from(last)) {
            partial.next = at;
        }
        if let Some(partial) = partials.get_mut(usize::from(first)) {
            partial.before = at;
        }
        if let Some(partial) = partials.get_mut(usize::from(at)) {
            partial.next = first;
            partial.before = last;
            partial.phase = phase;
        }
    }

    /// Returns the first slot of a ring.
    pub(super) fn first(&self, phase: Phase) -> Option<u16> {
        let first = *self.rings.clone().first(phase);
        (first != NONE).then_some(first)
    }

    /// Returns the slots of a ring.
    pub(super) fn ring<'p>(
        &self,
        partials: &'p [PartialSlot],
        phase: Phase,
    ) -> impl Iterator<Item = (u16, &'p PartialSlot)> + use<'p> {
        let first = self.first(phase);
        let mut next = first;
        core::iter::from_fn(move || {
            let at = next?;
            let partial = partials.get(usize::from(at))?;
            next = Some(partial.next).filter(|next| Some(*next) != first);
            Some((at, partial))
        })
    }

    /// Returns the slot of an open piece.
    pub(super) fn find(&self, partials: &[PartialSlot], piece: PieceIndex) -> Option<u16> {
        let mut at = partials.get(self.bucket(piece))?.bucket;
        while let Some(partial) = partials.get(usize::from(at)) {
            if partial.piece == piece {
                return Some(at);
            }
            at = partial.chained;
        }
        None
    }

    /// Lets a slot be found by its piece.
    fn hash_insert(&self, partials: &mut [PartialSlot], at: u16, piece: PieceIndex) {
        let Some(bucket) = partials.get_mut(self.bucket(piece)) else { return };
        let chained = core::mem::replace(&mut bucket.bucket, at);
        if let Some(partial) = partials.get_mut(usize::from(at)) {
            partial.chained = chained;
        }
    }

    fn hash_remove(&self, partials: &mut [PartialSlot], at: u16, piece: PieceIndex) {
        let after = partials.get(usize::from(at)).map_or(NONE, |partial| partial.chained);
        let Some(bucket) = partials.get_mut(self.bucket(piece)) else { return };
        let mut before = bucket.bucket;
        if before == at {
            bucket.bucket = after;
            return;
        }
        while let Some(partial) = partials.get_mut(usize::from(before)) {
            if partial.chained == at {
                partial.chained = after;
                return;
            }
            before = partial.chained;
        }
    }

    /// Spreads pieces over as many buckets as there are slots.
    fn bucket(&self, piece: PieceIndex) -> usize {
        let hash = u64::from(piece.0.wrapping_mul(0x9E37_79B9));
        let bucket = hash.wrapping_mul(u64::from(self.partials)) >> 32;
        slot(u32::try_from(bucket).unwrap_or(0))
    }
}

impl View<'_> {
    /// Opens a missing piece; returns its slot, if there is or can be made room.
    #[inline(never)] // once for each piece, and from several places
    pub(super) fn open(&mut self, piece: PieceIndex, selection: &Selection<'_>) -> Option<u16> {
        let entry = self.pieces.get(slot(piece.0 / 64))?;
        if entry.wanted & lane(piece) == 0 {
            return None;
        }
        if self.state.first(Phase::Unused).is_none() {
            let idle = self.idle()?;
            self.close(idle);
        }
        let at = self.state.first(Phase::Unused)?;
        self.state.remove_candidate(self.pieces, piece);
        let blocks = self.geometry.blocks(piece);
        let padding = padding(self.geometry, piece, (selection.padding)(piece));
        self.state.hash_insert(self.partials, at, piece);
        if let Some(partial) = self.partials.get_mut(usize::from(at)) {
            partial.begin(piece, blocks, padding);
        }
        let row = row(self.blocks, self.geometry, at).unwrap_or_default();
        for (block, number) in row.iter_mut().zip(0..) {
            let padded = number >= blocks.saturating_sub(padding);
            *block = if padded { BlockSlot::PADDING } else { BlockSlot::EMPTY };
        }
        self.state.move_to_ring(self.partials, at, Phase::Open);
        self.state.open_extent(piece);
        self.update_ring(at);
        Some(at)
    }

    /// Frees the slot of an open piece.
    pub(super) fn release_slot(&mut self, at: u16) {
        let Some(partial) = self.partials.get_mut(usize::from(at)) else { return };
        let piece = partial.piece;
        let unreported = u32::from(partial.facts.has(Facts::FAILED)); // it passed before the failure was reported
        self.state.failures = self.state.failures.saturating_sub(unreported);
        partial.facts.set(Facts::FAILED, false);
        partial.facts.set(Facts::OWNED, false);
        self.state.hash_remove(self.partials, at, piece);
        self.state.move_to_ring(self.partials, at, Phase::Unused);
        self.state.touch();
    }

    /// Gives up an open piece and its blocks.
    fn close(&mut self, at: u16) {
        let Some(partial) = self.partials.get(usize::from(at)) else { return };
        let piece = partial.piece;
        self.release_slot(at);
        self.state.insert_candidate(self.pieces, self.rarest, piece);
    }

    /// Returns the open piece of the least progress without a pending request.
    pub(super) fn idle(&mut self) -> Option<u16> {
        self.state.walked(usize::from(self.state.partials));
        let geometry = self.geometry;
        let idle = self.state.ring(self.partials, Phase::Open).filter(|(_, partial)| {
            let known = partial.free.saturating_add(partial.received);
            !partial.facts.has(Facts::FAILED) && known == geometry.blocks(partial.piece)
        });
        idle.min_by_key(|(_, partial)| (partial.facts.has(Facts::RETRY), partial.received))
            .map(|(at, _)| at)
    }

    /// Moves a piece to the ring that matches its counts.
    pub(super) fn update_ring(&mut self, at: u16) {
        let Some(partial) = self.partials.get(usize::from(at)) else { return };
        let phase = if partial.received >= self.geometry.blocks(partial.piece) {
            Phase::Full
        } else if partial.free > 0 {
            Phase::Open
        } else {
            Phase::Busy
        };
        self.state.move_to_ring(self.partials, at, phase);
    }
}

/// Returns how many blocks at the end of a piece are nothing but padding.
pub(super) fn padding(geometry: Geometry<'_>, piece: PieceIndex, bytes: u32) -> u32 {
    let content = geometry.piece_len(piece).saturating_sub(bytes).div_ceil(BLOCK_LEN);
    geometry.blocks(piece).saturating_sub(content)
}

/// Returns the block slots of an open piece.
pub(super) fn row<'b>(
    blocks: &'b mut [BlockSlot],
    geometry: Geometry<'_>,
    at: u16,
) -> Option<&'b mut [BlockSlot]> {
    let start = usize::from(at).checked_mul(geometry.stride())?;
    let stride = geometry.stride();
    blocks.get_mut(start..start.checked_add(stride)?)
}

impl State {
    /// Makes a piece a candidate, if its priority is above 0.
    pub(super) fn insert_candidate(
        &mut self,
        pieces: &mut [PieceSlot],
        list: &mut [RarestSlot],
        piece: PieceIndex,
    ) {
        let bit = lane(piece);
        let Some(entry) = pieces.get_mut(slot(piece.0 / 64)) else { return };
        let priority = entry.priority(bit);
        if priority == 0 || entry.wanted & bit != 0 {
            return;
        }
        entry.wanted |= bit;
        self.count_candidate(priority, true);
        self.enter_rarest(pieces, list, piece, u32::MAX);
        let (start, end) = self.cursors;
        self.cursors = (start.min(piece.0 / 64), end.max((piece.0 / 64).saturating_add(1)));
        self.touch();
    }

    /// Takes a candidate out.
    pub(super) fn remove_candidate(&mut self, pieces: &mut [PieceSlot], piece: PieceIndex) {
        let bit = lane(piece);
        let Some(entry) = pieces.get_mut(slot(piece.0 / 64)) else { return };
        if entry.wanted & bit != 0 {
            entry.wanted &= !bit;
            self.count_candidate(entry.priority(bit), false);
        }
    }

    fn count_candidate(&mut self, priority: u32, more: bool) {
        let Some(class) = self.by_priority.get_mut(slot(priority)) else { return };
        for number in [class, &mut self.candidates] {
            *number = if more { number.saturating_add(1) } else { number.saturating_sub(1) };
        }
        self.update_present();
    }

    /// Notes which priorities candidates have.
    pub(super) fn update_present(&mut self) {
        let classes = self.by_priority.iter().rev();
        self.present = classes.fold(0, |all, pieces| all << 1 | u8::from(*pieces > 0));
    }
}
