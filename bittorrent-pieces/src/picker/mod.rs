//! Which block to ask a peer for.

mod block_slot;
mod blocks;
mod change;
#[cfg(debug_assertions)]
mod check;
mod listed;
mod order;
mod partial;
mod pieces;
mod policy;
mod propose;
mod rarest;
mod state;
mod storage;
#[cfg(feature = "alloc")]
mod storage_vec;

use crate::bitfield::Bitfield;
use crate::block::{BLOCK_LEN, Block, PieceIndex};
use crate::error::ConfigError;
use crate::geometry::Geometry;
use crate::id::ConnId;
use crate::index::slot;
pub use block_slot::BlockSlot;
pub(crate) use order::EXTENT;
pub use partial::PartialSlot;
use pieces::lane;
pub use pieces::{PieceSlot, piece_slots};
pub use policy::{Order, Playback, Policy, Priority, Selection, Weights};
pub use rarest::{RarestSlot, rarest_slots};
pub(crate) use state::{Completed, State, View};
pub use storage::{PickerParts, PickerPartsRef, PickerSlots, PickerStorage};
#[cfg(feature = "alloc")]
pub use storage_vec::PickerVec;

/// The number of [`Priority::NORMAL`].
const NORMAL: u32 = 4;

/// Chooses blocks to request: open pieces first, a random piece until the first is complete, then the
/// rarest, ties by the seed; at the end blocks are requested twice (Cohen 2003, section 2.4). A [`Policy`]
/// changes that.
///
/// ```
/// use bittorrent_pieces::picker::{PeerPieces, PickerVec, Selection};
/// use bittorrent_pieces::{Bitfield, Block, ConnId, Geometry, Picker};
///
/// let geometry = Geometry::new(1 << 20, 65_536)?; // 16 pieces of 4 blocks
/// let none = Bitfield::new(16, &[0, 0][..]).unwrap();
/// let mut picker = Picker::new(1, none, PickerVec::new(geometry, 2))?;
/// picker.join(&PeerPieces::All);
/// let mut blocks = [Block::default(); 4];
/// let picked = picker.pick(ConnId(1), &PeerPieces::All, &Selection::new(), &mut blocks);
/// assert_eq!((picked, blocks[0].len), (4, 16_384));
/// # Ok::<(), bittorrent_pieces::ConfigError>(())
/// ```
///
/// How many peers have a piece is kept as bits, 64 pieces to a word: a bitfield is counted word by
/// word. A sorted list of the rarest candidates (see [`rarest_slots`]) is rebuilt at amortised constant cost. A pick
/// looks at no other peer, and at more than the list only for a peer that has none of the rarest.
///
/// A piece that failed its check is fetched again from one peer alone. When it passes, the peers
/// that sent other bytes are known by the checksums of the blocks: no honest peer is charged.
#[derive(Debug, Clone, PartialEq)]
pub struct Picker<S> {
    state: State,
    storage: S,
}

/// The pieces that a peer has.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "a seed or a bitfield")]
pub enum PeerPieces<'a> {
    /// All: it is a seed.
    All,
    /// Some of them.
    Some(Bitfield<&'a [u8]>),
}

impl PeerPieces<'_> {
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
    /// It was not requested from this peer, or it was received already.
    Unwanted,
    /// It was missing.
    Accepted {
        /// Another peer that was asked for it and need not send it any more.
        also: Option<ConnId>,
        /// Whether the piece now has all its blocks.
        full: bool,
    },
}

/// A piece failed its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The peer that sent all of its blocks, if there is one.
    pub sole: Option<ConnId>,
}

/// Returns how many block slots `partials` open pieces of a length take.
#[must_use]
pub const fn block_slots_of(piece_len: u32, partials: usize) -> usize {
    slot(piece_len.div_ceil(BLOCK_LEN)).saturating_mul(partials)
}

/// Returns how many block slots `partials` open pieces take.
#[must_use]
pub const fn block_slots(geometry: Geometry<'_>, partials: usize) -> usize {
    geometry.stride().saturating_mul(partials)
}

impl<S: PickerStorage> Picker<S> {
    /// Creates a picker that has the pieces of `have`, and clears the storage. The seed spreads ties; it
    /// need not be secret and should differ from peer to peer.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there are fewer piece slots than [`piece_slots`] says, more than 65,534
    /// partial slots, or `have` is of another number of pieces.
    pub fn new(seed: u64, have: Bitfield<&[u8]>, mut storage: S) -> Result<Self, ConfigError> {
        let state = State::new(seed, have, storage.parts())?;
        Ok(Self { state, storage })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Changes how new pieces are chosen. Open pieces are continued.
    pub fn set_policy(&mut self, policy: Policy) {
        self.state.set_policy(policy);
    }

    /// Returns how new pieces are chosen.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.state.policy
    }

    /// Changes how much a piece is wanted. A skipped piece that is open is not requested any more;
    /// its blocks stay until its slot is needed.
    pub fn set_priority(&mut self, piece: PieceIndex, priority: Priority) {
        self.view().set_priority(piece, priority);
    }

    /// Returns how much a piece is wanted.
    #[must_use]
    pub fn priority(&self, piece: PieceIndex) -> Priority {
        let word = self.storage.parts_ref().pieces.get(slot(piece.0 / 64));
        let level = word.map_or(0, |word| word.priority(lane(piece)));
        u8::try_from(level).ok().and_then(Priority::new).unwrap_or(Priority::SKIP)
    }

