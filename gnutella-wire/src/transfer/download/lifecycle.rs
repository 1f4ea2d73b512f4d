//! Sources come, connect, disconnect, and are given up.

use super::AddSourceError;
use super::event::{DownloadCloseReason, DownloadEvent, SourceFault, SourceId};
use super::logic::{Core, FileCheck, Report, Single};
use super::slots::{Peer, Phase, Source, SourceSlot};
use crate::id::ServentId;
use crate::machine::{ConnId, ConnectError};

impl Core<'_> {
    pub(super) fn may_add(&self, source: &Source) -> Result<(), AddSourceError> {
        let peers = self.sources.iter().filter_map(|slot| slot.peer.as_ref());
        let mut known = peers.filter(|peer| !peer.is_lost() && is_same(&peer.source, source));
        if let Some(peer) = known.next() {
            return Err(AddSourceError::Known(peer.id()));
        }
        let capacity = self.sources.len();
        self.free_slot().map(|_| ()).ok_or(AddSourceError::Full { capacity })
    }

    /// Returns a free slot, or that of a source that was given up, of which nothing is to be reported.
    fn free_slot(&self) -> Option<usize> {
        let free = |slot: &SourceSlot| slot.peer.is_none() && slot.closed.is_none();
        let lost = |slot: &SourceSlot| {
            let peer = slot.peer.as_ref();
            slot.closed.is_none() && peer.is_some_and(|peer| peer.is_lost() && !peer.event_due)
        };
        self.sources.iter().position(free).or_else(|| self.sources.iter().position(lost))
    }

    /// Stores a source that [`may_add`](Self::may_add) allowed.
    pub(super) fn insert(&mut self, source: Source, giver: u32) -> SourceId {
        let id = self.state.next_id;
        self.state.next_id = id.checked_add(1).unwrap_or(1);
        if let Some(index) = self.free_slot()
            && let Some(slot) = self.sources.get_mut(index)
        {
            slot.peer = Some(Peer::new(id, source, giver));
            self.state.is_dirty = true;
            self.state.out_of_sources = Report::No;
        }
        SourceId(id)
    }

    /// Adds a source that another one named: at most a quarter of the slots for each that names some.
    pub(super) fn insert_alternate(&mut self, giver: u32, source: Source) {
        let address = source.address;
        let valid = address.port() != 0
            && !address.ip().is_unspecified()
            && !address.ip().is_multicast()
            && !address.ip().is_broadcast()
            && Some(address) != self.state.config.address;
        let peers = || self.sources.iter().filter_map(|slot| slot.peer.as_ref());
        let given = peers().filter(|peer| peer.giver == giver).count();
        let known = peers().any(|peer| is_same(&peer.source, &source));
        if valid
            && !known
            && given < self.sources.len().div_ceil(4)
            && self.may_add(&source).is_ok()
        {
            self.insert(source, giver);
        }
    }

    pub(super) fn dialled(&self, source: SourceId, conn: ConnId) -> Result<usize, ConnectError> {
        self.check_unused(conn)?;
        let dialling = |slot: &&SourceSlot| {
            let peer = slot.peer.as_ref();
            slot.closed.is_none() && peer.is_some_and(|peer| peer.phase == Phase::Dialling)
        };
        let index = self.find_source(source).ok_or(ConnectError::NotExpected(conn))?;
        let slot = self.sources.get(index).filter(dialling);
        slot.map(|_| index).ok_or(ConnectError::NotExpected(conn))
    }

    pub(super) fn pushed(
        &self,
        servent: ServentId,
        conn: ConnId,
    ) -> Result<(usize, SourceId), ConnectError> {
        self.check_unused(conn)?;
        let waits = |slot: &SourceSlot| {
            let peer = slot.peer.as_ref().filter(|_| slot.closed.is_none())?;
            let waits = peer.phase == Phase::Pushing && peer.source.servent == Some(servent);
            waits.then_some(peer.id())
        };
        let mut found = self.sources.iter().map(waits).enumerate();
        let found = found.find_map(|(index, id)| Some((index, id?)));
        found.ok_or(ConnectError::NotExpected(conn))
    }

    /// Finds the source that gave a place in its queue and is not connected.
    pub(super) fn called(
        &self,
        place: [u8; 32],
        conn: ConnId,
    ) -> Result<(usize, SourceId), ConnectError> {
        self.check_unused(conn)?;
        let waits = |slot: &SourceSlot| {
            let peer = slot.peer.as_ref().filter(|_| slot.closed.is_none())?;
            let waits = matches!(peer.phase, Phase::Waiting | Phase::Pushing);
            let has_place = peer.place.is_some_and(|own| own.id == Some(place));
            (waits && has_place).then_some(peer.id())
        };
        let mut found = self.sources.iter().map(waits).enumerate();
        let found = found.find_map(|(index, id)| Some((index, id?)));
        found.ok_or(ConnectError::NotExpected(conn))
    }

    /// A connection whose end was not polled yet is still in use.
    fn check_unused(&self, conn: ConnId) -> Result<(), ConnectError> {
        let closing = |slot: &SourceSlot| slot.closed.is_some_and(|(closed, _)| closed == conn);
        let in_use = self.find_conn(conn).is_some() || self.sources.iter().any(closing);
        if in_use { Err(ConnectError::InUse(conn)) } else { Ok(()) }
    }

    pub(super) fn connected(&mut self, index: usize, conn: ConnId) {
        let keep_alive = self.after(self.state.config.keep_alive);
        if let Some(peer) = self.peer(index) {
            peer.phase = Phase::Ready(conn);
            peer.deadline = keep_alive;
            peer.event_due = false;
        }
        self.state.is_dirty = true;
    }

    pub(super) fn dial_failed(&mut self, source: SourceId) {
        let Some(index) = self.find_source(source) else { return };
        if let Some(peer) = self.peer(index).filter(|peer| peer.phase == Phase::Dialling) {
            peer.source.push = peer.source.servent.is_some();
            self.failed(index);
        }
    }

    pub(super) fn closed(&mut self, conn: ConnId) {
        let Some(index) = self.find_conn(conn) else { return };
        let Some(peer) = self.peer(index) else { return };
        // A place in a queue, or a time to try again, outlives the connection.
        let poll_at = peer.deadline.filter(|_| matches!(peer.phase, Phase::Queued(_)));
        let was_useful = match peer.phase {
            Phase::Body(_, body) => body.is_useful,
            Phase::Head(..) => false,
            _ => true,
        };
        self.tree_interrupted(index);
        if was_useful {
            self.retry_at_once(index);
            if let Some(peer) = self.peer(index) {
                peer.deadline = poll_at;
            }
        } else {
            self.failed(index);
        }
    }

    /// Closes a connection and reports it. What becomes of the source is the caller's next step.
    pub(super) fn close(&mut self, index: usize, reason: DownloadCloseReason) {
        self.tree_interrupted(index);
        let Some(slot) = self.sources.get_mut(index) else { return };
        if let Some(conn) = slot.peer.as_ref().and_then(Peer::conn) {
            slot.closed = Some((conn, reason));
        }
        self.retry_at_once(index);
    }

    /// Puts a source back among those that wait, without a connection.
    pub(super) fn retry_at_once(&mut self, index: usize) {
        self.release(index);
        if let Some(peer) = self.peer(index) {
            peer.phase = Phase::Waiting;
            peer.deadline = None;
            peer.request_due = false;
            peer.event_due = false;
        }
        self.state.is_dirty = true;
    }

    /// Counts a failure of a source without a connection: it is tried again later, or given up.
    pub(super) fn failed(&mut self, index: usize) {
        self.retry_at_once(index);
        let retry = self.state.config.retry;
        let longest = self.state.config.max_retry;
        let max_failures = self.state.config.max_failures;
        let Some(peer) = self.peer(index) else { return };
        peer.failures = peer.failures.saturating_add(1);
        let doubled = 1_u32.checked_shl(peer.failures.saturating_sub(1).into());
        let wait = retry.saturating_mul(doubled.unwrap_or(u32::MAX)).min(longest);
        if peer.failures > max_failures {
            self.lose(index, SourceFault::Unreachable);
        } else {
            let at = self.after(wait);
            if let Some(peer) = self.peer(index) {
                peer.deadline = at;
            }
        }
    }

    /// Closes a connection whose answer cannot be used.
    pub(super) fn close_failed(&mut self, index: usize, reason: DownloadCloseReason) {
        self.close(index, reason);
        self.failed(index);
    }

    /// Gives a source up.
    pub(super) fn lose(&mut self, index: usize, fault: SourceFault) {
        let Some(peer) = self.peer(index) else { return };
        let id = peer.id;
        if peer.is_lost() {
            return;
        }
        if peer.conn().is_some() {
            self.close(index, DownloadCloseReason::SourceLost);
        }
        self.release(index);
        self.withdraw_tree(id);
        if let Some(peer) = self.peer(index) {
            peer.phase = Phase::Lost(fault);
            peer.deadline = None;
            peer.request_due = false;
            peer.event_due = true;
        }
        if self.state.single == Single::Source(id) {
            self.discard_all();
            self.state.single = Single::Any;
        }
        self.check_sources();
    }

    /// Reports that no source is left, once; the announced root may be what drove them away.
    fn check_sources(&mut self) {
        let mut peers = self.sources.iter().filter_map(|slot| slot.peer.as_ref());
        let is_over = self.state.is_over() || self.state.check != FileCheck::No;
        if is_over || peers.any(|peer| !peer.is_lost()) || self.distrust_tree() {
            return;
        }
        if self.state.out_of_sources == Report::No {
            self.state.out_of_sources = Report::Due;
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<DownloadEvent> {
        if let Some((conn, reason)) = self.sources.iter_mut().find_map(|slot| slot.closed.take()) {
            return Some(DownloadEvent::Closed { conn, reason });
        }
        let mut peers = self.sources.iter_mut().filter_map(|slot| slot.peer.as_mut());
        if let Some(event) = peers.find_map(event_of) {
            return Some(event);
        }
        if let Some(event) = self.poll_verify() {
            return Some(event);
        }
        if self.state.out_of_sources == Report::Due {
            self.state.out_of_sources = Report::Done;
            return Some(DownloadEvent::OutOfSources);
        }
        self.state.outcome.take()
    }
}

fn event_of(peer: &mut Peer) -> Option<DownloadEvent> {
    if !core::mem::take(&mut peer.event_due) {
        return None;
    }
    let source = peer.id();
    match (peer.phase, peer.source.servent) {
        (Phase::Lost(fault), _) => Some(DownloadEvent::SourceLost { source, fault }),
        (Phase::Pushing, Some(servent)) => {
            let index = peer.source.index;
            Some(DownloadEvent::Push { source, servent, index, proxy: peer.source.proxy })
        }
        (Phase::Dialling, _) => Some(DownloadEvent::Dial { source, address: peer.source.address }),
        _ => None,
    }
}

/// Two sources are the same if both name a servent and it is the same, or else by address.
fn is_same(one: &Source, other: &Source) -> bool {
    match (one.servent, other.servent) {
        (Some(one), Some(other)) => one == other,
        _ => one.address == other.address,
    }
}
