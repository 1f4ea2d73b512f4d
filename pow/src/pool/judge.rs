//! How a pool judges shares, and reports that a lease is done.
//!
//! Nonces without a share prove nothing by themselves: those between two shares and those beyond the last one
//! are believed on credit, up to twice the hashes that the shares of the worker prove. A worker that hashes
//! stays far below; others can hide little. The rest is leased again.

use core::time::Duration;

use super::accounts::WorkerId;
use super::error::ShareError;
use super::event::{CloseReason, Share};
use super::inner::{ActiveJob, InnerMut};
use super::leases::{LeaseSlot, LeaseState};
use super::message::{LEASE, LeaseId, PoolMessage, TALLY};
use crate::conn::{ConnId, Received};
use crate::error::{DecodeError, NotConnected};
use crate::target::Target;

/// The number of expected shares that may be missing in a row. A worker that tries all nonces misses more
/// once in e^8 = 2,981 times.
const LUCK: u64 = 8;
/// The number of leases in a row without the expected shares after which a connection is closed.
const STRIKES: u8 = 3;

impl InnerMut<'_> {
    pub(super) fn receive(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &[u8],
    ) -> Result<Received<Result<Share, ShareError>>, NotConnected> {
        let mut slots = self.parts.connections.iter();
        let slot = slots.find(|slot| !slot.is_free() && slot.conn == conn);
        let slot = slot.ok_or(NotConnected(conn))?;
        let is_open = slot.is_open();
        let worker = slot.worker;
        self.advance_clock(now);
        if !is_open {
            return Ok(Received { consumed: bytes.len(), outcome: None });
        }
        let (message, consumed) = match decode(bytes) {
            Ok(Some((message, rest))) => (message, bytes.len().saturating_sub(rest.len())),
            Ok(None) => return Ok(Received { consumed: 0, outcome: None }),
            Err(reason) => {
                self.close(conn, reason);
                return Ok(Received { consumed: bytes.len(), outcome: None });
            }
        };
        let outcome = match message {
            PoolMessage::Share { lease, nonce } => Some(self.share(conn, worker, lease, nonce)),
            PoolMessage::Done { lease } => {
                self.done(conn, worker, lease);
                None
            }
            PoolMessage::Lease(_) | PoolMessage::Tally { .. } => None,
        };
        Ok(Received { consumed, outcome })
    }

    /// Judges a share and counts it.
    fn share(
        &mut self,
        conn: ConnId,
        worker: WorkerId,
        id: LeaseId,
        nonce: u64,
    ) -> Result<Share, ShareError> {
        let share = self.judge(conn, worker, id, nonce);
        if matches!(share, Err(ShareError::NotEnoughWork(_))) {
            // Guesses would let the pool hash for the worker.
            self.close(conn, CloseReason::InvalidShare);
        }
        let work = self.inner.job.filter(|_| share.is_ok()).map(|job| work_of(job.share));
        if let Some(account) = self.account_mut(worker) {
            match work {
                Some(work) => account.accept(work),
                None => account.refuse(),
            }
        }
        let now = self.inner.now;
        let slots = self.parts.connections.iter_mut();
        for slot in slots.filter(|slot| slot.is_open() && slot.worker == worker) {
            slot.tally_changed = true;
            if share.is_ok() && slot.conn == conn {
                slot.strikes = 0;
                slot.earned_at = now;
            }
        }
        share
    }

    fn judge(
        &mut self,
        conn: ConnId,
        worker: WorkerId,
        id: LeaseId,
        nonce: u64,
    ) -> Result<Share, ShareError> {
        let stale = ShareError::Stale(id);
        let job = self.inner.job.ok_or(stale)?;
        let at = self.find_lease(conn, id).ok_or(stale)?;
        let lease = self.parts.leases.get(at).copied().ok_or(stale)?;
        check_order(&lease, nonce)?;
        let digest = job.order.number(&job.puzzle.digest(nonce));
        if digest > job.share.number() {
            return Err(ShareError::NotEnoughWork(nonce));
        }
        self.account_for_gap(&job, worker, lease.next, nonce)?;
        let deadline = self.inner.now.saturating_add(self.inner.config.lease_timeout);
        if let Some(lease) = self.parts.leases.get_mut(at) {
            lease.deadline = deadline;
            lease.advance(nonce);
        }
        Ok(Share { nonce, solves: digest <= job.target.number() })
    }

    /// Decides what becomes of the nonces from `first` to before `share`, in which nothing was found: they count
    /// as tried if that is likely and the worker has proved as much before, or they are leased again. If no slot
    /// is free, likely is enough.
    fn account_for_gap(
        &mut self,
        job: &ActiveJob,
        worker: WorkerId,
        first: u64,
        share: u64,
    ) -> Result<(), ShareError> {
        let gap = share.saturating_sub(first);
        if gap == 0 {
            return Ok(());
        }
        let is_likely = gap <= unlikely_gap(job);
        if !(is_likely && self.vouches(worker, gap)) {
            let leased = self.lease_gap(worker, first, share);
            if leased.is_ok() || !is_likely {
                return leased;
            }
        }
        if let Some(account) = self.account_mut(worker) {
            account.leave_unproved(gap);
        }
        Ok(())
    }

    /// Leases the nonces from `first` to before `share` again.
    fn lease_gap(&mut self, worker: WorkerId, first: u64, share: u64) -> Result<(), ShareError> {
        let mut slots = self.parts.leases.iter_mut();
        let free = slots.find(|slot| slot.state == LeaseState::Free);
        let free = free.ok_or(ShareError::Gap(share))?;
        let claimant = Some(worker);
        *free = LeaseSlot { claimant, ..LeaseSlot::of(first, share.saturating_sub(1)) };
        Ok(())
    }

    /// Handles the report that all nonces of a lease were tried.
    fn done(&mut self, conn: ConnId, worker: WorkerId, id: LeaseId) {
        if let Some(at) = self.find_lease(conn, id) {
            self.finish(at, conn, worker);
        }
        // A worker that has another lease reports an old one too late.
        let is_busy = self.parts.leases.iter().any(|lease| lease.is_assigned_to(conn));
        let slots = self.parts.connections.iter_mut();
        for slot in slots.filter(|slot| slot.is_open() && slot.conn == conn) {
            slot.wants_lease = !is_busy;
        }
    }

    fn finish(&mut self, at: usize, conn: ConnId, worker: WorkerId) {
        let Some(lease) = self.parts.leases.get(at).copied() else { return };
        let unproved = lease.unproved();
        if self.is_believed(&lease, worker) {
            if let Some(slot) = self.parts.leases.get_mut(at) {
                slot.discard();
            }
            if let Some(account) = self.account_mut(worker) {
                account.leave_unproved(unproved);
            }
            return;
        }
        let vouched = self.vouches(worker, unproved);
        if let Some(slot) = self.parts.leases.get_mut(at) {
            if vouched || !slot.vouched {
                slot.claimant = Some(worker);
                slot.vouched = vouched;
            }
            slot.release();
        }
        if !vouched {
            self.strike(conn, unproved);
        }
    }

    /// Returns whether the nonces that no share has reached count as tried. Few of them may have no share by
    /// chance, if the worker has proved as much before. For many of them two workers have to agree. If nobody
    /// who could be asked has proved enough, the last nonces of a job are believed.
    fn is_believed(&self, lease: &LeaseSlot, worker: WorkerId) -> bool {
        let Some(job) = self.inner.job else { return true };
        let unproved = lease.unproved();
        let is_likely = unproved <= unlikely_gap(&job);
        let claimed_again = lease.claimant == Some(worker);
        let others_agree = lease.vouched && lease.claimant.is_some() && !claimed_again;
        let last_resort = self.inner.fresh.is_empty() && !self.others_vouch(worker, unproved);
        if self.vouches(worker, unproved) {
            is_likely || others_agree || (claimed_again && last_resort)
        } else {
            is_likely && last_resort
        }
    }

    pub(super) fn vouches(&self, worker: WorkerId, unproved: u64) -> bool {
        let account = self.parts.accounts.iter().find(|account| account.is(worker));
        account.is_some_and(|account| account.vouches_for(unproved))
    }

    /// Returns whether another worker that is connected has proved enough to be asked.
    pub(super) fn others_vouch(&self, worker: WorkerId, unproved: u64) -> bool {
        let mut accounts = self.parts.accounts.iter();
        accounts.any(|account| {
            account.is_connected() && !account.is(worker) && account.vouches_for(unproved)
        })
    }

    /// Counts a lease without the expected shares, unless so few are expected that it may be chance.
    pub(super) fn strike(&mut self, conn: ConnId, unproved: u64) {
        let Some(job) = self.inner.job else { return };
        if unproved <= unlikely_gap(&job) {
            return;
        }
        let mut slots = self.parts.connections.iter_mut();
        let Some(slot) = slots.find(|slot| slot.is_open() && slot.conn == conn) else { return };
        slot.strikes = slot.strikes.saturating_add(1);
        if slot.strikes >= STRIKES {
            self.close(conn, CloseReason::Unproductive);
        }
    }

    fn find_lease(&self, conn: ConnId, id: LeaseId) -> Option<usize> {
        self.parts.leases.iter().position(|lease| lease.is_assigned_to(conn) && lease.id == id)
    }
}