    /// Counts the pieces of a peer that connected.
    pub fn join(&mut self, theirs: &PeerPieces<'_>) {
        self.view().count(theirs, true);
    }

    /// Removes the pieces of a peer that disconnected; call [`abandon`](Self::abandon) too.
    pub fn leave(&mut self, theirs: &PeerPieces<'_>) {
        self.view().count(theirs, false);
    }

    /// Counts a piece that a peer got.
    pub fn have(&mut self, piece: PieceIndex) {
        self.view().have(piece);
    }

    /// Removes a piece that a peer lost (BEP 54). For a peer that was counted as a seed
    /// call [`leave`](Self::leave), then [`join`](Self::join) with the rest instead.
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
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
        out: &mut [Block],
    ) -> usize {
        self.view().propose(conn, theirs, selection, out)
    }

    /// Marks a block as asked of a peer; returns `false` if it is not free, or its piece not open
    /// and no slot can be had.
    pub fn ask(&mut self, conn: ConnId, block: Block, selection: &Selection<'_>) -> bool {
        self.view().ask(conn, block, selection)
    }

    /// Chooses blocks for a peer and marks them as asked for; returns how many it wrote to `out`.
    /// See [`propose`](Self::propose).
    pub fn pick(
        &mut self,
        conn: ConnId,
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
        out: &mut [Block],
    ) -> usize {
        self.view().pick(conn, theirs, selection, out)
    }

    /// Chooses a block that one other peer was asked for, once every missing block is asked for.
    /// Call it for a peer that has nothing else to do, or bytes are wasted; and with a
    /// [patience](Selection::patience), now and again, as there is something to choose as time goes by.
    pub fn pick_endgame(
        &mut self,
        conn: ConnId,
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
    ) -> Option<Block> {
        self.view().pick_endgame(conn, theirs, selection)
    }

    /// Chooses a block that one other peer was asked for, of a piece whose deadline is near: see
    /// [`Playback::urgent`].
    pub fn pick_urgent(
        &mut self,
        conn: ConnId,
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
    ) -> Option<Block> {
        self.view().pick_urgent(conn, theirs, selection)
    }

    /// Chooses the piece to announce to a peer when super-seeding (BEP 16): one that we have and it has
    /// not, the rarest in the swarm, rather not one of those that are `offered` to others already.
    pub fn offer(&mut self, theirs: &PeerPieces<'_>, offered: &[PieceIndex]) -> Option<PieceIndex> {
        let pieces = self.storage.parts_ref().pieces;
        self.state.offer(pieces, theirs, offered)
    }

    /// Processes a received block. Equal data must have equal checksums: they identify the senders of
    /// corrupt blocks later.
    pub fn receive(&mut self, conn: ConnId, block: Block, checksum: u32) -> ReceivedBlock {
        self.view().receive(conn, block, checksum)
    }

    /// Restores a block of an earlier run; returns `false` if it is not free, or there is no slot for
    /// its piece.
    pub fn restore_block(&mut self, block: Block) -> bool {
        self.view().restore_block(block, &Selection::new())
    }

    /// Withdraws a request to a peer; returns whether it was pending.
    pub fn release(&mut self, conn: ConnId, block: Block) -> bool {
        self.view().release(conn, block)
    }

    /// Withdraws all requests to a peer: it choked, disconnected, or fell silent.
    pub fn abandon(&mut self, conn: ConnId) {
        self.view().abandon(conn);
    }

    /// Discards the blocks of a banned peer in pieces that are not complete, and its requests.
    pub fn forget(&mut self, conn: ConnId) {
        self.view().forget(conn);
    }

    /// Returns a piece that became full, once; it is to be read and hashed.
    pub fn next_full(&mut self) -> Option<PieceIndex> {
        self.view().next_full()
    }

    /// Marks a full piece as valid, and passes each peer whose blocks differed from it to `convict`.
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
        let word = self.storage.parts_ref().pieces.get(slot(piece.0 / 64));
        let known = word.filter(|_| piece.0 < self.state.shape.pieces());
        known.map_or(0, |word| {
            word.count(lane(piece), self.state.height).saturating_add(self.state.seeds)
        })
    }

    /// Returns how far a piece is; `None` if it does not exist.
    #[must_use]
    pub fn state(&self, piece: PieceIndex) -> Option<PieceState> {
        self.state.state_of(
            self.storage.parts_ref().pieces,
            self.storage.parts_ref().partials,
            piece,
        )
    }

    /// Returns how many pieces are there.
    #[must_use]
    pub fn have_count(&self) -> u32 {
        self.state.have_count()
    }

    /// Returns the peers with a pending request for a block.
    #[must_use]
    pub fn requesters(&self, block: Block) -> [Option<ConnId>; 2] {
        let PickerPartsRef { geometry, partials, blocks, .. } = self.storage.parts_ref();
        self.state.requesters(geometry, partials, blocks, block)
    }

    /// Returns how many slots and words all calls so far looked at, wrapping. Tests bound the time of a
    /// call by it.
    #[cfg(debug_assertions)]
    #[doc(hidden)]
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state.steps
    }

    /// Returns whether a recount agrees with what the picker keeps up to date.
    #[cfg(debug_assertions)]
    #[doc(hidden)]
    #[must_use]
    pub fn is_sound(&self) -> bool {
        check::is_sound(&self.state, self.storage.parts_ref())
    }

    fn view(&mut self) -> View<'_> {
        let PickerParts { geometry, pieces, rarest, partials, blocks } = self.storage.parts();
        View { state: &mut self.state, geometry, pieces, rarest, partials, blocks }
    }
}
