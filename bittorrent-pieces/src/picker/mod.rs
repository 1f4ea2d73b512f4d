//! Which block to ask a peer for.

mod order;
mod partial;

use crate::bitfield::Ones;
use crate::geometry::slot;
use crate::rng::Rng;
use crate::{Bitfield, Block, ConfigError, ConnId, Geometry, PieceIndex};
pub use partial::{BlockSlot, PartialSlot};

/// Chooses blocks to ask for: strict priority for pieces that are open already, a random piece
/// until the first is complete, then the rarest, ties by the seed; at the end blocks are asked for
/// twice (Cohen 2003, section 2.4).
///
/// `P` has a slot for each piece, `Q` one for each piece that may be open at a time, and `B` those
/// of their blocks: see [`block_slots`]. A pick looks at no other peer, and neither a pick nor a
/// change of availability depends on the number of pieces, unless the peer has few of them.
///
/// A piece that failed its check is fetched again from one peer alone. When it passes, who had
/// given other bytes before is known by the checksums of the blocks: no honest peer is charged.
#[derive(Debug, Clone)]
pub struct Picker<P, Q, B> {
    state: State,
    pieces: P,
    partials: Q,
    blocks: B,
}

/// Room for one piece: 12 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceSlot {
    position: u32, // of this piece in the order
    order: u32,    // the piece at this place of the order
    availability: u16,
    partial: u16, // its slot among the open pieces, or `NO_PARTIAL`
}

/// A piece that is not open.
const NO_PARTIAL: u16 = u16::MAX;

impl PieceSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self { position: 0, order: 0, availability: 0, partial: NO_PARTIAL };
}

/// The pieces that a peer has.
#[derive(Debug, Clone, Copy)]
pub enum Holds<'a> {
    /// All: it is a seed.
    All,
    /// Some of them.
    Some(Bitfield<&'a [u8]>),
}

impl Holds<'_> {
    /// Returns whether the peer has a piece.
    #[must_use]
    pub fn has(&self, piece: PieceIndex) -> bool {
        match self {
            Self::All => true,
            Self::Some(bits) => bits.has(piece),
        }
    }

    fn ones(&self) -> Option<Ones<'_>> {
        match self {
            Self::All => None,
            Self::Some(bits) => Some(bits.ones()),
        }
    }
}

/// How far a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PieceState {
    /// Nothing of it was asked for.
    Missing,
    /// Some of its blocks were asked for, or are there.
    Open,
    /// All its blocks are there, and it is not yet checked.
    Full,
    /// It is there and checked.
    Have,
}

/// What became of a block that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// Nobody asked this peer for it, or it is there already.
    Unwanted,
    /// It was missing.
    Accepted {
        /// Who else was asked for it, and need not send it any more.
        also: Option<ConnId>,
        /// Whether the piece now has all its blocks.
        full: bool,
    },
}

/// A piece failed its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Who gave all of its blocks, if one peer did.
    pub sole: Option<ConnId>,
}

/// Returns how many block slots `partials` open pieces take.
#[must_use]
pub const fn block_slots(geometry: Geometry, partials: usize) -> usize {
    geometry.stride().saturating_mul(partials)
}

