//! The leases of a pool, and the nonces that were never leased.

use core::num::NonZeroU64;
use core::time::Duration;

use super::accounts::WorkerId;
use super::message::LeaseId;
use crate::conn::ConnId;
use crate::ready::{self, Entry, Queue, Scheduled};

/// Storage for one lease: at most 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseSlot {
    pub(super) id: LeaseId,
    pub(super) conn: ConnId,
    pub(super) first: u64,
    pub(super) next: u64, // the least nonce that no share has reached
    pub(super) last: u64,
    entry: Entry,
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

/// The leases by what becomes of them. The deadline of each that is assigned is its expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leases {
    expired: Queue<0>, // to be reported
    free: Queue<1>,
    // Those that can be assigned again. All of the first queue have the same claimant, and the first of the second has
    // another, so that one that is not claimed by a given worker is found at once.
    same: Queue<2>,
    others: Queue<3>,
    open: u16,
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
        entry: Entry::EMPTY,
        state: LeaseState::Free,
        finished: false,
        expired: false,
        vouched: false,
        claimant: None,
    };

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

    /// Becomes a lease of the nonces that no share has reached.
    pub(super) fn assign(&mut self, id: LeaseId, conn: ConnId) {
        self.id = id;
        self.conn = conn;
        self.first = self.next;
        self.state = LeaseState::Assigned;
    }

    /// Becomes a lease of nonces that was not assigned yet. Its places in the tables remain.
    fn restart(&mut self, first: u64, last: u64, state: LeaseState) {
        *self = Self { first, next: first, last, state, entry: self.entry, ..Self::EMPTY };
    }
}

impl Leases {
    /// Begins with free slots.
    pub(super) fn new(slots: &mut [LeaseSlot]) -> Self {
        slots.fill(LeaseSlot::EMPTY);
        ready::clear(slots);
        let mut free = Queue::EMPTY;
        (0..slots.len()).for_each(|at| free.push(slots, at));
        Self { expired: Queue::EMPTY, free, same: Queue::EMPTY, others: Queue::EMPTY, open: 0 }
    }

    /// Returns whether nonces of a lease remain to be tried.
    pub(super) fn any_open(&self) -> bool {
        self.open > 0
    }

    /// Returns whether there is a slot for another lease.
    pub(super) fn has_free(&self) -> bool {
        self.free.first().is_some()
    }

    /// Returns the lease that is to be assigned first, and the first one that another worker claims to have tried.
    pub(super) fn returned(&self) -> [Option<usize>; 2] {
        [self.same.first(), self.others.first()]
    }

    /// Takes a free slot for nonces.
    pub(super) fn take_free(
        &mut self,
        slots: &mut [LeaseSlot],
        first: u64,
        last: u64,
    ) -> Option<usize> {
        let at = self.free.pop(slots)?;
        slots.get_mut(at)?.restart(first, last, LeaseState::Returned);
        self.open = self.open.saturating_add(1);
        Some(at)
    }

    /// Takes one of the leases that [`returned`](Self::returned) names.
    pub(super) fn take_returned(&mut self, slots: &mut [LeaseSlot], at: usize) {
        if self.same.first() == Some(at) {
            self.same.pop(slots);
        } else if self.others.first() == Some(at) {
            self.others.pop(slots);
        }
        self.sort_returned(slots);
    }

    /// Adds a lease to those that can be assigned again.
    pub(super) fn add_returned(&mut self, slots: &mut [LeaseSlot], at: usize) {
        let first = self.same.first();
        if first.is_none_or(|first| claimant(slots, first) == claimant(slots, at)) {
            self.same.push(slots, at);
        } else {
            self.others.push(slots, at);
        }
    }

    /// Takes a lease away from its connection. Its expiry is reported before it is assigned again.
    pub(super) fn release(&mut self, slots: &mut [LeaseSlot], at: usize) {
        let Some(slot) = slots.get_mut(at) else { return };
        if slot.finished {
            self.discard(slots, at);
            return;
        }
        slot.state = LeaseState::Returned;
        let expired = slot.expired;
        ready::set_deadline(slots, at, None);
        if !expired {
            self.add_returned(slots, at);
        }
    }

    /// Forgets the nonces of an assigned lease, but not that its expiry has to be reported.
    pub(super) fn discard(&mut self, slots: &mut [LeaseSlot], at: usize) {
        ready::set_deadline(slots, at, None);
        self.open = self.open.saturating_sub(1);
        let Some(slot) = slots.get_mut(at) else { return };
        if slot.expired {
            slot.state = LeaseState::Over;
        } else {
            self.make_free(slots, at);
        }
    }

    /// Forgets the nonces of all leases.
    pub(super) fn discard_all(&mut self, slots: &mut [LeaseSlot]) {
        while self.same.pop(slots).is_some() {}
        while self.others.pop(slots).is_some() {}
        for at in 0..slots.len() {
            let is_open = |slot: &LeaseSlot| {
                matches!(slot.state, LeaseState::Assigned | LeaseState::Returned)
            };
            if slots.get(at).is_some_and(is_open) {
                self.discard(slots, at);
            }
        }
    }

    /// Notes that a lease has expired, and takes it away from its connection.
    pub(super) fn expire(&mut self, slots: &mut [LeaseSlot], at: usize) {
        if let Some(slot) = slots.get_mut(at) {
            slot.expired = true;
        }
        self.expired.push(slots, at);
        self.release(slots, at);
    }

    /// Takes an expiry, which is then reported.
    pub(super) fn take_expiry(&mut self, slots: &mut [LeaseSlot]) -> Option<(ConnId, LeaseId)> {
        let at = self.expired.pop(slots)?;
        let slot = slots.get_mut(at)?;
        let expiry = (slot.conn, slot.id);
        slot.expired = false;
        if slot.state == LeaseState::Over {
            self.make_free(slots, at);
        } else {
            self.add_returned(slots, at);
        }
        Some(expiry)
    }

    fn make_free(&mut self, slots: &mut [LeaseSlot], at: usize) {
        if let Some(slot) = slots.get_mut(at) {
            slot.restart(0, 0, LeaseState::Free);
        }
        self.free.push(slots, at);
    }

    /// Moves leases from the second queue to the first until it starts with another claimant. Each lease is moved at
    /// most once.
    fn sort_returned(&mut self, slots: &mut [LeaseSlot]) {
        while let Some(next) = self.others.first() {
            let first = self.same.first();
            if first.is_some_and(|first| claimant(slots, first) != claimant(slots, next)) {
                return;
            }
            self.others.pop(slots);
            self.same.push(slots, next);
        }
    }
}

/// Sets when an assigned lease expires.
pub(super) fn set_expiry(slots: &mut [LeaseSlot], at: usize, deadline: Option<Duration>) {
    ready::set_deadline(slots, at, deadline);
}

fn claimant(slots: &[LeaseSlot], at: usize) -> Option<WorkerId> {
    slots.get(at)?.claimant
}

impl Scheduled for LeaseSlot {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn entry_mut(&mut self) -> &mut Entry {
        &mut self.entry
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
