//! The pool: the calls of the machine over any storage.

use core::ops::RangeInclusive;
use core::time::Duration;

use super::accounts::{Accounts, Split, WorkerId};
use super::config::{Job, PoolConfig};
use super::error::{JobError, ShareError};
use super::event::{Event, Share, Transmit};
use super::inner::{Inner, InnerMut};
use super::storage::{PoolStorage, usable, usable_ref};
use crate::conn::{ConnId, Received};
use crate::error::{BufferTooSmall, ConfigError, ConnectError, NotConnected};

/// Leases the nonces of a job to workers. Nonces that a worker does not try, because it disconnects, is
/// silent, or reports them done without the shares to be expected, are leased to another. A nonce is
/// credited once.
///
/// No list of shares is kept: a worker tries a lease in order, so that each share must be beyond the one
/// before, and a lease that is given again starts there. [`PoolStorage`] describes the memory; the
/// [module](super) has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool<S> {
    inner: Inner,
    storage: S,
}

impl<S: PoolStorage> Pool<S> {
    /// Creates a pool without a job, and clears the storage.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a timeout is zero.
    pub fn new(config: PoolConfig, mut storage: S) -> Result<Self, ConfigError> {
        config.check()?;
        let inner = Inner::new(config, &mut usable(storage.parts()));
        Ok(Self { inner, storage })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Starts a job over `nonces`, both ends included. The message is copied. All leases of the previous job
    /// end and all workers get new ones; credit is kept.
    ///
    /// # Errors
    ///
    /// [`JobError`]; the pool is unchanged.
    pub fn set_job(
        &mut self,
        now: Duration,
        job: &Job<'_>,
        nonces: RangeInclusive<u64>,
    ) -> Result<(), JobError> {
        self.inner_mut().set_job(now, job, nonces)
    }

    /// Adds a connection of a worker. A worker may have several; its credit is kept from one to the next.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; the pool is unchanged.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        worker: WorkerId,
    ) -> Result<(), ConnectError> {
        self.inner_mut().connect(now, conn, worker)
    }

    /// Handles at most one message from the front of `bytes`. The outcome is that of a share.
    ///
    /// A malformed message closes the connection: [`Event::Closed`] says so, and all `bytes` are consumed.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]; the pool is unchanged.
    pub fn handle_bytes(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &[u8],
    ) -> Result<Received<Result<Share, ShareError>>, NotConnected> {
        self.inner_mut().receive(now, conn, bytes)
    }

    /// Removes a connection. The rest of its lease goes to another. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        self.inner_mut().remove(now, conn);
    }

    /// Fires expired timers.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.inner_mut().handle_timeout(now);
    }

    /// Returns the next deadline. Poll after each call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.inner.deadline(&usable_ref(self.storage.parts_ref()))
    }

    /// Writes the next message to a worker, or returns `None`. Poll after every other call until it returns
    /// `None`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; the pool is unchanged. The length of the job's message plus 60 bytes suffices.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.inner_mut().transmit(buf)
    }

    /// Returns the next event. Poll after every other call until it returns `None`; then poll
    /// [`poll_transmit`](Self::poll_transmit) again, since a lease is given again after its expiry was
    /// reported.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.inner_mut().event()
    }

    /// Splits a reward among all workers in proportion to the expected hashes of their shares. The parts add
    /// up to the reward, and none is off by more than one.
    pub fn split(&self, reward: u64) -> Split<'_> {
        Split::of(usable_ref(self.storage.parts_ref()).accounts, reward)
    }

    /// Sets all credit to 0, after everybody was paid. Accounts without a connection become free.
    pub fn settle(&mut self) {
        self.inner_mut().settle();
    }

    /// Returns the accounts of the workers that are connected or unpaid.
    pub fn accounts(&self) -> Accounts<'_> {
        Accounts::of(usable_ref(self.storage.parts_ref()).accounts)
    }

    fn inner_mut(&mut self) -> InnerMut<'_> {
        InnerMut { inner: &mut self.inner, parts: usable(self.storage.parts()) }
    }
}
