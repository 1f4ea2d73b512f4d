//! Uploads: slots, a queue, and equal shares of the bandwidth.

mod answers;
mod bucket;
mod config;
mod event;
mod logic;
mod requests;
mod share;
mod slots;
mod timers;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use crate::error::{BufferTooSmall, ConfigError};
use crate::huge::{Sha1, TigerRoot};
use crate::machine::{ConnId, ConnectError, NotConnected, Received, Transmit};

pub use config::UploadConfig;
pub use event::{Asked, UploadCloseReason, UploadError, UploadEvent};
pub use slots::UploadSlot;

use logic::{Core, State};

/// The uploads of a servent, over one slot for each connection.
///
/// The machine reads requests, the application names the file, and the machine reports when
/// which bytes of it are to be sent.
///
/// After any call: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until
/// both return `None`, then [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// use core::{net::Ipv4Addr, time::Duration};
/// use gnutella_wire::ConnId;
/// use gnutella_wire::transfer::{Offer, UploadConfig, UploadEvent, UploadSlot, Uploads};
///
/// let mut uploads = Uploads::new(UploadConfig::CUSTOMARY, [UploadSlot::EMPTY; 4])?;
/// let (now, conn) = (Duration::ZERO, ConnId(0));
/// uploads.handle_connected(now, conn, Ipv4Addr::LOCALHOST)?;
///
/// let request = b"GET /get/1/whisper.txt HTTP/1.1\r\nRange: bytes=2-\r\n\r\n";
/// let asked = uploads.handle_bytes(now, conn, request)?.outcome.expect("a request");
/// println!("{}", asked.request); // GET /get/1/whisper.txt HTTP/1.1
///
/// let mut head = [0; 512];
/// let len = uploads.offer(now, conn, &Offer::new(1, 5), &mut head)?;
/// assert!(head[..len].starts_with(b"HTTP/1.1 206 "));
/// let event = uploads.poll_event();
/// assert_eq!(event, Some(UploadEvent::Send { conn, file: 1, offset: 2, len: 3 }));
/// uploads.handle_sent(now, conn)?; // bytes 2 to 4 of file 1 are written to the socket
/// assert_eq!(uploads.poll_event(), Some(UploadEvent::Sent { conn, file: 1, len: 3 }));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploads<S> {
    state: State,
    slots: S,
}

/// A file that answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer<'a> {
    /// The caller's number of the file; events repeat it.
    pub file: u32,
    /// The size, in bytes.
    pub size: u64,
    /// The SHA-1 hash, if it is known.
    pub sha1: Option<Sha1>,
    /// The root of the Tiger tree, if the tree can be had by `/uri-res/N2X?urn:sha1:..`.
    pub root: Option<TigerRoot>,
    /// The parts that are there, as first byte and length; none means all.
    pub available: Option<&'a [(u64, u64)]>,
    /// Others that have the file. Ten are named.
    pub alternates: &'a [SocketAddrV4],
    /// The media type.
    pub media_type: &'a str,
    /// Whether it takes an upload slot. A tree or a list does not.
    pub takes_slot: bool,
}

impl Offer<'_> {
    /// Offers a whole file of which no hash is known.
    #[must_use]
    pub const fn new(file: u32, size: u64) -> Self {
        Self {
            file,
            size,
            sha1: None,
            root: None,
            available: None,
            alternates: &[],
            media_type: "application/binary",
            takes_slot: true,
        }
    }
}

