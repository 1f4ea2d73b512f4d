//! The next datagram of a connection.

use super::cursor::ConnMut;
use super::packet::{Extensions, HEADER_LEN, Packet, PacketKind, padding_len, write_padding};
use super::ring;
use super::slot::{PacketSlot, PacketState, Phase, micros, millis};
use crate::error::BufferTooSmall;

/// The longest mask of a selective acknowledgement in bytes.
const MAX_MASK: usize = 32;

/// A datagram that was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) len: usize,
    pub(super) probe: bool,
}

/// A packet with payload or FIN that is to be sent.
#[derive(Debug, Clone, Copy)]
struct Outbound {
    kind: PacketKind,
    nth: usize,
    first_byte: usize,
    len: usize,
    /// The padding of a probe in bytes.
    padding: usize,
    probe: bool,
    again: bool,
}

impl ConnMut<'_> {
    /// Writes the next datagram; `None` if nothing is due. Lost packets come first, then acknowledgements behind a
    /// gap, then new packets, which acknowledge too.
    pub(super) fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<Written>, BufferTooSmall> {
        if self.conn.closed.is_some() {
            return self.transmit_last_ack(buf);
        }
        if self.conn.phase != Phase::Open {
            return self.transmit_syn(buf);
        }
        if self.conn.poke_due {
            return self.transmit_poke(buf).map(Some);
        }
        if let Some(outbound) = self.next_lost() {
            return self.transmit_packet(outbound, buf).map(Some);
        }
        if self.conn.incoming.ack_due && self.has_gap() {
            return self.transmit_ack(buf).map(Some);
        }
        if let Some(outbound) = self.next_new().or_else(|| self.next_fin()) {
            return self.transmit_packet(outbound, buf).map(Some);
        }
        if self.conn.incoming.ack_due {
            return self.transmit_ack(buf).map(Some);
        }
        Ok(None)
    }

    /// The FIN of the peer is acknowledged also if the connection has ended.
    fn transmit_last_ack(&mut self, buf: &mut [u8]) -> Result<Option<Written>, BufferTooSmall> {
        if !self.conn.incoming.ack_due {
            return Ok(None);
        }
        self.transmit_ack(buf).map(Some)
    }

    fn transmit_syn(&mut self, buf: &mut [u8]) -> Result<Option<Written>, BufferTooSmall> {
        if self.conn.phase != Phase::SynDue {
            return Ok(None);
        }
        let mut packet = self.header(PacketKind::Syn);
        packet.connection = self.conn.recv_id;
        packet.seq = self.conn.outgoing.next.wrapping_sub(1);
        let len = packet.encode(buf)?;
        self.conn.phase = Phase::SynSent;
        self.conn.retransmit_at = self.now.checked_add(self.conn.rtt.timeout());
        Ok(Some(Written { len, probe: false }))
    }

    /// Writes the packet before the oldest, empty: the peer has it, and acknowledges it again.
    fn transmit_poke(&mut self, buf: &mut [u8]) -> Result<Written, BufferTooSmall> {
        let mut packet = self.header(PacketKind::Data);
        packet.seq = self.conn.outgoing.oldest.wrapping_sub(1);
        let len = packet.encode(buf)?;
        self.conn.poke_due = false;
        Ok(Written { len, probe: false })
    }

    fn header(&self, kind: PacketKind) -> Packet<'static> {
        Packet {
            kind,
            connection: self.conn.send_id,
            timestamp: micros(self.now),
            difference: self.conn.incoming.difference,
            window: u32::try_from(self.room()).unwrap_or(u32::MAX),
            seq: self.conn.outgoing.next,
            ack: self.conn.incoming.ack,
            extensions: Extensions::NONE,
            payload: &[],
        }
    }

    fn has_gap(&self) -> bool {
        (1..self.reorder.len()).any(|offset| self.is_held(offset))
    }

    fn transmit_ack(&mut self, buf: &mut [u8]) -> Result<Written, BufferTooSmall> {
        let mut chain = [0; MAX_MASK + 2];
        let mask_len = self.write_mask(&mut chain);
        let mut packet = self.header(PacketKind::State);
        if let Some(chain) = chain.get(..mask_len.saturating_add(2)).filter(|_| mask_len > 0) {
            packet.extensions = Extensions::sack(chain);
        }
        let len = packet.encode(buf)?;
        self.acked();
        Ok(Written { len, probe: false })
    }

    /// Writes a selective acknowledgement; returns the length of its mask, a multiple of four bytes (BEP 29).
    fn write_mask(&self, chain: &mut [u8; MAX_MASK + 2]) -> usize {
        let [_, len, mask @ ..] = chain;
        let mut mask_len = 0;
        for (at, byte) in mask.iter_mut().enumerate() {
            for bit in 0..8 {
                let offset = at.saturating_mul(8).saturating_add(bit).saturating_add(1);
                if self.is_held(offset) {
                    *byte |= 1_u8.checked_shl(u32::try_from(bit).unwrap_or(0)).unwrap_or(0);
                    mask_len = (at / 4).saturating_add(1).saturating_mul(4);
                }
            }
        }
        *len = u8::try_from(mask_len).unwrap_or(0);
        mask_len
    }

    /// Every packet acknowledges what has arrived.
    fn acked(&mut self) {
        self.conn.incoming.ack_due = false;
        self.conn.incoming.advertised = self.room();
    }

    /// Returns the first lost packet, if the window allows to send it again.
    fn next_lost(&self) -> Option<Outbound> {
        let outgoing = &self.conn.outgoing;
        if outgoing.lost_packets == 0 {
            return None;
        }
        let mut first_byte = outgoing.first_byte;
        for nth in 0..outgoing.packets() {
            let slot = self.packet(nth)?;
            let len = usize::from(slot.len);
            if slot.state == PacketState::Lost {
                let seq = outgoing.oldest.wrapping_add(u16::try_from(nth).unwrap_or(0));
                let is_fin = outgoing.fin == Some(seq);
                let kind = if is_fin { PacketKind::Fin } else { PacketKind::Data };
                let outbound =
                    Outbound { kind, nth, first_byte, len, padding: 0, probe: false, again: true };
                return Some(outbound).filter(|_| self.fits_window(len));
            }
            first_byte = ring::advance(first_byte, len, self.send.len());
        }
        None
    }

    /// Returns whether so long a packet may be in flight too. One packet may in any case.
    fn fits_window(&self, len: usize) -> bool {
        let in_flight = self.conn.outgoing.in_flight;
        let window = usize::try_from(self.conn.congestion.window.bytes).unwrap_or(usize::MAX);
        in_flight == 0 || in_flight.saturating_add(len) <= window
    }

    fn next_new(&self) -> Option<Outbound> {
        let outgoing = &self.conn.outgoing;
        let unsent = outgoing.unsent();
        let room = outgoing.peer_window.saturating_sub(outgoing.sent);
        if unsent == 0 || room == 0 || outgoing.packets() >= self.packets.len() {
            return None;
        }
        let full = self.conn.mtu.payload();
        let window = usize::try_from(self.conn.congestion.window.bytes).unwrap_or(usize::MAX);
        let probe = self.conn.mtu.probe_len(self.now).filter(|_| {
            // A probe that is lost must be noticed by the packets behind it.
            unsent >= full && room >= full && window > full.saturating_mul(3)
        });
        let wanted = unsent.min(full);
        if room < wanted && outgoing.sent > 0 {
            return None; // rather wait than send small packets
        }
        let len = wanted.min(room);
        let unpadded = len.saturating_add(HEADER_LEN);
        let first_byte = ring::advance(outgoing.first_byte, outgoing.sent, self.send.len());
        let outbound = Outbound {
            kind: PacketKind::Data,
            nth: outgoing.packets(),
            first_byte,
            len,
            padding: probe.map_or(0, |probe| padding_len(probe.saturating_sub(unpadded))),
            probe: probe.is_some(),
            again: false,
        };
        Some(outbound).filter(|_| self.fits_window(len))
    }

    fn next_fin(&self) -> Option<Outbound> {
        let outgoing = &self.conn.outgoing;
        let is_due = outgoing.closing && outgoing.fin.is_none() && outgoing.unsent() == 0;
        if !is_due || outgoing.packets() >= self.packets.len() {
            return None;
        }
        let nth = outgoing.packets();
        let kind = PacketKind::Fin;
        Some(Outbound { kind, nth, first_byte: 0, len: 0, padding: 0, probe: false, again: false })
    }

    fn transmit_packet(
        &mut self,
        outbound: Outbound,
        buf: &mut [u8],
    ) -> Result<Written, BufferTooSmall> {
        let header_len = HEADER_LEN.saturating_add(outbound.padding);
        let len = header_len.saturating_add(outbound.len);
        let out = buf.get_mut(..len).ok_or(BufferTooSmall { needed: len })?;
        let mut packet = self.header(outbound.kind);
        let nth = u16::try_from(outbound.nth).unwrap_or(0);
        packet.seq = self.conn.outgoing.oldest.wrapping_add(nth);
        if outbound.padding > 0 {
            packet.extensions = Extensions::padding();
        }
        packet.encode(out)?;
        let (header, payload) = out.split_at_mut_checked(header_len).unwrap_or_default();
        write_padding(header.get_mut(HEADER_LEN..).unwrap_or_default());
        ring::get(self.send, outbound.first_byte, payload);
        self.sent(outbound, packet.seq);
        if !self.has_gap() {
            self.acked();
        }
        Ok(Written { len, probe: outbound.probe })
    }

    /// Notes that a packet was sent.
    fn sent(&mut self, outbound: Outbound, seq: u16) {
        let outgoing = &mut self.conn.outgoing;
        outgoing.order = outgoing.order.wrapping_add(1);
        outgoing.in_flight = outgoing.in_flight.saturating_add(outbound.len);
        let order = outgoing.order;
        if outbound.again {
            outgoing.lost_packets = outgoing.lost_packets.saturating_sub(1);
        } else {
            if outgoing.next == outgoing.oldest {
                self.conn.stalled_since = self.now;
            }
            outgoing.next = outgoing.next.wrapping_add(1);
            outgoing.sent = outgoing.sent.saturating_add(outbound.len);
            if outbound.kind == PacketKind::Fin {
                outgoing.fin = Some(seq);
            }
        }
        let sent_ms = millis(self.now);
        if let Some(slot) = self.packet_mut(outbound.nth) {
            let sends = if outbound.again { slot.sends.saturating_add(1) } else { 1 };
            let len = u16::try_from(outbound.len).unwrap_or(u16::MAX);
            *slot = PacketSlot { sent_ms, order, len, sends, state: PacketState::InFlight };
        }
        if outbound.probe {
            let len = outbound.len.saturating_add(outbound.padding).saturating_add(HEADER_LEN);
            self.conn.mtu.sent_probe(self.now, seq, len);
        }
        if self.conn.retransmit_at.is_none() {
            self.conn.retransmit_at = self.now.checked_add(self.conn.rtt.timeout());
        }
    }
}
