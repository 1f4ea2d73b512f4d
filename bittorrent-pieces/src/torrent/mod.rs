//! A torrent among its peers.

mod ask;
mod check;
mod config;
mod error;
pub(crate) mod extend;
mod hashes;
mod memory;
mod padding;
mod peer;
mod queue;
mod receive;
mod refuse;
mod state;
mod superseed;
mod time;
mod told;
mod transmit;

use core::net::SocketAddr;
use core::time::Duration;

use crate::error::ConnectError;
use crate::merkle::MerkleHash;
use crate::wire::{Handshake, Reserved};
use crate::{
    Bitfield, Block, BufferTooSmall, ChokerPolicy, ConfigError, ConnId, Geometry, InfoHash, PeerId,
    PieceHashes, PieceIndex, Policy, Priority,
};
pub use check::PieceCheck;
pub use config::Config;
pub use error::{NotVerifying, PeerError};
pub use memory::{
    HASHES_LEN, Memory, Regions, RegionsMut, RegionsRef, bits_len, receive_len, requests_len,
    transmit_len,
};
pub use padding::Padding;
pub use peer::{Peer, PeerSlot, Traffic};
pub use queue::RequestSlot;
use state::{Core, Info, View};
pub use told::{Event, Handled, LostReason, Side, Transmit, Verdict};

/// Fetches and gives the pieces of one torrent: handshakes, interest, requests, choking, checks.
///
/// It never touches a socket or a disk. The caller keeps a receive buffer for each connection and
/// feeds it to [`handle_bytes`](Self::handle_bytes), message by message; writes the blocks that
/// come out; reads and hashes the pieces that [`Event::Verify`] names; and sends what
/// [`poll_transmit`](Self::poll_transmit) gives, with the blocks it names read from storage.
///
/// After any call, poll transmits, events and the timeout; polling too often is harmless.
#[derive(Debug, Clone)]
pub struct Torrent<'t, M> {
    core: Core<'t>,
    memory: M,
}

impl<'t, M: Regions> Torrent<'t, M> {
    /// Creates a torrent that has the pieces of `have`, which the caller vouches for: none for a
    /// fresh download, some to resume, all to seed.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a region is too small, or hashes or bits are of another torrent.
    pub fn new(
        config: Config,
        geometry: Geometry<'t>,
        hashes: PieceHashes<'t>,
        have: Bitfield<&[u8]>,
        mut memory: M,
    ) -> Result<Self, ConfigError> {
        let core = Core::new(config, geometry, hashes, have, memory.regions_mut())?;
        Ok(Self { core, memory })
    }

