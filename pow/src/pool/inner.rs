//! The logic of a pool over plain slices, compiled once for all storages.

use core::ops::RangeInclusive;
use core::time::Duration;

use super::accounts::{AccountSlot, WorkerId};
use super::config::{Job, PoolConfig};
use super::conn_slot::ConnSlot;
use super::connections::{Connections, set_idle_at};
use super::error::JobError;
use super::event::{CloseReason, Event};
use super::leases::{Fresh, LeaseSlot, Leases};
use super::message::LeaseId;
use super::storage::{PoolParts, PoolPartsRef};
use super::trust;
use crate::conn::ConnId;
use crate::conn_index;
use crate::error::ConnectError;
use crate::invariant::invariant;
use crate::puzzle::{HashFunction, NonceField, Puzzle};
use crate::ready::{self, Queue};
use crate::target::{ByteOrder, Target};

/// The timers of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A lease had no share for `lease_timeout`.
    LeaseExpiry,
    /// A connection earned nothing for `idle_timeout`.
    IdleConnection,
}

/// The state of a pool outside of its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) config: PoolConfig,
    pub(super) now: Duration,
    pub(super) job: Option<ActiveJob>,
    pub(super) fresh: Fresh,
    pub(super) last_id: LeaseId,
    exhaustion_due: bool, // the event of this job was not reported yet
    pub(super) leases: Leases,
    pub(super) connections: Connections,
    free_accounts: Queue<0>, // and others behind the first
}

/// A job whose message is in the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ActiveJob {
    pub(super) puzzle: Puzzle,
    pub(super) function: HashFunction,
    pub(super) order: ByteOrder,
    pub(super) nonce: NonceField,
    pub(super) target: Target,
    pub(super) share: Target,
    pub(super) message_len: usize,
}

/// A pool with its storage borrowed.
pub(super) struct InnerMut<'a> {
    pub(super) inner: &'a mut Inner,
    pub(super) parts: PoolParts<'a>,
}

impl Inner {
    /// Begins with cleared storage.
    pub(super) fn new(config: PoolConfig, parts: &mut PoolParts<'_>) -> Self {
        trust::clear(parts.accounts);
        let mut free_accounts = Queue::EMPTY;
        (0..parts.accounts.len()).for_each(|at| free_accounts.push(parts.accounts, at));
        parts.message.fill(0);
        Self {
            config,
            now: Duration::ZERO,
            job: None,
            fresh: Fresh::NONE,
            last_id: LeaseId(0),
            exhaustion_due: false,
            leases: Leases::new(parts.leases),
            connections: Connections::new(parts.connections),
            free_accounts,
        }
    }

    pub(super) fn deadline(&self, parts: &PoolPartsRef<'_>) -> Option<Duration> {
        let next = |timer: Timer| timer.next(parts.leases, parts.connections);
        Timer::ALL.into_iter().filter_map(next).map(|(at, _)| at).min()
    }

    /// Returns the point in time that is this much later, rounded up to a millisecond.
    pub(super) fn after(&self, timeout: Duration) -> Option<Duration> {
        let at = self.now.checked_add(timeout)?;
        let beyond = at.subsec_nanos().checked_rem(1_000_000).filter(|nanos| *nanos > 0);
        match beyond {
            Some(nanos) => {
                at.checked_add(Duration::from_nanos(1_000_000_u64.saturating_sub(nanos.into())))
            }
            None => Some(at),
        }
    }

    fn advance_clock(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }
}

impl Timer {
    const ALL: [Self; 2] = [Self::LeaseExpiry, Self::IdleConnection];

    /// Returns the next deadline, and its slot.
    fn next(self, leases: &[LeaseSlot], connections: &[ConnSlot]) -> Option<(Duration, usize)> {
        match self {
            Self::LeaseExpiry => ready::next_deadline(leases),
            Self::IdleConnection => ready::next_deadline(connections),
        }
    }
}

