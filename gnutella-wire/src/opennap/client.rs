//! The client: a machine that logs in, keeps searches in order, and answers pings.

use core::time::Duration;

use thiserror::Error;

use super::frame::{Frame, Kind, MAX_DATA, NapError};
use super::message::Message;
use super::values::Login;
use crate::error::{BufferTooSmall, ConfigError};
use crate::machine::Received;
use crate::text::Text;

/// One connection to an index, from the client's end. It stores no files and no results: those go
/// straight to the caller.
///
/// ```
/// use core::time::Duration;
/// use gnutella_wire::Text;
/// use gnutella_wire::opennap::{Client, ClientEvent, LinkType, Login, Message, Search};
///
/// let text = |text: &'static str| Text::new(text.as_bytes()).expect("no NUL");
/// let mut client = Client::new(Duration::from_secs(10))?;
/// let (now, mut buf) = (Duration::ZERO, [0; 256]);
/// let login = Login {
///     nick: text("ann"), password: text("none"), port: 6699, client: text("demo"), link: LinkType(8),
/// };
/// let len = client.login(now, login, &mut buf)?; // write buf[..len] to the index
/// # let _ = len;
/// let len = Message::LoginAck(text("unknown")).encode(&mut buf)?; // what the index replies
/// client.handle_bytes(now, &buf[..len]);
/// assert_eq!(client.poll_event(), Some(ClientEvent::LoggedIn));
/// let search = Message::Search(Search::new(text("hey jude")));
/// assert!(client.send(now, &search, &mut buf)? > 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    timeout: Duration,
    now: Duration, // the newest seen
    phase: Phase,
    listing: Option<Duration>, // when rows are due
    pong_due: bool,
    logged_in: bool,         // an event to report
    listing_timed_out: bool, // an event to report
    closed: Option<ClientCloseReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connected,
    LoggingIn(Duration), // until when
    Online,
    Over,
}

/// The state of a [`Client`].
///
/// | state | what changes it | next |
/// |---|---|---|
/// | `Connected` | [`login`](Client::login) | `LoggingIn` |
/// | `LoggingIn` | the index accepts | `LoggedIn` |
/// | `LoggingIn` | the index refuses or does not answer in time | `Closed` |
/// | `LoggedIn` | [`send`](Client::send) of a search or list | `Listing` |
/// | `Listing` | the last row arrives, or the next one does not arrive in time | `LoggedIn` |
/// | any | a frame beyond the limit, or the index ends the connection | `Closed` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ClientState {
    /// The connection is open; the client is to log in.
    Connected,
    /// The client waits for the answer to its login.
    LoggingIn,
    /// The index accepts commands.
    LoggedIn,
    /// As `LoggedIn`, and the client waits for rows of a search or list.
    Listing,
    /// The connection is over.
    Closed,
}

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// The index is to answer the login.
    Login,
    /// The index is to send the next row of a search or list.
    Listing,
}

/// What happened, or what the driver is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ClientEvent {
    /// The index accepts commands now.
    LoggedIn,
    /// The rest of a search or list does not arrive; another may be requested.
    ListingTimedOut,
    /// The connection is over: close its socket.
    Closed {
        /// Why.
        reason: ClientCloseReason,
    },
}

/// Why the connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ClientCloseReason {
    /// The index refused the login; its reason arrived as a message.
    Refused,
    /// The index did not answer the login.
    LoginTimedOut,
    /// The index ends the connection: 316, or 748 since the nick has logged in elsewhere.
    Dismissed(Kind),
    /// The index sent a frame beyond the limit.
    Frame(NapError),
}

/// A command was refused. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Not logged in, or logged in already.
    #[error("not possible in this phase of the connection")]
    OutOfTurn,
    /// The rows of the last search or list are still arriving.
    #[error("the last search is not complete")]
    Searching,
    /// The buffer is too small.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

impl Client {
    /// Begins with an open connection. `timeout` is how long the index may take to answer a login,
    /// or between the rows of an answer: some seconds.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroDuration`].
    pub const fn new(timeout: Duration) -> Result<Self, ConfigError> {
        if timeout.is_zero() {
            return Err(ConfigError::ZeroDuration { field: "timeout" });
        }
        Ok(Self {
            timeout,
            now: Duration::ZERO,
            phase: Phase::Connected,
            listing: None,
            pong_due: false,
            logged_in: false,
            listing_timed_out: false,
            closed: None,
        })
    }

    /// Writes the login and returns its length. The password is sent unencrypted.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; nothing changed.
    pub fn login(
        &mut self,
        now: Duration,
        login: Login<'_>,
        buf: &mut [u8],
    ) -> Result<usize, ClientError> {
        if self.phase != Phase::Connected {
            return Err(ClientError::OutOfTurn);
        }
        let len = Message::Login(login).encode(buf)?;
        self.now = self.now.max(now);
        self.phase = Phase::LoggingIn(self.due());
        Ok(len)
    }

    /// Writes any other message of a client and returns its length. Only one search or list can be
    /// under way, since their rows do not say which one they belong to.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; nothing changed.
    pub fn send(
        &mut self,
        now: Duration,
        message: &Message<'_>,
        buf: &mut [u8],
    ) -> Result<usize, ClientError> {
        if self.phase != Phase::Online {
            return Err(ClientError::OutOfTurn);
        }
        let lists = matches!(message, Message::Search(_) | Message::Browse(_));
        if lists && self.listing.is_some() {
            return Err(ClientError::Searching);
        }
        let len = message.encode(buf)?;
        self.now = self.now.max(now);
        if lists {
            self.listing = Some(self.due());
        }
        Ok(len)
    }

