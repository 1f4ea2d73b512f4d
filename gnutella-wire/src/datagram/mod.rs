//! A servent over UDP: pings, query keys, queries that are asked host by host (GUESS), and hits out of
//! band (`OOB`).
//!
//! | to | with |
//! |---|---|
//! | search by asking ultrapeers one after the other | [`Datagrams::add_host`], [`Datagrams::search`] |
//! | receive hits by datagram for a search that a [`Servent`](crate::Servent) sends | [`Datagrams::expect_hits`] |
//! | answer queries by datagram | [`DatagramConfig::answers_queries`], [`Datagrams::answer`] |
//! | offer hits for a query that came over a connection | [`Datagrams::offer`] |
//!
//! The sender of a datagram can be forged. So an address that has not shown a query key is never sent more
//! bytes than came from it: a ping that is shorter than its answer is answered when it is repeated. Hits go
//! only to addresses that have shown a key.
//!
//! A query is delivered to the application, which answers for its own files, asks its leaves with
//! [`Servent::ask_leaves`](crate::Servent::ask_leaves), and passes on their hits with [`Datagrams::answer`].

mod config;
mod event;
mod keys;
mod logic;
mod peer;
mod search;
mod storage;
mod timers;
mod transmit;

use core::net::SocketAddrV4;
use core::time::Duration;

use crate::error::{BufferTooSmall, ConfigError};
use crate::id::Guid;
use crate::rng::Rng;
use crate::wire::{Message, Payload, Query, QueryHit};

pub use config::DatagramConfig;
pub use event::{AnswerError, DatagramError, DatagramEvent, DatagramTransmit, SearchError};
pub use peer::PeerSlot;
pub use search::SearchSlot;
#[cfg(feature = "alloc")]
pub use storage::{DatagramLimits, DatagramVec};
pub use storage::{DatagramParts, DatagramPartsRef, DatagramSlots, DatagramStorage};

use logic::{Core, State, seconds};
use search::{MAX_SEARCHES, Search};
use timers::Timer;

/// The datagrams of a servent. `S` is its storage: [`DatagramSlots`], or on the heap `DatagramVec`.
///
/// After any call: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until both
/// return `None`, then [`poll_timeout`](Self::poll_timeout).
///
/// A search of one servent at another, which first gives it a key:
///
/// ```
/// use core::{net::{Ipv4Addr, SocketAddrV4}, time::Duration};
/// use gnutella_wire::datagram::{DatagramConfig, DatagramSlots, Datagrams, PeerSlot, SearchSlot};
/// use gnutella_wire::wire::{Payload, Query};
/// use gnutella_wire::{Guid, ServentId, Text};
///
/// let at = |host| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346);
/// let servent = |host: u8| {
///     let mut config = DatagramConfig::new(ServentId([host; 16]), at(host), [host; 16]);
///     config.answers_queries = true;
///     let slots = DatagramSlots { peers: [PeerSlot::EMPTY; 8], searches: [SearchSlot::EMPTY; 2] };
///     Datagrams::new(config, slots)
/// };
/// let (mut ann, mut ben) = (servent(1)?, servent(2)?);
/// assert!(ann.add_host(Duration::ZERO, at(2)));
/// ann.search(Duration::ZERO, Guid([9; 16]), &Query::new(Text::new(b"hey jude").expect("no NUL")))?;
///
/// let (mut now, mut buf, mut found) = (Duration::ZERO, [0; 320], None);
/// while found.is_none() {
///     now = ann.poll_timeout().expect("a search is under way").max(now);
///     ann.handle_timeout(now);
///     while let Some(sent) = ann.poll_transmit(&mut buf)? {
///         if let Ok(Some(message)) = ben.handle_datagram(now, at(1), &buf[..sent.len])
///             && let Payload::Query(query) = message.payload
///         {
///             found = Some(query.text.to_string());
///         }
///         while let Some(sent) = ben.poll_transmit(&mut buf)? {
///             ann.handle_datagram(now, at(2), &buf[..sent.len])?;
///         }
///     }
/// }
/// assert_eq!(found.as_deref(), Some("hey jude"));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Datagrams<S> {
    state: State,
    storage: S,
}

impl<S> Datagrams<S> {
    /// The length of a buffer for any [`poll_transmit`](Self::poll_transmit), in bytes.
    pub const MAX_TRANSMIT_LEN: usize = transmit::MAX_TRANSMIT_LEN;

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Returns the configuration.
    #[must_use]
    pub const fn config(&self) -> &DatagramConfig {
        &self.state.config
    }

    /// Changes the address that pongs carry.
    pub const fn set_address(&mut self, address: SocketAddrV4) {
        self.state.config.address = address;
    }

    /// Sets how many files and kilobytes are shared, which pongs report.
    pub const fn set_shared(&mut self, files: u32, kilobytes: u32) {
        self.state.config.files = files;
        self.state.config.kilobytes = kilobytes;
    }
}

impl<S: DatagramStorage> Datagrams<S> {
    /// Creates a machine that knows no addresses, and clears `storage`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the configuration contradicts itself.
    pub fn new(config: DatagramConfig, mut storage: S) -> Result<Self, ConfigError> {
        config.validate()?;
        let parts = storage.parts();
        parts.peers.fill(PeerSlot::EMPTY);
        parts.searches.fill(SearchSlot::EMPTY);
        let rng = Rng::new(config.seed ^ config.servent.seed());
        Ok(Self { state: State { config, now: Duration::ZERO, rng, reachable: false }, storage })
    }

