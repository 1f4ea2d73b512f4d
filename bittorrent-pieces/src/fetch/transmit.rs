//! What a fetch sends.

use super::slot::{Feature, FetchSlot, Phase};
use super::state::Core;
use crate::error::BufferTooSmall;
use crate::id::ConnId;
use crate::torrent::Transmit;
use crate::torrent::extension::{write_handshake, write_metadata_request};
use crate::torrent::handshake::our_reserved;
use crate::wire::extended::METADATA_PIECE_LEN;
use crate::wire::fast::Fast;
use crate::wire::hashes::HashMessage;
use crate::wire::{Handshake, Message, Reserved};

/// The most requests in flight.
const PIPELINE: u32 = 4;

impl Core {
    pub(super) fn transmit(
        &mut self,
        slots: &mut [FetchSlot],
        only: Option<ConnId>,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        for slot in slots.iter_mut().filter(|slot| slot.is_live()) {
            if only.is_some_and(|conn| conn != slot.conn) {
                continue;
            }
            if let Some(len) = self.write(slot, buf)? {
                slot.sent_at = self.now;
                return Ok(Some(Transmit::new(slot.conn, len)));
            }
        }
        Ok(None)
    }

    /// Writes the most urgent message to a peer.
    fn write(
        &mut self,
        slot: &mut FetchSlot,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let config = &self.config;
        if !slot.handshake_sent && (slot.dialled || slot.phase == Phase::Open) {
            let (info_hash, offers_v2) = config.names().ours(slot.version2);
            let mut reserved = our_reserved(config.fast, config.dht_port.is_some());
            if offers_v2 {
                reserved = reserved | Reserved::V2;
            }
            let peer_id = config.peer_id;
            let len = Handshake { reserved, info_hash, peer_id }.encode(buf)?;
            slot.handshake_sent = true;
            return Ok(Some(len));
        }
        if slot.phase != Phase::Open {
            return Ok(None);
        }
        if slot.fast == Feature::Due {
            let len = Fast::HaveNone.encode(buf)?;
            slot.fast = Feature::Sent;
            return Ok(Some(len));
        }
        if slot.extended == Feature::Due {
            let len = write_handshake(config.peer_exchange, config.port, buf)?;
            slot.extended = Feature::Sent;
            return Ok(Some(len));
        }
        if let Some(source) = self.source.as_mut().filter(|source| source.conn == slot.conn) {
            let pieces = source.size.div_ceil(METADATA_PIECE_LEN);
            let end = source.next.saturating_add(PIPELINE).min(pieces);
            if source.asked < end {
                let len = write_metadata_request(slot.id, source.asked, buf)?;
                source.asked = source.asked.saturating_add(1);
                return Ok(Some(len));
            }
        }
        if let Some(layer) = self.layer.as_mut().filter(|layer| layer.source == Some(slot.conn)) {
            let end = layer.next.saturating_add(PIPELINE).min(layer.runs());
            if layer.asked < end {
                let len = HashMessage::Request(layer.range(layer.asked)).encode(buf)?;
                layer.asked = layer.asked.saturating_add(1);
                return Ok(Some(len));
            }
        }
        if self.is_keepalive_due(slot) {
            return Ok(Some(Message::KeepAlive.encode(buf)?));
        }
        Ok(None)
    }
}
