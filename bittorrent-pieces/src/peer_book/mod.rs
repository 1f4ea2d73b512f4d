//! Which peers to connect to: known addresses, dials, limits and bans.
//!
//! A [`PeerBook`] stands beside a [`Torrent`](crate::Torrent) and decides which connections there are. It
//! collects addresses from trackers, the DHT, peer exchanges, magnet links, incoming connections and earlier runs;
//! asks for dials and for more addresses; and admits incoming connections.
//!
//! | against | rule |
//! |---|---|
//! | a flood of addresses | each kind of source keeps an eighth of the book against the others; so does each sender of peer exchanges; a public network (IPv4 /24, IPv6 /64) has at most a 32nd of it |
//! | addresses of a victim | each is dialled with back-off; a peer exchange that repeats an address changes nothing |
//! | connections without a handshake | after a second, the oldest gives way to a new connection; limits per address and per network |
//! | a peer that sends corrupt blocks | its address is banned for an hour, then two, and so on; a ban decays |
//! | a peer that hangs up | it is dialled again after 10 s if it sent blocks, else with back-off up to 10 minutes, and never given up while there is room |

mod bans;
mod config;
mod event;
mod inner;
mod insert;
mod save;
mod slots;
mod storage;
#[cfg(feature = "alloc")]
mod storage_vec;
mod timers;

use core::net::SocketAddr;
use core::time::Duration;

use crate::error::{BufferTooSmall, ConfigError};
use crate::id::ConnId;
pub use config::PeerBookConfig;
pub use event::{Added, AdmissionError, BookEvent, CloseReason, Ending, PeerSource};
use inner::{Core, View};
pub use save::RestoreError;
use slots::Phase;
pub use slots::{AddressSlot, BanSlot, ConnSlot};
pub use storage::{PeerBookParts, PeerBookPartsRef, PeerBookSlots, PeerBookStorage};
#[cfg(feature = "alloc")]
pub use storage_vec::{PeerBookLimits, PeerBookVec};

/// The known addresses of a torrent's peers, and the rules by which there are connections with some of them.
///
/// It has no sockets and sends nothing. The caller passes on what it learns, dials what
/// [`BookEvent::Dial`] names, and polls events and the timeout after each call:
///
/// * an address became known: [`add`](Self::add);
/// * a dial succeeded or failed: [`handle_dialled`](Self::handle_dialled),
///   [`handle_dial_failed`](Self::handle_dial_failed);
/// * a connection was accepted: [`handle_accepted`](Self::handle_accepted) before the torrent hears of it;
/// * [`Event::Connected`](crate::Event::Connected): [`handle_handshake`](Self::handle_handshake);
/// * [`Outcome::Block`](crate::Outcome::Block): [`handle_block`](Self::handle_block);
/// * the torrent or the peer closed a connection: [`handle_closed`](Self::handle_closed).
///
/// ```
/// use bittorrent_pieces::peer_book::*;
/// use bittorrent_pieces::{ConnId, PeerBook};
/// use core::time::Duration;
///
/// let storage = PeerBookSlots {
///     addresses: [AddressSlot::EMPTY; 64],
///     conns: [ConnSlot::EMPTY; 8],
///     bans: [BanSlot::EMPTY; 8],
/// };
/// let mut book = PeerBook::new(PeerBookConfig::new(7), storage)?;
/// let now = Duration::from_secs(1);
/// let addr = "192.0.2.1:6881".parse()?;
/// assert_eq!(book.add(now, addr, PeerSource::Tracker, false), Added::New);
/// book.handle_timeout(now); // `poll_timeout` said so
/// assert_eq!(book.poll_event(), Some(BookEvent::Dial { addr }));
/// assert_eq!(book.poll_event(), Some(BookEvent::AskSources)); // there is no peer yet
/// book.handle_dial_failed(now, addr);
/// book.handle_timeout(Duration::from_secs(15)); // after about ten seconds
/// assert_eq!(book.poll_event(), Some(BookEvent::Dial { addr }));
/// book.handle_dialled(Duration::from_secs(15), addr, ConnId(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PeerBook<S> {
    core: Core,
    storage: S,
}