impl<P, Q, B> Picker<P, Q, B>
where
    P: AsRef<[PieceSlot]> + AsMut<[PieceSlot]>,
    Q: AsRef<[PartialSlot]> + AsMut<[PartialSlot]>,
    B: AsRef<[BlockSlot]> + AsMut<[BlockSlot]>,
{
    /// Creates a picker that has the pieces of `have`. The seed spreads ties; it need not be
    /// secret and should differ from peer to peer.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there are fewer piece slots than pieces, more than 65,535 partial slots,
    /// or `have` is of another number of pieces.
    pub fn new(
        geometry: Geometry,
        seed: u64,
        have: Bitfield<&[u8]>,
        mut pieces: P,
        mut partials: Q,
        mut blocks: B,
    ) -> Result<Self, ConfigError> {
        let (p, q, b) = (pieces.as_mut(), partials.as_mut(), blocks.as_mut());
        let state = State::new(geometry, seed, have, p, q, b)?;
        Ok(Self { state, pieces, partials, blocks })
    }

    /// Counts the pieces of a peer that came.
    pub fn join(&mut self, holds: &Holds<'_>) {
        self.view().count(holds, true);
    }

    /// Forgets the pieces of a peer that went; call [`abandon`](Self::abandon) too.
    pub fn leave(&mut self, holds: &Holds<'_>) {
        self.view().count(holds, false);
    }

    /// Counts a piece that a peer got.
    pub fn have(&mut self, piece: PieceIndex) {
        self.view().have(piece);
    }

    /// Chooses a block for a peer and marks it as asked for.
    pub fn pick(&mut self, conn: ConnId, holds: &Holds<'_>) -> Option<Block> {
        self.view().pick(conn, holds)
    }

    /// Chooses a block that one other peer was asked for, once every missing block is asked for.
    /// Call it for a peer that has nothing else to do, or bytes are wasted.
    pub fn pick_endgame(&mut self, conn: ConnId, holds: &Holds<'_>) -> Option<Block> {
        self.view().pick_endgame(conn, holds)
    }

    /// Takes in a block. The checksum is any that equal data share; it tells later who sent what.
    pub fn receive(&mut self, conn: ConnId, block: Block, checksum: u32) -> Received {
        self.view().receive(conn, block, checksum)
    }

    /// Takes back a request to a peer; returns whether it stood.
    pub fn release(&mut self, conn: ConnId, block: Block) -> bool {
        self.view().release(conn, block)
    }

    /// Takes back all requests to a peer: it choked, went, or fell silent.
    pub fn abandon(&mut self, conn: ConnId) {
        self.view().abandon(conn);
    }

    /// Throws away what a banned peer gave to pieces that are not complete, and its requests.
    pub fn forget(&mut self, conn: ConnId) {
        self.view().forget(conn);
    }

    /// Returns a piece that became full, once; it is to be read and hashed.
    pub fn next_full(&mut self) -> Option<PieceIndex> {
        self.view().next_full()
    }

    /// Marks a full piece as there, and tells who had given blocks that differ from the right ones.
    /// Returns `false` if it was not handed out by [`next_full`](Self::next_full).
    pub fn passed(&mut self, piece: PieceIndex, convict: impl FnMut(ConnId)) -> bool {
        self.view().passed(piece, convict)
    }

    /// Opens a full piece again, for one peer alone. Returns `None` if it was not handed out by
    /// [`next_full`](Self::next_full).
    pub fn failed(&mut self, piece: PieceIndex) -> Option<Failure> {
        self.view().failed(piece)
    }

    /// Returns how many peers have a piece, seeds included; it saturates at 65,535.
    #[must_use]
    pub fn availability(&self, piece: PieceIndex) -> u32 {
        let entry = self.pieces.as_ref().get(piece.slot());
        entry.map_or(0, |entry| u32::from(entry.availability).saturating_add(self.state.seeds))
    }

    /// Returns how far a piece is; `None` if it does not exist.
    #[must_use]
    pub fn state(&self, piece: PieceIndex) -> Option<PieceState> {
        self.state.state_of(self.pieces.as_ref(), self.partials.as_ref(), piece)
    }

    /// Returns how many pieces are there.
    #[must_use]
    pub fn have_count(&self) -> u32 {
        self.state.have_count()
    }

    /// Returns whom a block was asked of, and not yet got from.
    #[must_use]
    pub fn requesters(&self, block: Block) -> [Option<ConnId>; 2] {
        partial::requesters(&self.state, self.pieces.as_ref(), self.blocks.as_ref(), block)
    }

    /// Recounts what the picker keeps up to date; `false` would be a bug. For tests.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        order::is_sound(&self.state, self.pieces.as_ref())
            && partial::is_sound(
                &self.state,
                self.pieces.as_ref(),
                self.partials.as_ref(),
                self.blocks.as_ref(),
            )
    }

    fn view(&mut self) -> View<'_> {
        View {
            state: &mut self.state,
            pieces: self.pieces.as_mut(),
            partials: self.partials.as_mut(),
            blocks: self.blocks.as_mut(),
        }
    }
}

/// All of a picker but the memory.
#[derive(Debug, Clone)]
pub(crate) struct State {
    geometry: Geometry,
    bounds: [u32; order::LEVELS], // the end of each level in the order
    have_start: u32,              // where the pieces begin in the order that are there
    seeds: u32,
    open: u16,     // partial slots in use
    partials: u16, // and there are
    rng: Rng,
    generation: u32, // changes when a peer with nothing to do may find something
}

/// A picker whose memory is borrowed: the logic, compiled once.
pub(crate) struct View<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) pieces: &'a mut [PieceSlot],
    pub(crate) partials: &'a mut [PartialSlot],
    pub(crate) blocks: &'a mut [BlockSlot],
}

