//! The timers of a servent.

use core::time::Duration;

use super::state::{Core, State};
use super::storage::ServentPartsRef;
use crate::hosts::HostCache;

/// What a servent waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// A silent neighbour is to be pinged or given up: `Config::idle` after its last message.
    Silence,
    /// A dynamic query asks its next ultrapeer, or ends: `Config::query_wait` per hop, and
    /// `Config::query_lifetime`.
    Query,
    /// The query-routing table is to be sent: `Config::table_interval` after a change.
    Table,
    /// A connection attempt takes too long (`Config::dial_timeout`), or a host may be tried again.
    Dial,
}

impl Timer {
    pub(super) const ALL: [Self; 4] = [Self::Silence, Self::Query, Self::Table, Self::Dial];

    /// Returns when the timer fires.
    pub(super) fn deadline(self, state: &State, parts: &ServentPartsRef<'_>) -> Option<Duration> {
        match self {
            Self::Silence => state.silence,
            Self::Query => Core::queries_wake(parts.queries),
            Self::Table => state.tables_due,
            Self::Dial => {
                let wants_peers = !state.left && state.peers < state.config.target_peers;
                let hosts = HostCache::resume(state.config.address, parts.hosts);
                let change = hosts.next_change(state.now, state.config.dial_timeout);
                change.filter(|_| wants_peers)
            }
        }
    }
}

impl Core<'_> {
    /// Does what a timer is for, as far as it is due.
    pub(super) fn fire(&mut self, timer: Timer) {
        let now = self.state.now;
        match timer {
            Timer::Silence => self.silence_timeout(),
            Timer::Query => self.queries_timeout(),
            Timer::Table if self.state.tables_due.is_some_and(|at| at <= now) => self.send_tables(),
            Timer::Table => {}
            Timer::Dial => self.hosts.expire(now, self.state.config.dial_timeout),
        }
    }
}
