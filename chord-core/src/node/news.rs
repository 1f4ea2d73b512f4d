//! What the application has not been told yet.

use super::machine::Core;
use crate::{Address, Event, Identifier, JoinFailure, KeyRange, Peer};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for one event")]
pub(super) struct News<I, A> {
    pub(super) join_failed: Option<JoinFailure>,
    /// The newest failure.
    pub(super) failed: Option<Peer<I, A>>,
    /// Where the keys begin that the application takes for this node's.
    pub(super) owned: Option<I>,
    pub(super) joined: bool,
    pub(super) successor: bool,
    pub(super) predecessor: bool,
    pub(super) list: bool,
    /// Whether the keys are the successor's, as the node has left.
    pub(super) left: bool,
}

impl<I, A> News<I, A> {
    pub(super) const NONE: Self = Self {
        join_failed: None,
        failed: None,
        owned: None,
        joined: false,
        successor: false,
        predecessor: false,
        list: false,
        left: false,
    };
}

impl<I: Identifier, A: Address> Core<I, A> {
    pub(super) fn poll_event(&mut self) -> Option<Event<I, A>> {
        if core::mem::take(&mut self.news.joined) {
            return Some(Event::Joined);
        }
        if let Some(reason) = self.news.join_failed.take() {
            return Some(Event::JoinFailed(reason));
        }
        if core::mem::take(&mut self.news.successor) {
            return Some(Event::SuccessorChanged(self.table.successors.first()));
        }
        if core::mem::take(&mut self.news.predecessor) {
            let (predecessor, range) = (self.predecessor(), self.keys());
            return Some(Event::PredecessorChanged { predecessor, range });
        }
        if let Some(event) = self.moved_keys() {
            return Some(event);
        }
        if core::mem::take(&mut self.news.list) {
            return Some(Event::ListChanged);
        }
        self.news.failed.take().map(Event::PeerFailed)
    }

    /// Returns which keys have come or gone since the application was last told.
    fn moved_keys(&mut self) -> Option<Event<I, A>> {
        let new = self.keys();
        if core::mem::take(&mut self.news.left) {
            self.news.owned = None;
            let to = self.table.successors.first()?;
            return Some(Event::HandOver { range: new, to });
        }
        if !self.state.is_member() || self.news.owned == Some(new.after) {
            return None;
        }
        let Some(old) = self.news.owned.replace(new.after) else {
            return Some(Event::TakeOver { range: new });
        };
        if new.after.between(old, new.through) {
            let range = KeyRange { after: old, through: new.after };
            return Some(Event::HandOver { range, to: self.predecessor });
        }
        Some(Event::TakeOver { range: KeyRange { after: new.after, through: old } })
    }
}
