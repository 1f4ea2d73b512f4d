//! What a fetch does with the bytes of its peers.

use core::time::Duration;

use super::FetchOutcome;
use super::slot::{Feature, FetchSlot, Phase};
use super::state::{Core, live};
use crate::error::NotConnected;
use crate::id::ConnId;
use crate::index::slot;
use crate::received::Received;
use crate::torrent::extension::METADATA;
use crate::torrent::whole;
use crate::torrent::{CloseReason, PeerError};
use crate::wire::extended::{
    self, EXTENDED, Extended, ExtendedHandshake, METADATA_PIECE_LEN, Metadata, Pex,
};
use crate::wire::fast::Fast;
use crate::wire::hashes::{HASH_REJECT, HASHES, HashMessage};
use crate::wire::{Handshake, Message};

/// The longest message: a bitfield of a torrent of eight million pieces.
const LIMIT: u32 = 1 << 20;
/// More bytes are needed.
const NOTHING: Received<FetchOutcome<'static>> = Received { consumed: 0, outcome: None };

impl Core {
    pub(super) fn bytes<'b>(
        &mut self,
        slots: &mut [FetchSlot],
        buffer: &mut [u8],
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<FetchOutcome<'b>>, NotConnected> {
        let known = slots.iter_mut().find(|slot| slot.conn == conn && slot.phase != Phase::Unused);
        let slot = known.ok_or(NotConnected(conn))?;
        self.now = self.now.max(now);
        let processed = match slot.phase {
            Phase::Handshaking => self.handshake(slot, bytes),
            Phase::Open => self.message(slots, buffer, conn, bytes),
            // Closed: the rest of the stream is dropped.
            _ => Ok(Received { consumed: bytes.len(), outcome: None }),
        };
        match processed {
            Ok(received) => Ok(received),
            Err(error) => {
                self.close(slots, conn, CloseReason::Protocol(error));
                self.choose(slots, buffer.len());
                Ok(Received { consumed: bytes.len(), outcome: None })
            }
        }
    }

    fn handshake<'b>(
        &mut self,
        slot: &mut FetchSlot,
        bytes: &'b [u8],
    ) -> Result<Received<FetchOutcome<'b>>, PeerError> {
        let Some((handshake, rest)) = whole(Handshake::decode(bytes))? else {
            return Ok(NOTHING);
        };
        let names = self.config.names();
        names.validate(&handshake, self.config.peer_id)?;
        slot.phase = Phase::Open;
        slot.version2 = names.is_version2(&handshake, slot.dialled);
        slot.fast = Feature::of(self.config.fast && handshake.reserved.fast());
        slot.extended = Feature::of(handshake.reserved.extended());
        slot.heard_at = self.now;
        let consumed = bytes.len().saturating_sub(rest.len());
        Ok(Received { consumed, outcome: Some(FetchOutcome::Keep) })
    }

    fn message<'b>(
        &mut self,
        slots: &mut [FetchSlot],
        buffer: &mut [u8],
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<FetchOutcome<'b>>, PeerError> {
        let Some((message, rest)) = whole(Message::decode(bytes, LIMIT))? else {
            return Ok(NOTHING);
        };
        let consumed = bytes.len().saturating_sub(rest.len());
        let fast = Fast::of(&message)?;
        let Some(slot) = live(slots, conn) else {
            return Ok(Received { consumed: bytes.len(), outcome: None });
        };
        if let Some(fast) = fast.filter(|_| slot.fast == Feature::Unsupported) {
            return Err(PeerError::FastOff(fast.id()));
        }
        let outcome = match message {
            Message::Other { id: EXTENDED, payload } if slot.extended != Feature::Unsupported => {
                self.extended(slots, buffer, conn, payload)?
            }
            Message::Other { id: HASHES | HASH_REJECT, .. } => {
                let hashes = HashMessage::of(&message)?;
                self.hashes(slots, buffer, conn, hashes);
                None
            }
            // We have nothing to send, and requested nothing.
            Message::KeepAlive | Message::Request(_) | Message::Cancel(_) | Message::Piece(_) => {
                None
            }
            _ => Some(FetchOutcome::Keep),
        };
        if let Some(slot) = live(slots, conn) {
            slot.heard_at = self.now;
        }
        self.replace_slow(slots, buffer.len());
        self.choose(slots, buffer.len());
        Ok(Received { consumed, outcome })
    }

    fn extended<'b>(
        &mut self,
        slots: &mut [FetchSlot],
        buffer: &mut [u8],
        conn: ConnId,
        payload: &'b [u8],
    ) -> Result<Option<FetchOutcome<'b>>, PeerError> {
        let Extended { id, body } = Extended::decode(payload)?;
        let Some(slot) = live(slots, conn) else { return Ok(None) };
        match id {
            extended::HANDSHAKE => {
                // One that cannot be read is ignored.
                if let Ok(hello) = ExtendedHandshake::decode(body) {
                    slot.extended_handshake(&hello);
                }
                let serves = slot.id != 0;
                // It has switched the extension off: what it was asked for is asked of another.
                if !serves {
                    self.set_aside(conn);
                }
            }
            METADATA => {
                let metadata = Metadata::decode(body)?;
                self.metadata(slots, buffer, conn, metadata);
                return Ok(None);
            }
            extended::EXCHANGE if self.config.peer_exchange => {
                let peers = Pex::decode(body, !slot.pex_received)?;
                slot.pex_received = true;
                return Ok(Some(FetchOutcome::Peers(peers)));
            }
            _ => {}
        }
        Ok(Some(FetchOutcome::Keep))
    }

    /// Stores a piece of the dictionary.
    fn metadata(
        &mut self,
        slots: &mut [FetchSlot],
        buffer: &mut [u8],
        conn: ConnId,
        metadata: Metadata<'_>,
    ) {
        let Some(source) = self.source.as_mut().filter(|source| source.conn == conn) else {
            return;
        };
        match metadata {
            Metadata::Data { piece, total_size, data }
                if piece == source.next && total_size == source.size =>
            {
                let start = slot(piece).saturating_mul(slot(METADATA_PIECE_LEN));
                let end = start.saturating_add(data.len());
                let Some(room) = buffer.get_mut(start..end) else { return };
                for (to, from) in room.iter_mut().zip(data) {
                    *to = *from;
                }
                source.hasher.update(data);
                source.next = piece.saturating_add(1);
                source.since = self.now;
                if end >= slot(source.size) {
                    self.finish(slots);
                }
            }
            Metadata::Data { piece, .. } if piece >= source.next => self.rest(slots, conn),
            Metadata::Reject { .. } => self.rest(slots, conn),
            _ => {}
        }
    }

    /// Stores a run of the piece layer.
    fn hashes(
        &mut self,
        slots: &mut [FetchSlot],
        buffer: &mut [u8],
        conn: ConnId,
        message: Option<HashMessage<'_>>,
    ) {
        let layer = self.layer.as_mut().filter(|layer| layer.source == Some(conn));
        let Some(layer) = layer.filter(|layer| !layer.is_complete()) else { return };
        let wanted = layer.range(layer.next);
        match message {
            Some(HashMessage::Hashes(range, hashes)) if range == wanted => {
                if layer.take(hashes, buffer) {
                    layer.since = self.now;
                } else {
                    self.close(slots, conn, CloseReason::Corrupt);
                }
            }
            Some(HashMessage::Reject(range)) if range == wanted => self.rest(slots, conn),
            _ => {}
        }
    }
}
