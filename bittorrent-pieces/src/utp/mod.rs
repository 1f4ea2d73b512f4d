//! uTP (BEP 29): reliable streams over one UDP socket that yield to other traffic (LEDBAT, RFC 6817).
//!
//! [`UtpEndpoint`] is the machine: many connections over one socket. [`Packet`] is the codec.
//!
//! # Defences
//!
//! | against | rule |
//! |---|---|
//! | floods of SYNs | a SYN is answered and not stored; a connection takes a slot after the peer has acknowledged the answer |
//! | reflection | an address that has proved nothing receives one datagram of 20 bytes for each of its own |
//! | one host with many connections | a share for each network (IPv4 /24, IPv6 /64), and an equal share of the memory for each connection |
//! | forged RESET | it must name an id and a packet that was just sent |
//! | acknowledgements of what was not sent | the packet is dropped |
//! | packets far outside of the window | the packet is dropped |
//! | repeated first packets of ended connections | the last 16 ended connections are remembered |
//!
//! A host that can read the traffic can forge it: uTP has no cryptography.

mod acks;
mod config;
mod congestion;
mod cookie;
mod cursor;
mod event;
mod inner;
mod mtu;
mod packet;
mod receive;
mod reply;
mod ring;
mod rtt;
mod slot;
mod storage;
mod timers;
mod transmit;

use core::net::SocketAddr;
use core::time::Duration;

use crate::error::{BufferTooSmall, Full, NotConnected};
use crate::id::ConnId;
pub use config::{ConfigError, UtpConfig};
pub use event::{CloseReason, DatagramError, Transmit, UtpEvent};
use inner::{Core, View};
pub use packet::{Extension, Extensions, ExtensionsIter, Packet, PacketError, PacketKind, Sack};
pub use slot::{MAX_LEN, PacketSlot, ReorderSlot, UtpSlot};
#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
pub use storage::{UtpLimits, UtpVec};
pub use storage::{UtpParts, UtpPartsRef, UtpSlots, UtpStorage};

/// Streams over one UDP socket.
///
/// The caller owns the socket. It passes what arrives to [`handle_datagram`](Self::handle_datagram), with the address
/// it came from, and sends what [`poll_transmit`](Self::poll_transmit) returns. Handle all datagrams that have arrived
/// before the next transmit: then one packet acknowledges all of them. Other protocols may share the socket; their
/// datagrams are refused with [`DatagramError::Packet`].
///
/// The side that dials must write first, as BitTorrent does: the other side learns of the connection from its data.
///
/// ```
/// use bittorrent_pieces::utp::*;
/// use core::time::Duration;
///
/// let addrs = ["192.0.2.1:6881".parse()?, "192.0.2.2:6881".parse()?];
/// let limits = UtpLimits { conns: 1, ..UtpLimits::default() };
/// let mut ends = [1, 2].map(|key| UtpEndpoint::new(UtpConfig::new([key; 16]), UtpVec::new(limits)).unwrap());
/// let conn = ends[0].connect(Duration::ZERO, addrs[1])?;
/// ends[0].write(conn, b"hello")?;
/// let mut received = Vec::new();
/// for millis in 0..10 {
///     let now = Duration::from_millis(millis);
///     for (from, to) in [(0, 1), (1, 0)] {
///         let mut buf = [0; MAX_LEN];
///         while let Some(sent) = ends[from].poll_transmit(&mut buf)? {
///             ends[to].handle_datagram(now, addrs[from], &buf[..sent.len])?;
///         }
///     }
///     while let Some(event) = ends[1].poll_event() {
///         let UtpEvent::Readable { conn } = event else { continue };
///         let mut buf = [0; 100];
///         let len = ends[1].read(conn, &mut buf)?;
///         received.extend_from_slice(&buf[..len]);
///     }
/// }
/// assert_eq!(received, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UtpEndpoint<S> {
    core: Core,
    storage: S,
}

