//! The state of a fetch: which peer is asked for the info dictionary, and how far it is.

use core::time::Duration;

use sha2::{Digest as _, Sha256};

use super::layer::Layer;
use super::slot::{FetchSlot, Phase};
use super::{FetchConfig, FetchEvent};
use crate::error::{BufferTooSmall, ConfigError, ConnectError};
use crate::geometry::Geometry;
use crate::hash::PieceHasher;
use crate::id::ConnId;
use crate::index::slot;
use crate::merkle::MerkleHash;
use crate::torrent::{CloseReason, Side};
use crate::wire::extended::METADATA_PIECE_LEN;

/// All of a fetch but the storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Core {
    pub(super) config: FetchConfig,
    pub(super) now: Duration,
    pub(super) source: Option<Source>,
    kept: Option<Source>, // the last source, and what came until another was asked
    alone: bool,          // a dictionary of several sources was wrong: the next is of one
    pub(super) done: Option<u32>,
    completed_reported: bool,
    pub(super) layer: Option<Layer>,
    layer_reported: bool,
}

/// The peer that sends the dictionary, and what was received of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    pub(super) conn: ConnId,
    pub(super) size: u32,
    pub(super) first: u32,      // the first piece that it was asked for
    pub(super) next: u32,       // the piece that is to come
    pub(super) asked: u32,      // the pieces before this one were asked for
    pub(super) began: Duration, // it was chosen
    pub(super) since: Duration, // a piece came last
    mixed: bool,                // another peer may have sent pieces before
    pub(super) hasher: Hasher,
}

/// Hashes the dictionary by the versions that are known of the torrent.
#[derive(Debug, Clone)]
pub(super) struct Hasher {
    v1: Option<PieceHasher>,
    v2: Option<Sha256>,
}

impl PartialEq for Hasher {
    fn eq(&self, other: &Self) -> bool {
        let digest = |hasher: &Self| hasher.v2.clone().map(Sha256::finalize);
        self.v1 == other.v1 && digest(self) == digest(other)
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
            kept: None,
            alone: false,
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
        match (self.source.as_ref().or(self.kept.as_ref()), self.done) {
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

    /// Ends a connection; an event asks the caller to close it.
    pub(super) fn close(&mut self, slots: &mut [FetchSlot], conn: ConnId, reason: CloseReason) {
        self.leave(conn);
        if let Some(slot) = live(slots, conn) {
            slot.phase = Phase::Closed(reason);
        }
    }

    /// Asks nothing of a peer for a while.
    pub(super) fn rest(&mut self, slots: &mut [FetchSlot], conn: ConnId) {
        self.set_aside(conn);
        if let Some(slot) = live(slots, conn) {
            slot.rests_until = self.now.saturating_add(self.config.patience);
        }
    }

    /// Forgets which peer a connection is: its id may name another one later.
    pub(super) fn leave(&mut self, conn: ConnId) {
        self.set_aside(conn);
        if let Some(kept) = self.kept.as_mut().filter(|kept| kept.conn == conn) {
            kept.mixed = true;
        }
    }

    /// Keeps what a peer sent for the one that is asked next.
    pub(super) fn set_aside(&mut self, conn: ConnId) {
        if let Some(source) = self.source.take_if(|source| source.conn == conn) {
            self.kept = Some(source);
        }
        if let Some(layer) = self.layer.as_mut().filter(|layer| layer.source == Some(conn)) {
            layer.source = None;
            layer.asked = layer.next;
        }
    }

    /// Returns whether a peer could be asked for the run of the layer that is to come.
    pub(super) fn serves_layer(&self, slot: &FetchSlot) -> bool {
        let hybrid = self.config.names().v2.is_some();
        slot.phase == Phase::Open && (slot.version2 || !hybrid) && slot.rests_until <= self.now
    }

    /// Chooses the peer that sends the dictionary.
    pub(super) fn choose(&mut self, slots: &[FetchSlot], room: usize) {
        let now = self.now;
        let order = |slot: &&FetchSlot| (slot.slow, slot.rests_until);
        if self.layer.as_ref().is_some_and(|layer| layer.source.is_none()) {
            let ready = slots.iter().filter(|slot| self.serves_layer(slot));
            let best = ready.min_by_key(order).map(|slot| slot.conn);
            if let Some(layer) = &mut self.layer {
                layer.source = best;
                layer.asked = layer.next;
                layer.since = now;
            }
        }
        if self.source.is_some() || self.done.is_some() {
            return;
        }
        let best = slots.iter().filter(|slot| slot.serves(room, now)).min_by_key(order);
        self.source = best.map(|slot| self.source_of(slot));
    }

    /// Returns the source that a peer becomes: it continues behind what is kept, if that fits.
    fn source_of(&mut self, slot: &FetchSlot) -> Source {
        let alone = self.alone;
        let fits = |kept: &Source| {
            let its_own = kept.conn == slot.conn && !kept.mixed;
            kept.size == slot.size && (its_own || !alone)
        };
        match self.kept.take().filter(fits) {
            Some(kept) => Source {
                conn: slot.conn,
                first: kept.next,
                asked: kept.next,
                began: self.now,
                since: self.now,
                mixed: kept.next > 0 && (kept.mixed || kept.conn != slot.conn),
                ..kept
            },
            None => Source {
                conn: slot.conn,
                size: slot.size,
                first: 0,
                next: 0,
                asked: 0,
                began: self.now,
                since: self.now,
                mixed: false,
                hasher: Hasher::new(&self.config),
            },
        }
    }

    /// Checks the whole dictionary. If it is wrong, its only source is to blame; of several any may be, and the next
    /// dictionary comes from one alone.
    pub(super) fn finish(&mut self, slots: &mut [FetchSlot]) {
        let Some(source) = self.source.take() else { return };
        if source.hasher.fits(&self.config) {
            self.done = Some(source.size);
            return;
        }
        self.alone = source.mixed;
        if !source.mixed {
            self.close(slots, source.conn, CloseReason::Corrupt);
        }
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
    fn new(config: &FetchConfig) -> Self {
        let v1 = config.v2.is_none() || config.names().v2.is_some();
        Self { v1: v1.then(PieceHasher::new), v2: config.v2.map(|_| Sha256::new()) }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some(v1) = &mut self.v1 {
            v1.update(bytes);
        }
        if let Some(v2) = &mut self.v2 {
            v2.update(bytes);
        }
    }

    /// Returns whether the whole has each hash that is known.
    pub(super) fn fits(self, config: &FetchConfig) -> bool {
        let v1 = self.v1.is_none_or(|hasher| hasher.finish() == config.info_hash.0);
        let v2 = self.v2.map(|hasher| <[u8; 32]>::from(hasher.finalize()));
        v1 && v2 == config.v2.map(|v2| v2.0)
    }
}

pub(super) fn live(slots: &mut [FetchSlot], conn: ConnId) -> Option<&mut FetchSlot> {
    slots.iter_mut().find(|slot| slot.conn == conn && slot.is_live())
}
