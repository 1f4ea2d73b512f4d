//! What a download remembers, and the look-ups that everything else uses.

use core::time::Duration;

use super::config::{DownloadConfig, FileInfo};
use super::event::{DownloadEvent, SourceId};
use super::geometry::Geometry;
use super::slots::{BlockSlot, Peer, SourceSlot};
use super::tree_state::Tree;
use crate::error::ConfigError;
use crate::huge::{Sha1, TigerRoot};
use crate::machine::ConnId;

const MAX_NAME: usize = 255;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) config: DownloadConfig,
    pub(super) now: Duration, // the newest seen
    pub(super) sha1: Option<Sha1>,
    pub(super) root: Option<TigerRoot>, // as the application named it
    pub(super) name: [u8; MAX_NAME],
    pub(super) name_len: usize,
    pub(super) geometry: Geometry,
    pub(super) missing: usize,    // blocks
    pub(super) verify_due: usize, // blocks
    pub(super) verifying: usize,  // blocks
    pub(super) next_id: u32,
    pub(super) turn: usize,    // the source that was sent to last
    pub(super) is_dirty: bool, // some source may have something to do
    pub(super) tree: Tree,
    pub(super) single: Single,
    pub(super) single_check: Option<Duration>, // when the only source is to have sent enough
    pub(super) single_delivered: u64,          // what it had sent when that began
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
    /// Checks what a download is made of, and returns how its file is cut into blocks.
    pub(super) fn check(
        config: &DownloadConfig,
        file: &FileInfo<'_>,
        sources: usize,
        blocks: usize,
    ) -> Result<Geometry, ConfigError> {
        config.validate()?;
        if sources == 0 {
            return Err(ConfigError::TooFewSlots { what: "sources", needed: 1 });
        }
        let geometry = Geometry::new(file.size, blocks)?;
        if requested_name(file).len() > MAX_NAME {
            return Err(ConfigError::TooLong { field: "name", limit: MAX_NAME });
        }
        Ok(geometry)
    }

    /// Begins a download of which `missing` blocks are not in the file yet.
    #[inline(never)] // the state is built in the caller's place
    pub(super) fn new(
        config: &DownloadConfig,
        file: &FileInfo<'_>,
        geometry: Geometry,
        missing: usize,
    ) -> Self {
        let check = match file.sha1 {
            _ if missing > 0 => FileCheck::No,
            Some(_) => FileCheck::Due,
            None => FileCheck::Ended,
        };
        let is_over = check == FileCheck::Ended;
        Self {
            config: *config,
            now: Duration::ZERO,
            sha1: file.sha1,
            root: file.root,
            name: padded(requested_name(file)),
            name_len: requested_name(file).len(),
            geometry,
            missing,
            verify_due: 0,
            verifying: 0,
            next_id: 1,
            turn: 0,
            is_dirty: false,
            tree: Tree::None,
            single: Single::No,
            single_check: None,
            single_delivered: 0,
            check,
            out_of_sources: Report::No,
            outcome: is_over.then_some(DownloadEvent::Completed { verified: false }),
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.check, FileCheck::Ended)
    }
}

/// Returns the name that requests use: none if there is a hash.
const fn requested_name<'a>(file: &FileInfo<'a>) -> &'a [u8] {
    if file.sha1.is_some() { &[] } else { file.name }
}

fn padded(name: &[u8]) -> [u8; MAX_NAME] {
    let mut padded = [0; MAX_NAME];
    padded.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    padded
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
        self.blocks.get_mut(..self.state.geometry.block_count)?.get_mut(block)
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
