//! What an endpoint returns: events, datagrams, errors.

use core::net::SocketAddr;

use thiserror::Error;

use super::packet::PacketError;
use crate::id::ConnId;

/// A fact that the caller has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UtpEvent {
    /// A connection that we dialled is open.
    Connected {
        /// The connection.
        conn: ConnId,
    },
    /// A peer opened a connection. Its address is proved.
    Accepted {
        /// The connection.
        conn: ConnId,
        /// The address of the peer.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        from: SocketAddr,
    },
    /// Data arrived: [`read`](super::UtpEndpoint::read) until it returns 0.
    Readable {
        /// The connection.
        conn: ConnId,
    },
    /// There is room again after a [`write`](super::UtpEndpoint::write) that took less than it was given.
    Writable {
        /// The connection.
        conn: ConnId,
    },
    /// The peer has sent all its data, and all of it has arrived.
    Finished {
        /// The connection.
        conn: ConnId,
    },
    /// The connection has ended, and its slot is free. Data that was not read is dropped.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CloseReason {
    /// We closed it, and the peer has acknowledged all that we sent.
    Done,
    /// The peer does not know the connection, or aborted it.
    Reset,
    /// The peer did not answer.
    TimedOut,
    /// The path no longer carries packets as long as those that were sent, and nothing says so. Packets cannot be divided
    /// afterwards: dial again. A new connection begins with packets that every path carries.
    PathTooShort,
}

/// A datagram to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a destination, a length and a flag")]
pub struct Transmit {
    /// The destination.
    pub to: SocketAddr,
    /// The length of the datagram in bytes.
    pub len: usize,
    /// The datagram probes the path: send it without fragmentation, if the socket can. If it is too big for the
    /// socket, call [`handle_too_big`](super::UtpEndpoint::handle_too_big).
    pub probe: bool,
}

/// A datagram that was dropped. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DatagramError {
    /// Not a packet of uTP. Other protocols may share the socket.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The connection does not exist.
    #[error("unknown connection")]
    Unknown,
    /// The packet acknowledges what was not sent.
    #[error("packet {0} was not sent")]
    Ack(u16),
    /// The number of the packet is outside of the window.
    #[error("packet {0} is outside of the window")]
    Seq(u16),
    /// A packet that is not expected now, such as a SYN while no connections are accepted.
    #[error("unexpected packet")]
    Unexpected,
    /// All slots are in use, or the share of the network; or too many answers wait to be sent.
    #[error("no room for the connection or the answer")]
    Full,
}
