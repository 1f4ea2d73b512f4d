//! Snapshots: which one this node hands out, and the chunk that it asks for.

use core::time::Duration;

use super::asking::{Asked, Asking};
use super::chunk_request::ChunkRequest;
use super::inner::InnerMut;
use super::message::{Message, SnapshotPlace, Status};
use super::types::CloseReason;
use crate::error::BufferTooSmall;
use crate::hash::BlockId;

/// The penalty for a chunk that nobody asked for. A late answer looks the same, so it is small.
const UNSOLICITED: u16 = 5;

impl InnerMut<'_> {
    pub(super) fn offer_snapshot(&mut self, now: Duration, offer: Option<Status>) {
        self.advance_clock(now);
        if self.inner.offer == offer {
            return;
        }
        self.inner.offer = offer;
        for peer in self.peers_mut() {
            peer.snapshot_due = offer.is_some();
        }
    }

    pub(super) fn want_snapshot(&mut self, now: Duration, place: Option<SnapshotPlace>) {
        self.advance_clock(now);
        let is_asked = self.inner.chunk.map(|chunk| chunk.place) == place;
        if !is_asked {
            self.inner.chunk = place.map(|place| ChunkRequest { place, asking: Asking::NONE });
        }
    }

    /// Notes what a peer hands out. The peers that were asked in vain may have it now.
    pub(super) fn have_snapshot(&mut self, at: usize, offer: Status) {
        self.change(at, |peer| peer.snapshot = Some(offer));
        if let Some(chunk) = &mut self.inner.chunk {
            chunk.asking.allow(at);
        }
    }

    /// Returns whether the chunk is the one that this peer was asked for.
    pub(super) fn snapshot(&mut self, at: usize, place: &SnapshotPlace) -> bool {
        let now = self.inner.now;
        let chunk = self.inner.chunk.filter(|chunk| chunk.place == *place);
        let asked = chunk.and_then(|chunk| chunk.asking.asked).filter(|asked| asked.peer == at);
        let Some(asked) = asked else {
            self.change(at, |peer| peer.penalize(now, UNSOLICITED, CloseReason::Unsolicited));
            return false;
        };
        self.inner.chunk = None;
        let most = self.inner.config.most_in_flight();
        self.change(at, |peer| peer.delivered(now, Some(asked.at), most));
        true
    }

    pub(super) fn snapshot_not_found(&mut self, at: usize, id: &BlockId) {
        if let Some(chunk) = self.inner.chunk.as_mut().filter(|chunk| chunk.place.block == *id) {
            chunk.asking.exclude(at);
        }
    }

    /// Asks the next peer if one did not answer in time.
    pub(super) fn expire_snapshot(&mut self, now: Duration) {
        let timeout = self.inner.config.request_timeout;
        let Some(chunk) = &mut self.inner.chunk else { return };
        let is_late = chunk.deadline(timeout).is_some_and(|at| at <= now);
        let Some(asked) = chunk.asking.asked.filter(|_| is_late) else { return };
        chunk.asking.exclude(asked.peer);
        if chunk.choose(self.parts.peers).is_none() {
            chunk.asking.allow_all();
        }
        self.change(asked.peer, |peer| peer.stalls = peer.stalls.saturating_add(1));
        self.close_if_stalled(asked.peer);
    }

    pub(super) fn send_offer(
        &mut self,
        at: usize,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let Some(offer) = self.inner.offer.filter(|_| self.peer(at).snapshot_due) else {
            return Ok(None);
        };
        let len = Message::HaveSnapshot(offer).encode(buf)?;
        self.change(at, |peer| peer.snapshot_due = false);
        Ok(Some(len))
    }

    pub(super) fn ask_snapshot(
        &mut self,
        at: usize,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let Some(chunk) = &mut self.inner.chunk else { return Ok(None) };
        if chunk.asking.asked.is_some() || chunk.choose(self.parts.peers) != Some(at) {
            return Ok(None);
        }
        let len = Message::GetSnapshot(chunk.place).encode(buf)?;
        chunk.asking.asked = Some(Asked { peer: at, at: self.inner.now });
        Ok(Some(len))
    }
}
