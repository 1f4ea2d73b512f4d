//! The timers of a node.

use core::time::Duration;

use super::config::Timer;
use super::event::Event;
use super::inner::{Inner, InnerMut};
use super::orphans::{Orphans, OrphansRef};
use super::storage::NodePartsRef;
use crate::engine::Engine;

impl Timer {
    const ALL: [Self; 4] = [Self::Body, Self::Retry, Self::Orphan, Self::Early];
}

impl<E: Engine> Inner<E> {
    /// Returns when a timer fires.
    fn deadline(&self, timer: Timer, parts: &NodePartsRef<'_>) -> Option<Duration> {
        let orphans = OrphansRef::new(parts.orphans);
        match timer {
            Timer::Body => {
                let asked = self.asked?;
                Some(asked.at.saturating_add(self.config.body_timeout))
            }
            Timer::Retry => self.rest?.end(&self.config),
            Timer::Orphan => orphans.next_expiry(),
            Timer::Early => orphans.next_early(self.now),
        }
    }

    /// Returns when the next timer fires.
    pub(super) fn next_deadline(&self, parts: &NodePartsRef<'_>) -> Option<Duration> {
        Timer::ALL.into_iter().filter_map(|timer| self.deadline(timer, parts)).min()
    }
}

impl<E: Engine> InnerMut<'_, E> {
    /// Moves the clock on, never back.
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.inner.now = self.inner.now.max(now);
    }

    /// Fires what is due. An early header is checked by `work`.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.advance_clock(now);
        let now = self.inner.now;
        Orphans::new(self.parts.orphans).expire(now);
        let config = &self.inner.config;
        if self.inner.rest.and_then(|rest| rest.end(config)).is_some_and(|at| at <= now) {
            self.retry();
        }
        let timeout = self.inner.config.body_timeout;
        let Some(asked) = self.inner.asked else { return };
        if asked.at.saturating_add(timeout) > now {
            return;
        }
        let needed = self.next_body().map(|at| self.tree().id(at));
        self.inner.asked = None;
        if needed == Some(asked.id) {
            self.inner.report = self.give_up_for_now().map(|id| Event::Abandoned { id });
        }
    }
}
