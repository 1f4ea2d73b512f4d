//! The accounts of the workers of a pool.

use core::fmt;

use crate::conn_index::{Indexed, Links};
use crate::ready::Linked;
use crate::u256::U256;

/// The number of shares before which a worker is not believed: a guess may be a share.
const FIRST_SHARES: u64 = 4;

/// Identifies a worker to be paid, such as an account number. The caller chooses the number and is
/// responsible for authentication. `Display` is `worker 7`.
#[expect(clippy::exhaustive_structs, reason = "a number of the caller")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WorkerId(pub u64);

/// Storage for one account: 56 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountSlot {
    pub(super) worker: WorkerId,
    credit: u64, // unpaid, in hashes
    accepted: u64,
    refused: u64,
    trust: i64, // twice the hashes that shares prove, ever, less those that were believed without a share
    connections: u16,
    best: u16, // see `trust`
    free: u16, // the link among the free accounts
    links: Links,
    pub(super) is_known: bool, // the worker is in its chain
}

/// The account of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Account {
    /// The worker.
    pub worker: WorkerId,
    /// Its unpaid credit: the expected hashes of its shares. It stays at 2^64 - 1, which a worker of 100 terahashes a second
    /// has after two days, until [`Pool::settle`](super::Pool::settle).
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
    total: u128,
    sum: u128, // of the credit of the accounts so far
    paid: u64, // to them
}

impl AccountSlot {
    /// A free slot.
    pub const EMPTY: Self = Self::new(WorkerId(0));

    const fn new(worker: WorkerId) -> Self {
        Self {
            worker,
            credit: 0,
            accepted: 0,
            refused: 0,
            trust: 0,
            connections: 0,
            best: 0,
            free: 0,
            links: Links::EMPTY,
            is_known: false,
        }
    }

    /// Becomes the account of another worker. Its places in the tables remain.
    pub(super) fn restart(&mut self, worker: WorkerId) {
        let Self { best, free, links, .. } = *self;
        *self = Self { best, free, links, is_known: true, ..Self::new(worker) };
    }

    pub(super) const fn is_free(&self) -> bool {
        self.connections == 0 && self.credit == 0
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
        self.trust = self.trust.saturating_add(signed(work.saturating_mul(2)));
    }

    pub(super) fn refuse(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// Returns whether the worker may leave this many more nonces without a share. After its first shares it
    /// may leave twice as many as its shares prove; a worker that hashes leaves about as many as they prove.
    pub(super) fn vouches_for(&self, nonces: u64) -> bool {
        self.accepted >= FIRST_SHARES && signed(nonces) <= self.trust
    }

    /// Returns how many more nonces the worker may leave without a share, if it is connected and has proved any.
    pub(super) fn trust(&self) -> Option<i64> {
        (self.connections > 0 && self.accepted >= FIRST_SHARES).then_some(self.trust)
    }

    pub(super) fn best(&self) -> u16 {
        self.best
    }

    pub(super) fn set_best(&mut self, best: u16) {
        self.best = best;
    }

    pub(super) fn leave_unproved(&mut self, nonces: u64) {
        self.trust = self.trust.saturating_sub(signed(nonces));
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
            connections: self.connections.into(),
        }
    }
}

impl Linked for AccountSlot {
    fn link(&self, _queue: usize) -> Option<u16> {
        Some(self.free)
    }

    fn link_mut(&mut self, _queue: usize) -> Option<&mut u16> {
        Some(&mut self.free)
    }
}

impl Indexed for AccountSlot {
    type Key = WorkerId;

    fn hash(worker: WorkerId) -> u64 {
        spread(worker.0)
    }

    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    fn is_of(&self, worker: WorkerId) -> bool {
        self.worker == worker
    }
}

impl<'a> Accounts<'a> {
    pub(super) fn of(slots: &'a [AccountSlot]) -> Self {
        Self(slots.iter())
    }
}

impl<'a> Split<'a> {
    pub(super) fn of(slots: &'a [AccountSlot], reward: u64) -> Self {
        let total = slots.iter().fold(0_u128, |sum, slot| sum.saturating_add(slot.credit.into()));
        Self { accounts: Accounts::of(slots), reward, total, sum: 0, paid: 0 }
    }

    /// Returns the part of the reward of the accounts so far, rounded down.
    fn part(&self) -> u64 {
        // Less than 2^16 accounts of less than 2^64 hashes: the product is below 2^144.
        let (product, _) = U256::from_u128(self.sum).widening_mul(self.reward);
        let part = product.checked_div(U256::from_u128(self.total)).unwrap_or(U256::ZERO);
        part.low_u64()
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
        self.sum = self.sum.saturating_add(account.credit.into());
        let paid = self.part();
        let part = paid.saturating_sub(self.paid);
        self.paid = paid;
        Some((account.worker, part))
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.0)
    }
}

/// Spreads the bits of a number that the caller chose, so that all bits of the result depend on it.
pub(super) const fn spread(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_worker_may_leave_twice_what_its_shares_prove() {
        let mut account = AccountSlot::new(WorkerId(7));
        account.add_connection();
        for shares in 1..=4 {
            assert!(!account.vouches_for(0), "{shares} shares are too few");
            assert_eq!(account.trust(), None);
            account.accept(100);
        }
        assert!(account.vouches_for(800) && !account.vouches_for(801));
        account.leave_unproved(300);
        assert!(account.vouches_for(500) && !account.vouches_for(501));
        assert_eq!(account.trust(), Some(500));
        account.leave_unproved(600);
        assert!(!account.vouches_for(0));
        account.remove_connection();
        assert_eq!(account.trust(), None, "it cannot be asked");
    }

    #[test]
    fn an_account_counts_shares_and_credit() {
        let mut account = AccountSlot::new(WorkerId(7));
        assert!(account.is_free());
        account.accept(100);
        account.accept(50);
        account.refuse();
        assert_eq!((account.tally(), account.is_free()), ((2, 1), false));
        let open = account.account();
        assert_eq!((open.credit, open.connections, open.worker), (150, 0, WorkerId(7)));
        account.settle();
        account.add_connection();
        assert!(!account.is_free());
        assert_eq!((account.account().credit, account.account().connections), (0, 1));
        account.remove_connection();
        assert!(account.is_free());
        assert_eq!(account.tally(), (2, 1), "the history stays");
        account.restart(WorkerId(8));
        assert_eq!((account.tally(), account.worker), ((0, 0), WorkerId(8)));
    }
    /// The credits of a few machines of a mine exceed 64 bits within a day.
    #[test]
    fn a_reward_is_split_among_credits_whose_sum_exceeds_64_bits() {
        let slots = [u64::MAX, u64::MAX, 1 << 63, 1, u64::MAX].map(|work| {
            let mut account = AccountSlot::new(WorkerId(work));
            account.accept(work);
            account
        });
        let split = |reward| Split::of(&slots, reward).map(|(_, part)| part).collect::<Vec<_>>();
        for (part, fair) in split(700).into_iter().zip([200, 200, 100, 0, 200_u64]) {
            assert!(part.abs_diff(fair) <= 1, "{part} instead of {fair}");
        }
        assert_eq!(split(700).iter().sum::<u64>(), 700);
        assert_eq!(split(u64::MAX).iter().sum::<u64>(), u64::MAX);
        assert_eq!(split(0), [0; 5]);
        assert_eq!(Split::of(&slots[..0], 700).next(), None);
    }
}
