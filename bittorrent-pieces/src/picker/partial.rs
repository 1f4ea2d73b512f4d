//! The open pieces and the state of their blocks.

use super::{Failure, Holds, NO_PARTIAL, PieceSlot, Received, State, View};
use crate::geometry::{count, slot};
use crate::{Block, ConnId, Geometry, PieceIndex};

/// Room for one open piece: 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialSlot {
    piece: PieceIndex,
    free: u32,      // blocks that nobody was asked for
    received: u32,  // blocks that are there
    next_free: u32, // no block before this one is free
    owner: ConnId,  // who alone may give this piece, if `owned`
    phase: Phase,
    retry: bool,  // it failed, and is for one peer alone
    owned: bool,  // and that peer is `owner`
    failed: bool, // the failure is not yet told
}

/// The life of an open piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Unused,
    Open,
    Full,     // all blocks are there
    Checking, // and the caller knows
}

/// Room for one block of an open piece: 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSlot {
    first: ConnId,   // who was asked first, or who gave it
    second: ConnId,  // who was asked too
    checksum: u32,   // of what was given
    suspect: ConnId, // who gave it when the piece failed, if `suspected`
    suspect_checksum: u32,
    progress: Progress,
    suspected: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Free,
    Asked,
    AskedTwice,
    Received,
}

impl PartialSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self::with(PieceIndex(0), 0, Phase::Unused);

    pub(super) const fn open(piece: PieceIndex, blocks: u32) -> Self {
        Self::with(piece, blocks, Phase::Open)
    }

    const fn with(piece: PieceIndex, free: u32, phase: Phase) -> Self {
        Self {
            piece,
            free,
            received: 0,
            next_free: 0,
            owner: ConnId(0),
            phase,
            retry: false,
            owned: false,
            failed: false,
        }
    }

    pub(super) fn piece(&self) -> PieceIndex {
        self.piece
    }

    pub(super) fn is_unused(&self) -> bool {
        self.phase == Phase::Unused
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Returns whether a peer may be asked for free blocks of this piece.
    fn serves(&self, conn: ConnId, holds: &Holds<'_>) -> bool {
        self.is_open()
            && self.free > 0
            && (!self.retry || !self.owned || self.owner == conn)
            && holds.has(self.piece)
    }
}

impl BlockSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self {
        first: ConnId(0),
        second: ConnId(0),
        checksum: 0,
        suspect: ConnId(0),
        suspect_checksum: 0,
        progress: Progress::Free,
        suspected: false,
    };

    fn is_asked(&self, conn: ConnId) -> bool {
        match self.progress {
            Progress::Free | Progress::Received => false,
            Progress::Asked => self.first == conn,
            Progress::AskedTwice => self.first == conn || self.second == conn,
        }
    }

    /// Takes back a request; returns whether nobody is left who was asked.
    fn release(&mut self, conn: ConnId) -> bool {
        if self.progress == Progress::AskedTwice {
            if self.first == conn {
                self.first = self.second;
            }
            self.progress = Progress::Asked;
            return false;
        }
        self.progress = Progress::Free;
        true
    }
}

