//! The torrent machine in detail: its storage, and the sizes of its regions and buffers.

mod check;
mod checksum;
mod config;
mod content;
mod counter;
mod cursor;
mod error;
mod event;
pub(crate) mod extension;
mod flags;
pub(crate) mod handshake;
mod hashes;
mod holepunch;
mod inner;
mod lifecycle;
#[cfg(feature = "alloc")]
mod memory;
mod packed;
mod padding;
mod peer;
mod pex;
mod queue;
mod receive;
mod refills;
mod requests;
mod schedule;
mod scheduling;
mod storage;
#[cfg(feature = "alloc")]
mod storage_vec;
mod superseed;
mod timers;
mod transmit;
mod trees;
mod validate;

use core::net::SocketAddr;
use core::time::Duration;

use crate::bitfield::Bitfield;
use crate::block::{Block, PieceIndex};
use crate::choker::ChokerPolicy;
use crate::conn_index;
use crate::error::{BufferTooSmall, ConfigError, ConnectError, NotConnected};
use crate::geometry::Geometry;
use crate::id::ConnId;
use crate::invariant::invariant;
use crate::picker::{Policy, Priority};
use crate::received::Received;
pub use check::PieceCheck;
pub use config::{Config, TorrentSetup};
pub use content::TorrentContent;
use cursor::View;
pub(crate) use error::whole;
pub use error::{NotVerifying, PeerError};
pub use event::{CloseReason, Event, MetadataRange, Outcome, Side, Transmit, Verdict};
use inner::Core;
#[cfg(feature = "alloc")]
pub use memory::torrent_memory;
pub use padding::{Padding, PaddingOf};
pub use peer::{Peer, PeerSlot, Traffic};
pub use queue::RequestSlot;
use refills::Refills;
pub use storage::{
    HASHES_LEN, TorrentParts, TorrentPartsRef, TorrentSlots, TorrentStorage, bits_len, receive_len,
    requests_len, transmit_len,
};
#[cfg(feature = "alloc")]
pub use storage_vec::{TorrentLimits, TorrentVec};
use trees::Root;

/// Downloads and uploads the pieces of one torrent: handshakes, interest, requests, choking, checks.
///
/// It touches neither sockets nor disks. The caller keeps a receive buffer for each connection and passes it
/// to [`handle_bytes`](Self::handle_bytes), message by message; writes the blocks that come out; reads and
/// hashes the pieces that [`Event::Verify`] names; and sends what [`poll_transmit`](Self::poll_transmit)
/// writes, with the blocks it names read from storage.
///
/// After any call, poll transmits, events and the timeout; polling too often is harmless.
///
/// ```
/// use bittorrent_pieces::*;
/// use core::time::Duration;
///
/// let hashes = [PieceHasher::digest(&[7; 1000])];
/// let content = TorrentContent::new(Geometry::new(1000, 16_384)?, PieceHashes::new(&hashes));
/// let storage = TorrentVec::new(&content, TorrentLimits::new());
/// let setup = TorrentSetup::new(Config::new(InfoHash([1; 20]), PeerId([2; 20])));
/// let mut torrent = Torrent::new(setup, storage)?;
///
/// torrent.handle_connected(Duration::ZERO, ConnId(1), Side::Dialled)?;
/// let mut buf = [0; 1024];
/// let sent = torrent.poll_transmit(&mut buf)?.unwrap();
/// assert_eq!((sent.conn, sent.len), (ConnId(1), 68)); // the handshake
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Torrent<S> {
    core: Core,
    storage: S,
}

impl<S: TorrentStorage> Torrent<S> {
    /// Creates a torrent and clears its storage, but for the content.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a region is too small, hashes or bits are of another torrent, or a number of the
    /// configuration must not be zero.
    pub fn new(setup: TorrentSetup<'_>, mut storage: S) -> Result<Self, ConfigError> {
        let root = Root::of(storage.parts().content);
        Self::with_root(&setup, root, storage)
    }

