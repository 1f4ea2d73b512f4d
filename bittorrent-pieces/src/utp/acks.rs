//! What an acknowledgement changes: which packets have arrived, which are lost, and how much may be in flight.

use super::congestion::Acked;
use super::cursor::ConnMut;
use super::event::CloseReason;
use super::packet::{Packet, PacketKind};
use super::ring;
use super::slot::{PacketState, millis};

/// A packet is lost when one that was sent this many transmissions later has arrived (BEP 29).
const REORDERING: u32 = 3;
/// The same acknowledgement this many times means a loss (BEP 29), for peers without selective ones.
const DUPLICATES: u8 = 3;

/// What an acknowledgement was good for.
#[derive(Debug, Default)]
struct News {
    packets: usize,
    bytes: usize,
    /// The last of the transmissions that have arrived.
    order: Option<u32>,
    round_trip: Option<u32>, // in milliseconds
}

impl ConnMut<'_> {
    /// Handles an acknowledgement of the first `acked` packets in flight, and of those that it names.
    pub(super) fn handle_ack(&mut self, packet: &Packet<'_>, acked: usize) {
        let in_flight = self.conn.outgoing.in_flight;
        let total = self.conn.outgoing.packets();
        let mut news = News::default();
        for nth in 0..acked {
            self.mark_acked(nth, &mut news);
        }
        if let Some(sack) = packet.sack() {
            let first = acked.saturating_add(1); // the packet before it is missing
            for nth in first..total {
                if sack.has(nth.saturating_sub(first)) {
                    self.mark_acked(nth, &mut news);
                }
            }
        }
        self.release(acked);
        if acked > 0 {
            self.conn.stalled_since = self.now;
        }
        if let Some(sample) = news.round_trip {
            self.conn.rtt.sample(sample);
        }
        if news.packets > 0 {
            self.conn.fresh = false;
            self.conn.timeouts = 0;
            self.conn.outgoing.duplicate_acks = 0;
            let deadline = self.now.checked_add(self.conn.rtt.timeout());
            self.conn.retransmit_at = deadline.filter(|_| self.conn.outgoing.packets() > 0);
        } else if packet.kind == PacketKind::State && packet.sack().is_none() && total > 0 {
            self.count_duplicate();
        }
        self.adjust_window(packet, &news, in_flight);
        if let Some(order) = news.order {
            self.find_lost(order);
        }
    }

    fn mark_acked(&mut self, nth: usize, news: &mut News) {
        let now = millis(self.now);
        let seq = self.conn.outgoing.oldest;
        let Some(slot) = self.packet_mut(nth) else { return };
        let before = *slot;
        slot.state = PacketState::Acked;
        let len = usize::from(before.len);
        let outgoing = &mut self.conn.outgoing;
        match before.state {
            PacketState::Acked => return,
            PacketState::InFlight => outgoing.in_flight = outgoing.in_flight.saturating_sub(len),
            PacketState::Lost => outgoing.lost_packets = outgoing.lost_packets.saturating_sub(1),
        }
        news.packets = news.packets.saturating_add(1);
        news.bytes = news.bytes.saturating_add(len);
        let later = news.order.is_none_or(|known| is_later(before.order, known));
        news.order = if later { Some(before.order) } else { news.order };
        if before.sends == 1 {
            news.round_trip = Some(now.wrapping_sub(before.sent_ms));
        }
        self.conn.mtu.acked(self.now, seq.wrapping_add(u16::try_from(nth).unwrap_or(0)));
    }

    /// Frees the first packets and their bytes.
    fn release(&mut self, packets: usize) {
        for _ in 0..packets {
            let len = self.packet(0).map_or(0, |slot| usize::from(slot.len));
            let outgoing = &mut self.conn.outgoing;
            if outgoing.fin == Some(outgoing.oldest) {
                self.close(CloseReason::Done);
                return;
            }
            outgoing.first_byte = ring::advance(outgoing.first_byte, len, self.send.len());
            outgoing.written = outgoing.written.saturating_sub(len);
            outgoing.sent = outgoing.sent.saturating_sub(len);
            outgoing.first_slot = ring::advance(outgoing.first_slot, 1, self.packets.len());
            outgoing.oldest = outgoing.oldest.wrapping_add(1);
        }
        let outgoing = &mut self.conn.outgoing;
        if outgoing.write_waits && outgoing.written < self.send.len() {
            outgoing.write_waits = false;
            self.conn.events.writable = true;
        }
    }

    fn count_duplicate(&mut self) {
        let outgoing = &mut self.conn.outgoing;
        outgoing.duplicate_acks = outgoing.duplicate_acks.saturating_add(1);
        if outgoing.duplicate_acks == DUPLICATES {
            self.mark_lost(0);
        }
    }

    fn adjust_window(&mut self, packet: &Packet<'_>, news: &News, in_flight: usize) {
        let Some(difference) = Self::measured(packet).filter(|_| news.bytes > 0) else { return };
        let delay = self.conn.congestion.delay(self.now, difference);
        let full = self.conn.mtu.payload();
        let window = &mut self.conn.congestion.window;
        let open = usize::try_from(window.bytes).unwrap_or(usize::MAX);
        window.acked(Acked {
            bytes: u32::try_from(news.bytes).unwrap_or(u32::MAX),
            packet: u32::try_from(full).unwrap_or(0),
            delay,
            limited: in_flight.saturating_add(full) > open,
        });
    }

    /// Finds packets that were overtaken by the transmission `order`.
    fn find_lost(&mut self, order: u32) {
        for nth in 0..self.conn.outgoing.packets() {
            let Some(slot) = self.packet(nth) else { return };
            let overtaken = is_later(order, slot.order.wrapping_add(REORDERING - 1));
            if slot.state == PacketState::InFlight && overtaken {
                self.mark_lost(nth);
            }
        }
    }

    /// Marks a packet as lost. The window is cut once for all packets of one window.
    fn mark_lost(&mut self, nth: usize) {
        let Some(slot) = self.packet_mut(nth) else { return };
        if slot.state != PacketState::InFlight {
            return;
        }
        slot.state = PacketState::Lost;
        let slot = *slot;
        let outgoing = &mut self.conn.outgoing;
        outgoing.in_flight = outgoing.in_flight.saturating_sub(slot.len.into());
        outgoing.lost_packets = outgoing.lost_packets.saturating_add(1);
        let seq = outgoing.oldest.wrapping_add(u16::try_from(nth).unwrap_or(0));
        if self.conn.mtu.is_probe(seq) {
            self.conn.mtu.lost(self.now); // by its length, as far as we know
        } else if is_later(slot.order, outgoing.recovery) {
            outgoing.recovery = outgoing.order;
            let packet = u32::try_from(self.conn.mtu.payload()).unwrap_or(0);
            self.conn.congestion.window.lost(packet);
        }
    }

    /// Marks all packets in flight as lost, after a timeout.
    pub(super) fn lose_all(&mut self) {
        let outgoing = &self.conn.outgoing;
        let total = outgoing.packets();
        let only_probe = total == 1 && self.conn.mtu.is_probe(outgoing.oldest);
        for nth in 0..total {
            let Some(slot) = self.packet_mut(nth) else { return };
            if slot.state == PacketState::InFlight {
                slot.state = PacketState::Lost;
                let outgoing = &mut self.conn.outgoing;
                outgoing.lost_packets = outgoing.lost_packets.saturating_add(1);
            }
        }
        let outgoing = &mut self.conn.outgoing;
        outgoing.in_flight = 0;
        outgoing.recovery = outgoing.order;
        self.conn.mtu.lost(self.now);
        if !only_probe {
            let packet = u32::try_from(self.conn.mtu.payload()).unwrap_or(0);
            self.conn.congestion.window.timed_out(packet);
        }
    }
}

/// Compares numbers that wrap around.
const fn is_later(one: u32, other: u32) -> bool {
    let distance = one.wrapping_sub(other);
    distance != 0 && distance < 1 << 31
}
