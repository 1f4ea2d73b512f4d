//! What a packet changes in a connection.

use super::cursor::ConnMut;
use super::event::{CloseReason, DatagramError};
use super::packet::{Packet, PacketKind};
use super::ring;
use super::slot::{Incoming, MAX_LEN, Phase, micros};

/// How far behind the number of a repeated packet may be.
const OLD_PACKETS: u16 = 4_096;
/// How far behind an acknowledgement may be, beyond the packets in flight (libutp, libtorrent).
const OLD_ACKS: usize = 3;
/// What old versions of µTorrent send while they have not measured the difference of the clocks.
const NO_DIFFERENCE: u32 = 0x7FFF_FFFF;

impl ConnMut<'_> {
    pub(super) fn handle(&mut self, packet: &Packet<'_>) -> Result<(), DatagramError> {
        if self.conn.closed.is_some() {
            return Err(DatagramError::Unexpected);
        }
        match (packet.kind, self.conn.phase) {
            (PacketKind::Syn, _) => Err(DatagramError::Unexpected),
            (PacketKind::Reset, _) => self.handle_reset(packet),
            (_, Phase::Open) => self.handle_open(packet),
            (PacketKind::State, Phase::SynSent) => self.handle_syn_answer(packet),
            (_, Phase::SynDue | Phase::SynSent) => Err(DatagramError::Unexpected),
        }
    }

    /// A RESET names one of our last packets; a forged one has to guess that besides the id.
    fn handle_reset(&mut self, packet: &Packet<'_>) -> Result<(), DatagramError> {
        let outgoing = &self.conn.outgoing;
        let oldest = outgoing.oldest.wrapping_sub(4);
        let range = outgoing.next.wrapping_sub(oldest);
        if packet.ack.wrapping_sub(oldest) > range {
            return Err(DatagramError::Ack(packet.ack));
        }
        self.close(CloseReason::Reset);
        Ok(())
    }

    pub(super) fn close(&mut self, reason: CloseReason) {
        self.conn.closed = Some(reason);
        self.conn.retransmit_at = None;
        self.conn.events.writable = false;
    }

    fn handle_syn_answer(&mut self, packet: &Packet<'_>) -> Result<(), DatagramError> {
        if packet.ack != self.conn.outgoing.next.wrapping_sub(1) {
            return Err(DatagramError::Ack(packet.ack));
        }
        self.conn.phase = Phase::Open;
        self.conn.events.opened = true;
        self.conn.retransmit_at = None;
        self.conn.timeouts = 0;
        self.conn.incoming.ack = packet.seq.wrapping_sub(1);
        self.note_header(packet);
        Ok(())
    }

    fn note_header(&mut self, packet: &Packet<'_>) {
        // 0 would mean that the difference is unknown.
        let difference = micros(self.now).wrapping_sub(packet.timestamp).max(1);
        self.conn.incoming.difference = difference;
        let window = usize::try_from(packet.window).unwrap_or(usize::MAX);
        let outgoing = &mut self.conn.outgoing;
        outgoing.peer_window = window;
        let full = window < self.conn.mtu.payload();
        let since = outgoing.no_room_since.unwrap_or(self.now);
        outgoing.no_room_since = full.then_some(since);
    }

    fn handle_open(&mut self, packet: &Packet<'_>) -> Result<(), DatagramError> {
        let outgoing = &self.conn.outgoing;
        let before_oldest = outgoing.oldest.wrapping_sub(1);
        let acked = usize::from(packet.ack.wrapping_sub(before_oldest));
        let behind = usize::from(before_oldest.wrapping_sub(packet.ack));
        let is_new = acked <= outgoing.packets();
        if !is_new && behind > self.packets.len().saturating_add(OLD_ACKS) {
            return Err(DatagramError::Ack(packet.ack));
        }
        let carries = matches!(packet.kind, PacketKind::Data | PacketKind::Fin);
        if carries && !self.is_near(packet.seq) {
            return Err(DatagramError::Seq(packet.seq));
        }
        if self.conn.fresh && self.conn.dialled && packet.kind == PacketKind::State && acked == 0 {
            // The listener made a second connection for our repeated SYN: the last answer counts.
            self.conn.incoming.ack = packet.seq.wrapping_sub(1);
        }
        let had_no_room = self.conn.outgoing.no_room_since.is_some();
        self.note_header(packet);
        let has_no_room = self.conn.outgoing.no_room_since.is_some();
        if has_no_room {
            self.conn.timeouts = 0; // it answers, but has no room for what we repeat
        }
        if had_no_room || has_no_room {
            self.conn.stalled_since = self.now;
        }
        if is_new {
            self.handle_ack(packet, acked);
        }
        if carries {
            self.handle_data(packet);
        }
        if self.conn.closed.is_none() {
            self.close_if_path_is_too_short();
        }
        Ok(())
    }

    /// Returns whether a packet is within the window, or a recent one again.
    fn is_near(&self, seq: u16) -> bool {
        let ack = self.conn.incoming.ack;
        let offset = usize::from(seq.wrapping_sub(ack).wrapping_sub(1));
        offset < self.reorder.len().max(1) || ack.wrapping_sub(seq) < OLD_PACKETS
    }

    /// Returns the delay that the peer has measured, if it has.
    pub(super) fn measured(packet: &Packet<'_>) -> Option<u32> {
        Some(packet.difference).filter(|difference| !matches!(*difference, 0 | NO_DIFFERENCE))
    }

    fn handle_data(&mut self, packet: &Packet<'_>) {
        self.conn.incoming.ack_due = true;
        let seq = packet.seq;
        let offset = usize::from(seq.wrapping_sub(self.conn.incoming.ack).wrapping_sub(1));
        if offset >= self.reorder.len().max(1) {
            return; // it has arrived before
        }
        if packet.kind == PacketKind::Fin {
            self.conn.incoming.end.get_or_insert(seq);
        }
        let is_behind_end =
            self.conn.incoming.end.is_some_and(|end| seq.wrapping_sub(end) < 1 << 15);
        if packet.kind == PacketKind::Data && !is_behind_end {
            if offset == 0 {
                self.append(packet.payload);
            } else {
                self.hold(offset, packet.payload);
            }
        }
        self.take_held();
    }

    /// Appends the payload of the next packet, if there is room.
    fn append(&mut self, payload: &[u8]) {
        if payload.len() > self.room() {
            return;
        }
        self.conn.incoming.append(self.receive, payload);
        self.appended(payload.len());
    }

    fn appended(&mut self, len: usize) {
        self.conn.events.readable |= len > 0;
        self.next_expected();
    }

    fn next_expected(&mut self) {
        self.conn.fresh = false;
        let incoming = &mut self.conn.incoming;
        incoming.ack = incoming.ack.wrapping_add(1);
        incoming.first_slot = ring::advance(incoming.first_slot, 1, self.reorder.len());
    }

    /// Stores a packet behind a gap. Room for the packet in the gap is left.
    fn hold(&mut self, offset: usize, payload: &[u8]) {
        let needed = payload.len().saturating_add(MAX_LEN);
        if payload.len() > MAX_LEN || needed > self.room() {
            return;
        }
        let Some(slot) = self.reordered_mut(offset).filter(|slot| !slot.used) else { return };
        slot.used = true;
        slot.len = u16::try_from(payload.len()).unwrap_or(0);
        ring::put(&mut slot.bytes, 0, payload);
        let held = self.conn.incoming.held;
        self.conn.incoming.held = held.saturating_add(payload.len());
    }

    /// Appends the held packets that are next.
    fn take_held(&mut self) {
        loop {
            if self.conn.incoming.end == Some(self.conn.incoming.ack.wrapping_add(1)) {
                self.next_expected();
                self.conn.events.finished = true;
            }
            if self.conn.incoming.is_finished() || !self.is_held(0) {
                return;
            }
            let Some(slot) = self.reordered_mut(0) else { return };
            slot.used = false;
            let len = usize::from(slot.len);
            self.conn.incoming.held = self.conn.incoming.held.saturating_sub(len);
            if len <= self.room() {
                let slot = self.reorder.get(self.conn.incoming.first_slot);
                let payload = slot.and_then(|slot| slot.bytes.get(..len)).unwrap_or_default();
                self.conn.incoming.append(self.receive, payload);
                self.appended(len);
            }
        }
    }
}

impl Incoming {
    /// Copies a payload behind the received bytes. There is room.
    fn append(&mut self, ring: &mut [u8], payload: &[u8]) {
        let at = ring::advance(self.first_byte, self.len, ring.len());
        ring::put(ring, at, payload);
        self.len = self.len.saturating_add(payload.len());
    }
}
