//! Which block to ask a peer for.

mod blocks;
mod change;
mod check;
mod front;
mod order;
mod partial;
mod pieces;
mod policy;
mod propose;
mod state;

use crate::geometry::slot;
use crate::{Bitfield, Block, ConfigError, ConnId, Geometry, PieceIndex};
pub use blocks::BlockSlot;
pub use front::{RareSlot, rare_slots};
pub(crate) use order::EXTENT;
pub use partial::PartialSlot;
use pieces::lane;
pub use pieces::{PieceSlot, piece_slots};
pub use policy::{Order, Playback, Policy, Priority, Want, Weights};
pub(crate) use state::{News, State, View};

/// The number of [`Priority::NORMAL`].
const NORMAL: u32 = 4;

/// Chooses blocks to ask for: strict priority for pieces that are open already, a random piece
/// until the first is complete, then the rarest, ties by the seed; at the end blocks are asked for
/// twice (Cohen 2003, section 2.4). A [`Policy`] changes that.
///
/// `P` has a slot for 64 pieces each: see [`piece_slots`]; `L` those of the list of the rarest: see
/// [`rare_slots`]; `Q` one for each piece that may be open at a time, and `B` those of their blocks: see
/// [`block_slots`].
///
/// How many peers have a piece is kept as bits, 64 pieces to a word: a bitfield is counted word by
/// word. The rarest candidates stand in a short sorted list, which most picks end in; it is made
/// anew by a pass over the words, after so many others were needed that it does not matter. So a
/// pick looks at no other peer, and at more than the list only for a peer that has none of the
/// rarest.
///
/// A piece that failed its check is fetched again from one peer alone. When it passes, who had
/// given other bytes before is known by the checksums of the blocks: no honest peer is charged.
#[derive(Debug, Clone)]
pub struct Picker<'t, P, L, Q, B> {
    state: State<'t>,
    pieces: P,
    rarest: L,
    partials: Q,
    blocks: B,
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
pub enum ReceivedBlock {
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
pub const fn block_slots(geometry: Geometry<'_>, partials: usize) -> usize {
    geometry.stride().saturating_mul(partials)
}

impl<'t, P, L, Q, B> Picker<'t, P, L, Q, B>
where
    P: AsRef<[PieceSlot]> + AsMut<[PieceSlot]>,
    L: AsRef<[RareSlot]> + AsMut<[RareSlot]>,
    Q: AsRef<[PartialSlot]> + AsMut<[PartialSlot]>,
    B: AsRef<[BlockSlot]> + AsMut<[BlockSlot]>,
{
    /// Creates a picker that has the pieces of `have`. The seed spreads ties; it need not be
    /// secret and should differ from peer to peer.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there are fewer piece slots than [`piece_slots`] says, more than 65,534
    /// partial slots, or `have` is of another number of pieces.
    pub fn new(
        geometry: Geometry<'t>,
        seed: u64,
        have: Bitfield<&[u8]>,
        mut pieces: P,
        rarest: L,
        mut partials: Q,
        mut blocks: B,
    ) -> Result<Self, ConfigError> {
        let (p, q, b) = (pieces.as_mut(), partials.as_mut(), blocks.as_mut());
        let state = State::new(geometry, seed, have, p, q, b)?;
        Ok(Self { state, pieces, rarest, partials, blocks })
    }

    /// Changes how new pieces are chosen; what is open goes on.
    pub fn set_policy(&mut self, policy: Policy) {
        self.state.set_policy(policy);
    }

    /// Returns how new pieces are chosen.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.state.policy
    }

    /// Changes how much a piece is wanted. One that is open and skipped is asked of nobody any more;
    /// what is there of it stays as long as its slot is not needed.
    pub fn set_priority(&mut self, piece: PieceIndex, priority: Priority) {
        self.view().set_priority(piece, priority);
    }

