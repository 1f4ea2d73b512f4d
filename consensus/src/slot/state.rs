//! The state of an FFG machine besides its slots.

use core::time::Duration;

use super::event::Checkpoint;
use crate::guard::MinimalGuard;
use crate::output::SaveToken;

/// The state besides the slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Core {
    pub(super) now: Duration,
    pub(super) genesis: [u8; 32],
    pub(super) len: usize,
    pub(super) total: u64,
    /// The index of this validator; an observer has none.
    pub(super) me: Option<usize>,
    /// The slot of the clock.
    pub(super) slot: u64,
    pub(super) head: [u8; 32],
    pub(super) justified: Checkpoint,
    /// The checkpoint that was justified before: validators that have missed the latest one attest from it.
    pub(super) before: Checkpoint,
    pub(super) finalized: Checkpoint,
    pub(super) guard: MinimalGuard,
    pub(super) pending: Option<Pending>,
    pub(super) last_token: SaveToken,
    /// The slot for which a block is wanted, and whether that was reported.
    pub(super) wish: Option<(u64, bool)>,
    pub(super) proposed: Option<(Checkpoint, [u8; 64])>,
    /// The slots of the checkpoints that were reported last.
    pub(super) justified_reported: u64,
    pub(super) finalized_reported: u64,
    /// The attestation of this slot was sent again.
    pub(super) repeated: bool,
    /// A validator attested from an earlier checkpoint than the justified one: it has missed that one.
    pub(super) somebody_is_behind: bool,
}

/// A signature that leaves when the state is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) token: SaveToken,
    /// The source of an attestation; a proposal has none.
    pub(super) source: Option<u64>,
    pub(super) block: Checkpoint,
    pub(super) is_announced: bool,
}