impl InnerMut<'_> {
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.inner.advance_clock(now);
    }

    pub(super) fn set_job(
        &mut self,
        now: Duration,
        job: &Job<'_>,
        nonces: RangeInclusive<u64>,
    ) -> Result<(), JobError> {
        let len = job.message.len();
        let capacity = self.parts.message.len().min(usize::from(u16::MAX));
        let too_long = JobError::TooLong { len, capacity };
        let region = self.parts.message.get_mut(..len.min(capacity)).unwrap_or_default();
        if region.len() < len {
            return Err(too_long);
        }
        let mut puzzle = Puzzle::new(job.function, job.message, job.nonce)?;
        puzzle.write_nonce(0); // so that equal jobs are equal puzzles
        let share = job.share.max(job.target);
        let same = |active: ActiveJob| active.puzzle == puzzle && active.order == job.order;
        if self.inner.job.is_some_and(same) {
            return Err(JobError::Unchanged);
        }
        region.copy_from_slice(job.message);
        self.inner.advance_clock(now);
        self.inner.leases.discard_all(self.parts.leases);
        for at in 0..self.parts.connections.len() {
            self.wait_for_lease(at);
        }
        let (first, last) = nonces.into_inner();
        self.inner.fresh = Fresh::new(first, last.min(job.nonce.format.max()));
        self.inner.exhaustion_due = true;
        self.inner.job = Some(ActiveJob {
            puzzle,
            function: job.function,
            order: job.order,
            nonce: job.nonce,
            target: job.target,
            share,
            message_len: len,
        });
        Ok(())
    }

    pub(super) fn connect(
        &mut self,
        now: Duration,
        conn: ConnId,
        worker: WorkerId,
    ) -> Result<(), ConnectError> {
        let full = |capacity| ConnectError::Full { capacity };
        if self.find(conn).is_some() {
            return Err(ConnectError::InUse(conn));
        }
        if !self.inner.connections.has_free() {
            return Err(full(self.parts.connections.len()));
        }
        let account = self.account_for(worker).ok_or(full(self.parts.accounts.len()))?;
        self.inner.advance_clock(now);
        self.inner.connections.open(self.parts.connections, conn, account);
        let account = usize::from(account);
        if let Some(account) = self.parts.accounts.get_mut(account) {
            account.add_connection();
        }
        self.account_changed(account);
        Ok(())
    }

    pub(super) fn remove(&mut self, now: Duration, conn: ConnId) {
        self.advance_clock(now);
        let Some(at) = self.find(conn) else { return };
        if self.parts.connections.get(at).is_some_and(ConnSlot::is_open) {
            self.close_with(at, None);
        } else {
            // The event of a connection that the pool has closed is not needed any more.
            self.inner.connections.forget(self.parts.connections, at);
        }
    }

    /// Closes an open connection and reports why.
    pub(super) fn close(&mut self, at: usize, reason: CloseReason) {
        self.close_with(at, Some(reason));
    }

    fn close_with(&mut self, at: usize, reason: Option<CloseReason>) {
        let slot = self.parts.connections.get(at).filter(|slot| slot.is_open());
        let Some(slot) = slot.copied() else { return };
        if let Some(lease) = slot.lease() {
            self.inner.leases.release(self.parts.leases, lease);
        }
        self.inner.connections.close(self.parts.connections, at, reason);
        let account = usize::from(slot.account);
        if let Some(account) = self.parts.accounts.get_mut(account) {
            account.remove_connection();
        }
        self.account_changed(account);
    }

    /// Returns the slot of a connection that is open, or whose closing was not reported yet.
    pub(super) fn find(&self, conn: ConnId) -> Option<usize> {
        conn_index::find(self.parts.connections, conn)
    }

    /// Lets an open connection wait for a lease. The pool owes it one, so it is not idle.
    pub(super) fn wait_for_lease(&mut self, at: usize) {
        let Some(slot) = self.parts.connections.get_mut(at).filter(|slot| slot.is_open()) else {
            return;
        };
        slot.set_lease(None);
        self.inner.connections.waiting.push(self.parts.connections, at);
        set_idle_at(self.parts.connections, at, None);
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.advance_clock(now);
        for timer in Timer::ALL {
            self.fire(timer);
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::LeaseExpiry => self.expire_leases(),
            Timer::IdleConnection => self.close_idle(),
        }
    }

    fn expire_leases(&mut self) {
        while let Some(at) = self.due(Timer::LeaseExpiry) {
            let Some(lease) = self.parts.leases.get(at).copied() else { return };
            self.inner.leases.expire(self.parts.leases, at);
            let conn = self.find(lease.conn);
            invariant!(conn.is_some(), "an assigned lease has an open connection");
            let Some(conn) = conn else { continue };
            if let Some(slot) = self.parts.connections.get_mut(conn) {
                slot.set_lease(None);
            }
            if lease.next == lease.first && !lease.finished {
                self.strike(conn, lease.unproved());
            }
        }
    }

    fn close_idle(&mut self) {
        while let Some(at) = self.due(Timer::IdleConnection) {
            self.close(at, CloseReason::Idle);
        }
    }

    /// Returns the slot of the next deadline that has passed.
    fn due(&self, timer: Timer) -> Option<usize> {
        let (at, slot) = timer.next(self.parts.leases, self.parts.connections)?;
        (at <= self.inner.now).then_some(slot)
    }

    pub(super) fn event(&mut self) -> Option<Event> {
        if let Some((conn, lease)) = self.inner.leases.take_expiry(self.parts.leases) {
            return Some(Event::Expired { conn, lease });
        }
        let closed = self.inner.connections.take_closed(self.parts.connections);
        if let Some((conn, reason)) = closed {
            return Some(Event::Closed { conn, reason });
        }
        let is_over = self.inner.fresh.is_empty() && !self.inner.leases.any_open();
        if self.inner.exhaustion_due && is_over {
            self.inner.exhaustion_due = false;
            return Some(Event::Exhausted);
        }
        None
    }

    /// Sets all credit to 0.
    pub(super) fn settle(&mut self) {
        for at in 0..self.parts.accounts.len() {
            if let Some(account) = self.parts.accounts.get_mut(at) {
                account.settle();
            }
            self.account_changed(at);
        }
    }

    /// Notes that the trust of an account may have changed, or that nobody uses it any more.
    pub(super) fn account_changed(&mut self, at: usize) {
        trust::update(self.parts.accounts, at);
        if self.parts.accounts.get(at).is_some_and(AccountSlot::is_free) {
            self.inner.free_accounts.push(self.parts.accounts, at);
        }
        while let Some(at) = self.inner.free_accounts.first()
            && !self.parts.accounts.get(at).is_some_and(AccountSlot::is_free)
        {
            self.inner.free_accounts.pop(self.parts.accounts);
        }
    }

    /// Returns the account of a worker, or the one that has been free for longest, which becomes its account. An
    /// account that is free keeps its history until then.
    fn account_for(&mut self, worker: WorkerId) -> Option<u16> {
        let accounts = &mut *self.parts.accounts;
        if let Some(at) = conn_index::find(accounts, worker) {
            return u16::try_from(at).ok();
        }
        let at = self.inner.free_accounts.pop(accounts)?;
        let slot = accounts.get_mut(at)?;
        let before = slot.is_known.then_some(slot.worker);
        slot.restart(worker);
        if let Some(before) = before {
            conn_index::remove(accounts, before, at);
        }
        conn_index::insert(accounts, worker, at);
        u16::try_from(at).ok()
    }
}
