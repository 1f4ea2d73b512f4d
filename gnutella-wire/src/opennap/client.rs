//! The client: a machine that logs in, keeps the questions in order, and answers pings.

use core::time::Duration;

use thiserror::Error;

use super::frame::{MAX_DATA, NapError};
use super::message::Message;
use super::parts::Login;
use crate::{BufferTooSmall, Text};

/// One connection to an index, from the client's end. It keeps no list of files and no results:
/// those go straight to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    patience: Duration,
    now: Duration, // the newest seen
    phase: Phase,
    listing: Option<Duration>, // when rows are due
    pong: bool,
    event: Option<ClientEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connected,
    LoggingIn(Duration), // until when
    Online,
    Over,
}

/// What the index said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NapHandled<'b> {
    /// How many bytes at the front of the receive buffer are done with.
    pub consumed: usize,
    /// The message; `None` if its fields are malformed, which is passed over.
    pub message: Option<Message<'b>>,
}

/// What happened to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The index takes commands now.
    LoggedIn,
    /// The index refused the login; its words came as a message. Close the connection.
    Refused,
    /// The index does not answer the login. Close the connection.
    LoginTimedOut,
    /// The rest of a search or of a list does not come; another may be asked for.
    ListingTimedOut,
}

/// A command was refused. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Not logged in, or logged in already.
    #[error("not in this phase of the connection")]
    OutOfTurn,
    /// The rows of the last search or list are still coming.
    #[error("the last search is not complete")]
    Searching,
    /// The buffer is too small.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

impl Client {
    /// Begins with an open connection. `patience` is how long the index may take to answer a login,
    /// or between the rows of an answer; some seconds.
    #[must_use]
    pub const fn new(patience: Duration) -> Self {
        let (now, phase) = (Duration::ZERO, Phase::Connected);
        Self { patience, now, phase, listing: None, pong: false, event: None }
    }

    /// Writes the login and returns its length. The password is readable on the way.
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

    /// Writes any other message of a client and returns its length. Of searches and lists only one
    /// can be on its way, since their rows do not say whose they are.
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

    /// Takes in one message from the front of `bytes`; `None` asks for more.
    ///
    /// # Errors
    ///
    /// [`NapError::TooLong`]: the stream is of no more use. Nothing changed.
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        bytes: &'b [u8],
    ) -> Result<Option<NapHandled<'b>>, NapError> {
        let (frame, rest) = match super::Frame::decode(bytes, MAX_DATA) {
            Err(NapError::Incomplete { .. }) => {
                self.now = self.now.max(now);
                return Ok(None);
            }
            other => other?,
        };
        self.now = self.now.max(now);
        let message = Message::from_frame(frame).ok();
        match (self.phase, message) {
            (Phase::LoggingIn(_), Some(Message::LoginAck(_))) => {
                (self.phase, self.event) = (Phase::Online, Some(ClientEvent::LoggedIn));
            }
            (Phase::LoggingIn(_), Some(Message::Error(_))) => {
                (self.phase, self.event) = (Phase::Over, Some(ClientEvent::Refused));
            }
            (_, Some(Message::SearchEnd | Message::BrowseEnd(_))) => self.listing = None,
            (_, Some(Message::Found(_) | Message::Browsed(..))) if self.listing.is_some() => {
                self.listing = Some(self.due());
            }
            (Phase::Online, Some(Message::Ping(_))) => self.pong = true,
            _ => {}
        }
        let consumed = bytes.len().saturating_sub(rest.len());
        Ok(Some(NapHandled { consumed, message }))
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if matches!(self.phase, Phase::LoggingIn(due) if due <= self.now) {
            (self.phase, self.event) = (Phase::Over, Some(ClientEvent::LoginTimedOut));
        }
        if self.listing.is_some_and(|due| due <= self.now) {
            (self.listing, self.event) = (None, Some(ClientEvent::ListingTimedOut));
        }
    }

    /// Writes what the client has to say by itself, and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        if !self.pong {
            return Ok(None);
        }
        let len = Message::Pong(Text::EMPTY).encode(buf)?;
        self.pong = false;
        Ok(Some(len))
    }

    /// Returns what happened.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.event.take()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        match (self.phase, self.listing) {
            (Phase::LoggingIn(due), None) => Some(due),
            (Phase::LoggingIn(due), Some(rows)) => Some(due.min(rows)),
            (_, rows) => rows,
        }
    }

    /// Returns `true` once logged in.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    fn due(&self) -> Duration {
        self.now.saturating_add(self.patience.max(Duration::from_millis(1)))
    }
}
