//! Connections of a pool, and the accounts of the workers behind them.

use core::fmt;
use core::time::Duration;

use super::event::CloseReason;
use crate::conn::ConnId;

/// The number of shares before which a worker is not believed: a guess may be a share.
const FIRST_SHARES: u64 = 4;

/// Identifies a worker to be paid, such as an account number. The caller chooses the number and is
/// responsible for authentication. `Display` is `worker 7`.
#[expect(clippy::exhaustive_structs, reason = "a number of the caller")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WorkerId(pub u64);

/// Storage for one connection: at most 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnSlot {
    pub(super) conn: ConnId,
    pub(super) worker: WorkerId,
    pub(super) state: ConnState,
    pub(super) wants_lease: bool,
    pub(super) tally_changed: bool, // since it was sent
    pub(super) strikes: u8,         // leases in a row without the expected shares
    pub(super) earned_at: Duration, // or when it was assigned its lease, or connected
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnState {
    Free,
    Open,
    /// Closed by the pool; the event was not polled yet.
    Closed(CloseReason),
}

/// Storage for one account: 56 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountSlot {
    worker: WorkerId,
    credit: u64, // unpaid, in hashes
    accepted: u64,
    refused: u64,
    proved: u64,   // hashes that shares prove, ever
    unproved: u64, // hashes that were believed without a share
    connections: u32,
}

/// The account of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Account {
    /// The worker.
    pub worker: WorkerId,
    /// Its unpaid credit: the expected hashes of its shares.
    pub credit: u64,
    /// The number of its shares that were accepted.
    pub accepted: u64,
    /// The number of its shares that were refused.
    pub refused: u64,
    /// The number of its open connections.
    pub connections: u32,
}

/// The accounts in use. Created by [`Pool::accounts`](super::Pool::accounts).
#[derive(Debug, Clone)]
pub struct Accounts<'a>(core::slice::Iter<'a, AccountSlot>);

/// The parts of a reward. Created by [`Pool::split`](super::Pool::split).
#[derive(Debug, Clone)]
pub struct Split<'a> {
    accounts: Accounts<'a>,
    reward: u64,
    total: u64,
    before: u64, // credit of the accounts so far
}

impl ConnSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        conn: ConnId(0),
        worker: WorkerId(0),
        state: ConnState::Free,
        wants_lease: false,
        tally_changed: false,
        strikes: 0,
        earned_at: Duration::ZERO,
    };

    pub(super) const fn open(conn: ConnId, worker: WorkerId, now: Duration) -> Self {
        let state = ConnState::Open;
        Self { conn, worker, state, wants_lease: true, earned_at: now, ..Self::EMPTY }
    }

    pub(super) fn is_free(&self) -> bool {
        self.state == ConnState::Free
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == ConnState::Open
    }

    /// Returns when the connection is idle for too long. `None` while the pool owes it a lease.
    pub(super) fn idle_at(&self, timeout: Duration) -> Option<Duration> {
        let may_be_idle = self.is_open() && !self.wants_lease;
        may_be_idle.then(|| self.earned_at.saturating_add(timeout))
    }
}

impl AccountSlot {
    /// A free slot.
    pub const EMPTY: Self = Self::new(WorkerId(0));

    pub(super) const fn new(worker: WorkerId) -> Self {
        Self { worker, credit: 0, accepted: 0, refused: 0, proved: 0, unproved: 0, connections: 0 }
    }

    pub(super) const fn is_free(&self) -> bool {
        self.connections == 0 && self.credit == 0
    }

    pub(super) fn is(&self, worker: WorkerId) -> bool {
        self.worker == worker
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connections > 0
    }

    pub(super) const fn tally(&self) -> (u64, u64) {
        (self.accepted, self.refused)
    }

    pub(super) fn add_connection(&mut self) {
        self.connections = self.connections.saturating_add(1);
    }

    pub(super) fn remove_connection(&mut self) {
        self.connections = self.connections.saturating_sub(1);
    }

    /// Credits an accepted share of this many expected hashes.
    pub(super) fn accept(&mut self, work: u64) {
        self.accepted = self.accepted.saturating_add(1);
        self.credit = self.credit.saturating_add(work);
        self.proved = self.proved.saturating_add(work);
    }

    pub(super) fn refuse(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// Returns whether the worker may leave this many more nonces without a share. After its first shares it
    /// may leave twice as many as its shares prove; a worker that hashes leaves about as many as they prove.
    pub(super) fn vouches_for(&self, nonces: u64) -> bool {
        let is_proven = self.accepted >= FIRST_SHARES;
        is_proven && self.unproved.saturating_add(nonces) <= self.proved.saturating_mul(2)
    }

    pub(super) fn leave_unproved(&mut self, nonces: u64) {
        self.unproved = self.unproved.saturating_add(nonces);
    }

    pub(super) fn settle(&mut self) {
        self.credit = 0;
    }

    fn account(&self) -> Account {
        Account {
            worker: self.worker,
            credit: self.credit,
            accepted: self.accepted,
            refused: self.refused,
            connections: self.connections,
        }
    }
}

impl<'a> Accounts<'a> {
    pub(super) fn of(slots: &'a [AccountSlot]) -> Self {
        Self(slots.iter())
    }
}

impl<'a> Split<'a> {
    pub(super) fn of(slots: &'a [AccountSlot], reward: u64) -> Self {
        let total = slots.iter().fold(0_u64, |sum, slot| sum.saturating_add(slot.credit));
        Self { accounts: Accounts::of(slots), reward, total, before: 0 }
    }

    /// Returns the part of the reward up to this sum of credits, rounded down.
    fn up_to(&self, sum: u64) -> u64 {
        let product = u128::from(self.reward).saturating_mul(u128::from(sum));
        let part = product.checked_div(u128::from(self.total)).unwrap_or(0);
        u64::try_from(part).unwrap_or(self.reward)
    }
}

impl Iterator for Accounts<'_> {
    type Item = Account;

    fn next(&mut self) -> Option<Account> {
        self.0.find(|slot| !slot.is_free()).map(AccountSlot::account)
    }
}

impl Iterator for Split<'_> {
    type Item = (WorkerId, u64);

    fn next(&mut self) -> Option<(WorkerId, u64)> {
        let account = self.accounts.find(|account| account.credit > 0)?;
        let sum = self.before.saturating_add(account.credit);
        let part = self.up_to(sum).saturating_sub(self.up_to(self.before));
        self.before = sum;
        Some((account.worker, part))
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.0)
    }
}
