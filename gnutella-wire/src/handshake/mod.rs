//! Both handshakes, of 0.4 and of 0.6, from both ends.
//!
//! [`Handshake`] tracks whose turn it is; whether to agree is the caller's decision, based on the
//! header lines received. It stores no bytes: as with the servent, the caller keeps the receive
//! buffer and removes what is consumed. What follows in the buffer belongs to the binary stream. The
//! caller also chooses the timeout.
//!
//! ```
//! use gnutella_wire::handshake::{Handshake, State};
//! use gnutella_wire::head::Header;
//!
//! let (mut ann, mut ben) = (Handshake::dialler_06(), Handshake::acceptor());
//! let mut buf = [0; 256];
//! let len = ann.greet(&[Header::new("X-Ultrapeer", "False")], &mut buf)?;
//! let received = ben.handle_bytes(&buf[..len])?.outcome.expect("a whole head");
//! assert!(!received.head.is_true("X-Ultrapeer"));
//! let len = ben.agree(&[], &mut buf)?; // or refuse(503, "Slots full", ..)
//! ann.handle_bytes(&buf[..len])?;
//! let len = ann.agree(&[], &mut buf)?;
//! ben.handle_bytes(&buf[..len])?;
//! assert_eq!((ann.state(), ben.state()), (State::Open, State::Open));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod line;
mod state;

use thiserror::Error;

use crate::error::{BufferTooSmall, DecodeError};
use crate::head::write_headers;
use crate::head::{Head, HeadLimits, Header};
use crate::machine::Received;
use crate::writer::Writer;

pub use line::{Line, Version};
pub use state::{Input, State, TRANSITIONS};

/// One handshake, from one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    state: State,
    version: Version,
    limits: HeadLimits,
}

/// One step of the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step<'b> {
    /// The first line.
    pub line: Line<'b>,
    /// The first line and the header lines, as they were received.
    pub head: Head<'b>,
}

/// Nothing was written, and nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// It is not this end's turn to send this.
    #[error("out of turn in state {0:?}")]
    OutOfTurn(State),
    /// The buffer is too small for the head.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

impl Handshake {
    /// Begins at the end that dials, in the three steps of 0.6.
    #[must_use]
    pub const fn dialler_06() -> Self {
        Self { state: State::Greeting, version: Version::V06, limits: HeadLimits::GTKG }
    }

    /// Begins at the end that dials, in the two steps of 0.4.
    #[must_use]
    pub const fn dialler_04() -> Self {
        Self { version: Version::V04, ..Self::dialler_06() }
    }

    /// Begins at the end that is dialled; the greeting decides the version.
    #[must_use]
    pub const fn acceptor() -> Self {
        Self { state: State::AwaitingGreeting, ..Self::dialler_06() }
    }

    /// Sets how long a head may be; the receive buffer should hold this many bytes.
    #[must_use]
    pub const fn with_limits(self, limits: HeadLimits) -> Self {
        Self { limits, ..self }
    }

    /// Writes the greeting, and returns its length. In 0.4 it has no header lines.
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing changed.
    pub fn greet(&mut self, headers: &[Header<'_>], out: &mut [u8]) -> Result<usize, SendError> {
        if self.state != State::Greeting {
            return Err(SendError::OutOfTurn(self.state));
        }
        self.send(Input::Sent, Line::Connect(self.version), headers, out)
    }

    /// Handles exactly one head from the front of `bytes`, the receive buffer. Nothing consumed
    /// means: wait for more bytes, or it is this end's turn, or the handshake is over.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if this is not a handshake or one beyond the limits; nothing changed. An
    /// acceptor may then still [`refuse`](Self::refuse).
    pub fn handle_bytes<'b>(&mut self, bytes: &'b [u8]) -> Result<Received<Step<'b>>, DecodeError> {
        if !self.state.is_waiting() {
            return Ok(Received::WAIT);
        }
        let (head, rest) = match Head::decode(bytes, self.limits) {
            Err(DecodeError::Incomplete { .. }) => return Ok(Received::WAIT),
            other => other?,
        };
        let line = Line::decode(head.first_line()).ok_or(DecodeError::UnknownLine)?;
        let input = line.input();
        let state = self.state.after(input).ok_or(DecodeError::UnknownLine)?;
        self.state = state;
        if matches!(line, Line::Ok04 | Line::Connect(Version::V04)) {
            self.version = Version::V04;
        }
        let consumed = bytes.len().saturating_sub(rest.len());
        Ok(Received { consumed, outcome: Some(Step { line, head }) })
    }

    /// Writes `200 OK` (in 0.4 `GNUTELLA OK`), and returns its length.
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing changed.
    pub fn agree(&mut self, headers: &[Header<'_>], out: &mut [u8]) -> Result<usize, SendError> {
        let line = match self.version {
            Version::V04 => Line::Ok04,
            Version::V06 => Line::Status { code: 200, reason: "OK" },
        };
        self.send(Input::Sent, line, headers, out)
    }

    /// Writes a refusal, and returns its length, which is 0 in 0.4: there the connection is closed
    /// without a reply. Customary codes: 503 with the header `X-Try-Ultrapeers` if all slots are taken,
    /// 403 if the peer is not wanted, 413 for too many header lines.
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing changed.
    pub fn refuse(
        &mut self,
        code: u16,
        reason: &str,
        headers: &[Header<'_>],
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        self.send(Input::SentRefusal, Line::Status { code, reason }, headers, out)
    }

    /// Returns the state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Returns the version, which an acceptor knows after the greeting.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    fn send(
        &mut self,
        input: Input,
        line: Line<'_>,
        headers: &[Header<'_>],
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        let next = self.state.after(input).ok_or(SendError::OutOfTurn(self.state))?;
        let len = match (self.version, input) {
            (Version::V04, Input::SentRefusal) => 0,
            (Version::V04, _) => Writer::fill(out, |w| w.text(format_args!("{line}\n\n")))?,
            (Version::V06, _) => Writer::fill(out, |w| {
                w.text(format_args!("{line}\r\n"));
                write_headers(w, headers);
            })?,
        };
        self.state = next;
        Ok(len)
    }
}
