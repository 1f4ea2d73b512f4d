//! How a pool judges shares, and reports that a lease is done.
//!
//! Nonces without a share prove nothing by themselves: those between two shares and those beyond the last one
//! are believed on credit, up to twice the hashes that the shares of the worker prove. A worker that hashes
//! stays far below; others can hide little. The rest is leased again.

use core::time::Duration;

use super::conn_slot::ConnSlot;
use super::connections::set_idle_at;
use super::error::ShareError;
use super::event::{CloseReason, Share};
use super::inner::{ActiveJob, InnerMut};
use super::leases::{LeaseSlot, set_expiry};
use super::message::{LEASE, LeaseId, PoolMessage, TALLY};
use super::trust;
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
        let conn = self.find(conn).ok_or(NotConnected(conn))?;
        self.advance_clock(now);
        if !self.parts.connections.get(conn).is_some_and(ConnSlot::is_open) {
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
            PoolMessage::Share { lease, nonce } => Some(self.share(conn, lease, nonce)),
            PoolMessage::Done { lease } => {
                self.done(conn, lease);
                None
            }
            PoolMessage::Lease(_) | PoolMessage::Tally { .. } => None,
        };
        Ok(Received { consumed, outcome })
    }

    /// Judges a share and counts it. The connection that sent it learns the new tally.
    fn share(&mut self, conn: usize, id: LeaseId, nonce: u64) -> Result<Share, ShareError> {
        let Some(account) = self.parts.connections.get(conn).map(|slot| slot.account) else {
            return Err(ShareError::Stale(id));
        };
        let share = self.judge(conn, account, id, nonce);
        let work = self.inner.job.filter(|_| share.is_ok()).map(|job| work_of(job.share));
        if let Some(account) = self.parts.accounts.get_mut(usize::from(account)) {
            match work {
                Some(work) => account.accept(work),
                None => account.refuse(),
            }
        }
        self.account_changed(account.into());
        if matches!(share, Err(ShareError::NotEnoughWork(_))) {
            // Guesses would let the pool hash for the worker.
            self.close(conn, CloseReason::InvalidShare);
        }
        self.inner.connections.tally(self.parts.connections, conn);
        if share.is_ok() {
            let idle_at = self.inner.after(self.inner.config.idle_timeout);
            set_idle_at(self.parts.connections, conn, idle_at);
            if let Some(slot) = self.parts.connections.get_mut(conn) {
                slot.strikes = 0;
            }
        }
        share
    }

    fn judge(
        &mut self,
        conn: usize,
        account: u16,
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
        self.account_for_gap(&job, account, lease.next, nonce)?;
        set_expiry(self.parts.leases, at, self.inner.after(self.inner.config.lease_timeout));
        if let Some(lease) = self.parts.leases.get_mut(at) {
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
        account: u16,
        first: u64,
        share: u64,
    ) -> Result<(), ShareError> {
        let gap = share.saturating_sub(first);
        if gap == 0 {
            return Ok(());
        }
        let is_likely = gap <= unlikely_gap(job);
        if !(is_likely && self.vouches(account, gap)) {
            let leased = self.lease_gap(account, first, share);
            if leased.is_ok() || !is_likely {
                return leased;
            }
        }
        self.leave_unproved(account, gap);
        Ok(())
    }

    /// Believes on credit that nonces were tried.
    fn leave_unproved(&mut self, account: u16, nonces: u64) {
        if let Some(account) = self.parts.accounts.get_mut(usize::from(account)) {
            account.leave_unproved(nonces);
        }
        self.account_changed(account.into());
    }

    /// Leases the nonces from `first` to before `share` again.
    fn lease_gap(&mut self, account: u16, first: u64, share: u64) -> Result<(), ShareError> {
        let leases = &mut self.inner.leases;
        let last = share.saturating_sub(1);
        let at = leases.take_free(self.parts.leases, first, last).ok_or(ShareError::Gap(share))?;
        if let Some(slot) = self.parts.leases.get_mut(at) {
            slot.claimant =
                self.parts.accounts.get(usize::from(account)).map(|account| account.worker);
        }
        leases.add_returned(self.parts.leases, at);
        Ok(())
    }

    /// Handles the report that all nonces of a lease were tried.
    fn done(&mut self, conn: usize, id: LeaseId) {
        if let Some(at) = self.find_lease(conn, id) {
            self.finish(at, conn);
        }
        // A worker that has another lease reports an old one too late.
        if self.parts.connections.get(conn).is_some_and(|slot| slot.lease().is_none()) {
            self.wait_for_lease(conn);
        }
    }

    fn finish(&mut self, at: usize, conn: usize) {
        let Some(lease) = self.parts.leases.get(at).copied() else { return };
        let Some(slot) = self.parts.connections.get_mut(conn) else { return };
        slot.set_lease(None);
        let account = slot.account;
        let Some(worker) = slot.worker(self.parts.accounts) else { return };
        let unproved = lease.unproved();
        if self.is_believed(&lease, account) {
            self.inner.leases.discard(self.parts.leases, at);
            self.leave_unproved(account, unproved);
            return;
        }
        let vouched = self.vouches(account, unproved);
        if let Some(slot) = self.parts.leases.get_mut(at)
            && (vouched || !slot.vouched)
        {
            slot.claimant = Some(worker);
            slot.vouched = vouched;
        }
        self.inner.leases.release(self.parts.leases, at);
        if !vouched {
            self.strike(conn, unproved);
        }
    }

    /// Returns whether the nonces that no share has reached count as tried. Few of them may have no share by
    /// chance, if the worker has proved as much before. For many of them two workers have to agree. If nobody
    /// who could be asked has proved enough, the last nonces of a job are believed.
    fn is_believed(&self, lease: &LeaseSlot, account: u16) -> bool {
        let Some(job) = self.inner.job else { return true };
        let worker = self.parts.accounts.get(usize::from(account)).map(|account| account.worker);
        let unproved = lease.unproved();
        let is_likely = unproved <= unlikely_gap(&job);
        let claimed_again = lease.claimant == worker;
        let others_agree = lease.vouched && lease.claimant.is_some() && !claimed_again;
        let last_resort = self.inner.fresh.is_empty() && !self.others_vouch(account, unproved);
        if self.vouches(account, unproved) {
            is_likely || others_agree || (claimed_again && last_resort)
        } else {
            is_likely && last_resort
        }
    }

    pub(super) fn vouches(&self, account: u16, unproved: u64) -> bool {
        let account = self.parts.accounts.get(usize::from(account));
        account.is_some_and(|account| account.vouches_for(unproved))
    }

    /// Returns whether another worker that is connected has proved enough to be asked.
    pub(super) fn others_vouch(&self, account: u16, unproved: u64) -> bool {
        let best = trust::best_of_others(self.parts.accounts, account.into());
        best.is_some_and(|best| i64::try_from(unproved).is_ok_and(|unproved| unproved <= best))
    }

    /// Counts a lease without the expected shares, unless so few are expected that it may be chance.
    pub(super) fn strike(&mut self, conn: usize, unproved: u64) {
        let Some(job) = self.inner.job else { return };
        if unproved <= unlikely_gap(&job) {
            return;
        }
        let Some(slot) = self.parts.connections.get_mut(conn).filter(|slot| slot.is_open()) else {
            return;
        };
        slot.strikes = slot.strikes.saturating_add(1);
        if slot.strikes >= STRIKES {
            self.close(conn, CloseReason::Unproductive);
        }
    }

    fn find_lease(&self, conn: usize, id: LeaseId) -> Option<usize> {
        let at = self.parts.connections.get(conn)?.lease()?;
        self.parts.leases.get(at).filter(|lease| lease.id == id).map(|_| at)
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