impl State {
    pub(crate) fn new(
        geometry: Geometry,
        seed: u64,
        have: Bitfield<&[u8]>,
        pieces: &mut [PieceSlot],
        partials: &mut [PartialSlot],
        blocks: &mut [BlockSlot],
    ) -> Result<Self, ConfigError> {
        if pieces.len() < slot(geometry.pieces()) {
            return Err(ConfigError::PieceSlots(geometry.pieces()));
        }
        if have.len() != geometry.pieces() {
            return Err(ConfigError::Bitfield(have.len()));
        }
        // As many pieces can be open as have both a slot and room for all their blocks.
        let rooms = blocks.len().checked_div(geometry.stride()).unwrap_or(0).min(partials.len());
        let rooms = u16::try_from(rooms).ok().filter(|rooms| *rooms < NO_PARTIAL);
        let rooms = rooms.ok_or(ConfigError::TooManySlots(partials.len()))?;
        partials.fill(PartialSlot::EMPTY);
        blocks.fill(BlockSlot::EMPTY);
        let mut state = Self {
            geometry,
            bounds: [0; order::LEVELS],
            have_start: 0,
            seeds: 0,
            open: 0,
            partials: rooms,
            rng: Rng::new(seed),
            generation: 0,
        };
        state.shuffle(pieces);
        for piece in have.ones() {
            state.remove(pieces, piece);
            state.finish(pieces, piece);
        }
        Ok(state)
    }

    pub(crate) fn have_count(&self) -> u32 {
        self.geometry.pieces().saturating_sub(self.have_start)
    }

    /// Returns the `nth` piece that was got, from 0; those of the start come first.
    pub(crate) fn nth_had(&self, pieces: &[PieceSlot], nth: u32) -> Option<PieceIndex> {
        self.had(pieces, nth)
    }

    /// Returns a number that changes when a peer with nothing to do may find something.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn is_had(&self, pieces: &[PieceSlot], piece: PieceIndex) -> bool {
        let entry = pieces.get(piece.slot()).filter(|_| piece.0 < self.geometry.pieces());
        entry.is_some_and(|entry| entry.position >= self.have_start)
    }

    fn state_of(
        &self,
        pieces: &[PieceSlot],
        partials: &[PartialSlot],
        piece: PieceIndex,
    ) -> Option<PieceState> {
        let entry = pieces.get(piece.slot()).filter(|_| piece.0 < self.geometry.pieces())?;
        Some(if entry.position >= self.have_start {
            PieceState::Have
        } else {
            match partials.get(usize::from(entry.partial)) {
                None => PieceState::Missing,
                Some(partial) if partial.is_open() => PieceState::Open,
                Some(_) => PieceState::Full,
            }
        })
    }

    fn touch(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }
}

impl View<'_> {
    pub(crate) fn count(&mut self, holds: &Holds<'_>, joins: bool) {
        if let Some(ones) = holds.ones() {
            ones.for_each(|piece| self.state.count_peer(self.pieces, piece, joins));
        } else if joins {
            self.state.seeds = self.state.seeds.saturating_add(1);
        } else {
            self.state.seeds = self.state.seeds.saturating_sub(1);
        }
    }

    pub(crate) fn have(&mut self, piece: PieceIndex) {
        if piece.0 < self.state.geometry.pieces() {
            self.state.count_peer(self.pieces, piece, true);
        }
    }

    pub(crate) fn pick(&mut self, conn: ConnId, holds: &Holds<'_>) -> Option<Block> {
        let partial = match self.best_open(conn, holds) {
            Some(partial) => partial,
            None => self.open(holds)?,
        };
        self.ask(partial, conn)
    }

    /// Opens a new piece for a peer; returns its partial slot.
    fn open(&mut self, holds: &Holds<'_>) -> Option<u16> {
        let piece = self.state.choose(self.pieces, holds)?;
        if self.state.open >= self.state.partials {
            self.evict()?;
        }
        let unused = self.partials.iter().take(usize::from(self.state.partials));
        let at = unused.zip(0_u16..).find(|(partial, _)| partial.is_unused())?.1;
        self.state.remove(self.pieces, piece);
        self.pieces.get_mut(piece.slot())?.partial = at;
        let blocks = self.state.geometry.blocks(piece);
        *self.partials.get_mut(usize::from(at))? = PartialSlot::open(piece, blocks);
        self.state.open = self.state.open.saturating_add(1);
        Some(at)
    }

    /// Frees the slot of an open piece, which goes on without its blocks.
    fn close(&mut self, at: u16) {
        let Some(partial) = self.partials.get_mut(usize::from(at)) else { return };
        let piece = partial.piece();
        *partial = PartialSlot::EMPTY;
        if let Some(row) = partial::row(self.blocks, self.state.geometry, at) {
            row.fill(BlockSlot::EMPTY);
        }
        if let Some(entry) = self.pieces.get_mut(piece.slot()) {
            entry.partial = NO_PARTIAL;
        }
        self.state.open = self.state.open.saturating_sub(1);
        self.state.touch();
    }
}