    /// Takes on a connection.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no slot, or the name is in use.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        side: Side,
    ) -> Result<(), ConnectError> {
        self.view().connected(now, conn, side, false)
    }

    /// Takes on a connection from a [`MetadataFetch`](crate::MetadataFetch), which has greeted the peer;
    /// hand in the bytes that were kept next.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no slot, or the name is in use.
    pub fn take_over(
        &mut self,
        now: Duration,
        conn: ConnId,
        side: Side,
    ) -> Result<(), ConnectError> {
        self.view().connected(now, conn, side, true)
    }

    /// Notes where the other end of a connection is; without it the peer is not told to others, and
    /// gets nothing while choked. Returns whether the connection is open.
    pub fn set_address(&mut self, conn: ConnId, addr: SocketAddr) -> bool {
        self.view().set_address(conn, addr)
    }

    /// Changes how new pieces are chosen; what is under way goes on.
    pub fn set_policy(&mut self, policy: Policy) {
        self.core.picker.set_policy(policy);
    }

    /// Changes who is unchoked, from the next round on: after [`Event::Complete`], say, to what suits a
    /// seed.
    pub fn set_choker(&mut self, policy: ChokerPolicy) {
        self.core.config.choker = policy;
        self.core.choker.set_policy(policy);
    }

    /// Begins or ends super-seeding (BEP 16), for the only seed of a new torrent: it gives each piece
    /// hardly more than once until there are others who do.
    ///
    /// It concerns peers that connect from now on, while all pieces are there. Each is told of the rarest
    /// piece that it misses, and of the next once it has that piece and another peer, too, or another got
    /// it first. A peer that there is nobody to pass pieces on to gets one after the other. At the end of
    /// super-seeding all are told of all pieces.
    pub fn set_super_seeding(&mut self, begins: bool) {
        self.view().set_super_seeding(begins);
    }

    /// Says what is padding (BEP 47), sorted by pieces, before the first peer comes: blocks of nothing else
    /// are asked of nobody, and checks take the bytes for zeros. A peer that does not know of padding may
    /// ask for it: send zeros.
    pub fn set_padding(&mut self, padding: &'t [Padding]) {
        self.core.padding = padding;
    }

    /// Takes in a block that lies in storage from an earlier run, so that it is not fetched again; to be
    /// called after [`set_padding`](Self::set_padding) and before the first peer comes. With the last block
    /// of a piece, [`Event::Verify`] follows.
    ///
    /// Returns `false` if the block is not missing, its piece is skipped, or there is no slot for it. When
    /// all slots for open pieces are taken, the one of the least progress is given up.
    pub fn keep(&mut self, block: Block) -> bool {
        self.view().keep(block)
    }

    /// Gives the info dictionary to peers that ask for it (BEP 9): the bytes that hash to the
    /// torrent's name.
    pub fn serve_metadata(&mut self, info: &'t [u8]) {
        self.core.metadata = Some(Info(info));
    }

    /// Answers requests for the leaves of a v2 torrent (BEP 52, layer 0), by which a peer finds the bad block
    /// of a piece. `leaves` are the SHA-256 of the blocks of each piece, as many for each as a full one has;
    /// those of zeros are not known, and not given. Without this such requests are rejected, even after a
    /// request for the block itself, when BEP 52 says that they must not be.
    pub fn serve_leaves(&mut self, leaves: &'t [MerkleHash]) {
        self.core.served.leaves = leaves;
    }

    /// Answers requests for hashes of files of more than 65,536 pieces too, of which a proof would take too
    /// long: with [`PieceHashes::runs`], it takes a 512th of the time, and files may be as many times longer.
    pub fn serve_runs(&mut self, runs: &'t [MerkleHash]) {
        self.core.served.runs = runs;
    }

    /// Takes in the handshake or the one message at the front of what `conn` sent.
    ///
    /// Call again with the rest until it consumes nothing.
    ///
    /// # Errors
    ///
    /// [`PeerError`]: the peer's fault. Nothing changed; close the connection.
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Handled<'b>, PeerError> {
        self.view().bytes(now, conn, bytes)
    }

    /// Forgets a connection; one that is not known is no harm.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        self.view().closed(now, conn);
    }

    /// Changes how much a piece is wanted. A peer hears that we are interested as long as it has a piece
    /// that we miss and do not skip; what a skipped piece was asked for already may still come.
    pub fn set_priority(&mut self, now: Duration, piece: PieceIndex, priority: Priority) {
        self.view().set_priority(now, piece, priority);
    }

    /// Takes in the SHA-1 of a piece as it lies in storage: the short way for a v1 torrent; see
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
        if !self.core.hashes.layer().is_empty() {
            return Err(NotVerifying(piece));
        }
        let passed = self.core.hashes.of(piece) == Some(&digest);
        self.view().hashed(now, piece, passed)
    }

    /// Begins the check of a piece; several may be under way.
    ///
    /// # Errors
    ///
    /// [`NotVerifying`] if no [`Event::Verify`] named the piece.
    pub fn check(&mut self, piece: PieceIndex) -> Result<PieceCheck, NotVerifying> {
        self.view().check_piece(piece)
    }

    /// Takes in a check that was fed with all bytes of its piece.
    ///
    /// # Errors
    ///
    /// [`NotVerifying`] if no [`Event::Verify`] named the piece, or bytes are missing.
    pub fn handle_checked(
        &mut self,
        now: Duration,
        check: PieceCheck,
    ) -> Result<Verdict, NotVerifying> {
        let piece = check.piece();
        let passed = check.passed(self.core.hashes).ok_or(NotVerifying(piece))?;
        self.view().hashed(now, piece, passed)
    }

    /// Lets time pass: choking rounds, keepalives, requests that nobody answered.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.view().timeout(now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due, on the caller's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let RegionsRef { peers, requests, .. } = self.memory.regions();
        self.core.next_deadline(peers, requests)
    }

    /// Writes the next message for any connection into `buf`, if one is due.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with [`transmit_len`] bytes, but of a v2 torrent with
    /// [`HASHES_LEN`].
    pub fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit<'t>>, BufferTooSmall> {
        self.view().transmit(buf)
    }

    /// Writes the next message for one connection: for a driver whose sockets fill up one by one.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with [`transmit_len`] bytes, but of a v2 torrent with
    /// [`HASHES_LEN`].
    pub fn poll_transmit_to(
        &mut self,
        conn: ConnId,
        buf: &mut [u8],
    ) -> Result<Option<Transmit<'t>>, BufferTooSmall> {
        self.view().transmit_to(conn, buf)
    }

    /// Returns the next thing learnt.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.view().event()
    }

    /// Returns the pieces that are there and checked.
    #[must_use]
    pub fn have(&self) -> Bitfield<&[u8]> {
        let pieces = self.core.geometry().pieces();
        let bits = self.memory.regions().bits.get(..Bitfield::byte_len(pieces));
        Bitfield::trusted(pieces, bits.unwrap_or_default())
    }

    /// Returns how many pieces are there and checked.
    #[must_use]
    pub fn have_count(&self) -> u32 {
        self.core.picker.have_count()
    }

    /// Returns whether all pieces are there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.core.is_complete()
    }

    /// Returns how the content is cut.
    #[must_use]
    pub fn geometry(&self) -> Geometry<'t> {
        self.core.geometry()
    }

    /// Returns the configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.core.config
    }

    /// Returns a connection that is open.
    #[must_use]
    pub fn peer(&self, conn: ConnId) -> Option<Peer> {
        self.peers().find(|peer| peer.conn == conn)
    }

    /// Returns all connections that are open.
    pub fn peers(&self) -> impl Iterator<Item = Peer> {
        let RegionsRef { peers, requests, .. } = self.memory.regions();
        let links = peers.iter().map(|slot| &slot.0).enumerate();
        links.filter(|(_, link)| link.is_live()).map(move |(index, link)| {
            link.peer(
                queue::ours(requests, peers.len(), index).filter(|ask| ask.is_under_way()).count(),
            )
        })
    }

    /// Returns the memory; the torrent is over.
    pub fn into_memory(self) -> M {
        self.memory
    }

    fn view(&mut self) -> View<'_, 't> {
        let regions = self.memory.regions_mut();
        View { core: &mut self.core, regions }
    }
}

/// The root of the one file of a v2 torrent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root(pub(crate) MerkleHash);

/// Returns the reserved bits of our handshake.
pub(crate) fn opening_reserved(fast: bool, dht: bool) -> Reserved {
    let mut reserved = Reserved::EXTENDED;
    if fast {
        reserved = reserved | Reserved::FAST;
    }
    if dht {
        reserved = reserved | Reserved::DHT;
    }
    reserved
}

/// Refuses a handshake for another torrent or of our own.
pub(crate) fn offered(
    handshake: &Handshake,
    info_hash: InfoHash,
    own: PeerId,
) -> Result<(), PeerError> {
    if handshake.info_hash != info_hash {
        return Err(PeerError::InfoHash(handshake.info_hash));
    }
    if handshake.peer_id == own { Err(PeerError::OwnId) } else { Ok(()) }
}
