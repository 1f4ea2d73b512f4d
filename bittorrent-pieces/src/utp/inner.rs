//! The state of an endpoint, and how it finds and accepts connections.

use core::net::SocketAddr;
use core::time::Duration;

use heapless::Deque;

use super::config::UtpConfig;
use super::cookie::{self, Syn};
use super::cursor::ConnMut;
use super::event::{CloseReason, DatagramError, Transmit, UtpEvent};
use super::packet::{Packet, PacketKind};
use super::reply::{Reply, reply_is_useful, reset, reset_of};
use super::slot::{Connection, Phase, UtpSlot, micros};
use super::storage::UtpParts;
use crate::error::{BufferTooSmall, Full};
use crate::id::ConnId;
use crate::network::Network;
use crate::rng::Rng;

/// Answers to packets without a connection that wait to be sent.
const REPLIES: usize = 16;
/// Those of one network.
const REPLIES_OF_NETWORK: usize = 2;
/// Ended connections whose late packets are recognised.
const ENDED: usize = 16;
/// Packet slots of a connection that are used at most: numbers of packets have 16 bits.
const MAX_PACKETS: usize = 4_096;
/// A connection is opened by one of this many packets: the first may be late.
const FIRST_PACKETS: u16 = 4;
/// Attempts to find a connection id that is not in use.
const ID_TRIES: usize = 64;

/// The state of an endpoint apart from its storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Core {
    pub(super) config: UtpConfig,
    pub(super) now: Duration,
    rng: Rng,
    next_conn: u32,
    replies: Deque<Reply, REPLIES>,
    ended: Deque<(SocketAddr, u16), ENDED>,
    /// The connection that transmits next.
    turn: usize,
}

impl Core {
    pub(super) fn new(config: UtpConfig) -> Self {
        Self {
            config,
            now: Duration::ZERO,
            rng: Rng::new(config.seed),
            next_conn: 0,
            replies: Deque::new(),
            ended: Deque::new(),
            turn: 0,
        }
    }
}

/// An endpoint whose storage is borrowed.
pub(super) struct View<'a> {
    pub(super) core: &'a mut Core,
    pub(super) parts: UtpParts<'a>,
}