    /// Adds a host that answers queries by datagram, to be asked in searches. Returns whether there is
    /// room: not if all slots are those of hosts, or owed something.
    pub fn add_host(&mut self, now: Duration, address: SocketAddrV4) -> bool {
        self.advance_clock(now);
        self.core().add_host(address)
    }

    /// Searches: asks the known hosts one after the other, each once, until there are enough hits. Hits
    /// arrive through [`handle_datagram`](Self::handle_datagram).
    ///
    /// # Errors
    ///
    /// [`SearchError`]; nothing changed.
    pub fn search(
        &mut self,
        now: Duration,
        guid: Guid,
        query: &Query<'_>,
    ) -> Result<(), SearchError> {
        let at = self.state.now.max(now);
        let search = Search::asking(at, guid, query)?;
        self.start(at, search)
    }

    /// Accepts hits by datagram for a query that a [`Servent`](crate::Servent) sends. Its GUID has this
    /// servent's address in bytes 0 to 3 and its port, little-endian, in bytes 13 and 14, and its flags
    /// say that hits out of band are understood. Hits are accepted for 10 minutes.
    ///
    /// # Errors
    ///
    /// [`SearchError`]; nothing changed.
    pub fn expect_hits(&mut self, now: Duration, guid: Guid) -> Result<(), SearchError> {
        let at = self.state.now.max(now);
        self.start(at, Search::expecting(at, guid))
    }

    /// Ends a search. [`DatagramEvent::SearchEnded`] reports it. Unknown ones are ignored.
    pub fn stop_search(&mut self, now: Duration, guid: Guid) {
        self.advance_clock(now);
        let parts = self.storage.parts();
        let searches = parts.searches.iter_mut().filter_map(SearchSlot::live_mut);
        searches.filter(|search| search.guid == guid).for_each(|search| search.ended = true);
    }

    /// Offers hits for a query to the address that it names. [`DatagramEvent::HitsWanted`] reports that
    /// they are wanted.
    ///
    /// # Errors
    ///
    /// [`AnswerError::NoKey`] if that address has not shown a query key to this servent: answer over the
    /// connection instead. Nothing changed.
    pub fn offer(
        &mut self,
        now: Duration,
        to: SocketAddrV4,
        guid: Guid,
        records: u8,
    ) -> Result<(), AnswerError> {
        let at = self.state.now.max(now);
        let mut core = self.core();
        let peer = core.peer(to).filter(|peer| peer.is_proved(seconds(at)));
        peer.ok_or(AnswerError::NoKey(to))?.offer = Some((guid, records));
        self.state.now = at;
        Ok(())
    }

    /// Writes a hit into `buf` for a sender of a query by datagram.
    ///
    /// # Errors
    ///
    /// [`AnswerError`]; nothing changed.
    pub fn answer(
        &mut self,
        now: Duration,
        to: SocketAddrV4,
        guid: Guid,
        hit: &QueryHit<'_>,
        buf: &mut [u8],
    ) -> Result<DatagramTransmit, AnswerError> {
        let at = self.state.now.max(now);
        let mut core = self.core();
        let proved = core.peer(to).is_some_and(|peer| peer.is_proved(seconds(at)));
        if !proved {
            return Err(AnswerError::NoKey(to));
        }
        let message = Message { guid, ttl: 1, hops: 0, payload: Payload::QueryHit(*hit) };
        let len = message.encode(buf)?;
        self.state.now = at;
        Ok(DatagramTransmit { to, len })
    }

    /// Handles one datagram. Returns the message if it is for the application: a query to
    /// [`answer`](Self::answer), a hit, a push, a pong that was asked for, or a vendor message.
    ///
    /// # Errors
    ///
    /// [`DatagramError`]: dropped; nothing changed.
    pub fn handle_datagram<'b>(
        &mut self,
        now: Duration,
        from: SocketAddrV4,
        bytes: &'b [u8],
    ) -> Result<Option<Message<'b>>, DatagramError> {
        let before = self.state.now;
        self.advance_clock(now);
        let handled = self.core().handle_datagram(from, bytes);
        if handled.is_err() {
            self.state.now = before;
        }
        handled
    }

    /// Fires expired timers: asks the next hosts, and gives up those that do not answer. Early, late and
    /// repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.advance_clock(now);
        let mut core = self.core();
        for timer in Timer::ALL {
            core.fire(timer);
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due, on the caller's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let parts = self.storage.parts_ref();
        Timer::ALL.iter().filter_map(|timer| timer.deadline(&parts)).min()
    }

    /// Writes the next datagram into `buf`: pongs, keys, requests for keys, and queries.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. [`MAX_TRANSMIT_LEN`](Self::MAX_TRANSMIT_LEN) bytes are
    /// always enough.
    pub fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<DatagramTransmit>, BufferTooSmall> {
        self.core().poll_transmit(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<DatagramEvent> {
        self.core().poll_event()
    }

    fn start(&mut self, at: Duration, search: Search) -> Result<(), SearchError> {
        let mut core = self.core();
        let guid = search.guid;
        let is_known = |slot: &SearchSlot| slot.0.as_ref().is_some_and(|known| known.guid == guid);
        if core.searches.iter().any(is_known) {
            return Err(SearchError::InUse(guid));
        }
        let capacity = core.searches.len().min(MAX_SEARCHES);
        core.start(search).ok_or(SearchError::Full { capacity })?;
        self.state.now = at;
        Ok(())
    }

    fn core(&mut self) -> Core<'_> {
        let Self { state, storage } = self;
        let DatagramParts { peers, searches } = storage.parts();
        Core { state, peers, searches }
    }

    fn advance_clock(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
    }
}
