//! The blocks of open pieces: which peers were asked, which peer sent what, and which is to blame.

use super::block_slot::{BlockSlot, Progress};
use super::partial::{Facts, PartialSlot, Phase, row};
use super::pieces::lane;
use super::{Failure, ReceivedBlock, Selection, View};
use crate::block::{Block, PieceIndex};
use crate::compact_time::Stamp;
use crate::id::ConnId;
use crate::index::slot;

impl View<'_> {
    /// Marks a block as asked of a peer; returns `false` if it is not free or there is no room.
    pub(crate) fn ask(&mut self, conn: ConnId, block: Block, selection: &Selection<'_>) -> bool {
        let Some(number) = self.geometry.number(block) else { return false };
        let found = self.state.find(self.partials, block.piece);
        let Some(at) = found.or_else(|| self.open(block.piece, selection)) else { return false };
        let row = row(self.blocks, self.geometry, at);
        let entry = row.and_then(|row| row.get_mut(slot(number)));
        let Some(partial) = self.partials.get_mut(usize::from(at)) else { return false };
        match entry {
            Some(entry) if entry.progress == Progress::Free && partial.admits(conn) => {
                entry.progress = Progress::Asked;
                entry.first = conn;
                entry.at = Stamp::of(selection.now);
            }
            _ => return false,
        }
        partial.add_source(conn);
        partial.facts.add(Facts::RETRY, selection.exclusive && partial.is_all_of(conn));
        partial.free = partial.free.saturating_sub(1);
        if number == partial.next_free {
            partial.next_free = number.saturating_add(1);
        }
        if partial.free == 0 {
            self.state.move_to_ring(self.partials, at, Phase::Busy);
        }
        true
    }

    /// Marks a block as asked of a second peer.
    pub(super) fn ask_twice(&mut self, at: u16, number: u32, conn: ConnId) -> Option<Block> {
        let entry = row(self.blocks, self.geometry, at)?.get_mut(slot(number))?;
        let partial = self.partials.get_mut(usize::from(at))?;
        entry.progress = Progress::AskedTwice;
        entry.other = conn.0;
        partial.add_source(conn);
        self.geometry.block(partial.piece, number)
    }

    pub(crate) fn receive(&mut self, conn: ConnId, block: Block, checksum: u32) -> ReceivedBlock {
        let Some((at, partial, entry, _)) = locate(self, block) else {
            return ReceivedBlock::Unwanted;
        };
        if !entry.is_asked(conn) {
            return ReceivedBlock::Unwanted;
        }
        let also = entry.requesters().into_iter().flatten().find(|other| *other != conn);
        entry.progress = Progress::Received;
        entry.first = conn;
        entry.other = checksum;
        partial.received = partial.received.saturating_add(1);
        let full = partial.received >= self.geometry.blocks(block.piece);
        if full {
            self.state.move_to_ring(self.partials, at, Phase::Full);
        }
        ReceivedBlock::Accepted { also, full }
    }

    /// Restores a block of an earlier run.
    pub(crate) fn restore_block(&mut self, block: Block, selection: &Selection<'_>) -> bool {
        if self.state.find(self.partials, block.piece).is_none()
            && self.open(block.piece, selection).is_none()
        {
            return false;
        }
        let Some((at, partial, entry, _)) = locate(self, block) else { return false };
        if entry.progress != Progress::Free {
            return false;
        }
        entry.progress = Progress::Restored;
        entry.suspected = false;
        partial.facts.set(Facts::SHARED, true);
        partial.free = partial.free.saturating_sub(1);
        partial.received = partial.received.saturating_add(1);
        self.update_ring(at);
        true
    }

    pub(crate) fn release(&mut self, conn: ConnId, block: Block) -> bool {
        let Some((at, partial, entry, number)) = locate(self, block) else { return false };
        let stood = entry.is_asked(conn);
        if stood && entry.release(conn) {
            partial.free = partial.free.saturating_add(1);
            partial.next_free = partial.next_free.min(number);
            self.state.move_to_ring(self.partials, at, Phase::Open);
            self.state.touch();
        }
        stood
    }

    pub(crate) fn abandon(&mut self, conn: ConnId) {
        self.sweep(conn, false);
    }

    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.sweep(conn, true);
        self.state.walked(self.blocks.len());
        for entry in self.blocks.iter_mut().filter(|entry| entry.suspect == conn) {
            entry.suspected = false;
        }
    }

    /// Withdraws all requests to a peer, and on request discards the blocks that it sent.
    fn sweep(&mut self, conn: ConnId, gifts: bool) {
        for at in 0..self.state.partials {
            let Some(partial) = self.partials.get_mut(usize::from(at)) else { break };
            let blocks = self.geometry.blocks(partial.piece);
            let asked = blocks.saturating_sub(partial.free.saturating_add(partial.received));
            if !partial.is_open() {
                continue;
            }
            if partial.facts.has(Facts::OWNED) && partial.owner == conn {
                // Its blocks stay, so the next peer does not send the whole piece.
                partial.facts.set(Facts::OWNED, false);
                partial.facts.set(Facts::SHARED, partial.received > 0);
            }
            if asked == 0 && !gifts {
                continue;
            }
            let Some(row) = row(self.blocks, self.geometry, at) else { continue };
            self.state.walked(slot(blocks));
            for (entry, number) in row.iter_mut().zip(0..blocks) {
                let given = entry.progress == Progress::Received && entry.first == conn;
                if given && gifts {
                    entry.progress = Progress::Free;
                    partial.received = partial.received.saturating_sub(1);
                } else if !entry.is_asked(conn) || !entry.release(conn) {
                    continue;
                }
                partial.free = partial.free.saturating_add(1);
                partial.next_free = partial.next_free.min(number);
            }
            self.update_ring(at);
        }
        self.state.walked(usize::from(self.state.partials));
        self.state.touch();
    }

    pub(crate) fn next_full(&mut self) -> Option<PieceIndex> {
        let at = self.state.first(Phase::Full)?;
        let piece = self.partials.get(usize::from(at))?.piece;
        self.state.move_to_ring(self.partials, at, Phase::Checking);
        Some(piece)
    }

    /// Returns a piece that failed, once.
    pub(crate) fn next_failed(&mut self) -> Option<PieceIndex> {
        self.state.failures.checked_sub(1)?;
        let partials = self.partials.iter_mut().take(usize::from(self.state.partials));
        let failed = partials.into_iter().find(|partial| partial.facts.has(Facts::FAILED));
        self.state.failures = failed.as_ref().map_or(0, |_| self.state.failures.saturating_sub(1));
        let failed = failed?;
        failed.facts.set(Facts::FAILED, false);
        Some(failed.piece)
    }

    /// Returns whether the caller was asked to check this piece.
    pub(crate) fn is_checking(&self, piece: PieceIndex) -> bool {
        self.checking(piece).is_some()
    }

    /// Returns whether a peer sent a block of a piece that is being checked.
    pub(crate) fn gave(&self, piece: PieceIndex, conn: ConnId) -> bool {
        let mut given = self.checked_blocks(piece);
        given.any(|entry| entry.progress == Progress::Received && entry.first == conn)
    }

    /// Returns whether a peer is above suspicion once this piece, which is being checked, passed: it sent
    /// all of it, or sent the same bytes when it failed before.
    pub(crate) fn clears(&self, piece: PieceIndex, conn: ConnId) -> bool {
        let mut given = self.checked_blocks(piece);
        if given.all(|entry| entry.progress == Progress::Received && entry.first == conn) {
            return true;
        }
        let before = self.checked_blocks(piece);
        let mut before = before.filter(|entry| entry.suspected && entry.suspect == conn).peekable();
        before.peek().is_some() && before.all(|entry| entry.suspect_checksum == entry.other)
    }

    /// Returns the blocks of a piece that is being checked, without padding.
    fn checked_blocks(&self, piece: PieceIndex) -> impl Iterator<Item = &BlockSlot> {
        let stride = self.geometry.stride();
        let start = self.checking(piece).and_then(|at| usize::from(at).checked_mul(stride));
        let blocks = slot(self.geometry.blocks(piece));
        let row = start.and_then(|start| self.blocks.get(start..)?.get(..blocks));
        let row = row.unwrap_or_default().iter();
        row.filter(|entry| entry.progress != Progress::Padding)
    }

    pub(crate) fn passed(&mut self, piece: PieceIndex, mut convict: impl FnMut(ConnId)) -> bool {
        let Some(at) = self.checking(piece) else { return false };
        for entry in row(self.blocks, self.geometry, at).into_iter().flatten() {
            if entry.suspected && entry.suspect_checksum != entry.other {
                convict(entry.suspect);
            }
        }
        self.release_slot(at);
        if let Some(word) = self.pieces.get_mut(slot(piece.0 / 64)) {
            word.had |= lane(piece);
            word.unreported |= lane(piece);
        }
        self.state.complete(piece);
        true
    }

    pub(crate) fn failed(&mut self, piece: PieceIndex) -> Option<Failure> {
        let at = self.checking(piece)?;
        let blocks = self.geometry.blocks(piece);
        let row = row(self.blocks, self.geometry, at)?.get_mut(..slot(blocks))?;
        let mut given = row.iter().filter(|entry| entry.progress != Progress::Padding);
        let first = given.clone().next().map(|entry| entry.first);
        let by =
            |entry: &BlockSlot, conn| entry.progress == Progress::Received && entry.first == conn;
        let sole = first.filter(|conn| given.all(|entry| by(entry, *conn)));
        let mut padding = 0_u32;
        for entry in row {
            if entry.progress == Progress::Padding {
                padding = padding.saturating_add(1);
                continue;
            }
            // A sole source is guilty already; else the next good copy decides.
            entry.suspected = sole.is_none() && entry.progress == Progress::Received;
            entry.suspect = entry.first;
            entry.suspect_checksum = entry.other;
            entry.progress = Progress::Free;
        }
        let partial = self.partials.get_mut(usize::from(at))?;
        let unreported = u32::from(partial.facts.has(Facts::FAILED)); // it failed before
        partial.begin(piece, blocks, padding);
        partial.facts.set(Facts::RETRY, sole.is_none());
        partial.facts.set(Facts::FAILED, true);
        let others = self.state.failures.saturating_sub(unreported);
        self.state.failures = others.saturating_add(1);
        self.update_ring(at);
        self.state.touch();
        Some(Failure { sole })
    }

    fn checking(&self, piece: PieceIndex) -> Option<u16> {
        let at = self.state.find(self.partials, piece)?;
        let partial = self.partials.get(usize::from(at))?;
        (partial.phase == Phase::Checking).then_some(at)
    }
}

/// Returns the open piece, the slot and the number of a block.
fn locate<'v>(
    view: &'v mut View<'_>,
    block: Block,
) -> Option<(u16, &'v mut PartialSlot, &'v mut BlockSlot, u32)> {
    let number = view.geometry.number(block)?;
    let at = view.state.find(view.partials, block.piece)?;
    let partial = view.partials.get_mut(usize::from(at))?;
    let entry = row(view.blocks, view.geometry, at)?.get_mut(slot(number))?;
    Some((at, partial, entry, number))
}