impl View<'_> {
    /// Returns the open piece with the fewest free blocks that a peer may be asked for.
    pub(super) fn best_open(&self, conn: ConnId, holds: &Holds<'_>) -> Option<u16> {
        let partials = self.partials.iter().take(usize::from(self.state.partials)).zip(0_u16..);
        let serving = partials.filter(|(partial, _)| partial.serves(conn, holds));
        serving.min_by_key(|(partial, _)| partial.free).map(|(_, at)| at)
    }

    /// Marks the first free block of an open piece as asked of a peer.
    pub(super) fn ask(&mut self, at: u16, conn: ConnId) -> Option<Block> {
        let partial = self.partials.get_mut(usize::from(at))?;
        let row = row(self.blocks, self.state.geometry, at)?;
        let blocks = self.state.geometry.blocks(partial.piece);
        let free = row.iter_mut().zip(0..blocks).skip(slot(partial.next_free));
        let (entry, number) =
            free.into_iter().find(|(entry, _)| entry.progress == Progress::Free)?;
        (entry.progress, entry.first) = (Progress::Asked, conn);
        partial.free = partial.free.saturating_sub(1);
        partial.next_free = number.saturating_add(1);
        if partial.retry {
            (partial.owned, partial.owner) = (true, conn);
        }
        self.state.geometry.block(partial.piece, number)
    }

    pub(crate) fn pick_endgame(&mut self, conn: ConnId, holds: &Holds<'_>) -> Option<Block> {
        let seeds = self.state.seeds;
        let obtainable = |partial: &PartialSlot| {
            let piece = self.pieces.get(partial.piece.slot());
            seeds > 0 || piece.is_some_and(|piece| piece.availability > 0)
        };
        let waits =
            |partial: &PartialSlot| partial.is_open() && partial.free > 0 && obtainable(partial);
        if self.state.has_candidate() || self.partials.iter().any(waits) {
            return None;
        }
        let start = self.state.rng.below(u32::from(self.state.partials));
        let start = u16::try_from(start).unwrap_or(0);
        for at in (start..self.state.partials).chain(0..start) {
            let Some(partial) = self.partials.get(usize::from(at)) else { continue };
            if !partial.is_open() || partial.retry || !holds.has(partial.piece) {
                continue;
            }
            let Some(row) = row(self.blocks, self.state.geometry, at) else { continue };
            let blocks = self.state.geometry.blocks(partial.piece);
            let mut busy = row.iter_mut().zip(0..blocks);
            let once = |entry: &BlockSlot| entry.progress == Progress::Asked && entry.first != conn;
            if let Some((entry, number)) = busy.find(|(entry, _)| once(entry)) {
                (entry.progress, entry.second) = (Progress::AskedTwice, conn);
                return self.state.geometry.block(partial.piece, number);
            }
        }
        None
    }

    pub(crate) fn receive(&mut self, conn: ConnId, block: Block, checksum: u32) -> Received {
        let blocks = self.state.geometry.blocks(block.piece);
        let Some((partial, entry)) = find(self, block) else { return Received::Unwanted };
        if !entry.is_asked(conn) {
            return Received::Unwanted;
        }
        let other = if entry.first == conn { entry.second } else { entry.first };
        let also = Some(other).filter(|_| entry.progress == Progress::AskedTwice);
        (entry.progress, entry.first, entry.checksum) = (Progress::Received, conn, checksum);
        partial.received = partial.received.saturating_add(1);
        let full = partial.received >= blocks;
        if full {
            partial.phase = Phase::Full;
        }
        Received::Accepted { also, full }
    }

    pub(crate) fn release(&mut self, conn: ConnId, block: Block) -> bool {
        let Some(number) = self.state.geometry.number(block) else { return false };
        let Some((partial, entry)) = find(self, block) else { return false };
        let stood = entry.is_asked(conn);
        if stood && entry.release(conn) {
            partial.free = partial.free.saturating_add(1);
            partial.next_free = partial.next_free.min(number);
            self.state.touch();
        }
        stood
    }

    pub(crate) fn abandon(&mut self, conn: ConnId) {
        self.sweep(conn, false);
    }

    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.sweep(conn, true);
        for entry in self.blocks.iter_mut().filter(|entry| entry.suspect == conn) {
            entry.suspected = false;
        }
    }

    /// Takes back all requests to a peer, and on request also what it gave.
    fn sweep(&mut self, conn: ConnId, gifts: bool) {
        let partials = self.partials.iter_mut().take(usize::from(self.state.partials));
        for (partial, at) in partials.zip(0_u16..).filter(|(partial, _)| partial.is_open()) {
            if partial.owner == conn {
                partial.owned = false;
            }
            let Some(row) = row(self.blocks, self.state.geometry, at) else { continue };
            for (entry, number) in row.iter_mut().zip(0_u32..) {
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
        }
        self.state.touch();
    }

    /// Gives up the open piece of the least progress that nobody is asked for.
    pub(super) fn evict(&mut self) -> Option<()> {
        let geometry = self.state.geometry;
        let idle = |partial: &PartialSlot| {
            let known = partial.free.saturating_add(partial.received);
            partial.is_open() && !partial.failed && known == geometry.blocks(partial.piece)
        };
        let partials = self.partials.iter().take(usize::from(self.state.partials)).zip(0_u16..);
        let idle = partials.filter(|(partial, _)| idle(partial));
        let (partial, at) = idle.min_by_key(|(partial, _)| (partial.retry, partial.received))?;
        let piece = partial.piece;
        self.close(at);
        self.state.restore(self.pieces, piece);
        Some(())
    }

    pub(crate) fn next_full(&mut self) -> Option<PieceIndex> {
        let full = self.partials.iter_mut().find(|partial| partial.phase == Phase::Full)?;
        full.phase = Phase::Checking;
        Some(full.piece)
    }

    /// Returns a piece that failed, once.
    pub(crate) fn next_failed(&mut self) -> Option<PieceIndex> {
        let failed = self.partials.iter_mut().find(|partial| partial.failed)?;
        failed.failed = false;
        Some(failed.piece)
    }

    /// Returns whether the caller was told to check this piece.
    pub(crate) fn is_checking(&self, piece: PieceIndex) -> bool {
        self.checking(piece).is_some()
    }

    pub(crate) fn passed(&mut self, piece: PieceIndex, mut convict: impl FnMut(ConnId)) -> bool {
        let Some(at) = self.checking(piece) else { return false };
        for entry in row(self.blocks, self.state.geometry, at).into_iter().flatten() {
            if entry.suspected && entry.suspect_checksum != entry.checksum {
                convict(entry.suspect);
            }
        }
        self.close(at);
        self.state.finish(self.pieces, piece);
        true
    }

    pub(crate) fn failed(&mut self, piece: PieceIndex) -> Option<Failure> {
        let at = self.checking(piece)?;
        let blocks = self.state.geometry.blocks(piece);
        let row = row(self.blocks, self.state.geometry, at)?.get_mut(..slot(blocks))?;
        let first = row.first().map(|entry| entry.first);
        let sole = first.filter(|conn| row.iter().all(|entry| entry.first == *conn));
        for entry in row {
            entry.progress = Progress::Free;
            // A sole source is guilty already; else the next good copy will tell.
            entry.suspected = sole.is_none();
            (entry.suspect, entry.suspect_checksum) = (entry.first, entry.checksum);
        }
        let partial = self.partials.get_mut(usize::from(at))?;
        *partial = PartialSlot::open(piece, blocks);
        (partial.retry, partial.failed) = (sole.is_none(), true);
        self.state.touch();
        Some(Failure { sole })
    }

    fn checking(&self, piece: PieceIndex) -> Option<u16> {
        let at = self.pieces.get(piece.slot())?.partial;
        let partial = self.partials.get(usize::from(at))?;
        (partial.phase == Phase::Checking && partial.piece == piece).then_some(at)
    }
}

