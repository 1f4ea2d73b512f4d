//! What a pool keeps of its leases and workers.

use core::num::NonZeroU64;
use core::time::Duration;

use super::LeaseId;

/// The name of a worker, such as an account number: the caller's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WorkerId(pub u64);

/// Memory for one lease: 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseSlot {
    pub(super) id: LeaseId,
    pub(super) worker: WorkerId,
    pub(super) first: u64,
    pub(super) next: u64, // the least that was not given as a share
    pub(super) last: u64,
    pub(super) deadline: Duration,
    pub(super) state: State,
    pub(super) finished: bool, // the last nonce was given, so `next` cannot say it
    pub(super) expired: bool,  // and not told yet
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Free,
    Given,
    Returned,
}

/// Memory for one worker: 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSlot {
    pub(super) id: WorkerId,
    pub(super) credit: u64, // in expected hashes
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) connected: bool,
    pub(super) ready: bool,   // for a lease
    pub(super) changed: bool, // since the worker was told
}

/// The nonces that were never leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fresh(Option<(u64, u64)>);

impl LeaseSlot {
    /// A slot that is free.
    pub const EMPTY: Self = Self {
        id: LeaseId(0),
        worker: WorkerId(0),
        first: 0,
        next: 0,
        last: 0,
        deadline: Duration::ZERO,
        state: State::Free,
        finished: false,
        expired: false,
    };

    pub(super) fn is_out(&self, worker: WorkerId, id: LeaseId) -> bool {
        self.state == State::Given && self.worker == worker && self.id == id
    }

    /// Notes a share: whoever gets the lease next begins after it.
    pub(super) fn pass(&mut self, nonce: u64) {
        match nonce.checked_add(1).filter(|next| *next <= self.last) {
            Some(next) => self.next = next,
            None => self.finished = true,
        }
    }
}

impl WorkerSlot {
    /// A slot that is free.
    pub const EMPTY: Self = Self::new(WorkerId(0));

    pub(super) const fn new(id: WorkerId) -> Self {
        Self {
            id,
            credit: 0,
            accepted: 0,
            refused: 0,
            connected: false,
            ready: false,
            changed: false,
        }
    }

    /// Returns the worker.
    #[must_use]
    pub const fn id(&self) -> WorkerId {
        self.id
    }

    /// Returns whether it is connected.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// Returns what it has earned and was not paid for, in expected hashes.
    #[must_use]
    pub const fn credit(&self) -> u64 {
        self.credit
    }

    /// Returns how many of its shares were accepted and refused.
    #[must_use]
    pub const fn tally(&self) -> (u64, u64) {
        (self.accepted, self.refused)
    }

    pub(super) const fn is_free(&self) -> bool {
        !self.connected && self.credit == 0
    }

    pub(super) fn is(&self, id: WorkerId) -> bool {
        self.id == id && !self.is_free()
    }

    /// Counts a share that was accepted for so much work, or one that was refused.
    pub(super) fn count(&mut self, work: Option<u64>) {
        if let Some(work) = work {
            self.accepted = self.accepted.saturating_add(1);
            self.credit = self.credit.saturating_add(work);
        } else {
            self.refused = self.refused.saturating_add(1);
        }
        self.changed = true;
    }
}

impl Fresh {
    pub(super) const NONE: Self = Self(None);

    pub(super) const fn new(first: u64, last: u64) -> Self {
        Self(if first <= last { Some((first, last)) } else { None })
    }

    /// Returns the ends of the next lease of up to `count` nonces.
    pub(super) fn peek(self, count: NonZeroU64) -> Option<(u64, u64)> {
        let (first, last) = self.0?;
        Some((first, first.saturating_add(count.get().saturating_sub(1)).min(last)))
    }

    /// Takes that lease away.
    pub(super) fn take(&mut self, count: NonZeroU64) {
        let (Some((_, last)), Some((_, taken))) = (self.0, self.peek(count)) else { return };
        self.0 = taken.checked_add(1).filter(|next| *next <= last).map(|next| (next, last));
    }
}
