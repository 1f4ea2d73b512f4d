//! What a download remembers, and the look-ups that everything else uses.

use core::time::Duration;

use super::config::{DownloadConfig, FileInfo};
use super::event::{DownloadEvent, SourceId};
use super::slots::{BlockSlot, Peer, SourceSlot};
use super::tree_state::Tree;
use crate::error::ConfigError;
use crate::huge::{Sha1, TigerRoot};
use crate::machine::ConnId;
use crate::thex::Shape;

const MAX_NAME: usize = 255;
const MIN_BLOCK: u64 = 64 << 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) config: DownloadConfig,
    pub(super) now: Duration, // the newest seen
    pub(super) size: u64,
    pub(super) sha1: Option<Sha1>,
    pub(super) root: Option<TigerRoot>, // as the application named it
    pub(super) name: [u8; MAX_NAME],
    pub(super) name_len: usize,
    pub(super) block_len: u64,
    pub(super) block_count: usize,
    pub(super) missing: usize,    // blocks
    pub(super) verify_due: usize, // blocks
    pub(super) verifying: usize,  // blocks
    pub(super) next_id: u32,
    pub(super) turn: usize,    // the source that was sent to last
    pub(super) is_dirty: bool, // some source may have something to do
    pub(super) tree: Tree,
    pub(super) single: Single,
    pub(super) check: FileCheck,
    pub(super) out_of_sources: Report,
    pub(super) outcome: Option<DownloadEvent>, // not polled yet
}

/// Whether the file is fetched from one source at a time, since otherwise nobody could be blamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Single {
    No,
    /// From the next that can be reached.
    Any,
    /// From this one.
    Source(u32),
}

/// The check of the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileCheck {
    No,
    Due,
    Asked,
    /// The download is over.
    Ended,
}

/// A fact that is reported once until it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    No,
    Due,
    Done,
}

/// A download and its storage.
pub(super) struct Core<'a> {
    pub(super) state: &'a mut State,
    pub(super) sources: &'a mut [SourceSlot],
    pub(super) blocks: &'a mut [BlockSlot],
}

impl State {
    pub(super) fn new(
        config: DownloadConfig,
        file: FileInfo<'_>,
        sources: usize,
        blocks: usize,
    ) -> Result<Self, ConfigError> {
        if sources == 0 {
            return Err(ConfigError::TooFewSlots { what: "sources", needed: 1 });
        }
        let block_len = block_len(file.size, blocks)?;
        let mut name = [0; MAX_NAME];
        let mut name_len = 0;
        if file.sha1.is_none() {
            name_len = file.name.len();
            let too_long = ConfigError::TooLong { field: "name", limit: MAX_NAME };
            name.get_mut(..name_len).ok_or(too_long)?.copy_from_slice(file.name);
        }
        let block_count = usize::try_from(file.size.div_ceil(block_len)).unwrap_or(blocks);
        Ok(Self {
            config,
            now: Duration::ZERO,
            size: file.size,
            sha1: file.sha1,
            root: file.root,
            name,
            name_len,
            block_len,
            block_count,
            missing: block_count,
            verify_due: 0,
            verifying: 0,
            next_id: 1,
            turn: 0,
            is_dirty: false,
            tree: Tree::None,
            single: Single::No,
            check: FileCheck::No,
            out_of_sources: Report::No,
            outcome: None,
        })
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.check, FileCheck::Ended)
    }

    /// Returns the first byte of a block, and the first of the next one.
    pub(super) fn span(&self, block: usize) -> (u64, u64) {
        let begin = u64::try_from(block).unwrap_or(u64::MAX).saturating_mul(self.block_len);
        (begin.min(self.size), begin.saturating_add(self.block_len).min(self.size))
    }

    pub(super) fn block_at(&self, offset: u64) -> usize {
        let block = offset.checked_div(self.block_len).unwrap_or_default();
        usize::try_from(block).unwrap_or(usize::MAX)
    }
}

/// Chooses blocks that fit the slots, and are not smaller than what others keep a hash for.
fn block_len(size: u64, slots: usize) -> Result<u64, ConfigError> {
    let slots = u64::try_from(slots).unwrap_or(u64::MAX);
    let least =
        size.checked_div(slots).ok_or(ConfigError::TooFewSlots { what: "blocks", needed: 1 })?;
    let least = least.saturating_add(u64::from(!size.is_multiple_of(slots)));
    let least = least.max(MIN_BLOCK).max(Shape::customary(size).span);
    let too_few = ConfigError::TooFewSlots { what: "blocks", needed: 2 };
    least.checked_next_power_of_two().ok_or(too_few)
}

impl Core<'_> {
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
    }

    /// Returns the time this long from now; none at the end of time.
    pub(super) const fn after(&self, wait: Duration) -> Option<Duration> {
        self.state.now.checked_add(wait)
    }

    pub(super) fn peer(&mut self, index: usize) -> Option<&mut Peer> {
        self.sources.get_mut(index)?.peer.as_mut()
    }

    pub(super) fn block(&mut self, block: usize) -> Option<&mut BlockSlot> {
        self.blocks.get_mut(..self.state.block_count)?.get_mut(block)
    }

    pub(super) fn find_conn(&self, conn: ConnId) -> Option<usize> {
        let has = |slot: &SourceSlot| slot.peer.is_some_and(|peer| peer.conn() == Some(conn));
        self.sources.iter().position(has)
    }

    pub(super) fn find(&self, id: u32) -> Option<usize> {
        let has = |slot: &SourceSlot| slot.peer.is_some_and(|peer| peer.id == id);
        self.sources.iter().position(has)
    }

    pub(super) fn find_source(&self, source: SourceId) -> Option<usize> {
        self.find(source.0)
    }
}
