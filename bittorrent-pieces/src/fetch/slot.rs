//! What a fetch stores for each connection.

use core::time::Duration;

use crate::id::ConnId;
use crate::index::slot;
use crate::torrent::CloseReason;
use crate::wire::extended::{self, ExtendedHandshake, Metadata};

/// Room for one connection of a [`MetadataFetch`](super::MetadataFetch): at most 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct FetchSlot {
    pub(super) conn: ConnId,
    pub(super) phase: Phase,
    pub(super) size: u32, // length of the dictionary, as announced; 0 if not
    pub(super) id: u8,    // that it chose for ut_metadata; 0 if it does not support it
    pub(super) dialled: bool,
    pub(super) handshake_sent: bool,
    pub(super) fast: Feature,
    pub(super) extended: Feature,
    pub(super) pex_received: bool,
    pub(super) version2: bool, // the connection of a hybrid torrent is upgraded
    pub(super) slow: u8,       // how often it was slow
    pub(super) heard_at: Duration,
    pub(super) sent_at: Duration,
    pub(super) rests_until: Duration, // it rejected, or was slow
}

/// Whether a peer has the fast extension or the extension protocol, and was sent the first message of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    Unsupported,
    Due,
    Sent,
}

impl Feature {
    /// Returns the state after the handshake of a peer that has it, or not.
    pub(super) const fn of(supported: bool) -> Self {
        if supported { Self::Due } else { Self::Unsupported }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Unused,
    Handshaking,
    Open,
    Closed(CloseReason), // until the event is polled
}

impl FetchSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self {
        conn: ConnId(0),
        phase: Phase::Unused,
        size: 0,
        id: 0,
        dialled: false,
        handshake_sent: false,
        fast: Feature::Unsupported,
        extended: Feature::Unsupported,
        pex_received: false,
        version2: false,
        slow: 0,
        heard_at: Duration::ZERO,
        sent_at: Duration::ZERO,
        rests_until: Duration::ZERO,
    };

    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Handshaking | Phase::Open)
    }

    pub(super) fn serves(&self, room: usize, now: Duration) -> bool {
        self.phase == Phase::Open
            && self.id != 0
            && (1..=room).contains(&slot(self.size))
            && self.rests_until <= now
    }
}

impl FetchSlot {
    pub(super) fn extended_handshake(&mut self, hello: &ExtendedHandshake<'_>) {
        if let Some(id) = hello.id(Metadata::NAME) {
            self.id = id;
        }
        if let Some(size) = hello.metadata_size {
            self.size = size.min(extended::MAX_METADATA_SIZE);
        }
    }
}
