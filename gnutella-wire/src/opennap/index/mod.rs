//! The index: a machine that knows who shares what, and answers searches.

mod config;
mod downloads;
mod entries;
mod event;
mod files;
mod key;
mod link;
mod listing;
mod lists;
mod logic;
mod slots;
mod state;
mod storage;
mod timers;
mod transmit;
mod user_state;

use core::net::Ipv4Addr;
use core::time::Duration;

use super::frame::Kind;
use crate::error::{BufferTooSmall, ConfigError};
use crate::machine::{ConnId, ConnectError, NotConnected, Received, Transmit};

pub use config::IndexConfig;
pub use entries::EntrySlot;
pub use event::{IndexCloseReason, IndexEvent};
pub use slots::{FileSlot, MAX_NAME, MAX_NICK, UserSlot};
#[cfg(feature = "alloc")]
pub use storage::{IndexLimits, IndexVec};
pub use storage::{IndexParts, IndexPartsRef, IndexSlots, IndexStorage};
pub use user_state::UserState;

use slots::USER_ENTRIES;
use state::{Core, State, find_conn};

/// The server of a central index. `S` is its storage: [`IndexSlots`], or on the heap `IndexVec`.
///
/// It answers from what it knows when it sends, so a file removed meanwhile is not listed. Files are found by
/// the words of their names: a search walks over the files with the word that the fewest have, and compares the
/// others. What takes longer than a fraction of a millisecond continues at the next deadline, after the
/// searches of others. One word in ten thousand or fewer shares the list of a common one, and takes as long.
///
/// After any call: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until
/// both return `None`, then [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// use core::{net::Ipv4Addr, time::Duration};
/// use gnutella_wire::opennap::{
///     EntrySlot, FileSlot, Index, IndexConfig, IndexSlots, LinkType, Login, MAX_DATA, Message, UserSlot,
/// };
/// use gnutella_wire::{ConnId, Text};
///
/// let slots = IndexSlots {
///     users: [UserSlot::EMPTY; 2],
///     files: [FileSlot::EMPTY; 8],
///     entries: [EntrySlot::EMPTY; 100],
/// };
/// let mut index = Index::new(IndexConfig::CUSTOMARY, slots)?;
/// let (now, conn) = (Duration::ZERO, ConnId(0));
/// index.handle_connected(now, conn, Ipv4Addr::LOCALHOST)?;
///
/// let text = |text: &'static str| Text::new(text.as_bytes()).expect("no NUL");
/// let login = Login {
///     nick: text("ann"), password: text("none"), port: 6699, client: text("demo"), link: LinkType(8),
/// };
/// let mut buf = [0; 320];
/// let len = Message::Login(login).encode(&mut buf)?;
/// assert_eq!(index.handle_bytes(now, conn, &buf[..len])?.consumed, len);
/// let sent = index.poll_transmit(&mut buf)?.expect("a reply");
/// let (reply, _) = Message::decode(&buf[..sent.len], MAX_DATA)?;
/// assert!(matches!(reply, Message::LoginAck(_)));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Index<S> {
    state: State,
    storage: S,
}

impl<S> Index<S> {
    /// The length of a buffer for any message of an index, in bytes.
    pub const MAX_TRANSMIT_LEN: usize = 448;

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<S: IndexStorage> Index<S> {
    /// Creates an index without users and files, and clears `storage`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a duration is zero, or there are fewer than twelve entries for each connection.
    pub fn new(config: IndexConfig, mut storage: S) -> Result<Self, ConfigError> {
        config.validate()?;
        let IndexParts { users, files, entries } = storage.parts();
        let reserved = users.len().saturating_mul(USER_ENTRIES);
        if entries.len() < reserved {
            let needed = u64::try_from(reserved).unwrap_or(u64::MAX);
            return Err(ConfigError::TooFewSlots { what: "entries", needed });
        }
        users.fill(UserSlot::EMPTY);
        files.fill(FileSlot::EMPTY);
        entries.fill(EntrySlot::EMPTY);
        Ok(Self { state: State::new(config, reserved), storage })
    }

    /// Handles a new connection from `ip`, which is to log in.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; nothing changed.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        ip: Ipv4Addr,
    ) -> Result<(), ConnectError> {
        if self.find(conn).is_some() {
            return Err(ConnectError::InUse(conn));
        }
        let capacity = self.storage.parts_ref().users.len();
        let at = self.core().free_user().ok_or(ConnectError::Full { capacity })?;
        if let Some(limit) = self.core().crowded(ip) {
            return Err(ConnectError::Crowded { limit });
        }
        self.advance_clock(now);
        self.core().connected(at, conn, ip);
        Ok(())
    }

