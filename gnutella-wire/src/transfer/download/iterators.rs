//! What can be asked of a download.

use core::time::Duration;

use super::event::SourceId;
use super::logic::State;
use super::slots::{BlockSlot, Phase, Source, SourceSlot, Status};

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The size of the file, in bytes.
    pub size: u64,
    /// How many bytes are written.
    pub written: u64,
    /// How many bytes were compared with the tree.
    pub verified: u64,
    /// How many bytes arrive per second.
    pub rate: u64,
    /// How many sources send.
    pub sending: usize,
    /// How many sources have the download in their queue, or are to be asked again later.
    pub waiting: usize,
}

impl Progress {
    pub(super) fn of(state: &State, sources: &[SourceSlot], blocks: &[BlockSlot]) -> Self {
        let mut progress = Self {
            size: state.geometry.size,
            written: Spans::written(state, blocks).map(|(_, len)| len).sum(),
            verified: Spans::verified(state, blocks).map(|(_, len)| len).sum(),
            rate: 0,
            sending: 0,
            waiting: 0,
        };
        for peer in sources.iter().filter_map(|slot| slot.peer.as_ref()) {
            match peer.phase {
                Phase::Body(..) | Phase::Head(..) => {
                    progress.rate = progress.rate.saturating_add(peer.rate.get());
                    progress.sending = progress.sending.saturating_add(1);
                }
                Phase::Queued(_) => progress.waiting = progress.waiting.saturating_add(1),
                Phase::Waiting if peer.deadline.is_some() => {
                    progress.waiting = progress.waiting.saturating_add(1);
                }
                _ => {}
            }
        }
        progress
    }

    /// Returns the time until the file is complete at this rate; `None` while nothing arrives.
    #[must_use]
    pub fn eta(&self) -> Option<Duration> {
        let left = self.size.saturating_sub(self.written);
        left.checked_div(self.rate).map(Duration::from_secs)
    }
}

/// What is known of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceReport {
    /// Its number.
    pub id: SourceId,
    /// Where it is.
    pub source: Source,
    /// How many bytes of the file it sent that were of use.
    pub delivered: u64,
    /// How many bytes per second it sends.
    pub rate: u64,
    /// Whether it is given up.
    pub is_lost: bool,
    /// Its queue's position of this download, from 1, if it is in one.
    pub queue_position: Option<u32>,
}

/// The sources of a download.
#[derive(Debug, Clone)]
pub struct Sources<'s>(core::slice::Iter<'s, SourceSlot>);

impl<'s> Sources<'s> {
    pub(super) fn new(slots: &'s [SourceSlot]) -> Self {
        Self(slots.iter())
    }
}

impl Iterator for Sources<'_> {
    type Item = SourceReport;

    fn next(&mut self) -> Option<SourceReport> {
        let peer = self.0.find_map(|slot| slot.peer.as_ref())?;
        Some(SourceReport {
            id: peer.id(),
            source: peer.source,
            delivered: peer.delivered,
            rate: peer.rate.get(),
            is_lost: peer.is_lost(),
            queue_position: peer.place.and_then(|place| place.position),
        })
    }
}

/// Parts of the file, as first byte and length. Neighbouring parts are joined.
#[derive(Debug, Clone)]
pub struct Spans<'s> {
    state: &'s State,
    blocks: &'s [BlockSlot],
    block: usize,
    only_verified: bool,
}

impl<'s> Spans<'s> {
    pub(super) fn written(state: &'s State, blocks: &'s [BlockSlot]) -> Self {
        Self { state, blocks, block: 0, only_verified: false }
    }

    pub(super) fn verified(state: &'s State, blocks: &'s [BlockSlot]) -> Self {
        Self { state, blocks, block: 0, only_verified: true }
    }

    /// Returns how much of the current block counts, and its length.
    fn current(&self) -> Option<(u64, u64)> {
        let slot = self.blocks.get(..self.state.geometry.block_count)?.get(self.block)?;
        let (begin, end) = self.state.geometry.span(self.block);
        let len = end.saturating_sub(begin);
        let counts = !self.only_verified || slot.status == Status::Verified;
        let have = if slot.status == Status::Missing { slot.have } else { len };
        Some((if counts { have } else { 0 }, len))
    }
}

impl Iterator for Spans<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        while self.current()?.0 == 0 {
            self.block = self.block.saturating_add(1);
        }
        let (first, _) = self.state.geometry.span(self.block);
        let mut total = 0_u64;
        while let Some((have, len)) = self.current() {
            total = total.saturating_add(have);
            if have > 0 {
                self.block = self.block.saturating_add(1);
            }
            if have < len {
                break;
            }
        }
        Some((first, total))
    }
}
