//! The timers of a node.

use core::time::Duration;

use super::inner::{Core, Pending, View};
use crate::dht::limits::K;
use crate::dht::lookup::Purpose;
use crate::dht::table::QUIET;

/// How often the buckets are examined.
const MAINTENANCE: Duration = Duration::from_secs(60);
const _: () = assert!(QUIET.as_secs() > MAINTENANCE.as_secs());

/// What a node waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A query was not answered within the patience: the node failed, and its lookup continues without it.
    Query,
    /// A minute has passed: a bucket without a message for 15 minutes is refreshed.
    Maintenance,
}

impl Timer {
    const ALL: [Self; 2] = [Self::Query, Self::Maintenance];
}

impl Core {
    /// Advances the clock; an older time counts as the newest seen.
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if self.maintenance_at.is_none() {
            self.maintenance_at = self.now.checked_add(MAINTENANCE);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        Timer::ALL.iter().filter_map(|timer| self.deadline(*timer)).min()
    }

    fn deadline(&self, timer: Timer) -> Option<Duration> {
        match timer {
            Timer::Query => self.queries.iter().filter_map(|query| query.deadline).min(),
            Timer::Maintenance => self.maintenance_at,
        }
    }
}

impl View<'_> {
    pub(super) fn fire_expired(&mut self, now: Duration) {
        self.core.advance_clock(now);
        for timer in Timer::ALL {
            if self.core.deadline(timer).is_some_and(|at| at <= self.core.now) {
                self.fire(timer);
            }
        }
        self.remove_settled();
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Query => self.fail_expired(),
            Timer::Maintenance => {
                self.core.maintenance_at = self.core.now.checked_add(MAINTENANCE);
                self.refresh();
            }
        }
    }

    fn fail_expired(&mut self) {
        let now = self.core.now;
        let expired = |query: &Pending| query.deadline.is_some_and(|at| at <= now);
        while let Some(at) = self.core.queries.iter().position(expired) {
            let query = self.core.queries.swap_remove(at);
            self.fail(&query);
        }
    }

    /// Looks up an id in a bucket that is stale, or our own neighbourhood if only a few nodes are known.
    fn refresh(&mut self) {
        let random = self.core.random_id();
        let table = self.routing_table();
        let target = match table.len() {
            0 => None,
            1..K => Some(self.core.config.id),
            _ => table.stale(self.core.now, random),
        };
        if let Some(target) = target {
            self.start(target, Purpose::Nodes);
        }
    }
}
