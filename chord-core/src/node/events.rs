//! The events that the application has yet to poll.

use super::machine::NodeMut;
use crate::event::{Event, JoinFailure};
use crate::id::{Identifier, KeyRange};
use crate::peer::Peer;
use crate::wire::Address;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for one event")]
pub(super) struct PendingEvents<I, A> {
    pub(super) join_failed: Option<JoinFailure>,
    /// The newest failure.
    pub(super) failed: Option<Peer<I, A>>,
    /// Where the keys begin that the application takes for this node's.
    pub(super) owned: Option<I>,
    pub(super) split: bool,
    pub(super) isolated: bool,
    pub(super) merged: bool,
    pub(super) joined: bool,
    pub(super) successor: bool,
    pub(super) predecessor: bool,
    pub(super) list: bool,
    /// Whether the keys are the successor's, as the node has left.
    pub(super) left: bool,
}

impl<I, A> PendingEvents<I, A> {
    pub(super) const NONE: Self = Self {
        join_failed: None,
        failed: None,
        owned: None,
        split: false,
        isolated: false,
        merged: false,
        joined: false,
        successor: false,
        predecessor: false,
        list: false,
        left: false,
    };
}

impl<I: Identifier, A: Address> NodeMut<'_, I, A> {
    pub(super) fn poll_event(&mut self) -> Option<Event<I, A>> {
        if core::mem::take(&mut self.core.pending_events.joined) {
            return Some(Event::Joined);
        }
        if let Some(reason) = self.core.pending_events.join_failed.take() {
            return Some(Event::JoinFailed(reason));
        }
        if core::mem::take(&mut self.core.pending_events.successor) {
            return Some(Event::SuccessorChanged(self.table.successors.first()));
        }
        if core::mem::take(&mut self.core.pending_events.predecessor) {
            let predecessor = self.core.predecessor();
            let range = self.core.keys();
            return Some(Event::PredecessorChanged { predecessor, range });
        }
        if let Some(event) = self.moved_keys() {
            return Some(event);
        }
        if core::mem::take(&mut self.core.pending_events.list) {
            return Some(Event::ListChanged);
        }
        if core::mem::take(&mut self.core.pending_events.isolated) {
            return Some(Event::Isolated);
        }
        if core::mem::take(&mut self.core.pending_events.split) {
            return Some(Event::SplitSuspected);
        }
        if core::mem::take(&mut self.core.pending_events.merged) {
            return Some(Event::Merged);
        }
        self.core.pending_events.failed.take().map(Event::PeerFailed)
    }

    /// Returns which keys have come or gone since the application was last told.
    fn moved_keys(&mut self) -> Option<Event<I, A>> {
        let new = self.core.keys();
        if core::mem::take(&mut self.core.pending_events.left) {
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
