//! Which source is asked for which blocks.

use core::time::Duration;

use super::event::DownloadCloseReason;
use super::logic::{Core, Single};
use super::slots::{BlockSlot, BodyKind, Peer, Phase, Wanted};

/// A request is to take about this long.
const REQUEST_SECONDS: u64 = 10;
/// What a source is taken to send that was not measured.
const UNKNOWN_RATE: u64 = 32 << 10;
/// A source that needs longer than another by this factor loses what it was asked for.
const SLOWER: u64 = 2;
/// What is not wanted any more is read to its end if it is at most this long.
const WORTH_READING: u64 = 64 << 10;

impl Core<'_> {
    /// Gives every source that can do something its next step.
    pub(super) fn wake(&mut self) {
        // Each round gives a source its next step; a source that steals wakes none.
        while core::mem::take(&mut self.state.is_dirty) {
            for index in 0..self.sources.len() {
                self.step(index);
            }
        }
    }

    fn step(&mut self, index: usize) {
        let Some(peer) = self.peer(index) else { return };
        match peer.phase {
            Phase::Ready(_) => self.use_connection(index),
            Phase::Waiting if peer.deadline.is_none() => self.connect(index),
            _ => {}
        }
    }

    fn use_connection(&mut self, index: usize) {
        if self.state.is_over() {
            self.close(index, DownloadCloseReason::Unused);
        } else if self.wants_tree_of(index) {
            self.begin_tree(index);
            self.request(index, Wanted::Tree);
        } else {
            self.request(index, Wanted::Part);
        }
    }

    fn connect(&mut self, index: usize) {
        let connecting = |peer: &Peer| peer.is_connecting();
        let peers = self.sources.iter().filter_map(|slot| slot.peer.as_ref());
        let connections = peers.filter(|peer| connecting(peer)).count();
        if connections >= usize::from(self.state.config.max_connections)
            || !self.has_work_for(index)
        {
            return;
        }
        let dial = self.after(self.state.config.dial_timeout);
        let push = self.after(self.state.config.push_timeout);
        let Some(peer) = self.peer(index) else { return };
        let by_push = peer.source.push && peer.source.servent.is_some();
        peer.phase = if by_push { Phase::Pushing } else { Phase::Dialling };
        peer.deadline = if by_push { push } else { dial };
        peer.event_due = true;
    }

    fn has_work_for(&mut self, index: usize) -> bool {
        self.next_run(index).is_some() || self.state.missing > 0 && self.wants_tree_of(index)
    }

    /// Prepares the next request of a connection that is free; returns whether there is one.
    pub(super) fn request(&mut self, index: usize, wanted: Wanted) -> bool {
        let has_work = wanted == Wanted::Tree || self.continue_run(index) || self.assign(index);
        let deadline = self.after(self.state.config.head_timeout);
        let now = self.state.now;
        let Some(peer) = self.peer(index).filter(|_| has_work) else { return false };
        let Phase::Ready(conn) = peer.phase else { return false };
        peer.phase = Phase::Head(conn, wanted);
        peer.deadline = deadline;
        peer.request_due = true;
        peer.rate.begin(now);
        true
    }

    /// Returns whether some of what the source was asked for is still to come: its answer was short.
    fn continue_run(&mut self, index: usize) -> bool {
        let Some(peer) = self.peer(index) else { return false };
        let id = peer.id;
        let ranges = peer.ranges;
        let owned = peer.first..peer.end;
        let owns = |block: &usize| self.blocks.get(*block).is_some_and(|slot| slot.owner == id);
        let Some(first) = owned.clone().find(owns) else { return false };
        let end = (first..owned.end).find(|block| !owns(block)).unwrap_or(owned.end);
        let have = self.blocks.get(first).map_or(0, |slot| slot.have);
        let begin = self.state.geometry.span(first).0.saturating_add(have);
        let stop = self.state.geometry.span(end.saturating_sub(1)).1;
        let available = ranges.has(begin, stop);
        if !available || end < owned.end {
            self.release(index); // it does not have them, or another source took some
            return available && self.own(index, first, end);
        }
        if let Some(peer) = self.peer(index) {
            peer.first = first;
            peer.asked = (begin, stop);
        }
        true
    }

    fn assign(&mut self, index: usize) -> bool {
        if let Some((first, end)) = self.next_run(index) {
            return self.own(index, first, end);
        }
        self.steal(index)
    }

    fn own(&mut self, index: usize, first: usize, end: usize) -> bool {
        let Some(id) = self.peer(index).map(|peer| peer.id) else { return false };
        if self.state.single == Single::Any {
            self.state.single = Single::Source(id);
            self.watch_single(index);
        }
        let (begin, _) = self.state.geometry.span(first);
        let (_, stop) = self.state.geometry.span(end.saturating_sub(1));
        for slot in self.blocks.iter_mut().take(end).skip(first) {
            slot.owner = id;
        }
        let have = self.blocks.get(first).map_or(0, |slot| slot.have);
        let Some(peer) = self.peer(index) else { return false };
        peer.first = first;
        peer.end = end;
        peer.asked = (begin.saturating_add(have), stop);
        true
    }

    /// Returns the first blocks in a row that nobody was asked for and the source has, as many as it
    /// sends in ten seconds.
    fn next_run(&mut self, index: usize) -> Option<(usize, usize)> {
        if self.state.missing == 0 || !self.is_allowed(index) {
            return None;
        }
        let rate = self.peer(index)?.rate.get();
        let ranges = self.peer(index)?.ranges;
        let config = &self.state.config;
        let len = rate.saturating_mul(REQUEST_SECONDS);
        let len = len.max(config.min_request).min(config.max_request);
        let most = usize::try_from(len.checked_div(self.state.geometry.block_len)?).ok()?.max(1);
        let state = &*self.state;
        let has = |block: usize| {
            let (begin, end) = state.geometry.span(block);
            ranges.has(begin, end)
        };
        let blocks = self.blocks.get(..state.geometry.block_count)?;
        let mut wanted = blocks.iter().enumerate().filter(|(_, slot)| slot.is_wanted());
        let (first, _) = wanted.find(|(block, _)| has(*block))?;
        let continues =
            |(block, slot): &(usize, &BlockSlot)| slot.is_wanted() && slot.have == 0 && has(*block);
        let rest = blocks.iter().enumerate().skip(first.saturating_add(1));
        let rest = rest.take(most.saturating_sub(1)).take_while(continues).count();
        Some((first, first.saturating_add(1).saturating_add(rest)))
    }

    /// In single mode only one source may send.
    fn is_allowed(&mut self, index: usize) -> bool {
        let id = self.peer(index).map(|peer| peer.id);
        match self.state.single {
            Single::No | Single::Any => true,
            Single::Source(only) => id == Some(only),
        }
    }

    /// Takes blocks from the source that will need the longest, if this one is much faster.
    fn steal(&mut self, index: usize) -> bool {
        if self.state.missing == 0 || !self.is_allowed(index) {
            return false;
        }
        let Some(thief) = self.peer(index).copied() else { return false };
        let slowest = self.sources.iter().enumerate().filter_map(|(at, slot)| {
            let peer = slot.peer.as_ref().filter(|peer| peer.id != thief.id)?;
            let is_asked = matches!(peer.phase, Phase::Head(_, Wanted::Part))
                || matches!(peer.phase, Phase::Body(_, body) if body.kind == BodyKind::Part);
            is_asked.then(|| (self.seconds_left(peer), at))
        });
        let Some((seconds, victim)) = slowest.max() else { return false };
        let Some((first, end)) = self.half_of(victim) else { return false };
        let begin = self.state.geometry.span(first).0;
        let stop = self.state.geometry.span(end.saturating_sub(1)).1;
        let own_rate = thief.rate.get().max(UNKNOWN_RATE);
        let own_seconds = stop.saturating_sub(begin).checked_div(own_rate).unwrap_or(u64::MAX);
        if seconds <= own_seconds.saturating_mul(SLOWER).saturating_add(1)
            || !thief.ranges.has(begin, stop)
        {
            return false;
        }
        if let Some(peer) = self.peer(victim) {
            peer.end = first;
        }
        for slot in self.blocks.iter_mut().take(end).skip(first).filter(|slot| slot.alone) {
            slot.clear();
        }
        self.own(index, first, end)
    }

    /// Returns the second half of what a source still owns, or its only block.
    fn half_of(&self, victim: usize) -> Option<(usize, usize)> {
        let peer = self.sources.get(victim)?.peer.as_ref()?;
        let is_missing =
            |block: &usize| self.blocks.get(*block).is_some_and(|slot| slot.owner == peer.id);
        let first = (peer.first..peer.end).find(is_missing)?;
        let count = peer.end.saturating_sub(first);
        Some((first.saturating_add(count / 2), peer.end))
    }

    fn seconds_left(&self, peer: &Peer) -> u64 {
        let begin = self.state.geometry.span(peer.first).0;
        let have = self.blocks.get(peer.first).map_or(0, |slot| slot.have);
        let stop = self.state.geometry.span(peer.end.saturating_sub(1)).1;
        let left = stop.saturating_sub(begin.saturating_add(have));
        let rate = if peer.rate.get() == 0 { UNKNOWN_RATE } else { peer.rate.get() };
        let waited = self.state.now.saturating_sub(peer.rate.since());
        let waited = if waited > Duration::from_secs(3) { waited.as_secs() } else { 0 };
        left.checked_div(rate).unwrap_or(u64::MAX).saturating_add(waited)
    }

    /// Closes a connection on which a long rest follows that is not wanted any more.
    pub(super) fn close_superseded(&mut self, index: usize) {
        let Some(peer) = self.peer(index) else { return };
        let Phase::Body(_, body) = peer.phase else { return };
        let id = peer.id;
        let owned = peer.first..peer.end;
        let is_part = body.kind == BodyKind::Part;
        let rest = body.end.saturating_sub(body.at);
        let mut owned = self.blocks.iter().take(owned.end).skip(owned.start);
        if is_part && rest > WORTH_READING && !owned.any(|slot| slot.owner == id) {
            self.close(index, DownloadCloseReason::Superseded);
        }
    }
}