    /// Handles one message from the front of `bytes`. Nothing consumed means: wait for more bytes.
    /// A message with malformed fields is consumed without an outcome; a frame beyond the limit ends
    /// the connection with [`ClientEvent::Closed`].
    pub fn handle_bytes<'b>(&mut self, now: Duration, bytes: &'b [u8]) -> Received<Message<'b>> {
        self.now = self.now.max(now);
        if self.phase == Phase::Over {
            return Received::skip(bytes.len());
        }
        let (frame, rest) = match Frame::decode(bytes, MAX_DATA) {
            Ok(decoded) => decoded,
            Err(NapError::Incomplete { .. }) => return Received::WAIT,
            Err(error) => {
                self.close(ClientCloseReason::Frame(error));
                return Received::skip(bytes.len());
            }
        };
        let outcome = Message::from_frame(frame).ok();
        if let Some(message) = &outcome {
            self.handle_message(message);
        }
        Received { consumed: bytes.len().saturating_sub(rest.len()), outcome }
    }

    fn handle_message(&mut self, message: &Message<'_>) {
        match (self.phase, message) {
            (Phase::LoggingIn(_), Message::LoginAck(_)) => {
                self.phase = Phase::Online;
                self.logged_in = true;
            }
            (Phase::LoggingIn(_), Message::Error(_) | Message::NickInvalid) => {
                self.close(ClientCloseReason::Refused);
            }
            (_, Message::SearchEnd | Message::BrowseEnd(_)) => self.listing = None,
            (_, Message::Found(_) | Message::Browsed(..)) if self.listing.is_some() => {
                self.listing = Some(self.due());
            }
            (Phase::Online, Message::Ping(_)) => self.pong_due = true,
            (Phase::LoggingIn(_) | Phase::Online, Message::Other(frame))
                if matches!(frame.kind, Kind::DISCONNECTING | Kind::LOGGED_IN_ELSEWHERE) =>
            {
                self.close(ClientCloseReason::Dismissed(frame.kind));
            }
            _ => {}
        }
    }

    /// Fires expired timers.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = self.now.max(now);
        for timer in Timer::ALL {
            if self.deadline(timer).is_some_and(|due| due <= self.now) {
                self.fire(timer);
            }
        }
    }

    /// Writes the next message of the client itself, and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        if !self.pong_due {
            return Ok(None);
        }
        let len = Message::Pong(Text::EMPTY).encode(buf)?;
        self.pong_due = false;
        Ok(Some(len))
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        if core::mem::take(&mut self.logged_in) {
            return Some(ClientEvent::LoggedIn);
        }
        if core::mem::take(&mut self.listing_timed_out) {
            return Some(ClientEvent::ListingTimedOut);
        }
        self.closed.take().map(|reason| ClientEvent::Closed { reason })
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        Timer::ALL.into_iter().filter_map(|timer| self.deadline(timer)).min()
    }

    /// Returns the state of the connection.
    ///
    /// ```
    /// use core::time::Duration;
    /// use gnutella_wire::Text;
    /// use gnutella_wire::opennap::{Client, ClientState, LinkType, Login, Message, Search};
    ///
    /// let text = |text: &'static str| Text::new(text.as_bytes()).expect("no NUL");
    /// let mut client = Client::new(Duration::from_secs(10))?;
    /// assert_eq!(client.state(), ClientState::Connected);
    /// let (now, mut buf) = (Duration::ZERO, [0; 256]);
    /// let login = Login {
    ///     nick: text("ann"), password: text("none"), port: 6699, client: text("demo"), link: LinkType(8),
    /// };
    /// client.login(now, login, &mut buf)?;
    /// assert_eq!(client.state(), ClientState::LoggingIn);
    /// let len = Message::LoginAck(text("unknown")).encode(&mut buf)?; // what the index replies
    /// client.handle_bytes(now, &buf[..len]);
    /// assert_eq!(client.state(), ClientState::LoggedIn);
    /// client.send(now, &Message::Search(Search::new(text("hey jude"))), &mut buf)?;
    /// assert_eq!(client.state(), ClientState::Listing);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn state(&self) -> ClientState {
        match self.phase {
            Phase::Connected => ClientState::Connected,
            Phase::LoggingIn(_) => ClientState::LoggingIn,
            Phase::Online if self.listing.is_some() => ClientState::Listing,
            Phase::Online => ClientState::LoggedIn,
            Phase::Over => ClientState::Closed,
        }
    }

    /// Returns whether the client is logged in.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    fn deadline(&self, timer: Timer) -> Option<Duration> {
        match (timer, self.phase) {
            (Timer::Login, Phase::LoggingIn(due)) => Some(due),
            (Timer::Login, _) => None,
            (Timer::Listing, _) => self.listing,
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Login => self.close(ClientCloseReason::LoginTimedOut),
            Timer::Listing => {
                self.listing = None;
                self.listing_timed_out = true;
            }
        }
    }

    fn close(&mut self, reason: ClientCloseReason) {
        self.phase = Phase::Over;
        self.listing = None;
        self.pong_due = false;
        self.closed = Some(reason);
    }

    fn due(&self) -> Duration {
        self.now.saturating_add(self.timeout)
    }
}

impl Timer {
    const ALL: [Self; 2] = [Self::Login, Self::Listing];
}
