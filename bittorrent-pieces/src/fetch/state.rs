//! Which peer is asked for the info dictionary, and what was received.

use core::time::Duration;

use sha2::{Digest as _, Sha256};

use super::layer::Layer;
use super::slot::{FetchSlot, Phase};
use super::{FetchConfig, FetchEvent, FetchOutcome};
use crate::error::{BufferTooSmall, ConfigError, ConnectError, NotConnected};
use crate::geometry::Geometry;
use crate::hash::PieceHasher;
use crate::id::ConnId;
use crate::index::slot;
use crate::merkle::MerkleHash;
use crate::received::Received;
use crate::torrent::extension::METADATA;
use crate::torrent::handshake::validate_handshake;
use crate::torrent::whole;
use crate::torrent::{CloseReason, PeerError, Side};
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

/// All of a fetch but the storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Core {
    pub(super) config: FetchConfig,
    pub(super) now: Duration,
    pub(super) source: Option<Source>,
    done: Option<u32>,
    completed_reported: bool,
    pub(super) layer: Option<Layer>,
    layer_reported: bool,
}

/// The peer that sends the dictionary, and what was received of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    pub(super) conn: ConnId,
    pub(super) size: u32,
    pub(super) next: u32,  // the piece that is to come
    pub(super) asked: u32, // the pieces before this one were asked for
    pub(super) since: Duration,
    pub(super) hasher: Hasher,
}

#[derive(Debug, Clone)]
pub(super) enum Hasher {
    V1(PieceHasher),
    V2(Sha256),
}

impl PartialEq for Hasher {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::V1(one), Self::V1(two)) => one == two,
            (Self::V2(one), Self::V2(two)) => one.clone().finalize() == two.clone().finalize(),
            _ => false,
        }
    }
}

impl Core {
    pub(super) fn new(config: FetchConfig) -> Result<Self, ConfigError> {
        let spans = [("patience", config.patience), ("silence", config.silence)];
        if let Some((name, _)) = spans.into_iter().find(|(_, span)| span.is_zero()) {
            return Err(ConfigError::Zero(name));
        }
        Ok(Self {
            config,
            now: Duration::ZERO,
            source: None,
            done: None,
            completed_reported: false,
            layer: None,
            layer_reported: false,
        })
    }

    /// The dictionary is known; only layers are fetched.
    pub(super) fn skip_metadata(&mut self) {
        self.done = Some(0);
        self.completed_reported = true;
    }

    pub(super) fn complete(&self) -> Option<usize> {
        self.done.filter(|len| *len > 0).map(slot).filter(|_| self.layer.is_none())
    }

    pub(super) fn layer_len(&self) -> Option<usize> {
        let layer = self.layer.as_ref().filter(|layer| layer.is_complete())?;
        Some(slot(layer.pieces).saturating_mul(32))
    }

    pub(super) fn begin_layer(
        &mut self,
        slots: &mut [FetchSlot],
        room: usize,
        now: Duration,
        root: MerkleHash,
        geometry: Geometry<'_>,
    ) -> Result<(), BufferTooSmall> {
        let needed = slot(geometry.pieces()).saturating_mul(32);
        if needed > room {
            return Err(BufferTooSmall { needed });
        }
        self.now = self.now.max(now);
        if self.done.is_some() {
            self.layer = Layer::new(root, geometry.pieces(), geometry.full_piece_len());
            self.layer_reported = false;
            self.choose(slots, room);
        }
        Ok(())
    }

    pub(super) fn progress(&self) -> (u32, Option<u32>) {
        if let Some(layer) = &self.layer {
            let came = layer.next;
            let all = layer.runs();
            let bytes = layer.pieces.saturating_mul(32);
            let came = u64::from(bytes).saturating_mul(u64::from(came)).checked_div(u64::from(all));
            return (came.and_then(|came| u32::try_from(came).ok()).unwrap_or(0), Some(bytes));
        }
        match (&self.source, self.done) {
            (_, Some(size)) => (size, Some(size)),
            (Some(source), _) => {
                let came = source.next.saturating_mul(METADATA_PIECE_LEN);
                (came.min(source.size), Some(source.size))
            }
            _ => (0, None),
        }
    }

    pub(super) fn connected(
        &mut self,
        slots: &mut [FetchSlot],
        now: Duration,
        conn: ConnId,
        side: Side,
    ) -> Result<(), ConnectError> {
        if slots.iter().any(|slot| slot.conn == conn && slot.phase != Phase::Unused) {
            return Err(ConnectError::InUse(conn));
        }
        let capacity = slots.len();
        let free = slots.iter_mut().find(|slot| slot.phase == Phase::Unused);
        let free = free.ok_or(ConnectError::Full { capacity })?;
        self.now = self.now.max(now);
        *free = FetchSlot {
            conn,
            phase: Phase::Handshaking,
            dialled: side == Side::Dialled,
            heard_at: self.now,
            sent_at: self.now,
            ..FetchSlot::EMPTY
        };
        Ok(())
    }

