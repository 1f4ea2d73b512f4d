//! Keeps the queues and the deadlines of the schedule right for the peers that a call touched.

use super::cursor::View;
use super::peer::{PeerState, Phase};
use crate::id::ConnId;
use crate::ready;

impl View<'_> {
    /// Notes that the peer in a slot may have changed.
    pub(super) fn touch(&mut self, index: usize) {
        self.core.schedule.touched.push(self.parts.peers, index);
    }

    /// Schedules the peers that the current call touched.
    pub(super) fn settle(&mut self) {
        while let Some(index) = self.core.schedule.touched.pop(self.parts.peers) {
            let deadline = self.deadline_of(index);
            ready::set_deadline(self.parts.peers, index, deadline);
            let sends = self.has_output(index);
            let Some(state) = self.state(index) else { continue };
            let reports = state.has_event();
            let asks = state.is_open() && state.wanted > 0;
            let schedule = &mut self.core.schedule;
            let peers = &mut *self.parts.peers;
            if sends {
                schedule.senders.push(peers, index);
            }
            if reports {
                schedule.events.push(peers, index);
            }
            if asks {
                schedule.hungry.push(peers, index);
            }
        }
        self.drop_idle();
    }

    /// Removes peers that have nothing to do from the front of the queues that are polled, so that a poll that finds
    /// nothing changes nothing.
    fn drop_idle(&mut self) {
        while let Some(index) = self.core.schedule.senders.first() {
            if self.has_output(index) {
                break;
            }
            self.core.schedule.senders.pop(self.parts.peers);
        }
        while let Some(index) = self.core.schedule.events.first() {
            if self.state(index).is_some_and(PeerState::has_event) {
                break;
            }
            self.core.schedule.events.pop(self.parts.peers);
        }
    }

    fn has_output(&mut self, index: usize) -> bool {
        self.quiet_peer(index).is_some_and(|peer| peer.has_output())
    }

    /// Adds the peers that the current call touched to those that may have room for requests.
    pub(super) fn feed_touched(&mut self) {
        let schedule = &mut self.core.schedule;
        let mut next = schedule.touched.first();
        while let Some(index) = next {
            schedule.hungry.push(self.parts.peers, index);
            next = schedule.touched.after(self.parts.peers, index);
        }
    }

    /// Notes that all peers may have something to be sent to them.
    pub(super) fn wake_senders(&mut self) {
        for index in 0..self.parts.peers.len() {
            if self.state(index).is_some_and(PeerState::is_open) {
                self.core.schedule.senders.push(self.parts.peers, index);
            }
        }
    }

    /// Touches the peers whose unchoke is not as it was sent, after the choker decided.
    pub(super) fn touch_unchoked(&mut self) {
        let mut given = 0_usize;
        for index in 0..self.parts.peers.len() {
            let Some(state) = self.state(index).filter(|state| state.is_open()) else { continue };
            let candidate = &state.choke_candidate;
            given = given.saturating_add(usize::from(candidate.unchoked && candidate.interested));
            if candidate.unchoked != state.flags.unchoked() {
                self.touch(index);
            }
        }
        self.core.slots_full = given >= usize::from(self.core.config.upload_slots);
    }

    /// Frees the slot of a connection.
    pub(super) fn release(&mut self, index: usize, conn: ConnId) {
        let now = self.core.now;
        if let Some(slot) = self.parts.peers.get_mut(index) {
            slot.state.free(now);
            self.core.schedule.index.give_back(self.parts.peers, conn, index);
            self.touch(index);
        }
    }
}

impl PeerState {
    fn has_event(&self) -> bool {
        self.flags.connected_due() || matches!(self.phase, Phase::Closed(_))
    }
}
