//! The leases of a pool, and the nonces that were never leased.

use core::num::NonZeroU64;
use core::time::Duration;

use super::accounts::WorkerId;
use super::message::LeaseId;
use crate::conn::ConnId;

/// Storage for one lease: at most 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseSlot {
    pub(super) id: LeaseId,
    pub(super) conn: ConnId,
    pub(super) first: u64,
    pub(super) next: u64, // the least nonce that no share has reached
    pub(super) last: u64,
    pub(super) deadline: Duration,
    pub(super) state: LeaseState,
    pub(super) finished: bool, // the last nonce was a share; `next` cannot express that
    pub(super) expired: bool,  // and not reported yet
    pub(super) vouched: bool,  // the claimant had proved enough work
    pub(super) claimant: Option<WorkerId>, // the latest worker that reported these nonces done
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaseState {
    Free,
    Assigned,
    Returned,
    /// Nothing of it remains, but its expiry was not reported yet.
    Over,
}

/// The nonces that were never leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fresh(Option<(u64, u64)>);

impl LeaseSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        id: LeaseId(0),
        conn: ConnId(0),
        first: 0,
        next: 0,
        last: 0,
        deadline: Duration::ZERO,
        state: LeaseState::Free,
        finished: false,
        expired: false,
        vouched: false,
        claimant: None,
    };

    /// A lease of nonces that was not assigned yet.
    pub(super) const fn of(first: u64, last: u64) -> Self {
        Self { first, next: first, last, state: LeaseState::Returned, ..Self::EMPTY }
    }

    pub(super) fn is_assigned_to(&self, conn: ConnId) -> bool {
        self.state == LeaseState::Assigned && self.conn == conn
    }

    /// Returns whether the lease can be assigned again. Its expiry is reported first, while the slot knows it.
    pub(super) fn is_available(&self) -> bool {
        self.state == LeaseState::Returned && !self.expired
    }

    /// Returns whether nonces of the lease remain to be tried.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, LeaseState::Assigned | LeaseState::Returned)
    }

    /// Returns the number of nonces that no share has reached.
    pub(super) fn unproved(&self) -> u64 {
        if self.finished { 0 } else { self.last.saturating_sub(self.next).saturating_add(1) }
    }

    /// Continues after a nonce that was a share: the next worker of the lease starts there.
    pub(super) fn advance(&mut self, nonce: u64) {
        match nonce.checked_add(1).filter(|next| *next <= self.last) {
            Some(next) => self.next = next,
            None => self.finished = true,
        }
    }

    /// Takes the lease away from its connection.
    pub(super) fn release(&mut self) {
        if !self.finished {
            self.state = LeaseState::Returned;
        } else if self.expired {
            self.state = LeaseState::Over;
        } else {
            *self = Self::EMPTY;
        }
    }

    /// Forgets the nonces of the lease, but not that its expiry has to be reported.
    pub(super) fn discard(&mut self) {
        if self.expired {
            self.state = LeaseState::Over;
        } else {
            *self = Self::EMPTY;
        }
    }

    /// Takes the expiry, which is then reported.
    pub(super) fn take_expiry(&mut self) -> Option<(ConnId, LeaseId)> {
        if !self.expired {
            return None;
        }
        let expiry = (self.conn, self.id);
        self.expired = false;
        if self.state == LeaseState::Over {
            *self = Self::EMPTY;
        }
        Some(expiry)
    }
}

impl Fresh {
    pub(super) const NONE: Self = Self(None);

    pub(super) const fn new(first: u64, last: u64) -> Self {
        Self(if first <= last { Some((first, last)) } else { None })
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_none()
    }

    /// Returns the ends of the next lease of up to `count` nonces.
    pub(super) fn peek(self, count: NonZeroU64) -> Option<(u64, u64)> {
        let (first, last) = self.0?;
        Some((first, first.saturating_add(count.get().saturating_sub(1)).min(last)))
    }

    /// Removes that lease.
    pub(super) fn take(&mut self, count: NonZeroU64) {
        let Some((_, last)) = self.0 else { return };
        let Some((_, taken)) = self.peek(count) else { return };
        self.0 = taken.checked_add(1).filter(|next| *next <= last).map(|next| (next, last));
    }
}
