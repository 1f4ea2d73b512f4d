//! A client of one UDP tracker (BEP 15).

mod state;

use core::fmt;
use core::time::Duration;

use thiserror::Error;

use super::udp::{PacketError, TransactionId};
use super::{Announce, ScrapeStats};
use crate::{BufferTooSmall, CompactPeers, Family, InfoHash};
use state::Core;
pub use state::UdpSlot;

/// Asks one UDP tracker: connects, repeats what stays unanswered after 15, 30, .. 3,840 seconds, and
/// connects anew when the connection id is a minute old (BEP 15).
///
/// The slots say how many requests may be under way. The caller sends what
/// [`poll_transmit`](Self::poll_transmit) gives to the tracker's address, and hands in what comes
/// from that address and no other.
///
/// ```
/// use bittorrent_pieces::tracker::*;
/// use bittorrent_pieces::{InfoHash, PeerId};
/// use core::time::Duration;
///
/// let mut tracker = UdpTracker::new(UdpConfig::new(7), [UdpSlot::EMPTY; 2]);
/// let announce = Announce::started(InfoHash([1; 20]), PeerId([2; 20]), 6881, 1 << 20);
/// tracker.announce(Duration::ZERO, announce)?;
/// let mut buf = [0; 98];
/// assert_eq!(tracker.poll_transmit(&mut buf)?, Some(16)); // a connect request
/// assert_eq!(tracker.poll_timeout(), Some(Duration::from_secs(15)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct UdpTracker<'t, S> {
    core: Core<'t>,
    slots: S,
}

/// How a client of a UDP tracker behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpConfig<'t> {
    /// For transaction ids. Nobody else should know it: who guesses an id can forge an answer.
    pub seed: u64,
    /// The version of IP that the socket speaks: it decides how peers are spelt.
    pub family: Family,
    /// Path and query of the tracker's URL, sent with each announce (BEP 41); may be empty.
    pub path: &'t [u8],
}

impl UdpConfig<'_> {
    /// Returns the configuration for IPv4 and a URL without a path.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, family: Family::V4, path: &[] }
    }
}

/// What a datagram told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UdpHandled<'a> {
    /// A connection id; requests follow.
    Connected,
    /// The tracker refuses to connect. The client asks again when the answer would have been given
    /// up; to stop, cancel the requests.
    ConnectRefused {
        /// Why, for people.
        text: &'a [u8],
    },
    /// Peers. The request is done.
    Announced {
        /// The request.
        request: TransactionId,
        /// How long to wait before the next announce.
        interval: Duration,
        /// Peers that lack some of the torrent.
        leechers: u32,
        /// Peers that have all of it.
        seeders: u32,
        /// Some of them.
        peers: CompactPeers<'a>,
    },
    /// Numbers. The request is done.
    Scraped {
        /// The request.
        request: TransactionId,
        /// The numbers.
        stats: ScrapeStats,
    },
    /// The tracker refused a request, which is done. The next one begins with a new connection id.
    Refused {
        /// The request.
        request: TransactionId,
        /// Why, for people.
        text: &'a [u8],
    },
}

/// What the passing of time brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UdpEvent {
    /// A request was repeated as often as BEP 15 says and never answered. It is done.
    TimedOut {
        /// The request.
        request: TransactionId,
    },
}

/// A datagram that answers nothing. It was ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// No packet of this protocol.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// No such request is under way, or it is of another kind.
    #[error("nothing was asked with transaction id {0}")]
    Unexpected(TransactionId),
}

/// All slots are taken: wait for an answer, or cancel a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("all {0} requests are under way")]
pub struct UdpTrackerFull(pub usize);

impl<'t, S: AsRef<[UdpSlot]> + AsMut<[UdpSlot]>> UdpTracker<'t, S> {
    /// Creates a client that has nothing to ask. `slots` is cleared.
    #[must_use]
    pub fn new(config: UdpConfig<'t>, mut slots: S) -> Self {
        slots.as_mut().fill(UdpSlot::EMPTY);
        Self { core: Core::new(config), slots }
    }

    /// Asks for peers. Returns the name of the request, by which it is answered.
    ///
    /// # Errors
    ///
    /// [`UdpTrackerFull`]
    pub fn announce(
        &mut self,
        now: Duration,
        announce: Announce,
    ) -> Result<TransactionId, UdpTrackerFull> {
        self.core.ask(self.slots.as_mut(), now, state::What::Announce(announce))
    }

    /// Asks for the numbers of a torrent. Returns the name of the request, by which it is answered.
    ///
    /// # Errors
    ///
    /// [`UdpTrackerFull`]
    pub fn scrape(
        &mut self,
        now: Duration,
        torrent: InfoHash,
    ) -> Result<TransactionId, UdpTrackerFull> {
        self.core.ask(self.slots.as_mut(), now, state::What::Scrape(torrent))
    }

    /// Forgets a request; returns whether it was under way. An answer to it will be ignored.
    pub fn cancel(&mut self, now: Duration, request: TransactionId) -> bool {
        self.core.cancel(self.slots.as_mut(), now, request)
    }

    /// Takes in a datagram from the tracker. Then poll transmits, events and the timeout.
    ///
    /// # Errors
    ///
    /// [`DatagramError`]: it answers nothing, and nothing changed.
    pub fn handle_datagram<'a>(
        &mut self,
        now: Duration,
        bytes: &'a [u8],
    ) -> Result<UdpHandled<'a>, DatagramError> {
        self.core.handle_datagram(self.slots.as_mut(), now, bytes)
    }

    /// Takes in the time. Then poll transmits, events and the timeout.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.core.see(self.slots.as_mut(), now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.poll_timeout(self.slots.as_ref())
    }

    /// Writes the next datagram for the tracker and returns its length in bytes, until there is
    /// none. Time counts from the newest `now` of any call.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. 98 bytes, and [`url_data_len`](super::udp::url_data_len)
    /// more for a path, always suffice.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        self.core.poll_transmit(self.slots.as_mut(), buf)
    }

    /// Returns what happened, until there is nothing.
    pub fn poll_event(&mut self) -> Option<UdpEvent> {
        self.core.poll_event(self.slots.as_mut())
    }

    /// Returns how many requests are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.as_ref().iter().filter(|slot| slot.is_used()).count()
    }

    /// Returns whether no request is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for UdpEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { request } => write!(f, "TIMED OUT transaction={request}"),
        }
    }
}
