//! What is reported: derived from the state, so that no queue can overflow and nothing is lost.

use super::event::Event;
use super::inner::{Asked, InnerMut};
use super::slot::Status;
use super::tree::TreeRef;
use crate::engine::Engine;
use crate::header::Height;

impl<E: Engine> InnerMut<'_, E> {
    /// Returns the next event. The order is that of the arms.
    pub(super) fn event(&mut self) -> Option<Event<E::Error>> {
        self.keep()
            .or_else(|| self.inner.report.take())
            .or_else(|| self.follow_chain())
            .or_else(|| self.confirm())
            .or_else(|| self.finalize())
            .or_else(|| self.need())
    }

    /// The first block of the branch under trial that is to be stored.
    fn keep(&mut self) -> Option<Event<E::Error>> {
        let end = self.inner.switch.as_ref()?.end;
        let tree = self.tree();
        let trial = tree.path(end).take_while(|at| tree.status(*at) == Status::Trial);
        let first = trial.filter(|at| tree.slot(*at).keep_due).last()?;
        let tip = tree.tip(first);
        self.tree_mut().change(first, |slot| slot.keep_due = false);
        Some(Event::Keep { id: tip.id, height: tip.height })
    }

    /// One step from the tip that was reported last towards the tip.
    fn follow_chain(&mut self) -> Option<Event<E::Error>> {
        let reported = self.inner.reported;
        let tip = self.inner.tip_at;
        if reported == tip {
            return None;
        }
        let tree = self.tree();
        if let Some(at) = reported.filter(|at| tree.status(*at) != Status::Active) {
            let left = tree.tip(at);
            self.inner.reported = tree.parent(at);
            let below = left.height.0.saturating_sub(1);
            self.inner.confirmed = self.inner.confirmed.min(below);
            return Some(Event::Disconnected { id: left.id, height: left.height });
        }
        let height = reported.map_or(self.inner.root.tip.height.0, |at| tree.slot(at).height());
        let next = tree.ancestor(tip, height.saturating_add(1))?;
        let entered = tree.tip(next);
        self.inner.reported = Some(next);
        Some(Event::Connected { id: entered.id, height: entered.height })
    }

    /// The next block that is deep enough below the tip.
    fn confirm(&mut self) -> Option<Event<E::Error>> {
        let depth = self.inner.config.confirmations;
        let height = self.inner.confirmed.saturating_add(1);
        let top = self.inner.tip.tip.height.0.saturating_add(1);
        if height.saturating_add(u64::from(depth)) > top {
            return None;
        }
        let tree = self.tree();
        let at = tree.ancestor(self.inner.tip_at, height)?;
        let id = tree.id(at);
        self.inner.confirmed = height;
        Some(Event::Confirmed { id, height: Height(height), depth })
    }

    /// Makes the lowest block that is deep enough the root.
    fn finalize(&mut self) -> Option<Event<E::Error>> {
        if !self.inner.can_finalize() {
            return None;
        }
        let lowest = self.inner.root.tip.height.0.saturating_add(1);
        let next = self.tree().ancestor(self.inner.tip_at, lowest)?;
        let writes = self.tree().slot(next).writes;
        let header = self.tree().slot(next).header;
        self.inner.root_header = Some(header);
        let tree = TreeRef::new(&self.inner.tree, self.parts.headers);
        self.inner.history.push(&self.inner.root.tip.id, &tree.id(next));
        tree.apply(next, &mut self.inner.root);
        self.inner.journal_start = self.inner.journal_start.saturating_add(writes);
        let best = self.inner.best.map(|at| (at, self.tree().id(at)));
        self.tree_mut().advance_root(next);
        self.inner.tip_at = self.inner.tip_at.filter(|at| *at != next);
        self.inner.reported = self.inner.reported.filter(|at| *at != next);
        if best.is_some_and(|(at, id)| self.tree().find(&id) != Some(at)) {
            self.find_best();
        }
        let tip = self.inner.root.tip;
        self.inner.confirmed = self.inner.confirmed.max(tip.height.0);
        Some(Event::Final { id: tip.id, height: tip.height })
    }

    /// The body to be executed next, unless it was asked for.
    fn need(&mut self) -> Option<Event<E::Error>> {
        let tree = self.tree();
        let tip = tree.tip(self.next_body()?);
        if self.inner.asked.is_some_and(|asked| asked.id == tip.id) {
            return None;
        }
        self.inner.asked = Some(Asked { id: tip.id, at: self.inner.now });
        Some(Event::Need { id: tip.id, height: tip.height })
    }
}
