//! A client of one UDP tracker (BEP 15).

mod config;
mod event;
mod inner;
mod patience;
mod timers;

use core::time::Duration;

use super::announce::Announce;
use super::udp::TransactionId;
use crate::error::{BufferTooSmall, Full};
use crate::id::InfoHash;
pub use config::{ConfigError, MAX_PATH_LEN, UdpConfig};
pub use event::{DatagramError, Transmit, UdpEvent, UdpOutcome};
pub use inner::UdpSlot;
use inner::{Core, Question};

/// A client of one UDP tracker: connects, retransmits after 15, 30, .. 3,840 seconds, and connects again when
/// the connection id is a minute old (BEP 15).
///
/// The number of slots is that of the requests in flight. The caller sends what
/// [`poll_transmit`](Self::poll_transmit) returns to the tracker's address, and passes what arrives from that
/// address, and from no other, to [`handle_datagram`](Self::handle_datagram).
///
/// ```
/// use bittorrent_pieces::tracker::{Announce, Transmit, UdpConfig, UdpSlot, UdpTracker};
/// use bittorrent_pieces::{InfoHash, PeerId};
/// use core::time::Duration;
///
/// let mut tracker = UdpTracker::new(UdpConfig::new(7), [UdpSlot::EMPTY; 2])?;
/// let announce = Announce::started(InfoHash([1; 20]), PeerId([2; 20]), 6881, 1 << 20);
/// let request = tracker.announce(Duration::ZERO, announce)?;
/// let mut buf = [0; 98];
/// assert_eq!(tracker.poll_transmit(&mut buf)?, Some(Transmit { len: 16 })); // a connect request
/// assert_eq!(tracker.poll_timeout(), Some(Duration::from_secs(15)));
/// assert!(tracker.cancel(Duration::ZERO, request));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UdpTracker<P, S> {
    core: Core<P>,
    slots: S,
}

impl<P: AsRef<[u8]>, S: AsRef<[UdpSlot]> + AsMut<[UdpSlot]>> UdpTracker<P, S> {
    /// Creates a client without requests. `slots` is cleared.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]
    pub fn new(config: UdpConfig<P>, mut slots: S) -> Result<Self, ConfigError> {
        config.validate()?;
        slots.as_mut().fill(UdpSlot::EMPTY);
        Ok(Self { core: Core::new(config), slots })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.slots
    }

    /// Announces a peer and asks for others. Returns the id of the request, which its outcome names.
    ///
    /// # Errors
    ///
    /// [`Full`] if all slots are in use: wait for a response, or cancel a request.
    pub fn announce(&mut self, now: Duration, announce: Announce) -> Result<TransactionId, Full> {
        self.core.ask(self.slots.as_mut(), now, Question::Announce(announce))
    }

    /// Asks for the statistics of a torrent. Returns the id of the request, which its outcome names.
    ///
    /// # Errors
    ///
    /// [`Full`] if all slots are in use: wait for a response, or cancel a request.
    pub fn scrape(&mut self, now: Duration, torrent: InfoHash) -> Result<TransactionId, Full> {
        self.core.ask(self.slots.as_mut(), now, Question::Scrape(torrent))
    }

    /// Cancels a request; returns whether it was in flight. A response to it will be dropped.
    pub fn cancel(&mut self, now: Duration, request: TransactionId) -> bool {
        self.core.cancel(self.slots.as_mut(), now, request)
    }

    /// Processes a datagram from the tracker. Then poll transmits, events and the timeout.
    ///
    /// # Errors
    ///
    /// [`DatagramError`]: the datagram is dropped, and nothing changed.
    pub fn handle_datagram<'a>(
        &mut self,
        now: Duration,
        bytes: &'a [u8],
    ) -> Result<UdpOutcome<'a>, DatagramError> {
        self.core.handle_datagram(self.slots.as_mut(), now, bytes)
    }

    /// Fires expired timers. Then poll transmits, events and the timeout.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.core.advance_clock(self.slots.as_mut(), now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.next_deadline(self.slots.as_ref())
    }

    /// Writes the next datagram for the tracker; `None` if nothing is due. Time counts from the newest `now` of any
    /// call.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. 98 bytes, and [`url_data_len`](super::udp::url_data_len) more for
    /// a path, always suffice.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let len = self.core.transmit(self.slots.as_mut(), buf)?;
        Ok(len.map(|len| Transmit { len }))
    }

    /// Returns the next event; `None` once all were returned.
    pub fn poll_event(&mut self) -> Option<UdpEvent> {
        inner::next_event(self.slots.as_mut())
    }

    /// Returns the number of requests in flight.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.as_ref().iter().filter(|slot| slot.is_used()).count()
    }

    /// Returns whether no request is in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
