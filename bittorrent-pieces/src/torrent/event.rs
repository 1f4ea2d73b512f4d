//! What a torrent reports and asks of its caller.

use core::net::SocketAddr;

use thiserror::Error;

use super::error::PeerError;
use crate::block::{Block, PieceIndex};
use crate::id::{ConnId, PeerId};
use crate::wire::extended::{HolepunchError, Pex};

/// Which side opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Side {
    /// We did; our handshake goes first.
    Dialled,
    /// The peer did; its handshake comes first.
    Accepted,
}

/// What a received message means to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// The peer made more requests than its slots hold. Nothing was consumed: offer the same bytes again
    /// after [`poll_transmit`](crate::Torrent::poll_transmit) has sent something to it.
    Busy,
    /// A block that was missing: write it to storage.
    Block {
        /// The place of the data.
        block: Block,
        /// The data, borrowed from the received bytes.
        data: &'a [u8],
    },
    /// Addresses of other peers (BEP 11). They are not verified.
    Peers(Pex<'a>),
    /// The UDP port of the sender's DHT node (BEP 5).
    DhtPort(u16),
    /// Dial this address by uTP at once: the peer there dials us too, so that both firewalls let it pass (BEP 55). Few of
    /// one sender are reported. It is not verified.
    Holepunch(SocketAddr),
    /// A relay does not let us meet the peer at this address: see [`Torrent::rendezvous`](crate::Torrent::rendezvous).
    HolepunchFailed(SocketAddr, HolepunchError),
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The connection.
    pub conn: ConnId,
    /// How many bytes of the buffer to send.
    pub len: usize,
    /// A block to be read from storage and sent after them.
    pub block: Option<Block>,
    /// How many zeros to send after the block: a peer may request the last block of a file of version 2 as
    /// if it were a whole one.
    pub padding: u32,
    /// A part of the info dictionary to be sent after them: see
    /// [`Torrent::metadata`](crate::Torrent::metadata).
    pub metadata: Option<MetadataRange>,
}

impl Transmit {
    pub(crate) const fn new(conn: ConnId, len: usize) -> Self {
        Self { conn, len, block: None, padding: 0, metadata: None }
    }
}

/// A part of the info dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetadataRange {
    /// Where it begins, in bytes.
    pub begin: usize,
    /// Its length in bytes.
    pub len: usize,
}

/// A fact, or a request to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Event {
    /// The handshake of a peer was received, for this torrent.
    Connected {
        /// The connection.
        conn: ConnId,
        /// The id that the peer chose.
        peer_id: PeerId,
    },
    /// All blocks of a piece were received: read it back, [`check`](crate::Torrent::check) it, and call
    /// [`handle_checked`](crate::Torrent::handle_checked).
    Verify {
        /// The piece.
        piece: PieceIndex,
    },
    /// A piece passed its check.
    PieceCompleted {
        /// The piece.
        piece: PieceIndex,
    },
    /// A piece failed its check and is fetched again.
    PieceFailed {
        /// The piece.
        piece: PieceIndex,
    },
    /// The last piece passed its check.
    Completed,
    /// The torrent is done with a connection: close it. [`handle_closed`](crate::Torrent::handle_closed)
    /// need not be called.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// A peer whose connection had been closed before turned out to have sent corrupt blocks.
    Banned {
        /// The connection it had.
        conn: ConnId,
    },
}

/// Why a torrent is done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CloseReason {
    /// No handshake was received within ten seconds: a connection without one occupies a slot.
    #[error("no handshake in time")]
    NoHandshake,
    /// Nothing was received for longer than [`Config::silence`](crate::Config::silence).
    #[error("silent for too long")]
    Silent,
    /// All peer slots were in use, and no block had gone either way for longer than
    /// [`Config::idle`](crate::Config::idle).
    #[error("idle, and the slot was needed")]
    Idle,
    /// The peer sent corrupt blocks.
    #[error("sent corrupt blocks")]
    Corrupt,
    /// The peer broke the protocol.
    #[error("protocol violation: {0}")]
    Protocol(PeerError),
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a check passes or fails")]
pub enum Verdict {
    /// The hashes match.
    Passed,
    /// They do not; the piece is fetched again.
    Failed,
}