    /// Returns how much a piece is wanted.
    #[must_use]
    pub fn priority(&self, piece: PieceIndex) -> Priority {
        let word = self.pieces.as_ref().get(slot(piece.0 / 64));
        let level = word.map_or(0, |word| word.priority(lane(piece)));
        u8::try_from(level).ok().and_then(Priority::new).unwrap_or(Priority::SKIP)
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

    /// Forgets a piece that a peer lost (BEP 54). One that was counted as a seed is none any more:
    /// let it leave, and join with the rest.
    pub fn dont_have(&mut self, piece: PieceIndex) {
        self.view().dont_have(piece);
    }

    /// Chooses blocks for a peer that [joined](Self::join) with these pieces, and marks none; returns
    /// how many it wrote to `out`.
    ///
    /// It may be fewer than there are: of missing pieces it takes one, or one run. Once these are
    /// [asked](Self::ask) for, the next call goes on.
    pub fn propose(
        &mut self,
        conn: ConnId,
        holds: &Holds<'_>,
        want: &Want<'_>,
        out: &mut [Block],
    ) -> usize {
        self.view().propose(conn, holds, want, out)
    }

    /// Marks a block as asked of a peer; returns `false` if it is not free, or its piece not open
    /// and no slot can be had.
    pub fn ask(&mut self, conn: ConnId, block: Block, want: &Want<'_>) -> bool {
        self.view().ask(conn, block, want)
    }

    /// Chooses blocks for a peer and marks them as asked for; returns how many it wrote to `out`.
    /// See [`propose`](Self::propose).
    pub fn pick(
        &mut self,
        conn: ConnId,
        holds: &Holds<'_>,
        want: &Want<'_>,
        out: &mut [Block],
    ) -> usize {
        self.view().pick(conn, holds, want, out)
    }

    /// Chooses a block that one other peer was asked for, once every missing block is asked for.
    /// Call it for a peer that has nothing else to do, or bytes are wasted; and with a
    /// [patience](Want::patience), now and again, as there is something to choose as time goes by.
    pub fn pick_endgame(
        &mut self,
        conn: ConnId,
        holds: &Holds<'_>,
        want: &Want<'_>,
    ) -> Option<Block> {
        self.view().pick_endgame(conn, holds, want)
    }

    /// Chooses a block that one other peer was asked for, of a piece whose deadline is near: see
    /// [`Playback::urgent`].
    pub fn pick_urgent(
        &mut self,
        conn: ConnId,
        holds: &Holds<'_>,
        want: &Want<'_>,
    ) -> Option<Block> {
        self.view().pick_urgent(conn, holds, want)
    }

    /// Chooses the piece to tell a peer of when super-seeding (BEP 16): one that we have and it has
    /// not, the rarest in the swarm, rather not one of those that are `offered` to others already.
    pub fn offer(&mut self, holds: &Holds<'_>, offered: &[PieceIndex]) -> Option<PieceIndex> {
        let Self { state, pieces, .. } = self;
        state.offer(pieces.as_ref(), holds, offered)
    }

    /// Takes in a block. The checksum is any that equal data share; it tells later who sent what.
    pub fn receive(&mut self, conn: ConnId, block: Block, checksum: u32) -> ReceivedBlock {
        self.view().receive(conn, block, checksum)
    }

    /// Takes in a block that is there from an earlier run; returns `false` if it is not free, or
    /// there is no slot for its piece.
    pub fn keep(&mut self, block: Block) -> bool {
        self.view().keep(block, &Want::new())
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

    /// Forgets that a piece is there: storage lost it. Returns whether it was there.
    pub fn lose(&mut self, piece: PieceIndex) -> bool {
        self.view().lose(piece)
    }

    /// Returns how many peers have a piece, seeds included; without those it saturates at 65,535.
    #[must_use]
    pub fn availability(&self, piece: PieceIndex) -> u32 {
        let word = self.pieces.as_ref().get(slot(piece.0 / 64));
        let known = word.filter(|_| piece.0 < self.state.geometry.pieces());
        known.map_or(0, |word| {
            word.count(lane(piece), self.state.height).saturating_add(self.state.seeds)
        })
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
        self.state.requesters(self.partials.as_ref(), self.blocks.as_ref(), block)
    }

    /// Returns how many slots and words all calls so far looked at, wrapping: what bounds the time
    /// of a call. For tests.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state.steps
    }

    /// Recounts what the picker keeps up to date; `false` would be a bug. For tests.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let (pieces, rarest) = (self.pieces.as_ref(), self.rarest.as_ref());
        check::is_sound(&self.state, pieces, rarest, self.partials.as_ref(), self.blocks.as_ref())
    }

    fn view(&mut self) -> View<'_, 't> {
        View {
            state: &mut self.state,
            pieces: self.pieces.as_mut(),
            rarest: self.rarest.as_mut(),
            partials: self.partials.as_mut(),
            blocks: self.blocks.as_mut(),
        }
    }
}
