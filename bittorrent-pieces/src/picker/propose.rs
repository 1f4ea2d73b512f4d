//! Which blocks to ask a peer for: open pieces first, then a new one.

use super::block_slot::Progress;
use super::partial::{Facts, PartialSlot, Phase, row};
use super::pieces::{is_wanted, lane};
use super::{Order, PeerPieces, Selection, View};
use crate::block::{Block, PieceIndex};
use crate::geometry::Geometry;
use crate::id::ConnId;
use crate::index::slot;

/// Blocks under selection.
struct Batch<'o> {
    out: &'o mut [Block],
    len: usize,
}

impl Batch<'_> {
    fn is_full(&self) -> bool {
        self.len >= self.out.len()
    }

    fn has(&self, piece: PieceIndex) -> bool {
        self.out.iter().take(self.len).any(|block| block.piece == piece)
    }

    fn push(&mut self, block: Block) {
        if let Some(place) = self.out.get_mut(self.len) {
            *place = block;
            self.len = self.len.saturating_add(1);
        }
    }
}

impl View<'_> {
    pub(crate) fn propose(
        &mut self,
        conn: ConnId,
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
        out: &mut [Block],
    ) -> usize {
        let mut batch = Batch { out, len: 0 };
        if let Some(only) = selection.only {
            self.named(conn, theirs, selection, only.iter().copied(), &mut batch);
            return batch.len;
        }
        let picky = selection.whole > 0 || selection.exclusive || selection.reverse;
        let window = self.window(selection);
        if !window.is_empty() || !selection.suggested.is_empty() {
            let named = window.map(PieceIndex).chain(selection.suggested.iter().copied());
            self.named(conn, theirs, selection, named, &mut batch);
        }
        let is_any_open = self.state.first(Phase::Open).is_some();
        if is_any_open {
            self.opened(conn, theirs, picky, &mut batch);
        }
        while !batch.is_full() && self.missing(theirs, selection, &mut batch) {}
        if is_any_open && picky && !selection.exclusive {
            self.opened(conn, theirs, false, &mut batch);
        }
        batch.len
    }

    /// Chooses blocks and marks them as asked for.
    pub(crate) fn pick(
        &mut self,
        conn: ConnId,
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
        out: &mut [Block],
    ) -> usize {
        let proposed = self.propose(conn, theirs, selection, out);
        let mut kept = 0_usize;
        for at in 0..proposed {
            let Some(block) = out.get(at).copied() else { break };
            if self.ask(conn, block, selection) {
                if let Some(place) = out.get_mut(kept) {
                    *place = block;
                }
                kept = kept.saturating_add(1);
            }
        }
        kept
    }

    /// The pieces that are due next, and that the peer can send in time.
    fn window(&self, selection: &Selection<'_>) -> core::ops::Range<u32> {
        let Some(playback) = self.state.policy.playback else { return 0..0 };
        let first = playback.next(selection.now).0;
        let soonest = playback.next(selection.now.saturating_add(selection.delay)).0;
        soonest..first.saturating_add(playback.window).min(self.geometry.pieces())
    }

    /// Takes blocks of given pieces, open or not.
    #[inline(never)] // few picks need it
    fn named(
        &mut self,
        conn: ConnId,
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
        pieces: impl Iterator<Item = PieceIndex>,
        batch: &mut Batch<'_>,
    ) {
        for piece in pieces {
            if batch.is_full() {
                return;
            }
            self.state.walked(1);
            if !theirs.has(piece) || batch.has(piece) {
                continue;
            }
            if let Some(at) = self.state.find(self.partials, piece) {
                let partial = self.partials.get(usize::from(at));
                if partial.is_some_and(|partial| {
                    self.serves(partial, conn, theirs)
                        && (!selection.exclusive || partial.is_all_of(conn))
                }) {
                    self.free_blocks(at, batch);
                }
            } else if is_wanted(self.pieces, piece) && self.has_room() {
                self.whole_piece(piece, selection, batch);
            }
        }
    }

    /// Takes free blocks of open pieces, or only of those that the peer has for itself or may have.
    #[inline(never)] // what it keeps is in no register of a pick that opens a piece
    fn opened(&mut self, conn: ConnId, theirs: &PeerPieces<'_>, own: bool, batch: &mut Batch<'_>) {
        while !batch.is_full() {
            let mut best: Option<(u16, &PartialSlot)> = None;
            let mut looked = 0_usize;
            for (at, partial) in self.state.ring(self.partials, Phase::Open) {
                looked = looked.saturating_add(1);
                if (!own || partial.is_all_of(conn))
                    && self.serves(partial, conn, theirs)
                    && best.is_none_or(|(_, best)| self.goes_before(partial, best))
                    && !batch.has(partial.piece)
                {
                    best = Some((at, partial));
                }
            }
            let best = best.map(|(at, _)| at);
            self.state.walked(looked);
            let Some(at) = best else { return };
            self.free_blocks(at, batch);
        }
    }

    fn serves(&self, partial: &PartialSlot, conn: ConnId, theirs: &PeerPieces<'_>) -> bool {
        partial.free > 0
            && partial.admits(conn)
            && theirs.has(partial.piece)
            && !self.is_skipped(partial.piece)
    }

    /// Which open piece is to be finished first: by priority and order, then the one with the fewest
    /// free blocks, then the rarer one.
    fn goes_before(&self, partial: &PartialSlot, other: &PartialSlot) -> bool {
        let sequential = self.state.policy.order == Order::Sequential;
        let class = |partial: &PartialSlot| {
            let priority = if self.state.weighted { self.priority(partial.piece) } else { 0 };
            let index = if sequential { partial.piece.0 } else { 0 };
            (core::cmp::Reverse(priority), index, partial.free)
        };
        match class(partial).cmp(&class(other)) {
            core::cmp::Ordering::Equal => self.peers(partial.piece) < self.peers(other.piece),
            order => order.is_lt(),
        }
    }

    fn priority(&self, piece: PieceIndex) -> u32 {
        let word = self.pieces.get(slot(piece.0 / 64));
        word.map_or(0, |word| word.priority(lane(piece)))
    }

    fn is_skipped(&self, piece: PieceIndex) -> bool {
        self.state.weighted && self.priority(piece) == 0
    }

    fn peers(&self, piece: PieceIndex) -> u32 {
        let word = self.pieces.get(slot(piece.0 / 64));
        word.map_or(0, |word| word.count(lane(piece), self.state.height))
    }

    fn free_blocks(&mut self, at: u16, batch: &mut Batch<'_>) {
        let Some(partial) = self.partials.get_mut(usize::from(at)) else { return };
        let blocks = self.geometry.blocks(partial.piece);
        let row = row(self.blocks, self.geometry, at).unwrap_or_default();
        let rest = row.iter().zip(0..blocks).skip(slot(partial.next_free));
        let mut first = blocks;
        for (_, number) in rest.filter(|(entry, _)| entry.progress == Progress::Free) {
            first = first.min(number);
            if batch.is_full() {
                break;
            }
            if let Some(block) = self.geometry.block(partial.piece, number) {
                batch.push(block);
            }
        }
        partial.next_free = first;
    }

    /// Takes the blocks of a new piece, and of its neighbours for a peer that gets whole runs. Returns whether there may be
    /// another one: it took none, as there was nothing but padding.
    #[inline(never)] // what is loaded before a loop takes longer than a call
    fn missing(
        &mut self,
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
        batch: &mut Batch<'_>,
    ) -> bool {
        if !self.has_room() {
            return false;
        }
        let piece = self.state.choose(self.pieces, self.rarest, theirs, selection);
        let Some(piece) = piece.filter(|piece| !batch.has(*piece)) else { return false };
        if selection.whole <= 1 {
            self.whole_piece(piece, selection, batch);
        } else {
            for piece in self.run_around(piece, theirs, selection.whole, batch) {
                self.whole_piece(PieceIndex(piece), selection, batch);
            }
        }
        batch.len == 0
    }

    /// Returns the pieces of an aligned run of `whole` that can be requested together with the given one.
    fn run_around(
        &self,
        piece: PieceIndex,
        theirs: &PeerPieces<'_>,
        whole: u32,
        batch: &Batch<'_>,
    ) -> core::ops::RangeInclusive<u32> {
        let start = piece.0.saturating_sub(piece.0.checked_rem(whole).unwrap_or(0));
        let fits = |piece: &u32| {
            let piece = PieceIndex(*piece);
            theirs.has(piece) && is_wanted(self.pieces, piece) && !batch.has(piece)
        };
        let first = (start..piece.0).rev().take_while(fits).last().unwrap_or(piece.0);
        let end = start.saturating_add(whole);
        let last = (piece.0..end).take_while(fits).last().unwrap_or(piece.0);
        first..=last
    }

    fn whole_piece(&mut self, piece: PieceIndex, selection: &Selection<'_>, batch: &mut Batch<'_>) {
        let end = self.geometry.piece_len(piece);
        let content = end.saturating_sub((selection.padding)(piece));
        // There is nothing to request: it is full. It takes the room of no piece whose blocks are in the batch.
        if content == 0 && batch.len == 0 {
            self.open(piece, selection);
        }
        let rest = batch.out.get_mut(batch.len..).unwrap_or_default();
        let taken = Geometry::write_blocks(piece, end, content, rest);
        batch.len = batch.len.saturating_add(taken);
    }

    /// Returns whether one more piece can be opened.
    pub(crate) fn has_room(&mut self) -> bool {
        self.state.first(Phase::Unused).is_some() || self.idle().is_some()
    }

    /// Asks a second peer for a block of a piece that is due soon.
    pub(crate) fn pick_urgent(
        &mut self,
        conn: ConnId,
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
    ) -> Option<Block> {
        let playback = self.state.policy.playback?;
        let soon = selection.now.checked_add(playback.urgent)?;
        let urgent = |piece: &PieceIndex| playback.deadline(*piece).is_some_and(|due| due <= soon);
        let at_once = Selection { patience: core::time::Duration::ZERO, ..*selection };
        for piece in self.window(selection).map(PieceIndex).take_while(urgent) {
            self.state.walked(1);
            let at = self.state.find(self.partials, piece).filter(|_| theirs.has(piece));
            if let Some((at, number)) = at.and_then(|at| self.asked_once(at, conn, &at_once)) {
                return self.ask_twice(at, number, conn);
            }
        }
        None
    }

    pub(crate) fn pick_endgame(
        &mut self,
        conn: ConnId,
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
    ) -> Option<Block> {
        if self.is_anything_free() {
            return None;
        }
        let start = self.state.draw(u32::from(self.state.partials));
        let start = u16::try_from(start).unwrap_or(0);
        for at in (start..self.state.partials).chain(0..start) {
            self.state.walked(1);
            let Some(partial) = self.partials.get(usize::from(at)) else { break };
            if partial.phase != Phase::Busy || !theirs.has(partial.piece) {
                continue;
            }
            if let Some((at, number)) = self.asked_once(at, conn, selection) {
                return self.ask_twice(at, number, conn);
            }
        }
        None
    }

    /// Returns a block of an open piece, which is not skipped, that one other peer was asked for, long enough ago.
    fn asked_once(
        &mut self,
        at: u16,
        conn: ConnId,
        selection: &Selection<'_>,
    ) -> Option<(u16, u32)> {
        let partial = self.partials.get(usize::from(at))?;
        let piece = partial.piece;
        if !partial.is_open() || partial.facts.has(Facts::RETRY) || self.is_skipped(piece) {
            return None;
        }
        let blocks = self.geometry.blocks(piece);
        self.state.walked(slot(blocks));
        let row = row(self.blocks, self.geometry, at)?;
        let mut once = row.iter().zip(0..blocks);
        let (_, number) = once.find(|(entry, _)| {
            entry.is_asked_once_of_another(conn) && selection.is_late(entry.at)
        })?;
        Some((at, number))
    }

    /// Returns whether some peer has a block that is wanted and was not requested.
    fn is_anything_free(&mut self) -> bool {
        let seeds = self.state.seeds;
        let height = self.state.height;
        let candidates = self.state.candidates;
        let obtainable = |piece: PieceIndex| {
            let word = self.pieces.get(slot(piece.0 / 64));
            seeds > 0 || word.is_some_and(|word| word.held(height) & lane(piece) != 0)
        };
        let free = |piece| obtainable(piece) && !self.is_skipped(piece);
        let mut open = self.state.ring(self.partials, Phase::Open);
        if open.any(|(_, partial)| free(partial.piece)) || (candidates > 0 && seeds > 0) {
            return true;
        }
        let words = if candidates > 0 { self.state.words() } else { 0 };
        let mut words = self.pieces.iter().take(words);
        let found = words.any(|word| word.wanted & word.held(height) != 0);
        self.state.walked(self.state.words().saturating_sub(words.len()));
        found
    }
}