impl View<'_> {
    /// Returns the share of each connection in a region of `len`.
    fn share(&self, len: usize) -> usize {
        len.checked_div(self.parts.conns.len()).unwrap_or(0)
    }

    fn cursor(&mut self, at: usize) -> Option<ConnMut<'_>> {
        let packets = self.share(self.parts.packets.len());
        let reorder = self.share(self.parts.reorder.len());
        let send = self.share(self.parts.send.len());
        let receive = self.share(self.parts.receive.len());
        let slots = share_mut(self.parts.packets, at, packets);
        let (slots, _) = slots.split_at_mut_checked(packets.min(MAX_PACKETS))?;
        Some(ConnMut {
            conn: self.parts.conns.get_mut(at)?.0.as_mut()?,
            packets: slots,
            reorder: share_mut(self.parts.reorder, at, reorder),
            send: share_mut(self.parts.send, at, send),
            receive: share_mut(self.parts.receive, at, receive),
            now: self.core.now,
        })
    }

    pub(super) fn conn(&mut self, conn: ConnId) -> Option<ConnMut<'_>> {
        let is_open =
            |slot: &UtpSlot| slot.0.is_some_and(|it| it.id == conn && it.closed.is_none());
        let at = self.parts.conns.iter().position(is_open)?;
        self.cursor(at)
    }

    /// Returns a connection that may have ended: its data can be read until [`UtpEvent::Closed`].
    pub(super) fn readable(&mut self, conn: ConnId) -> Option<ConnMut<'_>> {
        let is_it = |slot: &UtpSlot| slot.0.is_some_and(|it| it.id == conn);
        let at = self.parts.conns.iter().position(is_it)?;
        self.cursor(at)
    }

    pub(super) fn fire_expired(&mut self, now: Duration) {
        self.core.now = self.core.now.max(now);
        for at in 0..self.parts.conns.len() {
            if let Some(mut cursor) = self.cursor(at) {
                cursor.fire_expired();
            }
        }
    }

    pub(super) fn connect(&mut self, now: Duration, to: SocketAddr) -> Result<ConnId, Full> {
        let full = Full { capacity: self.parts.conns.len() };
        let at = self.free_slot().ok_or(full)?;
        let mut rng = self.core.rng;
        let draw = |rng: &mut Rng| u16::try_from(rng.below(1 << 16)).unwrap_or(0);
        let ids = core::iter::repeat_with(|| draw(&mut rng)).take(ID_TRIES);
        let found = ids.into_iter().find(|id| self.find(to, *id).is_none());
        let recv_id = found.ok_or(full)?;
        let first = draw(&mut rng);
        self.core.rng = rng;
        self.core.now = self.core.now.max(now);
        let id = self.next_id();
        let conn = Connection::new(id, to, recv_id, recv_id.wrapping_add(1), first.wrapping_add(1));
        self.insert(at, &conn);
        Ok(id)
    }

    fn next_id(&mut self) -> ConnId {
        let id = ConnId(self.core.next_conn);
        self.core.next_conn = self.core.next_conn.wrapping_add(1);
        id
    }

    fn free_slot(&self) -> Option<usize> {
        self.parts.conns.iter().position(|slot| slot.0.is_none())
    }

    fn insert(&mut self, at: usize, conn: &Connection) {
        if let Some(slot) = self.parts.conns.get_mut(at) {
            slot.0 = Some(*conn);
        }
        if let Some(cursor) = self.cursor(at) {
            cursor.reorder.iter_mut().for_each(|slot| slot.used = false);
        }
    }

    /// Frees a slot. Late packets of the connection must not open another.
    pub(super) fn free(&mut self, at: usize) {
        let Some(conn) = self.parts.conns.get_mut(at).and_then(|slot| slot.0.take()) else {
            return;
        };
        if self.core.ended.is_full() {
            self.core.ended.pop_front();
        }
        let _ = self.core.ended.push_back((conn.addr, conn.recv_id)); // not full
    }

    /// Ends a connection at once, and tells the peer if there is room for the RESET.
    pub(super) fn abort(&mut self, conn: ConnId) -> bool {
        let Some(cursor) = self.conn(conn) else { return false };
        let reply = reset_of(cursor.conn);
        if reply_is_useful(cursor.conn) {
            let _ = self.core.replies.push_back(reply); // if it is full, the next packet is answered
        }
        let mut slots = self.parts.conns.iter();
        if let Some(at) = slots.position(|slot| slot.0.is_some_and(|it| it.id == conn)) {
            self.free(at);
        }
        true
    }

    fn find(&self, addr: SocketAddr, recv_id: u16) -> Option<usize> {
        let same = |conn: &Connection| conn.addr == addr && conn.recv_id == recv_id;
        self.parts.conns.iter().position(|slot| slot.0.as_ref().is_some_and(same))
    }

    /// A RESET may carry either id.
    fn find_reset(&self, addr: SocketAddr, id: u16) -> Option<usize> {
        let same =
            |conn: &Connection| conn.addr == addr && (conn.recv_id == id || conn.send_id == id);
        self.parts.conns.iter().position(|slot| slot.0.as_ref().is_some_and(same))
    }

    pub(super) fn datagram(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<Option<ConnId>, DatagramError> {
        let packet = Packet::decode(bytes)?;
        let now = self.core.now.max(now);
        let found = match packet.kind {
            PacketKind::Syn => return self.answer_syn(now, from, &packet),
            PacketKind::Reset => {
                let found = self.find_reset(from, packet.connection);
                Some(found.ok_or(DatagramError::Unknown)?)
            }
            _ => self.find(from, packet.connection),
        };
        let Some(at) = found else { return self.handle_unknown(now, from, &packet) };
        let mut cursor = self.cursor(at).ok_or(DatagramError::Unknown)?;
        cursor.now = now;
        cursor.handle(&packet)?;
        let id = cursor.conn.id;
        let gone =
            (cursor.conn.closed == Some(CloseReason::PathTooShort)).then(|| reset_of(cursor.conn));
        self.core.now = now;
        if let Some(reply) = gone {
            let _ = self.core.replies.push_back(reply); // if it is full, the next packet is answered
        }
        Ok(Some(id))
    }

    fn answer_syn(
        &mut self,
        now: Duration,
        from: SocketAddr,
        packet: &Packet<'_>,
    ) -> Result<Option<ConnId>, DatagramError> {
        // With the id of another connection, the packets of both could not be told apart.
        let recv_id = packet.connection.wrapping_add(1);
        let taken = self.find(from, recv_id).and_then(|at| self.parts.conns.get(at)?.0);
        if !self.core.config.accept || taken.is_some_and(|conn| conn.dialled) {
            return Err(DatagramError::Unexpected);
        }
        let syn = Syn { from, connection: packet.connection, seq: packet.seq };
        let reply = Reply {
            to: from,
            kind: PacketKind::State,
            connection: packet.connection,
            seq: cookie::first_seq(self.core.config.key, now, syn),
            ack: packet.seq,
            difference: micros(now).wrapping_sub(packet.timestamp).max(1),
        };
        self.push_reply(now, reply)
    }

    fn push_reply(&mut self, now: Duration, reply: Reply) -> Result<Option<ConnId>, DatagramError> {
        let network = Network::of(reply.to.ip());
        let same = |waiting: &&Reply| Network::of(waiting.to.ip()) == network;
        let share = network.share(REPLIES_OF_NETWORK, REPLIES);
        if self.core.replies.iter().filter(same).count() >= share {
            return Err(DatagramError::Full);
        }
        self.core.replies.push_back(reply).map_err(|_| DatagramError::Full)?;
        self.core.now = now;
        Ok(None)
    }

    /// Opens a connection if this is one of the first packets of a peer that has received our answer to its SYN.
    fn handle_unknown(
        &mut self,
        now: Duration,
        from: SocketAddr,
        packet: &Packet<'_>,
    ) -> Result<Option<ConnId>, DatagramError> {
        if self.core.ended.iter().any(|ended| *ended == (from, packet.connection)) {
            return self.push_reply(now, reset(now, from, packet));
        }
        let syn = self.find_syn(now, from, packet).ok_or(DatagramError::Unknown)?;
        let at = self.free_slot().ok_or(DatagramError::Full)?;
        self.check_share(from)?;
        self.core.now = now;
        let id = self.next_id();
        let first = packet.ack.wrapping_add(1);
        let mut conn = Connection::new(id, from, packet.connection, syn.connection, first);
        conn.dialled = false;
        conn.phase = Phase::Open;
        conn.events.opened = true;
        conn.incoming.ack = syn.seq;
        self.insert(at, &conn);
        if let Some(mut cursor) = self.cursor(at) {
            let _ = cursor.handle(packet); // its numbers are those of the new connection
        }
        Ok(Some(id))
    }

    /// Returns the SYN to which a packet acknowledges our answer. The first packets may arrive out of order.
    fn find_syn(&self, now: Duration, from: SocketAddr, packet: &Packet<'_>) -> Option<Syn> {
        if packet.kind != PacketKind::Data || !self.core.config.accept {
            return None;
        }
        let connection = packet.connection.wrapping_sub(1);
        let first = packet.ack.wrapping_add(1);
        let key = self.core.config.key;
        let places = u16::try_from(self.share(self.parts.reorder.len())).unwrap_or(u16::MAX);
        let seqs = (1..=FIRST_PACKETS.min(places.max(1))).map(|nth| packet.seq.wrapping_sub(nth));
        let mut syns = seqs.map(|seq| Syn { from, connection, seq });
        syns.find(|syn| cookie::verifies(key, now, *syn, first))
    }

    /// Checks that the network of an address may open another connection.
    fn check_share(&self, from: SocketAddr) -> Result<(), DatagramError> {
        let network = Network::of(from.ip());
        let same = |slot: &&UtpSlot| {
            slot.0.is_some_and(|it| !it.dialled && Network::of(it.addr.ip()) == network)
        };
        let open = self.parts.conns.iter().filter(same).count();
        let share = network.share(self.core.config.per_network, usize::MAX);
        if open >= share { Err(DatagramError::Full) } else { Ok(()) }
    }

    pub(super) fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        if let Some(reply) = self.core.replies.front().copied() {
            let window = self.share(self.parts.receive.len());
            let len = reply.write(self.core.now, window, buf)?;
            self.core.replies.pop_front();
            return Ok(Some(Transmit { to: reply.to, len, probe: false }));
        }
        let conns = self.parts.conns.len();
        for step in 0..conns {
            let at = self.core.turn.saturating_add(step).checked_rem(conns).unwrap_or(0);
            let Some(mut cursor) = self.cursor(at) else { continue };
            let to = cursor.conn.addr;
            if let Some(written) = cursor.transmit(buf)? {
                self.core.turn = at.saturating_add(1).checked_rem(conns).unwrap_or(0);
                return Ok(Some(Transmit { to, len: written.len, probe: written.probe }));
            }
        }
        Ok(None)
    }

    pub(super) fn event(&mut self) -> Option<UtpEvent> {
        for at in 0..self.parts.conns.len() {
            let Some(cursor) = self.cursor(at) else { continue };
            if let Some(event) = take_event(cursor.conn) {
                return Some(event);
            }
            if let Some(reason) = cursor.conn.closed {
                let conn = cursor.conn.id;
                self.free(at);
                return Some(UtpEvent::Closed { conn, reason });
            }
        }
        None
    }

    /// Handles that a datagram of this length cannot be sent to an address.
    pub(super) fn too_big(&mut self, to: SocketAddr, len: usize) {
        for slot in self.parts.conns.iter_mut() {
            if let Some(conn) = slot.0.as_mut().filter(|conn| conn.addr == to) {
                conn.mtu.too_big(len);
            }
        }
    }
}

fn take_event(conn: &mut Connection) -> Option<UtpEvent> {
    let id = conn.id;
    if core::mem::take(&mut conn.events.opened) {
        let accepted = UtpEvent::Accepted { conn: id, from: conn.addr };
        return Some(if conn.dialled { UtpEvent::Connected { conn: id } } else { accepted });
    }
    if core::mem::take(&mut conn.events.readable) {
        return Some(UtpEvent::Readable { conn: id });
    }
    if core::mem::take(&mut conn.events.writable) {
        return Some(UtpEvent::Writable { conn: id });
    }
    let finished = core::mem::take(&mut conn.events.finished);
    finished.then_some(UtpEvent::Finished { conn: id })
}

fn share_mut<T>(region: &mut [T], at: usize, share: usize) -> &mut [T] {
    let start = at.saturating_mul(share);
    region.get_mut(start..start.saturating_add(share)).unwrap_or_default()
}
