//! What a fetch has to say.

use super::slot::{FetchSlot, Phase};
use super::state::{Core, KEEP_ALIVE, due};
use crate::torrent::extend::{write_handshake, write_metadata_request};
use crate::torrent::opening_reserved;
use crate::wire::extended::METADATA_PIECE_LEN;
use crate::wire::fast::Fast;
use crate::wire::hashes::HashMessage;
use crate::wire::{Handshake, Message};
use crate::{BufferTooSmall, ConnId, Transmit};

/// Requests under way at a time.
const PIPELINE: u32 = 4;

impl Core {
    pub(super) fn transmit(
        &mut self,
        slots: &mut [FetchSlot],
        only: Option<ConnId>,
        buf: &mut [u8],
    ) -> Result<Option<Transmit<'static>>, BufferTooSmall> {
        for slot in slots.iter_mut().filter(|slot| slot.is_live()) {
            if only.is_some_and(|conn| conn != slot.conn) {
                continue;
            }
            if let Some(len) = self.say(slot, buf)? {
                slot.sent_at = self.now;
                return Ok(Some(Transmit { to: slot.conn, len, block: None, metadata: &[] }));
            }
        }
        Ok(None)
    }

    /// Writes the most urgent message to a peer.
    fn say(
        &mut self,
        slot: &mut FetchSlot,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let config = &self.config;
        if !slot.greeted && (slot.dialled || slot.phase == Phase::Ready) {
            let reserved = opening_reserved(config.fast, config.dht_port.is_some());
            let (info_hash, peer_id) = (config.info_hash, config.peer_id);
            let len = Handshake { reserved, info_hash, peer_id }.encode(buf)?;
            slot.greeted = true;
            return Ok(Some(len));
        }
        if slot.phase != Phase::Ready {
            return Ok(None);
        }
        if !slot.told {
            let len = Fast::HaveNone.encode(buf)?;
            slot.told = true;
            return Ok(Some(len));
        }
        if slot.extended && !slot.introduced {
            let len = write_handshake(config.peer_exchange, config.port, buf)?;
            slot.introduced = true;
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
        if due(slot.sent_at, KEEP_ALIVE, self.now) {
            return Ok(Some(Message::KeepAlive.encode(buf)?));
        }
        Ok(None)
    }
}
