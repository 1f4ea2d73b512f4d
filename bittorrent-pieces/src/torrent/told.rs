//! What a torrent tells its caller.

use crate::wire::extended::Pex;
use crate::{Block, ConnId, PeerId, PieceIndex};

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// We did; our handshake goes first.
    Dialled,
    /// The peer did; its handshake comes first.
    Accepted,
}

/// What the front of the received bytes was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Handled<'a> {
    /// Not yet a whole message: offer the same bytes again with at least so many more.
    Incomplete {
        /// A lower bound, at least 1.
        needed: usize,
    },
    /// The peer asked for more than we keep in mind: offer the same bytes again after some
    /// transmits to it.
    Busy,
    /// No such connection, or it is banned or lost: drop the bytes and close it.
    Gone,
    /// A handshake or a message; drop so many bytes.
    Message {
        /// Its length.
        consumed: usize,
    },
    /// A block that was missing; write it to its place and drop the message.
    Block {
        /// The length of the message.
        consumed: usize,
        /// The place of the data.
        block: Block,
        /// The data, borrowed from the received bytes.
        data: &'a [u8],
    },
    /// Peers that the sender knows (BEP 11); drop the message. Nobody vouches for them.
    Peers {
        /// The length of the message.
        consumed: usize,
        /// Who came and went.
        peers: Pex<'a>,
    },
    /// The UDP port of the sender's DHT node (BEP 5); drop the message.
    Node {
        /// The length of the message.
        consumed: usize,
        /// The port.
        port: u16,
    },
}

impl Handled<'_> {
    /// Returns how many received bytes to drop.
    #[must_use]
    pub const fn consumed(&self) -> usize {
        match self {
            Self::Incomplete { .. } | Self::Busy | Self::Gone => 0,
            Self::Message { consumed }
            | Self::Block { consumed, .. }
            | Self::Peers { consumed, .. }
            | Self::Node { consumed, .. } => *consumed,
        }
    }
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit<'t> {
    /// On which connection.
    pub to: ConnId,
    /// How many bytes of the buffer to send.
    pub len: usize,
    /// A block to be read from storage and sent behind them.
    pub block: Option<Block>,
    /// A part of the info dictionary, to be sent behind them; empty unless
    /// [`serve_metadata`](crate::Torrent::serve_metadata) was called.
    pub metadata: &'t [u8],
}

/// What was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer's handshake came, for this torrent.
    Ready {
        /// The connection.
        conn: ConnId,
        /// What the peer calls itself.
        peer_id: PeerId,
    },
    /// All blocks of a piece are there: read it back, [`check`](crate::Torrent::check) it, and call
    /// [`handle_checked`](crate::Torrent::handle_checked).
    Verify {
        /// The piece.
        piece: PieceIndex,
    },
    /// A piece is there and checked.
    PieceComplete {
        /// The piece.
        piece: PieceIndex,
    },
    /// A piece failed its check and is fetched again.
    PieceFailed {
        /// The piece.
        piece: PieceIndex,
    },
    /// The last piece came.
    Complete,
    /// A peer gave corrupt blocks. If its connection is open, close it.
    Banned {
        /// The connection.
        conn: ConnId,
    },
    /// A peer was given up: close its connection.
    Lost {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: LostReason,
    },
}

/// Why a peer was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostReason {
    /// It said nothing for longer than [`Config::silence`](crate::Config::silence).
    Silent,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The piece is as it should be.
    Passed,
    /// It is not, and will be fetched again.
    Failed,
}