/// A message of a worker and the rest of the bytes; `None` if it is incomplete.
type Decoded<'a> = Option<(PoolMessage<'a>, &'a [u8])>;

/// Decodes a message of a worker. The first byte decides, so that nothing long is waited for.
fn decode(bytes: &[u8]) -> Result<Decoded<'_>, CloseReason> {
    if matches!(bytes.first(), Some(&(LEASE | TALLY))) {
        return Err(CloseReason::Unexpected);
    }
    match PoolMessage::decode(bytes) {
        Ok(decoded) => Ok(Some(decoded)),
        Err(DecodeError::Incomplete { .. }) => Ok(None),
        Err(error) => Err(CloseReason::Malformed(error)),
    }
}

fn check_order(lease: &LeaseSlot, nonce: u64) -> Result<(), ShareError> {
    if nonce < lease.first || nonce > lease.last {
        return Err(ShareError::Outside(nonce));
    }
    if lease.finished || nonce < lease.next {
        return Err(ShareError::Duplicate(nonce));
    }
    Ok(())
}

/// Returns the number of nonces without a share beyond which chance is not believed.
fn unlikely_gap(job: &ActiveJob) -> u64 {
    work_of(job.share).saturating_mul(LUCK)
}

/// Returns the expected hashes of a share, saturating.
fn work_of(target: Target) -> u64 {
    u64::try_from(target.work().hashes().saturating_u128()).unwrap_or(u64::MAX)
}
