//! One connection with its share of the storage.

use core::time::Duration;

use super::ring;
use super::slot::{Connection, MAX_LEN, PacketSlot, ReorderSlot};

/// A connection, and its share of the storage.
pub(super) struct ConnMut<'a> {
    pub(super) conn: &'a mut Connection,
    pub(super) packets: &'a mut [PacketSlot],
    pub(super) reorder: &'a mut [ReorderSlot],
    pub(super) send: &'a mut [u8],
    pub(super) receive: &'a mut [u8],
    pub(super) now: Duration,
}

impl ConnMut<'_> {
    /// Returns the slot of the `nth` packet that is not acknowledged.
    pub(super) fn packet(&self, nth: usize) -> Option<PacketSlot> {
        let at = ring::advance(self.conn.outgoing.first_slot, nth, self.packets.len());
        self.packets.get(at).copied()
    }

    pub(super) fn packet_mut(&mut self, nth: usize) -> Option<&mut PacketSlot> {
        let at = ring::advance(self.conn.outgoing.first_slot, nth, self.packets.len());
        self.packets.get_mut(at)
    }

    /// Returns the slot of packet `ack + 1 + offset`.
    pub(super) fn reordered_mut(&mut self, offset: usize) -> Option<&mut ReorderSlot> {
        let at = ring::advance(self.conn.incoming.first_slot, offset, self.reorder.len());
        self.reorder.get_mut(at)
    }

    pub(super) fn is_held(&self, offset: usize) -> bool {
        let at = ring::advance(self.conn.incoming.first_slot, offset, self.reorder.len());
        offset < self.reorder.len() && self.reorder.get(at).is_some_and(|slot| slot.used)
    }

    /// Returns the number of bytes that can still be received.
    pub(super) fn room(&self) -> usize {
        let incoming = &self.conn.incoming;
        self.receive.len().saturating_sub(incoming.len).saturating_sub(incoming.held)
    }

    /// Stores bytes to be sent; returns how many.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let outgoing = &mut self.conn.outgoing;
        if outgoing.closing {
            return 0;
        }
        let free = self.send.len().saturating_sub(outgoing.written);
        let taken = bytes.get(..free).unwrap_or(bytes);
        let at = ring::advance(outgoing.first_byte, outgoing.written, self.send.len());
        ring::put(self.send, at, taken);
        outgoing.written = outgoing.written.saturating_add(taken.len());
        outgoing.write_waits |= taken.len() < bytes.len();
        taken.len()
    }

    /// Takes received bytes; returns how many.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        let incoming = &mut self.conn.incoming;
        let len = incoming.len.min(out.len());
        ring::get(self.receive, incoming.first_byte, out.get_mut(..len).unwrap_or_default());
        incoming.first_byte = ring::advance(incoming.first_byte, len, self.receive.len());
        incoming.len = incoming.len.saturating_sub(len);
        // A peer that has stopped because of our window would not learn that there is room.
        let enough = MAX_LEN.saturating_mul(2).min(self.receive.len() / 2);
        let was_small = self.conn.incoming.advertised < enough;
        self.conn.incoming.ack_due |= was_small && len > 0 && self.room() >= enough;
        len
    }
}
