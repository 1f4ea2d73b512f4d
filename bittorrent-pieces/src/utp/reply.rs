//! Answers to packets without a connection, and RESETs.

use core::net::SocketAddr;
use core::time::Duration;

use super::packet::{Extensions, Packet, PacketKind};
use super::slot::{Connection, Phase, micros};
use crate::error::BufferTooSmall;

/// An answer to a packet without a connection. It is as short as a packet can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) to: SocketAddr,
    pub(super) kind: PacketKind,
    pub(super) connection: u16,
    pub(super) seq: u16,
    pub(super) ack: u16,
    pub(super) difference: u32,
}

impl Reply {
    pub(super) fn write(
        self,
        now: Duration,
        window: usize,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let packet = Packet {
            kind: self.kind,
            connection: self.connection,
            timestamp: micros(now),
            difference: self.difference,
            window: u32::try_from(window).unwrap_or(u32::MAX),
            seq: self.seq,
            ack: self.ack,
            extensions: Extensions::NONE,
            payload: &[],
        };
        packet.encode(buf)
    }
}

/// A RESET names the packet that has no connection.
pub(super) fn reset(now: Duration, from: SocketAddr, packet: &Packet<'_>) -> Reply {
    Reply {
        to: from,
        kind: PacketKind::Reset,
        connection: packet.connection,
        seq: 0,
        ack: packet.seq,
        difference: micros(now).wrapping_sub(packet.timestamp).max(1),
    }
}

/// A RESET of a connection that the peer knows.
pub(super) const fn reset_of(conn: &Connection) -> Reply {
    Reply {
        to: conn.addr,
        kind: PacketKind::Reset,
        connection: conn.send_id,
        seq: conn.outgoing.next,
        ack: conn.incoming.ack,
        difference: conn.incoming.difference,
    }
}

/// Returns whether the peer knows the connection, so that a RESET says something to it.
pub(super) fn reply_is_useful(conn: &Connection) -> bool {
    conn.phase != Phase::SynDue
}
