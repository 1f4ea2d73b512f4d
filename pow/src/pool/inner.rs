//! The logic of a pool over plain slices, compiled once for all storages.

use core::ops::RangeInclusive;
use core::time::Duration;

use super::accounts::{AccountSlot, ConnSlot, ConnState, WorkerId};
use super::config::{Job, PoolConfig};
use super::error::JobError;
use super::event::{CloseReason, Event, Transmit};
use super::leases::{Fresh, LeaseSlot, LeaseState};
use super::message::{Lease, LeaseId, PoolMessage};
use super::storage::{PoolParts, PoolPartsRef};
use crate::conn::ConnId;
use crate::error::{BufferTooSmall, ConnectError};
use crate::invariant::invariant;
use crate::puzzle::{HashFunction, NonceField, Puzzle};
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
    last_id: LeaseId,
    exhaustion_due: bool, // the event of this job was not reported yet
}

/// A job whose message is in the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ActiveJob {
    pub(super) puzzle: Puzzle,
    function: HashFunction,
    pub(super) order: ByteOrder,
    nonce: NonceField,
    pub(super) target: Target,
    pub(super) share: Target,
    message_len: usize,
}

/// A pool with its storage borrowed.
pub(super) struct InnerMut<'a> {
    pub(super) inner: &'a mut Inner,
    pub(super) parts: PoolParts<'a>,
}

impl Timer {
    const ALL: [Self; 2] = [Self::LeaseExpiry, Self::IdleConnection];
}

impl Inner {
    pub(super) const fn new(config: PoolConfig) -> Self {
        Self {
            config,
            now: Duration::ZERO,
            job: None,
            fresh: Fresh::NONE,
            last_id: LeaseId(0),
            exhaustion_due: false,
        }
    }

    pub(super) fn deadline(&self, parts: &PoolPartsRef<'_>) -> Option<Duration> {
        Timer::ALL.into_iter().filter_map(|timer| self.deadline_of(timer, parts)).min()
    }

    fn deadline_of(&self, timer: Timer, parts: &PoolPartsRef<'_>) -> Option<Duration> {
        match timer {
            Timer::LeaseExpiry => {
                let assigned = |lease: &&LeaseSlot| lease.state == LeaseState::Assigned;
                parts.leases.iter().filter(assigned).map(|lease| lease.deadline).min()
            }
            Timer::IdleConnection => {
                let idle_at = |slot: &ConnSlot| slot.idle_at(self.config.idle_timeout);
                parts.connections.iter().filter_map(idle_at).min()
            }
        }
    }

    fn advance_clock(&mut self, now: Duration) {
        self.now = self.now.max(now);
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
        self.parts.leases.iter_mut().for_each(LeaseSlot::discard);
        for slot in self.parts.connections.iter_mut() {
            slot.wants_lease = slot.is_open();
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
        let connections = &mut self.parts.connections;
        if connections.iter().any(|slot| !slot.is_free() && slot.conn == conn) {
            return Err(ConnectError::InUse(conn));
        }
        let full = ConnectError::Full { capacity: connections.len() };
        let slot = connections.iter_mut().find(|slot| slot.is_free()).ok_or(full)?;
        let full = ConnectError::Full { capacity: self.parts.accounts.len() };
        let account = account_for(self.parts.accounts, worker).ok_or(full)?;
        self.inner.advance_clock(now);
        *slot = ConnSlot::open(conn, worker, self.inner.now);
        account.add_connection();
        Ok(())
    }

    pub(super) fn remove(&mut self, now: Duration, conn: ConnId) {
        self.advance_clock(now);
        self.close_with(conn, |slot| *slot = ConnSlot::EMPTY);
        // The event of a connection that the pool has closed is not needed any more.
        let slots = self.parts.connections.iter_mut();
        slots.filter(|slot| slot.conn == conn).for_each(|slot| *slot = ConnSlot::EMPTY);
    }

    /// Closes an open connection and reports why.
    pub(super) fn close(&mut self, conn: ConnId, reason: CloseReason) {
        self.close_with(conn, |slot| slot.state = ConnState::Closed(reason));
    }

    fn close_with(&mut self, conn: ConnId, close: impl Fn(&mut ConnSlot)) {
        let mut slots = self.parts.connections.iter_mut();
        let Some(slot) = slots.find(|slot| slot.is_open() && slot.conn == conn) else { return };
        let worker = slot.worker;
        close(slot);
        if let Some(account) = self.account_mut(worker) {
            account.remove_connection();
        }
        let leases = self.parts.leases.iter_mut();
        leases.filter(|lease| lease.is_assigned_to(conn)).for_each(LeaseSlot::release);
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
        for at in 0..self.parts.leases.len() {
            let Some(lease) = self.parts.leases.get_mut(at) else { return };
            if lease.state == LeaseState::Assigned && lease.deadline <= self.inner.now {
                lease.expired = true;
                let conn = lease.conn;
                let barren = lease.next == lease.first && !lease.finished;
                let unproved = lease.unproved();
                lease.release();
                if barren {
                    self.strike(conn, unproved);
                }
            }
        }
    }

    fn close_idle(&mut self) {
        let timeout = self.inner.config.idle_timeout;
        let now = self.inner.now;
        let is_due = |slot: &&ConnSlot| slot.idle_at(timeout).is_some_and(|at| at <= now);
        while let Some(conn) = self.parts.connections.iter().find(is_due).map(|slot| slot.conn) {
            self.close(conn, CloseReason::Idle);
        }
    }

    pub(super) fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        match self.transmit_tally(buf)? {
            Some(transmit) => Ok(Some(transmit)),
            None => self.transmit_lease(buf),
        }
    }

