//! The memory of a pool.

#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

use super::accounts::AccountSlot;
use super::conn_slot::ConnSlot;
use super::leases::LeaseSlot;
use crate::ready::MOST_SLOTS;

/// Storage of a [`Pool`](super::Pool): four regions of caller-provided memory. Of each, the first 65,534 slots are
/// used.
///
/// Implemented by [`PoolSlots`], by `PoolVec` with the feature `alloc`, and by `&mut S`.
pub trait PoolStorage {
    /// Borrows all regions.
    fn parts(&mut self) -> PoolParts<'_>;

    /// Borrows all regions, shared.
    fn parts_ref(&self) -> PoolPartsRef<'_>;
}

/// A [`PoolStorage`] of arrays, slices, boxes or vectors.
#[expect(clippy::exhaustive_structs, reason = "the caller constructs it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSlots<L, C, A, M> {
    /// One slot for each lease that is assigned or has to be given again: about five for each connection, that is
    /// its lease and the gaps before the first shares of a new worker.
    pub leases: L,
    /// One slot for each connection.
    pub connections: C,
    /// One slot for each worker that is connected or unpaid.
    pub accounts: A,
    /// Holds the message of the job, up to 65,535 bytes.
    pub message: M,
}

/// All regions, borrowed.
pub(crate) type PoolParts<'a> =
    PoolSlots<&'a mut [LeaseSlot], &'a mut [ConnSlot], &'a mut [AccountSlot], &'a mut [u8]>;
/// All regions, shared.
pub(crate) type PoolPartsRef<'a> =
    PoolSlots<&'a [LeaseSlot], &'a [ConnSlot], &'a [AccountSlot], &'a [u8]>;

/// Returns the slots that a pool uses: as many as their links can name.
pub(super) fn usable(parts: PoolParts<'_>) -> PoolParts<'_> {
    let PoolSlots { leases, connections, accounts, message } = parts;
    let most = |len: usize| len.min(MOST_SLOTS);
    let [lease, connection, account] = [leases.len(), connections.len(), accounts.len()].map(most);
    PoolSlots {
        leases: leases.get_mut(..lease).unwrap_or_default(),
        connections: connections.get_mut(..connection).unwrap_or_default(),
        accounts: accounts.get_mut(..account).unwrap_or_default(),
        message,
    }
}

/// As [`usable`], shared.
pub(super) fn usable_ref(parts: PoolPartsRef<'_>) -> PoolPartsRef<'_> {
    let PoolSlots { leases, connections, accounts, message } = parts;
    PoolSlots {
        leases: leases.get(..MOST_SLOTS).unwrap_or(leases),
        connections: connections.get(..MOST_SLOTS).unwrap_or(connections),
        accounts: accounts.get(..MOST_SLOTS).unwrap_or(accounts),
        message,
    }
}

impl<L, C, A, M> PoolStorage for PoolSlots<L, C, A, M>
where
    L: AsRef<[LeaseSlot]> + AsMut<[LeaseSlot]>,
    C: AsRef<[ConnSlot]> + AsMut<[ConnSlot]>,
    A: AsRef<[AccountSlot]> + AsMut<[AccountSlot]>,
    M: AsRef<[u8]> + AsMut<[u8]>,
{
    fn parts(&mut self) -> PoolParts<'_> {
        PoolParts {
            leases: self.leases.as_mut(),
            connections: self.connections.as_mut(),
            accounts: self.accounts.as_mut(),
            message: self.message.as_mut(),
        }
    }

    fn parts_ref(&self) -> PoolPartsRef<'_> {
        PoolPartsRef {
            leases: self.leases.as_ref(),
            connections: self.connections.as_ref(),
            accounts: self.accounts.as_ref(),
            message: self.message.as_ref(),
        }
    }
}

impl<S: PoolStorage + ?Sized> PoolStorage for &mut S {
    fn parts(&mut self) -> PoolParts<'_> {
        S::parts(self)
    }

    fn parts_ref(&self) -> PoolPartsRef<'_> {
        S::parts_ref(self)
    }
}

/// The capacities of a [`PoolVec`].
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "one number for each region")]
pub struct PoolLimits {
    /// The number of leases that are assigned or have to be given again.
    pub leases: usize,
    /// The number of connections.
    pub connections: usize,
    /// The number of workers that are connected or unpaid.
    pub accounts: usize,
    /// The length of the longest message of a job, in bytes.
    pub message: usize,
}

/// A [`PoolStorage`] on the heap.
///
/// ```
/// use core::{num::NonZeroU64, time::Duration};
/// use pow::pool::{Pool, PoolConfig, PoolLimits, PoolVec};
///
/// let config = PoolConfig::new(NonZeroU64::new(1 << 22).unwrap(), Duration::from_secs(60));
/// let pool: Pool<PoolVec> = Pool::new(config, PoolVec::new(PoolLimits::for_connections(64)))?;
/// # Ok::<(), pow::ConfigError>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolVec {
    leases: Vec<LeaseSlot>,
    connections: Vec<ConnSlot>,
    accounts: Vec<AccountSlot>,
    message: Vec<u8>,
}

#[cfg(feature = "alloc")]
impl PoolLimits {
    /// Returns limits for a number of connections: five times as many leases, twice as many accounts, and
    /// messages of up to 1,024 bytes.
    #[must_use]
    pub const fn for_connections(connections: usize) -> Self {
        let leases = connections.saturating_mul(5);
        let accounts = connections.saturating_mul(2);
        Self { leases, connections, accounts, message: 1024 }
    }
}

#[cfg(feature = "alloc")]
impl Default for PoolLimits {
    /// Limits for 16 connections.
    fn default() -> Self {
        Self::for_connections(16)
    }
}

#[cfg(feature = "alloc")]
impl PoolVec {
    /// Allocates the regions.
    #[must_use]
    pub fn new(limits: PoolLimits) -> Self {
        Self {
            leases: vec![LeaseSlot::EMPTY; limits.leases],
            connections: vec![ConnSlot::EMPTY; limits.connections],
            accounts: vec![AccountSlot::EMPTY; limits.accounts],
            message: vec![0; limits.message],
        }
    }
}

#[cfg(feature = "alloc")]
impl PoolStorage for PoolVec {
    fn parts(&mut self) -> PoolParts<'_> {
        PoolParts {
            leases: &mut self.leases,
            connections: &mut self.connections,
            accounts: &mut self.accounts,
            message: &mut self.message,
        }
    }

    fn parts_ref(&self) -> PoolPartsRef<'_> {
        PoolPartsRef {
            leases: &self.leases,
            connections: &self.connections,
            accounts: &self.accounts,
            message: &self.message,
        }
    }
}