impl<S: PeerBookStorage> PeerBook<S> {
    /// Creates a book without addresses. The storage is cleared.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Zero`] for a number or span that must not be zero.
    pub fn new(config: PeerBookConfig, mut storage: S) -> Result<Self, ConfigError> {
        config.validate()?;
        let parts = storage.parts();
        parts.addresses.fill(AddressSlot::EMPTY);
        parts.conns.fill(ConnSlot::EMPTY);
        parts.bans.fill(BanSlot::EMPTY);
        Ok(Self { core: Core::new(config), storage })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Adds an address. `seed` if its source says that the peer has everything.
    pub fn add(
        &mut self,
        now: Duration,
        addr: SocketAddr,
        source: PeerSource,
        seed: bool,
    ) -> Added {
        self.view().add(now, addr, source, seed)
    }

    /// Sets our own address as others see it, with the port on which we listen; one for each version of IP. It is
    /// never dialled, and priorities follow from it (BEP 40).
    pub fn set_own_address(&mut self, now: Duration, addr: SocketAddr) {
        self.core.advance_clock(now);
        self.view().set_external(addr);
    }

    /// Sets whether the torrent is complete. Then it is not hungry, and seeds are not dialled.
    pub fn set_complete(&mut self, now: Duration, complete: bool) {
        self.core.advance_clock(now);
        self.core.complete = complete;
        self.core.wake_dialler();
    }

    /// Reports that a dial succeeded.
    ///
    /// # Errors
    ///
    /// [`AdmissionError`]: close the connection.
    pub fn handle_dialled(
        &mut self,
        now: Duration,
        addr: SocketAddr,
        conn: ConnId,
    ) -> Result<(), AdmissionError> {
        self.view().dialled(now, addr, conn)
    }

    /// Reports that a dial failed. Unknown addresses are ignored.
    pub fn handle_dial_failed(&mut self, now: Duration, addr: SocketAddr) {
        self.view().dial_failed(now, addr);
    }

    /// Admits an accepted connection. To make room, [`BookEvent::Closed`] may follow for an older one: close that
    /// before the torrent gets the new one.
    ///
    /// # Errors
    ///
    /// [`AdmissionError`]: close the connection.
    pub fn handle_accepted(
        &mut self,
        now: Duration,
        conn: ConnId,
        addr: SocketAddr,
    ) -> Result<(), AdmissionError> {
        self.view().accept(now, conn, addr)
    }

    /// Reports the handshake of a peer. Unknown connections are ignored.
    pub fn handle_handshake(&mut self, now: Duration, conn: ConnId) {
        self.view().handshake(now, conn);
    }

    /// Reports the port on which a peer that dialled us listens, from its extended handshake (BEP 10). Its address
    /// becomes known. Unknown connections are ignored.
    pub fn handle_listens(&mut self, now: Duration, conn: ConnId, port: u16) {
        self.view().listens(now, conn, port);
    }

    /// Reports that a peer sent a block that was missing. It is dialled soon when it is lost. Unknown connections are
    /// ignored.
    pub fn handle_block(&mut self, now: Duration, conn: ConnId) {
        self.view().block(now, conn);
    }

    /// Reports that a connection ended. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId, ending: Ending) {
        self.view().closed(now, conn, ending);
    }

    /// Fires expired timers. Then poll events and the timeout.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.view().timeout(now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.next_deadline(self.storage.parts_ref().conns)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<BookEvent> {
        self.view().event()
    }

    /// Returns whether the torrent needs more peers: it is not complete, and fewer connections than
    /// [`PeerBookConfig::wanted`] are open.
    #[must_use]
    pub fn is_hungry(&self) -> bool {
        self.core.is_hungry(self.storage.parts_ref().conns)
    }

    /// Returns the known addresses.
    pub fn addresses(&self) -> Addresses<'_> {
        Addresses(self.storage.parts_ref().addresses.iter())
    }

    /// Returns the number of connections whose handshake was received.
    #[must_use]
    pub fn connected(&self) -> usize {
        let conns = self.storage.parts_ref().conns.iter().filter_map(|slot| slot.0);
        conns.filter(|conn| conn.phase == Phase::Open).count()
    }

    /// Returns whether an address is banned at the newest time seen.
    #[must_use]
    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        let addr = slots::canonical(addr);
        let bans = self.storage.parts_ref().bans.iter().filter_map(|slot| slot.0);
        bans.into_iter().any(|ban| ban.until > self.core.now && ban.covers(addr))
    }

    /// Returns the length of what [`encode`](Self::encode) writes, in bytes: 9 for an address of IPv4, 21 of IPv6, 12
    /// and 24 for a ban, and 8.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        save::encoded_len(self.storage.parts_ref(), self.core.now)
    }

    /// Writes the addresses and bans for a later run, and returns the length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] names [`encoded_len`](Self::encoded_len).
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        save::encode(self.storage.parts_ref(), self.core.now, out)
    }

    /// Adds what [`encode`](Self::encode) wrote, and returns the number of addresses added.
    ///
    /// # Errors
    ///
    /// [`RestoreError`]: the bytes are damaged, and nothing changed.
    pub fn restore(&mut self, now: Duration, bytes: &[u8]) -> Result<usize, RestoreError> {
        self.view().restore(now, bytes)
    }

    fn view(&mut self) -> View<'_> {
        View { core: &mut self.core, parts: self.storage.parts() }
    }
}

/// The addresses of a [`PeerBook`].
#[derive(Debug, Clone)]
pub struct Addresses<'a>(core::slice::Iter<'a, AddressSlot>);

impl Iterator for Addresses<'_> {
    type Item = KnownPeer;

    fn next(&mut self) -> Option<KnownPeer> {
        let entry = self.0.find_map(|slot| slot.0.as_ref())?;
        Some(KnownPeer {
            addr: entry.addr,
            failures: entry.failures,
            seed: entry.seed,
            in_use: entry.in_use,
        })
    }
}

/// An address of a [`PeerBook`], for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct KnownPeer {
    /// The address.
    pub addr: SocketAddr,
    /// Failed connections in a row.
    pub failures: u8,
    /// Whether the peer is said to have everything.
    pub seed: bool,
    /// Whether it is being dialled, or connected.
    pub in_use: bool,
}