impl<S> Uploads<S> {
    /// The length of a buffer for any message of [`poll_transmit`](Self::poll_transmit), in bytes.
    pub const MAX_TRANSMIT_LEN: usize = 128;

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[UploadSlot]> + AsMut<[UploadSlot]>> Uploads<S> {
    /// Begins without connections, and clears `slots`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a duration or a number is zero.
    pub fn new(config: UploadConfig, mut slots: S) -> Result<Self, ConfigError> {
        config.validate()?;
        slots.as_mut().fill(UploadSlot::EMPTY);
        Ok(Self { state: State::new(config), slots })
    }

    /// Handles a connection from `ip`, on which requests come: an accepted one, or one that followed a
    /// push.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] also if `ip` has as many connections as the configuration allows; nothing changed.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        ip: Ipv4Addr,
    ) -> Result<(), ConnectError> {
        let mut core = self.core();
        let index = core.slot_for(conn, ip)?;
        core.advance_clock(now);
        core.connected(index, conn, ip);
        Ok(())
    }

    /// Handles bytes from the front of the receive buffer of a connection. The outcome is a request: call
    /// [`offer`](Self::offer) or [`refuse`](Self::refuse). Nothing consumed means: wait for more bytes,
    /// or, if a whole request is there, until the answer to the previous one is sent.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]; nothing changed.
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<Asked<'b>>, NotConnected> {
        let mut core = self.core();
        let index = core.find(conn).ok_or(NotConnected(conn))?;
        core.advance_clock(now);
        Ok(core.handle_bytes(index, bytes))
    }

    /// Answers a request with a file: writes the head of the answer to `buf` and returns its length. The
    /// answer may also be that the servent is busy, or that it does not have this part.
    ///
    /// # Errors
    ///
    /// [`UploadError`]; nothing changed.
    pub fn offer(
        &mut self,
        now: Duration,
        conn: ConnId,
        offer: &Offer<'_>,
        buf: &mut [u8],
    ) -> Result<usize, UploadError> {
        let mut core = self.core();
        let index = core.expect_asked(conn)?;
        core.offer(now, index, offer, buf)
    }

    /// Answers a request with a status and no body: a refusal such as 404, or 202 where a push was
    /// [passed on](crate::http::PushProxy). Writes the head to `buf` and returns its length.
    ///
    /// # Errors
    ///
    /// [`UploadError`]; nothing changed.
    pub fn refuse(
        &mut self,
        now: Duration,
        conn: ConnId,
        status: u16,
        reason: &str,
        buf: &mut [u8],
    ) -> Result<usize, UploadError> {
        let mut core = self.core();
        let index = core.expect_asked(conn)?;
        core.refuse(now, index, status, reason, buf)
    }

    /// Reports that the bytes of the last [`UploadEvent::Send`] are written to the socket.
    ///
    /// # Errors
    ///
    /// [`UploadError`]; nothing changed.
    pub fn handle_sent(&mut self, now: Duration, conn: ConnId) -> Result<(), UploadError> {
        let mut core = self.core();
        let index = core.expect_sending(conn)?;
        core.advance_clock(now);
        core.sent(index);
        Ok(())
    }

    /// Removes a closed connection. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        let mut core = self.core();
        core.advance_clock(now);
        core.closed(conn);
    }

    /// Fires expired timers.
    pub fn handle_timeout(&mut self, now: Duration) {
        let mut core = self.core();
        core.advance_clock(now);
        core.handle_timeout();
    }

    /// Writes the next message of the machine itself, a refusal of what was not a request.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. [`MAX_TRANSMIT_LEN`](Self::MAX_TRANSMIT_LEN) bytes are
    /// always enough.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.core().poll_transmit(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<UploadEvent> {
        self.core().poll_event()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        timers::next(&self.state, self.slots.as_ref())
    }

    /// Returns how many uploads take a slot.
    #[must_use]
    pub fn active(&self) -> usize {
        logic::active(self.slots.as_ref())
    }

    /// Returns how many connections wait for a slot.
    #[must_use]
    pub fn queued(&self) -> usize {
        logic::queued(self.slots.as_ref())
    }

    /// Returns whether a further upload would have to wait: what hits report as busy.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.active() >= usize::from(self.state.config.slots)
    }

    fn core(&mut self) -> Core<'_> {
        Core { state: &mut self.state, slots: self.slots.as_mut() }
    }
}