impl<S: UtpStorage> UtpEndpoint<S> {
    /// Creates an endpoint without connections. The storage is cleared.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]
    pub fn new(config: UtpConfig, mut storage: S) -> Result<Self, ConfigError> {
        let parts = storage.parts();
        config.validate(&parts)?;
        parts.conns.fill(UtpSlot::EMPTY);
        parts.packets.fill(PacketSlot::EMPTY);
        parts.reorder.fill(ReorderSlot::EMPTY);
        parts.send.fill(0);
        parts.receive.fill(0);
        Ok(Self { core: Core::new(config), storage })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Dials a peer. [`UtpEvent::Connected`] or [`UtpEvent::Closed`] follows; a SYN is repeated for 15 s. Data may be
    /// written at once.
    ///
    /// # Errors
    ///
    /// [`Full`] if all slots are in use.
    pub fn connect(&mut self, now: Duration, to: SocketAddr) -> Result<ConnId, Full> {
        self.view().connect(now, to)
    }

    /// Stores bytes to be sent; returns how many were taken. If that is fewer than given, [`UtpEvent::Writable`]
    /// follows. After [`close`](Self::close) it is 0.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]
    pub fn write(&mut self, conn: ConnId, bytes: &[u8]) -> Result<usize, NotConnected> {
        let mut view = self.view();
        let mut cursor = view.conn(conn).ok_or(NotConnected(conn))?;
        Ok(cursor.write(bytes))
    }

    /// Takes received bytes; returns how many, 0 if none are there. Then poll transmits: the peer may wait for room.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]
    pub fn read(&mut self, conn: ConnId, out: &mut [u8]) -> Result<usize, NotConnected> {
        let mut view = self.view();
        let mut cursor = view.readable(conn).ok_or(NotConnected(conn))?;
        Ok(cursor.read(out))
    }

    /// Ends our side of a connection after all that was written. [`UtpEvent::Closed`] follows once the peer has
    /// acknowledged it, or does not answer, or after a minute.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]
    pub fn close(&mut self, conn: ConnId) -> Result<(), NotConnected> {
        let mut view = self.view();
        let cursor = view.conn(conn).ok_or(NotConnected(conn))?;
        cursor.conn.outgoing.closing = true;
        Ok(())
    }

    /// Ends a connection at once, without an event, and sends a RESET. Data that was not sent or read is dropped.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]
    pub fn abort(&mut self, conn: ConnId) -> Result<(), NotConnected> {
        if self.view().abort(conn) { Ok(()) } else { Err(NotConnected(conn)) }
    }

    /// Processes a datagram; returns the connection it belongs to. Then poll events, transmits and the timeout.
    ///
    /// # Errors
    ///
    /// [`DatagramError`]: the datagram is dropped, and nothing changed.
    pub fn handle_datagram(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<Option<ConnId>, DatagramError> {
        self.view().datagram(now, from, bytes)
    }

    /// Handles that the socket refused a datagram to this address as too long for the path. It is not lost: the
    /// connection finds out by a timeout, and sends it again without asking for no fragmentation.
    pub fn handle_too_big(&mut self, to: SocketAddr, len: usize) {
        self.view().too_big(to, len);
    }

    /// Fires expired timers. Call it before [`poll_transmit`](Self::poll_transmit) too: packets carry the newest time of
    /// any call, and the peer measures delays by it.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.view().fire_expired(now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let slots = self.storage.parts_ref().conns.iter();
        slots.filter_map(|slot| slot.0.as_ref()?.next_deadline()).min()
    }

    /// Writes the next datagram. The connections take turns.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with [`MAX_LEN`] bytes.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.view().transmit(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<UtpEvent> {
        self.view().event()
    }

    /// Returns the address of a peer.
    #[must_use]
    pub fn peer(&self, conn: ConnId) -> Option<SocketAddr> {
        let mut slots = self.storage.parts_ref().conns.iter().filter_map(|slot| slot.0.as_ref());
        slots.find(|it| it.id == conn).map(|it| it.addr)
    }

    /// Returns the number of connections, those that are being opened or closed included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.storage.parts_ref().conns.iter().filter(|slot| slot.0.is_some()).count()
    }

    /// Returns whether there are no connections.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn view(&mut self) -> View<'_> {
        View { core: &mut self.core, parts: self.storage.parts() }
    }
}

/// The vectors of uTP, for the tests of the parts that are not public.
#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a malformed table fails the test")]
mod vectors {
    const TABLE: &str = include_str!("../../tests/data/utp.txt");

    /// Returns the rows that begin with a word.
    pub(super) fn rows(kind: &str) -> impl Iterator<Item = std::vec::Vec<&'static str>> {
        let rows = TABLE.lines().map(|line| line.split(' ').collect::<std::vec::Vec<_>>());
        rows.filter(move |row| row[0] == kind)
    }
}
