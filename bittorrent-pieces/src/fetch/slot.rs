//! What a fetch keeps of each connection.

use core::time::Duration;

use crate::ConnId;
use crate::geometry::slot;
use crate::wire::extended::{self, ExtendedHandshake, Metadata};

/// Room for one connection of a [`MetadataFetch`](super::MetadataFetch): at most 72 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct FetchSlot {
    pub(super) conn: ConnId,
    pub(super) phase: Phase,
    pub(super) size: u32, // what the peer says the dictionary takes; 0 if nothing
    pub(super) id: u8,    // by which it wants ut_metadata to be called; 0 if not
    pub(super) dialled: bool,
    pub(super) greeted: bool,
    pub(super) told: bool, // that we have nothing
    pub(super) introduced: bool,
    pub(super) fast: bool,
    pub(super) extended: bool,
    pub(super) exchanged: bool,
    pub(super) heard_at: Duration,
    pub(super) sent_at: Duration,
    pub(super) rests_until: Duration, // it rejected, or was slow
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Unused,
    Greeting,
    Ready,
    Corrupt, // until the event is told
    Silent,
}

impl FetchSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self {
        conn: ConnId(0),
        phase: Phase::Unused,
        size: 0,
        id: 0,
        dialled: false,
        greeted: false,
        told: false,
        introduced: false,
        fast: false,
        extended: false,
        exchanged: false,
        heard_at: Duration::ZERO,
        sent_at: Duration::ZERO,
        rests_until: Duration::ZERO,
    };

    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Greeting | Phase::Ready)
    }

    pub(super) fn serves(&self, room: usize, now: Duration) -> bool {
        self.phase == Phase::Ready
            && self.id != 0
            && (1..=room).contains(&slot(self.size))
            && self.rests_until <= now
    }
}

impl FetchSlot {
    pub(super) fn introduce(&mut self, hello: &ExtendedHandshake<'_>) {
        if let Some(id) = hello.id(Metadata::NAME) {
            self.id = id;
        }
        if let Some(size) = hello.metadata_size {
            self.size = size.min(extended::MAX_METADATA_SIZE);
        }
    }
}