    pub(super) fn closed(
        &mut self,
        slots: &mut [FetchSlot],
        room: usize,
        now: Duration,
        conn: ConnId,
    ) {
        self.now = self.now.max(now);
        if let Some(slot) = live(slots, conn) {
            *slot = FetchSlot::EMPTY;
            self.leave(conn);
            self.choose(slots, room);
        }
    }

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

    /// Ends a connection; an event asks the caller to close it.
    fn close(&mut self, slots: &mut [FetchSlot], conn: ConnId, reason: CloseReason) {
        self.leave(conn);
        if let Some(slot) = live(slots, conn) {
            slot.phase = Phase::Closed(reason);
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
        validate_handshake(&handshake, self.config.info_hash, self.config.peer_id)?;
        slot.phase = Phase::Open;
        slot.fast = self.config.fast && handshake.reserved.fast();
        slot.extended = handshake.reserved.extended();
        slot.have_none_sent = !slot.fast;
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
        if let Some(fast) = fast.filter(|_| !slot.fast) {
            return Err(PeerError::FastOff(fast.id()));
        }
        let outcome = match message {
            Message::Other { id: EXTENDED, payload } if slot.extended => {
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
            extended::HANDSHAKE => slot.extended_handshake(&ExtendedHandshake::decode(body)?),
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

    /// Checks the whole dictionary; its source is to blame if it is wrong.
    fn finish(&mut self, slots: &mut [FetchSlot]) {
        let Some(source) = self.source.take() else { return };
        let right = match source.hasher {
            Hasher::V1(hasher) => hasher.finish() == self.config.info_hash.0,
            Hasher::V2(hasher) => {
                let digest: [u8; 32] = hasher.finalize().into();
                self.config.v2.is_some_and(|v2| v2.0 == digest)
            }
        };
        if right {
            self.done = Some(source.size);
        } else {
            self.close(slots, source.conn, CloseReason::Corrupt);
        }
    }

    /// Asks nothing of a peer for a while.
    pub(super) fn rest(&mut self, slots: &mut [FetchSlot], conn: ConnId) {
        self.leave(conn);
        if let Some(slot) = live(slots, conn) {
            slot.rests_until = self.now.saturating_add(self.config.patience);
        }
    }

    pub(super) fn leave(&mut self, conn: ConnId) {
        if self.source.as_ref().is_some_and(|source| source.conn == conn) {
            self.source = None;
        }
        if let Some(layer) = self.layer.as_mut().filter(|layer| layer.source == Some(conn)) {
            layer.source = None;
            layer.asked = layer.next;
        }
    }

    /// Chooses the peer that sends the dictionary.
    pub(super) fn choose(&mut self, slots: &[FetchSlot], room: usize) {
        let now = self.now;
        if let Some(layer) = self.layer.as_mut().filter(|layer| layer.source.is_none()) {
            let ready = |slot: &&FetchSlot| slot.phase == Phase::Open && slot.rests_until <= now;
            let best = slots.iter().filter(ready).min_by_key(|slot| slot.rests_until);
            layer.source = best.map(|slot| slot.conn);
            layer.asked = layer.next;
            layer.since = now;
        }
        if self.source.is_some() || self.done.is_some() {
            return;
        }
        let ready = slots.iter().filter(|slot| slot.serves(room, now));
        self.source = ready.min_by_key(|slot| slot.rests_until).map(|slot| Source {
            conn: slot.conn,
            size: slot.size,
            next: 0,
            asked: 0,
            since: now,
            hasher: match self.config.v2 {
                Some(_) => Hasher::V2(Sha256::new()),
                None => Hasher::V1(PieceHasher::new()),
            },
        });
    }

    pub(super) fn event(&mut self, slots: &mut [FetchSlot]) -> Option<FetchEvent> {
        for slot in slots {
            let conn = slot.conn;
            if let Phase::Closed(reason) = slot.phase {
                *slot = FetchSlot::EMPTY;
                return Some(FetchEvent::Closed { conn, reason });
            }
        }
        if self.done.is_some() && !self.completed_reported {
            self.completed_reported = true;
            return Some(FetchEvent::Completed);
        }
        if self.layer_len().is_some() && !self.layer_reported {
            self.layer_reported = true;
            return Some(FetchEvent::LayerCompleted);
        }
        None
    }
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::V1(hasher) => hasher.update(bytes),
            Self::V2(hasher) => hasher.update(bytes),
        }
    }
}

fn live(slots: &mut [FetchSlot], conn: ConnId) -> Option<&mut FetchSlot> {
    slots.iter_mut().find(|slot| slot.conn == conn && slot.is_live())
}