    /// Creates a torrent from the root of its one file of v2.
    #[inline(never)] // the torrent does not stand on the stack while the root is hashed
    fn with_root(
        setup: &TorrentSetup<'_>,
        root: Option<Root>,
        mut storage: S,
    ) -> Result<Self, ConfigError> {
        let core = Core::new(setup, root, storage.parts())?;
        Ok(Self { core, storage })
    }

    /// Adds a connection.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no slot, or the connection is open.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        side: Side,
    ) -> Result<(), ConnectError> {
        self.with(|view| view.connect(now, conn, side, None))
    }

    /// Adds a connection of a [`MetadataFetch`](crate::MetadataFetch), which has sent the handshake. `upgraded` is its
    /// [`is_upgraded`](crate::MetadataFetch::is_upgraded). Pass the bytes that were kept to
    /// [`handle_bytes`](Self::handle_bytes) next.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no slot, or the connection is open.
    pub fn take_over(
        &mut self,
        now: Duration,
        conn: ConnId,
        side: Side,
        upgraded: bool,
    ) -> Result<(), ConnectError> {
        self.with(|view| view.connect(now, conn, side, Some(upgraded)))
    }

    /// Sets the remote address of a connection. Without it the peer is not sent to others, and gets nothing
    /// while choked. Returns whether the connection is open.
    pub fn set_address(&mut self, conn: ConnId, addr: SocketAddr) -> bool {
        self.with(|view| view.set_address(conn, addr))
    }

    /// Changes how new pieces are chosen. Open pieces are continued.
    pub fn set_policy(&mut self, policy: Policy) {
        self.core.picker.set_policy(policy);
    }

    /// Changes which peers are unchoked, from the next round on, both while pieces are missing and afterwards.
    pub fn set_choker(&mut self, policy: ChokerPolicy) {
        self.core.config.choker = policy;
        self.core.config.seed_choker = policy;
        self.core.slots_full = false; // perhaps: the next change decides
    }

    /// Changes the TCP port that extended handshakes announce from now on.
    pub fn set_port(&mut self, port: Option<u16>) {
        self.core.config.port = port;
    }

    /// Begins or ends super-seeding (BEP 16), for the only seed of a new torrent: it sends each piece hardly
    /// more than once until others have it.
    ///
    /// It concerns peers that connect from now on, while the torrent is complete. The rarest piece that it
    /// misses is announced to each, and the next once it has that piece and another peer has it too, or
    /// another got it first. A peer that has no other to pass pieces on to gets one after the other. At the
    /// end of super-seeding all pieces are announced to all.
    pub fn set_super_seeding(&mut self, begins: bool) {
        self.with(|view| view.set_super_seeding(begins));
    }

    /// Marks a block as received that lies in storage from an earlier run, so that it is not fetched again.
    /// With the last block of a piece, [`Event::Verify`] follows.
    ///
    /// Returns `false` if the block is not missing, its piece is skipped, or there is no slot for it. When
    /// all slots for open pieces are in use, the piece of the least progress is given up.
    pub fn restore_block(&mut self, block: Block) -> bool {
        self.with_refills(|view| view.restore_block(block))
    }

    /// Processes the handshake or the one message at the front of what was received from `conn`. Call again
    /// with the rest until nothing is consumed.
    ///
    /// A peer that breaks the protocol is not an error: [`Event::Closed`] follows, and the rest of its bytes
    /// is consumed.
    ///
    /// # Errors
    ///
    /// [`NotConnected`] if there is no such connection.
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<Outcome<'b>>, NotConnected> {
        self.with_refills(|view| view.bytes(now, conn, bytes))
    }

    /// Asks a peer to let us and the peer at `target` meet, which cannot be dialled because of a firewall (BEP 55): the
    /// peer that sent its address, for example. [`Outcome::Holepunch`] or [`Outcome::HolepunchFailed`] may follow.
    ///
    /// Returns whether the request will be sent: [`Config::holepunch`] is set, the peer supports it, and few such
    /// messages wait.
    pub fn rendezvous(&mut self, relay: ConnId, target: SocketAddr) -> bool {
        self.with(|view| view.rendezvous(relay, target))
    }

    /// Removes a connection. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        self.with_refills(|view| view.closed(now, conn));
    }

    /// Changes how much a piece is wanted. We are interested in a peer as long as it has a piece that we
    /// miss and do not skip. Requested blocks of a skipped piece may still arrive.
    pub fn set_priority(&mut self, now: Duration, piece: PieceIndex, priority: Priority) {
        self.with_refills(|view| view.set_priority(now, piece, priority));
    }

    /// Accepts the SHA-1 of a piece as it lies in storage: the short way for a v1 torrent; see
    /// [`check`](Self::check) for all.
    ///
    /// # Errors
    ///
    /// [`NotVerifying`] if no [`Event::Verify`] named the piece, or the torrent has hashes of v2.
    pub fn handle_hashed(
        &mut self,
        now: Duration,
        piece: PieceIndex,
        digest: [u8; 20],
    ) -> Result<Verdict, NotVerifying> {
        let hashes = self.storage.parts_ref().content.hashes;
        if !hashes.layer().is_empty() {
            return Err(NotVerifying(piece));
        }
        let passed = hashes.of(piece) == Some(&digest);
        self.with_refills(|view| view.hashed(now, piece, passed))
    }

    /// Begins the check of a piece; several may run at a time.
    ///
    /// # Errors
    ///
    /// [`NotVerifying`] if no [`Event::Verify`] named the piece.
    pub fn check(&mut self, piece: PieceIndex) -> Result<PieceCheck, NotVerifying> {
        self.view().check_piece(piece)
    }

    /// Begins the check of a piece of which blocks are missing, so that each is hashed while it is in the cache: pass
    /// [`PieceCheck::hash_block`] every [`Outcome::Block`] of the piece. When [`Event::Verify`] names the piece, go on with
    /// this check in place of [`check`](Self::check): only what [`PieceCheck::next`] returns is to be read from storage.
    ///
    /// Blocks that come in order need not be read at all; a wrong order costs time and no more. A piece that failed begins
    /// with a new check.
    #[must_use]
    pub fn check_ahead(&self, piece: PieceIndex) -> PieceCheck {
        let content = self.content();
        let padding = Padding::bytes_of(content.padding, piece);
        PieceCheck::new(content.geometry, content.hashes, piece).with_padding(padding)
    }

    /// Accepts a check that was fed with all bytes of its piece.
    ///
    /// # Errors
    ///
    /// [`NotVerifying`] if no [`Event::Verify`] named the piece, or bytes are missing.
    pub fn handle_checked(
        &mut self,
        now: Duration,
        mut check: PieceCheck,
    ) -> Result<Verdict, NotVerifying> {
        let piece = check.piece();
        let hashes = self.storage.parts_ref().content.hashes;
        let passed = check.verdict(hashes).ok_or(NotVerifying(piece))?;
        self.with_refills(|view| view.hashed(now, piece, passed))
    }

    /// Fires expired timers: choking rounds, keepalives, requests without an answer.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.with_refills(|view| view.timeout(now));
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due, on the caller's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.next_deadline(self.storage.parts_ref().peers)
    }

    /// Writes the next message for any connection into `buf`, if one is due.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with [`transmit_len`] bytes, or for a v2 torrent with
    /// [`HASHES_LEN`].
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.with(|view| view.transmit(buf))
    }

    /// Writes the next message for one connection: for a driver whose sockets fill up one by one.
    ///
    /// # Errors
    ///
    /// As [`poll_transmit`](Self::poll_transmit).
    pub fn poll_transmit_to(
        &mut self,
        conn: ConnId,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        self.with(|view| view.transmit_to(conn, buf))
    }

    /// Returns the next event.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the path has a single lifetime")]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.with(|view| view.event())
    }

    /// Returns the bytes of the info dictionary that a [`Transmit`] names; empty for `None`.
    #[must_use]
    pub fn metadata(&self, range: Option<MetadataRange>) -> &[u8] {
        let Some(MetadataRange { begin, len }) = range else { return &[] };
        let info = self.storage.parts_ref().content.info;
        info.get(begin..begin.saturating_add(len)).unwrap_or_default()
    }

    /// Returns the pieces that passed their check.
    #[must_use]
    pub fn have(&self) -> Bitfield<&[u8]> {
        let TorrentPartsRef { content, bits, .. } = self.storage.parts_ref();
        let pieces = content.geometry.pieces();
        Bitfield::trusted(pieces, bits.get(..Bitfield::byte_len(pieces)).unwrap_or_default())
    }

    /// Returns the number of pieces that passed their check.
    #[must_use]
    pub fn have_count(&self) -> u32 {
        self.core.picker.have_count()
    }

    /// Returns whether all pieces passed their check.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.core.is_complete()
    }

    /// Returns the metainfo.
    #[must_use]
    pub fn content(&self) -> TorrentContent<'_> {
        self.storage.parts_ref().content
    }

    /// Returns how the content is cut.
    #[must_use]
    pub fn geometry(&self) -> Geometry<'_> {
        self.content().geometry
    }

    /// Returns the configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.core.config
    }

    /// Returns a connection that is open.
    #[must_use]
    pub fn peer(&self, conn: ConnId) -> Option<Peer> {
        let TorrentPartsRef { peers, requests, .. } = self.storage.parts_ref();
        let index = conn_index::find(peers, conn)?;
        let state = peers.get(index).map(|slot| &slot.state).filter(|state| state.is_live())?;
        let ours = queue::ours(requests, peers.len(), index);
        Some(state.peer(ours.filter(|request| request.is_in_flight()).count()))
    }

    /// Returns all connections that are open.
    #[must_use]
    pub fn peers(&self) -> Peers<'_> {
        let TorrentPartsRef { peers, requests, .. } = self.storage.parts_ref();
        Peers { slots: peers.iter().enumerate(), requests, count: peers.len() }
    }

    /// Returns the peer with the optimistic unchoke: it has an upload slot whatever its rate (BEP 3). `None` before the first
    /// choking round, while no interested peer waits for a slot, and from the time that peer leaves until the next round.
    #[must_use]
    pub fn optimistic_unchoke(&self) -> Option<ConnId> {
        let conn = self.core.choker.optimistic()?;
        self.peer(conn).filter(|peer| peer.unchoked).map(|peer| peer.conn)
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    fn view(&mut self) -> View<'_> {
        View { core: &mut self.core, parts: self.storage.parts(), refills: Refills::default() }
    }

    /// Calls `change`, fills the pipelines that it noted, and schedules the peers that were touched.
    fn with_refills<R>(&mut self, change: impl FnOnce(&mut View<'_>) -> R) -> R {
        self.with(|view| {
            let result = change(view);
            view.serve_refills();
            result
        })
    }

    /// Calls `change`, and schedules the peers that it touched.
    fn with<R>(&mut self, change: impl FnOnce(&mut View<'_>) -> R) -> R {
        let mut view = self.view();
        let result = change(&mut view);
        invariant!(view.refills == Refills::default(), "pipelines are not filled");
        view.settle();
        result
    }
}

/// The open connections of a torrent.
#[derive(Debug, Clone)]
pub struct Peers<'a> {
    slots: core::iter::Enumerate<core::slice::Iter<'a, PeerSlot>>,
    requests: &'a [RequestSlot],
    count: usize,
}

impl Iterator for Peers<'_> {
    type Item = Peer;

    fn next(&mut self) -> Option<Peer> {
        let (index, slot) = self.slots.find(|(_, slot)| slot.state.is_live())?;
        let requests = queue::ours(self.requests, self.count, index);
        Some(slot.state.peer(requests.filter(|request| request.is_in_flight()).count()))
    }
}
