//! The state of one connection, and of its packets.

use core::net::SocketAddr;
use core::time::Duration;

use super::congestion::Congestion;
use super::event::CloseReason;
use super::mtu::MtuSearch;
use super::rtt::Rtt;
use crate::id::ConnId;

/// The longest datagram that is sent or stored, in bytes.
pub const MAX_LEN: usize = 1_472;

/// A slot for one connection: at most 480 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UtpSlot(pub(super) Option<Connection>);

impl UtpSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);
}

/// A slot for a packet that was sent: 12 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketSlot {
    pub(super) sent_ms: u32, // wraps around
    pub(super) order: u32,   // of all transmissions of the connection; wraps around
    pub(super) len: u16,
    pub(super) sends: u8,
    pub(super) state: PacketState,
}

impl PacketSlot {
    /// An unused slot.
    pub const EMPTY: Self =
        Self { sent_ms: 0, order: 0, len: 0, sends: 0, state: PacketState::InFlight };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PacketState {
    InFlight,
    Lost,
    Acked,
}

/// A slot for a packet that arrived behind a gap: at most 1,480 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReorderSlot {
    pub(super) used: bool,
    pub(super) len: u16,
    pub(super) bytes: [u8; MAX_LEN],
}

impl ReorderSlot {
    /// An unused slot; all bytes are zero.
    pub const EMPTY: Self = Self { used: false, len: 0, bytes: [0; MAX_LEN] };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) addr: SocketAddr,
    pub(super) recv_id: u16,
    pub(super) send_id: u16,
    pub(super) dialled: bool,
    pub(super) phase: Phase,
    /// Neither side has received data, so a new answer to our SYN may still replace the first.
    pub(super) fresh: bool,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
    pub(super) rtt: Rtt,
    pub(super) congestion: Congestion,
    pub(super) mtu: MtuSearch,
    pub(super) retransmit_at: Option<Duration>,
    pub(super) timeouts: u8, // in a row
    /// Since when the oldest packet is not acknowledged.
    pub(super) stalled_since: Duration,
    /// An empty packet is to be sent, to learn whether the peer answers.
    pub(super) poke_due: bool,
    pub(super) events: Events,
    pub(super) closed: Option<CloseReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A SYN is to be sent.
    SynDue,
    /// A SYN is on its way.
    SynSent,
    Open,
}

/// What we send. Packets from `oldest` up to `next` lie in a ring of slots, their bytes in a ring of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) oldest: u16,
    pub(super) next: u16,
    pub(super) first_slot: usize,
    pub(super) first_byte: usize,
    /// Bytes that were written and are not acknowledged.
    pub(super) written: usize,
    /// Those of them that are in packets.
    pub(super) sent: usize,
    /// Those of them that are neither acknowledged nor lost.
    pub(super) in_flight: usize,
    pub(super) lost_packets: usize,
    /// The number of the last transmission.
    pub(super) order: u32,
    /// The last transmission when the window was cut.
    pub(super) recovery: u32,
    pub(super) duplicate_acks: u8,
    pub(super) peer_window: usize,
    /// Since when the peer has no room for a packet.
    pub(super) no_room_since: Option<Duration>,
    pub(super) closing: bool,
    /// Since when it is closing, once that was noticed.
    pub(super) closing_since: Option<Duration>,
    pub(super) fin: Option<u16>,
    /// A write took less than it was given.
    pub(super) write_waits: bool,
}

impl Outgoing {
    pub(super) const fn new(next: u16, peer_window: usize) -> Self {
        Self {
            oldest: next,
            next,
            first_slot: 0,
            first_byte: 0,
            written: 0,
            sent: 0,
            in_flight: 0,
            lost_packets: 0,
            order: 0,
            recovery: 0,
            duplicate_acks: 0,
            peer_window,
            no_room_since: None,
            closing: false,
            closing_since: None,
            fin: None,
            write_waits: false,
        }
    }

    /// Returns the number of packets that were sent and are not acknowledged without a gap.
    pub(super) fn packets(&self) -> usize {
        self.next.wrapping_sub(self.oldest).into()
    }

    pub(super) const fn unsent(&self) -> usize {
        self.written.saturating_sub(self.sent)
    }
}

/// What we receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Incoming {
    /// The last packet that arrived without a gap before it.
    pub(super) ack: u16,
    /// The packet that ends the stream.
    pub(super) end: Option<u16>,
    pub(super) first_byte: usize,
    pub(super) len: usize,
    /// The slot of packet `ack + 1`.
    pub(super) first_slot: usize,
    /// Bytes behind a gap.
    pub(super) held: usize,
    pub(super) advertised: usize,
    pub(super) ack_due: bool,
    /// Our time minus the timestamp of the last packet.
    pub(super) difference: u32,
}

impl Incoming {
    pub(super) const fn new(ack: u16) -> Self {
        Self {
            ack,
            end: None,
            first_byte: 0,
            len: 0,
            first_slot: 0,
            held: 0,
            advertised: 0,
            ack_due: false,
            difference: 0,
        }
    }

    /// Returns whether the peer has sent all, and all of it has arrived.
    pub(super) fn is_finished(&self) -> bool {
        self.end == Some(self.ack)
    }
}

/// Events that were not polled.
#[expect(clippy::struct_excessive_bools, reason = "one for each kind of event")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) opened: bool,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) finished: bool,
}

impl Connection {
    /// Creates a connection; `next` is the number of our next packet.
    pub(super) fn new(id: ConnId, addr: SocketAddr, recv_id: u16, send_id: u16, next: u16) -> Self {
        let mtu = MtuSearch::new(addr);
        let packet = u32::try_from(mtu.payload()).unwrap_or(0);
        Self {
            id,
            addr,
            recv_id,
            send_id,
            dialled: true,
            phase: Phase::SynDue,
            fresh: true,
            outgoing: Outgoing::new(next, 0),
            incoming: Incoming::new(0),
            rtt: Rtt::new(),
            congestion: Congestion::new(packet),
            mtu,
            retransmit_at: None,
            timeouts: 0,
            stalled_since: Duration::ZERO,
            poke_due: false,
            events: Events::default(),
            closed: None,
        }
    }
}

/// Returns the low 32 bits of a time in microseconds: the clock of a packet.
pub(super) fn micros(now: Duration) -> u32 {
    u32::try_from(now.as_micros() & u128::from(u32::MAX)).unwrap_or(0)
}

/// Returns the low 32 bits of a time in milliseconds.
pub(super) fn millis(now: Duration) -> u32 {
    u32::try_from(now.as_millis() & u128::from(u32::MAX)).unwrap_or(0)
}
