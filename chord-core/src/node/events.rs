//! How the application receives the events.

use super::data::NodeMut;
use super::pending::Flag;
use crate::event::Event;
use crate::id::{Identifier, KeyRange};
use crate::wire::Address;

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    pub(super) fn poll_event(&mut self) -> Option<Event<I, A>> {
        if self.core.pending_events.take(Flag::Joined) {
            return Some(Event::Joined);
        }
        if let Some(reason) = self.core.pending_events.join_failed.take() {
            return Some(Event::JoinFailed(reason));
        }
        if self.core.pending_events.take(Flag::Successor) {
            return Some(Event::SuccessorChanged(self.table.successors.first()));
        }
        if self.core.pending_events.take(Flag::Predecessor) {
            let predecessor = self.core.predecessor();
            let range = self.core.keys();
            return Some(Event::PredecessorChanged { predecessor, range });
        }
        if let Some(event) = self.moved_keys() {
            return Some(event);
        }
        if self.core.pending_events.take(Flag::List) {
            return Some(Event::ListChanged);
        }
        if self.core.pending_events.take(Flag::Isolated) {
            return Some(Event::Isolated);
        }
        if self.core.pending_events.take(Flag::Split) {
            return Some(Event::SplitSuspected);
        }
        if self.core.pending_events.take(Flag::Merged) {
            return Some(Event::Merged);
        }
        let failed = self.core.pending_events.failed.take();
        if let Some(peer) = failed.or_else(|| self.own.take_failed()) {
            return Some(Event::PeerFailed(peer));
        }
        let more = core::mem::take(&mut self.core.pending_events.more_failed);
        (more > 0).then_some(Event::MorePeersFailed(more))
    }

    /// Returns which keys have come or gone since the last such event.
    fn moved_keys(&mut self) -> Option<Event<I, A>> {
        let new = self.core.keys();
        if self.core.pending_events.take(Flag::Left) {
            self.core.pending_events.owned = None;
            let to = self.table.successors.first()?;
            return Some(Event::HandOver { range: new, to });
        }
        if !self.core.state.is_member() || self.core.pending_events.owned == Some(new.after) {
            return None;
        }
        let Some(old) = self.core.pending_events.owned.replace(new.after) else {
            return Some(Event::TakeOver { range: new });
        };
        if new.after.between(old, new.through) {
            let range = KeyRange { after: old, through: new.after };
            return Some(Event::HandOver { range, to: self.core.predecessor });
        }
        Some(Event::TakeOver { range: KeyRange { after: new.after, through: old } })
    }
}