    /// Handles one message from the front of `bytes`, the receive buffer of the connection, and
    /// returns its kind. Nothing consumed means: wait for more bytes, or, if a whole message is
    /// there, until the answers to the previous ones are sent.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]; nothing changed.
    pub fn handle_bytes(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &[u8],
    ) -> Result<Received<Kind>, NotConnected> {
        let at = self.find(conn).ok_or(NotConnected(conn))?;
        self.advance_clock(now);
        Ok(self.core().handle_bytes(at, bytes).unwrap_or(Received::WAIT))
    }

    /// Removes a closed connection and its files. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        self.advance_clock(now);
        if let Some(at) = self.find(conn) {
            self.core().remove(at);
        }
    }

    /// Fires expired timers: pings silent users, and gives up those that do not log in or answer.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.advance_clock(now);
        self.core().handle_timeout();
    }

    /// Writes the next message and returns where it goes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. [`MAX_TRANSMIT_LEN`](Self::MAX_TRANSMIT_LEN) bytes are
    /// always enough.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.core().poll_transmit(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<IndexEvent> {
        self.core().poll_event()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        timers::deadline(&self.state, self.storage.parts_ref().users)
    }

    /// Returns how many users are logged in.
    #[must_use]
    pub fn users(&self) -> usize {
        usize::try_from(self.state.online).unwrap_or(usize::MAX)
    }

    /// Returns the state of the user of a connection; `None` if the connection is unknown.
    ///
    /// ```
    /// use core::{net::Ipv4Addr, time::Duration};
    /// use gnutella_wire::ConnId;
    /// use gnutella_wire::opennap::{
    ///     EntrySlot, FileSlot, Index, IndexConfig, IndexSlots, UserSlot, UserState,
    /// };
    ///
    /// let slots = IndexSlots {
    ///     users: [UserSlot::EMPTY; 1],
    ///     files: [FileSlot::EMPTY; 1],
    ///     entries: [EntrySlot::EMPTY; 20],
    /// };
    /// let mut index = Index::new(IndexConfig::CUSTOMARY, slots)?;
    /// assert_eq!(index.user_state(ConnId(0)), None);
    /// index.handle_connected(Duration::ZERO, ConnId(0), Ipv4Addr::LOCALHOST)?;
    /// assert_eq!(index.user_state(ConnId(0)), Some(UserState::Connected));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn user_state(&self, conn: ConnId) -> Option<UserState> {
        let at = self.find(conn)?;
        let user = entries::slot(self.storage.parts_ref().users, at)?.user.as_ref()?;
        Some(user.state())
    }

    /// Returns how many files they share.
    #[must_use]
    pub fn files(&self) -> usize {
        usize::try_from(self.state.files).unwrap_or(usize::MAX)
    }

    fn core(&mut self) -> Core<'_> {
        let Self { state, storage } = self;
        let IndexParts { users, files, entries } = storage.parts();
        Core { state, users, files, entries }
    }

    fn find(&self, conn: ConnId) -> Option<u32> {
        let parts = self.storage.parts_ref();
        find_conn(parts.users, parts.entries, self.state.config.seed, conn)
    }

    fn advance_clock(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
    }
}