    fn transmit_tally(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let mut slots = self.parts.connections.iter_mut();
        let Some(slot) = slots.find(|slot| slot.is_open() && slot.tally_changed) else {
            return Ok(None);
        };
        let account = self.parts.accounts.iter().find(|account| account.is(slot.worker));
        invariant!(account.is_some(), "an open connection has an account");
        let (accepted, refused) = account.map_or((0, 0), AccountSlot::tally);
        let len = PoolMessage::Tally { accepted, refused }.encode(buf)?;
        slot.tally_changed = false;
        Ok(Some(Transmit { conn: slot.conn, len }))
    }

    fn transmit_lease(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let Some(job) = self.inner.job else { return Ok(None) };
        let Some((to, at, lease)) = self.next_lease() else { return Ok(None) };
        let Some(slot) = self.parts.connections.get_mut(to) else { return Ok(None) };
        let message = self.parts.message.get(..job.message_len).unwrap_or_default();
        let message = PoolMessage::Lease(Lease {
            id: lease.id,
            function: job.function,
            order: job.order,
            nonce: job.nonce,
            nonces: lease.next..=lease.last,
            target: job.share,
            message,
        });
        let len = message.encode(buf)?;
        slot.wants_lease = false;
        slot.earned_at = self.inner.now;
        let conn = slot.conn;
        self.inner.last_id = lease.id;
        let deadline = self.inner.now.saturating_add(self.inner.config.lease_timeout);
        if let Some(slot) = self.parts.leases.get_mut(at) {
            if slot.state == LeaseState::Free {
                self.inner.fresh.take(self.inner.config.lease);
            }
            *slot = LeaseSlot { conn, deadline, state: LeaseState::Assigned, ..lease };
        }
        Ok(Some(Transmit { conn, len }))
    }

    /// Returns the next lease, its slot, and that of the connection that it is for: what was returned first,
    /// then nonces that were never leased. What a worker has itself reported done it is assigned again only if
    /// nobody else could be asked.
    fn next_lease(&self) -> Option<(usize, usize, LeaseSlot)> {
        let id = self.next_id();
        let leases = &self.parts.leases;
        let again = |lease: &LeaseSlot| LeaseSlot { id, first: lease.next, ..*lease };
        let waiting = || {
            let slots = self.parts.connections.iter().enumerate();
            slots.filter(|(_, slot)| slot.is_open() && slot.wants_lease)
        };
        let (first, _) = waiting().next()?;
        let returned = || leases.iter().enumerate().filter(|(_, lease)| lease.is_available());
        for (at, lease) in returned() {
            let others = || waiting().filter(|(_, slot)| lease.claimant != Some(slot.worker));
            // One that has proved enough can settle what another has claimed.
            let proven = others().find(|(_, slot)| self.vouches(slot.worker, lease.unproved()));
            if let Some((to, _)) = proven.or_else(|| others().next()) {
                return Some((to, at, again(lease)));
            }
        }
        let free = leases.iter().position(|lease| lease.state == LeaseState::Free);
        if let (Some(at), Some((from, last))) =
            (free, self.inner.fresh.peek(self.inner.config.lease))
        {
            return Some((first, at, LeaseSlot { id, ..LeaseSlot::of(from, last) }));
        }
        let worker = self.parts.connections.get(first)?.worker;
        let nobody_else = |lease: &LeaseSlot| !self.others_vouch(worker, lease.unproved());
        let (at, lease) = returned().find(|(_, lease)| nobody_else(lease))?;
        Some((first, at, again(lease)))
    }

    fn next_id(&self) -> LeaseId {
        let mut id = LeaseId(self.inner.last_id.0.wrapping_add(1));
        let is_used = |id| {
            let mut leases = self.parts.leases.iter();
            leases.any(|lease| lease.state == LeaseState::Assigned && lease.id == id)
        };
        while is_used(id) {
            id = LeaseId(id.0.wrapping_add(1));
        }
        id
    }

    pub(super) fn event(&mut self) -> Option<Event> {
        if let Some((conn, lease)) = self.parts.leases.iter_mut().find_map(LeaseSlot::take_expiry) {
            return Some(Event::Expired { conn, lease });
        }
        for slot in self.parts.connections.iter_mut() {
            if let ConnState::Closed(reason) = slot.state {
                let conn = slot.conn;
                *slot = ConnSlot::EMPTY;
                return Some(Event::Closed { conn, reason });
            }
        }
        let is_over =
            self.inner.fresh.is_empty() && !self.parts.leases.iter().any(LeaseSlot::is_open);
        if self.inner.exhaustion_due && is_over {
            self.inner.exhaustion_due = false;
            return Some(Event::Exhausted);
        }
        None
    }

    pub(super) fn account_mut(&mut self, worker: WorkerId) -> Option<&mut AccountSlot> {
        self.parts.accounts.iter_mut().find(|slot| !slot.is_free() && slot.is(worker))
    }
}

/// Returns the account of a worker, or a free one that becomes its account. One that is free but was not used
/// since keeps its history.
fn account_for(accounts: &mut [AccountSlot], worker: WorkerId) -> Option<&mut AccountSlot> {
    if let Some(at) = accounts.iter().position(|slot| slot.is(worker)) {
        return accounts.get_mut(at);
    }
    let slot = accounts.iter_mut().find(|slot| slot.is_free())?;
    *slot = AccountSlot::new(worker);
    Some(slot)
}
