//! The index: a machine that knows who shares what, and tells.

mod logic;
mod output;
mod slots;

use core::net::Ipv4Addr;
use core::time::Duration;

use super::frame::NapError;
use crate::{BufferTooSmall, ConnectError, LinkId, Transmit, UnknownLink};

pub use slots::{FileSlot, MAX_NAME, MAX_NICK, UserSlot};

use logic::Core;
use slots::User;

/// The server of a central index. `U` is the memory for users, any `[UserSlot]`, one for each
/// connection; `F` that for their files, any `[FileSlot]`.
///
/// It answers from what it knows at the moment of sending, so a file that went is not told of. It
/// looks through all file slots for each row of an answer: a search costs time, not memory.
///
/// Poll `poll_transmit` and `poll_event` after every `handle_*`.
#[derive(Debug, Clone)]
pub struct Index<U, F> {
    state: State,
    files: F,
    users: U,
}

#[derive(Debug, Clone)]
struct State {
    config: IndexConfig,
    now: Duration, // the newest seen
    stamp: u32,    // of the last file, so that a reply knows its file from another in the same slot
    turn: usize,   // the user that was sent to last
}

/// How an index behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexConfig {
    /// How long a connection may take to log in.
    pub login_patience: Duration,
    /// How long a user may be silent before it is pinged, and then how long the answer may take.
    pub idle: Duration,
    /// How many files one user may share, so that none fills the index alone.
    pub max_files: u32,
    /// The longest data accepted, in bytes; [`MAX_DATA`](super::MAX_DATA) is customary.
    pub max_data: u16,
}

/// A connection is lost: close its socket once what was written is flushed. Its files are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEvent {
    /// Which.
    pub link: LinkId,
    /// Why.
    pub reason: IndexReason,
}

/// Why a connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexReason {
    /// It did not log in.
    LoginTimedOut,
    /// It did not answer a ping.
    Silent,
    /// It sent a frame beyond the limit.
    Frame(NapError),
}

impl IndexConfig {
    /// 30 seconds to log in, pings after two minutes, 500 files a user, 2,048 bytes a message.
    pub const CUSTOMARY: Self = Self {
        login_patience: Duration::from_secs(30),
        idle: Duration::from_secs(120),
        max_files: 500,
        max_data: super::MAX_DATA,
    };
}

impl<U, F> Index<U, F> {
    /// The length of a buffer that any message of an index fits into, in bytes.
    pub const MAX_TRANSMIT_LEN: usize = 320;

    /// Begins without users and files.
    #[must_use]
    pub const fn new(config: IndexConfig, users: U, files: F) -> Self {
        Self { state: State { config, now: Duration::ZERO, stamp: 0, turn: 0 }, files, users }
    }
}

impl<U, F> Index<U, F>
where
    U: AsRef<[UserSlot]> + AsMut<[UserSlot]>,
    F: AsRef<[FileSlot]> + AsMut<[FileSlot]>,
{
    /// Takes in a connection from `ip`, which is to log in.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; nothing changed.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        link: LinkId,
        ip: Ipv4Addr,
    ) -> Result<(), ConnectError> {
        let slots = self.users.as_mut();
        if logic::find(slots, link).is_some() {
            return Err(ConnectError::Taken(link));
        }
        let free = slots.iter_mut().find(|slot| slot.is_free());
        let slot = free.ok_or(ConnectError::Full(link))?;
        self.state.now = self.state.now.max(now);
        let due = self.state.now.checked_add(self.state.config.login_patience);
        slot.user = Some(User::new(link, ip, due));
        Ok(())
    }

    /// Takes in one message from the front of `bytes`, the receive buffer of the connection, and
    /// returns how many bytes are done with. `None` asks for more bytes, or, if a whole message is
    /// there, for the answers to the last ones to be sent first.
    ///
    /// # Errors
    ///
    /// [`UnknownLink`]; nothing changed.
    pub fn handle_bytes(
        &mut self,
        now: Duration,
        link: LinkId,
        bytes: &[u8],
    ) -> Result<Option<usize>, UnknownLink> {
        let index = logic::find(self.users.as_ref(), link).ok_or(UnknownLink(link))?;
        self.state.now = self.state.now.max(now);
        Ok(self.core().handle_bytes(index, bytes))
    }

    /// Forgets a connection and its files.
    pub fn handle_closed(&mut self, now: Duration, link: LinkId) {
        self.state.now = self.state.now.max(now);
        if let Some(index) = logic::find(self.users.as_ref(), link) {
            self.core().remove(index);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
        self.core().handle_timeout();
    }

    /// Writes the next message and says for whom.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. [`MAX_TRANSMIT_LEN`](Self::MAX_TRANSMIT_LEN) bytes are
    /// always enough.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.core().poll_transmit(buf)
    }

    /// Returns a connection that is lost.
    pub fn poll_event(&mut self) -> Option<IndexEvent> {
        self.users.as_mut().iter_mut().find_map(|slot| slot.event.take())
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.users.as_ref().iter().filter_map(|slot| slot.user.as_ref()?.deadline).min()
    }

    /// Returns how many users are logged in.
    #[must_use]
    pub fn users(&self) -> usize {
        logic::online(self.users.as_ref())
    }

    /// Returns how many files they share.
    #[must_use]
    pub fn files(&self) -> usize {
        self.files.as_ref().iter().filter(|slot| slot.0.is_some()).count()
    }

    fn core(&mut self) -> Core<'_> {
        Core { state: &mut self.state, users: self.users.as_mut(), files: self.files.as_mut() }
    }
}
