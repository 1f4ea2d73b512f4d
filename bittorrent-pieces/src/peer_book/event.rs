//! The inputs of a book, and the events that it reports.

use core::net::SocketAddr;

use thiserror::Error;

use crate::id::ConnId;
use crate::torrent::{self, PeerError};

/// Where an address came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PeerSource {
    /// The user: a command line, or `x.pe` of a magnet link (BEP 9).
    User,
    /// A tracker (BEP 3, 15).
    Tracker,
    /// The DHT (BEP 5).
    Dht,
    /// A peer exchange (BEP 11) over this connection.
    Exchange(ConnId),
    /// The peer dialled us and sent the port on which it listens. See
    /// [`PeerBook::handle_listens`](super::PeerBook::handle_listens).
    Incoming,
    /// An earlier run. See [`PeerBook::restore`](super::PeerBook::restore).
    Saved,
}

/// What a book did with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Added {
    /// It is new, and will be dialled.
    New,
    /// It was known before. One that failed is dialled earlier, unless a peer exchange named it.
    Known,
    /// It is banned.
    Banned,
    /// It is our own.
    Own,
    /// It cannot be dialled: port 0, an unspecified or multicast address; or a peer with a public address sent a
    /// local one.
    Invalid,
    /// Its source or its network has its share of the book, and none of these can go.
    OverQuota,
    /// The book is full of addresses that are in use or better.
    Full,
}

/// How a connection ended, as far as the book must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Ending {
    /// The peer or the network closed it, or it was silent. The peer is dialled again.
    Lost,
    /// We closed it because neither side needed the other. The peer is dialled again after the longest wait.
    NotNeeded,
    /// The peer has another torrent, or broke the protocol. It is dialled again after a longer wait.
    Refused,
    /// The peer sent corrupt blocks: its address is banned for a while.
    Corrupt,
    /// We dialled ourselves: the address is our own.
    Ourselves,
}

impl From<torrent::CloseReason> for Ending {
    fn from(reason: torrent::CloseReason) -> Self {
        match reason {
            torrent::CloseReason::NoHandshake | torrent::CloseReason::Silent => Self::Lost,
            torrent::CloseReason::Idle => Self::NotNeeded,
            torrent::CloseReason::Corrupt => Self::Corrupt,
            torrent::CloseReason::Protocol(PeerError::OwnId) => Self::Ourselves,
            torrent::CloseReason::Protocol(_) => Self::Refused,
        }
    }
}

/// A fact, or a request to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum BookEvent {
    /// Open a connection to a peer. Then call [`PeerBook::handle_dialled`](super::PeerBook::handle_dialled) or
    /// [`PeerBook::handle_dial_failed`](super::PeerBook::handle_dial_failed).
    Dial {
        /// The address.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        addr: SocketAddr,
    },
    /// Ask trackers and the DHT for addresses: the torrent has too few connections. A tracker's minimum interval
    /// still holds.
    AskSources,
    /// Close a connection; do not call [`PeerBook::handle_closed`](super::PeerBook::handle_closed) for it.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
}

/// Why a book gives up a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CloseReason {
    /// Another peer needed the slot, and no handshake had come in the first second.
    #[error("made room for another peer before its handshake")]
    MadeRoom,
    /// Another connection from its address sent corrupt blocks.
    #[error("its address was banned")]
    Banned,
}

/// A connection was not admitted: close it. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AdmissionError {
    /// The number names a connection that is open.
    #[error("{0} is already open")]
    InUse(ConnId),
    /// The address is banned.
    #[error("the address is banned")]
    Banned,
    /// There are [`PeerBookConfig::per_address`](super::PeerBookConfig::per_address) connections with the address.
    #[error("too many connections with the address")]
    Address,
    /// There are [`PeerBookConfig::per_network`](super::PeerBookConfig::per_network) connections with the network
    /// of the address.
    #[error("too many connections with the network of the address")]
    Network,
    /// All connection slots are in use by peers that sent their handshake, or came within the last second.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
    /// The book did not ask to dial this address, or the dial had timed out.
    #[error("the address was not to be dialled, or the dial took too long")]
    NotDialling,
}
