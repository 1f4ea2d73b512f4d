//! The index: a machine that knows who shares what, and answers searches.

mod config;
mod event;
mod logic;
mod slots;
mod storage;
mod timers;
mod transmit;

use core::net::Ipv4Addr;
use core::time::Duration;

use super::frame::Kind;
use crate::error::{BufferTooSmall, ConfigError};
use crate::machine::{ConnId, ConnectError, NotConnected, Received, Transmit};

pub use config::IndexConfig;
pub use event::{IndexCloseReason, IndexEvent};
pub use slots::{FileSlot, MAX_NAME, MAX_NICK, UserSlot};
#[cfg(feature = "alloc")]
pub use storage::{IndexLimits, IndexVec};
pub use storage::{IndexParts, IndexPartsRef, IndexSlots, IndexStorage};

use logic::{Core, State};
use slots::User;

/// The server of a central index. `S` is its storage: [`IndexSlots`], or on the heap `IndexVec`.
///
/// It answers from what it knows when it sends, so a file removed meanwhile is not listed. It looks
/// through all file slots for each row of an answer: a search costs time, not memory.
///
/// After any call: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until
/// both return `None`, then [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// use core::{net::Ipv4Addr, time::Duration};
/// use gnutella_wire::opennap::{
///     FileSlot, Index, IndexConfig, IndexSlots, LinkType, Login, MAX_DATA, Message, UserSlot,
/// };
/// use gnutella_wire::{ConnId, Text};
///
/// let slots = IndexSlots { users: [UserSlot::EMPTY; 2], files: [FileSlot::EMPTY; 8] };
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
    pub const MAX_TRANSMIT_LEN: usize = 320;

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
    /// [`ConfigError`] if a duration is zero.
    pub fn new(config: IndexConfig, mut storage: S) -> Result<Self, ConfigError> {
        config.validate()?;
        let IndexParts { users, files } = storage.parts();
        users.fill(UserSlot::EMPTY);
        files.fill(FileSlot::EMPTY);
        let state = State { config, now: Duration::ZERO, stamp: 0, turn: 0 };
        Ok(Self { state, storage })
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
        let slots = self.storage.parts().users;
        if logic::find(slots, conn).is_some() {
            return Err(ConnectError::InUse(conn));
        }
        let capacity = slots.len();
        let free = slots.iter_mut().find(|slot| slot.is_free());
        let slot = free.ok_or(ConnectError::Full { capacity })?;
        self.state.now = self.state.now.max(now);
        let due = self.state.now.checked_add(self.state.config.login_timeout);
        slot.user = Some(User::new(conn, ip, due));
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
        let found = logic::find(self.storage.parts_ref().users, conn);
        let index = found.ok_or(NotConnected(conn))?;
        self.advance_clock(now);
        Ok(self.core().handle_bytes(index, bytes).unwrap_or(Received::WAIT))
    }

    /// Removes a closed connection and its files. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        self.advance_clock(now);
        if let Some(index) = logic::find(self.storage.parts_ref().users, conn) {
            self.core().remove(index);
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
        self.storage.parts().users.iter_mut().find_map(|slot| slot.event.take())
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let users = self.storage.parts_ref().users;
        users.iter().filter_map(|slot| slot.user.as_ref()?.deadline).min()
    }

    /// Returns how many users are logged in.
    #[must_use]
    pub fn users(&self) -> usize {
        logic::online(self.storage.parts_ref().users)
    }

    /// Returns how many files they share.
    #[must_use]
    pub fn files(&self) -> usize {
        self.storage.parts_ref().files.iter().filter(|slot| slot.0.is_some()).count()
    }

    fn core(&mut self) -> Core<'_> {
        let Self { state, storage } = self;
        let IndexParts { users, files } = storage.parts();
        Core { state, users, files }
    }

    fn advance_clock(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
    }
}