/// Returns the block slots of an open piece.
pub(super) fn row(
    blocks: &mut [BlockSlot],
    geometry: Geometry,
    at: u16,
) -> Option<&mut [BlockSlot]> {
    let (start, stride) = (usize::from(at).checked_mul(geometry.stride())?, geometry.stride());
    blocks.get_mut(start..start.checked_add(stride)?)
}

/// Returns the open piece and the slot of a block.
fn find<'v>(
    view: &'v mut View<'_>,
    block: Block,
) -> Option<(&'v mut PartialSlot, &'v mut BlockSlot)> {
    let number = slot(view.state.geometry.number(block)?);
    let at = view.pieces.get(block.piece.slot())?.partial;
    let partial = view.partials.get_mut(usize::from(at))?;
    let entry = row(view.blocks, view.state.geometry, at)?.get_mut(number)?;
    Some((partial, entry))
}

pub(super) fn requesters(
    state: &State,
    pieces: &[PieceSlot],
    blocks: &[BlockSlot],
    block: Block,
) -> [Option<ConnId>; 2] {
    let entry = || {
        let number = slot(state.geometry.number(block)?);
        let at = pieces.get(block.piece.slot())?.partial;
        let start = usize::from(at).checked_mul(state.geometry.stride())?;
        blocks.get(start.checked_add(number)?).filter(|_| at != NO_PARTIAL)
    };
    match entry() {
        Some(entry) if entry.progress == Progress::Asked => [Some(entry.first), None],
        Some(entry) if entry.progress == Progress::AskedTwice => {
            [Some(entry.first), Some(entry.second)]
        }
        _ => [None, None],
    }
}

/// Recounts the open pieces; for tests of the picker.
pub(super) fn is_sound(
    state: &State,
    pieces: &[PieceSlot],
    partials: &[PartialSlot],
    blocks: &[BlockSlot],
) -> bool {
    let mut open = 0_u16;
    let stride = state.geometry.stride().max(1);
    let rooms = partials.iter().zip(blocks.chunks(stride)).zip(0..state.partials);
    let sound =
        rooms.filter(|((partial, _), _)| !partial.is_unused()).all(|((partial, row), at)| {
            open = open.saturating_add(1);
            let total = state.geometry.blocks(partial.piece);
            let with = |progress| {
                let row = row.iter().take(slot(total));
                count(row.filter(|entry| entry.progress == progress).count())
            };
            let entry = pieces.get(partial.piece.slot());
            let placed = entry.is_some_and(|entry| {
                (state.candidates()..state.have_start).contains(&entry.position)
                    && entry.partial == at
            });
            let full = partial.received == total;
            let twice = row.iter().filter(|entry| entry.progress == Progress::AskedTwice);
            let first_free = row.iter().position(|entry| entry.progress == Progress::Free);
            placed
                && full != partial.is_open()
                && with(Progress::Free) == partial.free
                && with(Progress::Received) == partial.received
                && twice.into_iter().all(|entry| entry.first != entry.second)
                && (partial.free == 0 || first_free.is_some_and(|at| at >= slot(partial.next_free)))
        });
    sound
        && open == state.open
        && u32::from(open) == state.have_start.saturating_sub(state.candidates())
}
