//! What a servent reports.

use core::fmt;
use core::net::SocketAddrV4;

use crate::machine::ConnId;
use crate::wire::ByeCode;

/// What happened, or what the driver is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Event {
    /// The connection is over: close its socket once what was written is flushed. Its slot is free
    /// already and its name may be used again.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// There are fewer peers than wanted: connect to this host and shake hands, then call
    /// [`handle_connected`](super::Servent::handle_connected) with its address or, if this fails,
    /// [`handle_dial_failed`](super::Servent::handle_dial_failed).
    Dial {
        /// Which.
        address: SocketAddrV4,
    },
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CloseReason {
    /// This servent sent a bye.
    Dismissed(ByeCode),
    /// The neighbour sent a bye.
    Left(ByeCode),
    /// The stream lost its message boundaries; no bye was sent.
    Desynchronised,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dismissed(code) => write!(f, "dismissed with {code} {}", code.reason()),
            Self::Left(code) => write!(f, "left with {code} {}", code.reason()),
            Self::Desynchronised => f.write_str("message boundaries lost"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { conn, reason } => write!(f, "{conn} closed: {reason}"),
            Self::Dial { address } => write!(f, "dial {address}"),
        }
    }
}
