//! Work shared out in ranges: a pool leases nonces to workers, and pays them by their shares.

mod error;
mod message;
mod slots;
mod worker;

use core::marker::PhantomData;
use core::num::NonZeroU64;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::{BufferTooSmall, DecodeError, HashFunction, NonceField, Puzzle, Reading, Target};
use slots::{Fresh, State};

pub use error::{Full, JobError, PoolError, ShareError};
pub use message::{Lease, LeaseId, PoolMessage};
pub use slots::{LeaseSlot, WorkerId, WorkerSlot};
pub use worker::{Worker, WorkerError};

/// What a pool works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job<'a> {
    /// Which function makes the digest.
    pub function: HashFunction,
    /// The message; what stands in the nonce field does not matter.
    pub message: &'a [u8],
    /// Where the nonce stands in it.
    pub nonce: NonceField,
    /// What solves the puzzle.
    pub target: Target,
    /// What counts as a share, a proof of effort: easier than the target, or the target is taken.
    pub share: Target,
}

/// How a pool shares out its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// How many nonces a lease has: what the slowest worker tries in well less than `patience`.
    pub lease: NonZeroU64,
    /// How long a worker may be silent before what is left of its lease goes to another.
    pub patience: Duration,
}

/// Leases the nonces of a job to workers. What a worker leaves undone – it dies, or is silent too long – goes
/// to the next one; a nonce is paid for once.
///
/// No list of shares is kept: a worker goes through its lease in order, so a share must lie beyond the last
/// one, and a lease that is given again begins there. `L` are [`LeaseSlot`]s, one for each lease that is out
/// or to be given again; `W` are [`WorkerSlot`]s, one for each worker that is connected or unpaid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool<'a, R, L, W> {
    config: PoolConfig,
    now: Duration,
    job: Option<(Job<'a>, Puzzle)>,
    fresh: Fresh,
    last_id: LeaseId,
    exhausted: bool, // and not told yet
    reading: PhantomData<R>,
    leases: L,
    workers: W,
}

/// What a pool sends, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolTransmit {
    /// The worker.
    pub to: WorkerId,
    /// How many bytes of the buffer are to be sent.
    pub len: usize,
}

/// What a worker's message came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many bytes the message was; 0 if it is not complete.
    pub len: usize,
    /// What became of the share, if it was one.
    pub share: Option<Result<Share, ShareError>>,
}

/// A share that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The nonce.
    pub nonce: u64,
    /// Whether it meets the job's own target too. The pool goes on until it gets another job.
    pub solves: bool,
}

/// What happened without a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolEvent {
    /// A worker was silent too long; what is left of its lease goes to another.
    Expired {
        /// The worker.
        worker: WorkerId,
        /// The lease that was.
        lease: LeaseId,
    },
    /// All nonces of the job were tried; the message has to change for more.
    Exhausted,
}

impl<'a, R: Reading, L, W> Pool<'a, R, L, W>
where
    L: AsRef<[LeaseSlot]> + AsMut<[LeaseSlot]>,
    W: AsRef<[WorkerSlot]> + AsMut<[WorkerSlot]>,
{
    /// Begins without a job.
    pub fn new(config: PoolConfig, leases: L, workers: W) -> Self {
        Self {
            config,
            now: Duration::ZERO,
            job: None,
            fresh: Fresh::NONE,
            last_id: LeaseId(0),
            exhausted: false,
            reading: PhantomData,
            leases,
            workers,
        }
    }

    /// Begins a job over `nonces`, both ends included. All leases of the one before end, and all workers get
    /// new ones; what they have earned stays.
    ///
    /// # Errors
    ///
    /// [`JobError`] if it is none; nothing changed.
    pub fn set_job(
        &mut self,
        now: Duration,
        job: Job<'a>,
        nonces: RangeInclusive<u64>,
    ) -> Result<(), JobError> {
        if job.message.len() > usize::from(u16::MAX) {
            return Err(JobError::TooLong(job.message.len()));
        }
        let puzzle = Puzzle::new(job.function, job.message, job.nonce)?;
        let job = Job { share: job.share.max(job.target), ..job };
        self.advance(now);
        self.leases.as_mut().fill(LeaseSlot::EMPTY);
        for worker in self.workers.as_mut() {
            worker.ready = worker.connected;
        }
        let (first, last) = nonces.into_inner();
        self.fresh = Fresh::new(first, last.min(job.nonce.format.max()));
        self.job = Some((job, puzzle));
        self.exhausted = true;
        Ok(())
    }

    /// Takes in a worker, under a name by which it is known to be paid. Whoever comes again keeps what it has
    /// earned and gets a new lease.
    ///
    /// # Errors
    ///
    /// [`Full`] if no slot is free; nothing changed.
    pub fn handle_connected(&mut self, now: Duration, worker: WorkerId) -> Result<(), Full> {
        let capacity = self.workers.as_ref().len();
        let slots = self.workers.as_mut();
        let known = slots.iter().position(|slot| slot.is(worker));
        let at =
            known.or_else(|| slots.iter().position(WorkerSlot::is_free)).ok_or(Full(capacity))?;
        if let Some(slot) = slots.get_mut(at) {
            let before = if slot.is(worker) { *slot } else { WorkerSlot::new(worker) };
            *slot = WorkerSlot { connected: true, ready: true, ..before };
        }
        self.advance(now);
        self.take_back(worker);
        Ok(())
    }

    /// Takes a message of a worker from the front of `bytes`.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if it is none; nothing changed.
    pub fn handle_bytes(
        &mut self,
        now: Duration,
        worker: WorkerId,
        bytes: &[u8],
    ) -> Result<Received, PoolError> {
        if !self.workers.as_ref().iter().any(|slot| slot.is(worker) && slot.connected) {
            return Err(PoolError::NotConnected(worker));
        }
        let (message, rest) = match PoolMessage::decode(bytes) {
            Err(DecodeError::Incomplete { .. }) => {
                self.advance(now);
                return Ok(Received { len: 0, share: None });
            }
            decoded => decoded?,
        };
        let share = match message {
            PoolMessage::Lease(_) | PoolMessage::Tally { .. } => return Err(PoolError::Unexpected),
            PoolMessage::Share { lease, nonce } => {
                self.advance(now);
                let share = self.judge(worker, lease, nonce);
                self.count(worker, share.is_ok());
                Some(share)
            }
            PoolMessage::Done { lease } => {
                self.advance(now);
                self.finish(worker, lease);
                None
            }
        };
        Ok(Received { len: bytes.len().saturating_sub(rest.len()), share })
    }

    /// Lets a worker go; what is left of its lease goes to another. It stays on the books until it is paid.
    pub fn handle_closed(&mut self, now: Duration, worker: WorkerId) {
        self.advance(now);
        self.take_back(worker);
        for slot in self.workers.as_mut().iter_mut().filter(|slot| slot.is(worker)) {
            (slot.connected, slot.ready) = (false, false);
        }
    }

    /// Takes back the leases of workers that were silent too long.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.advance(now);
        let now = self.now;
        for lease in self.leases.as_mut() {
            if lease.state == State::Given && lease.deadline <= now {
                (lease.state, lease.expired) = (State::Returned, true);
            }
        }
    }

    /// Returns when the next lease expires. Poll after each call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let given = self.leases.as_ref().iter().filter(|lease| lease.state == State::Given);
        given.map(|lease| lease.deadline).min()
    }

    /// Writes the next message to a worker, `None` if there is none. Poll after each other call until it says
    /// so.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. 60 bytes and the message to be hashed are enough.
    pub fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<PoolTransmit>, BufferTooSmall> {
        let tally = self.workers.as_mut().iter_mut().find(|slot| slot.connected && slot.changed);
        if let Some(slot) = tally {
            let (accepted, refused) = (slot.accepted, slot.refused);
            let len = PoolMessage::Tally { accepted, refused }.encode(buf)?;
            slot.changed = false;
            return Ok(Some(PoolTransmit { to: slot.id, len }));
        }
        let Some(ready) = self.workers.as_ref().iter().position(|slot| slot.ready) else {
            return Ok(None);
        };
        let Some((at, lease)) = self.next_lease() else { return Ok(None) };
        let Some((job, _)) = self.job else { return Ok(None) };
        let message = PoolMessage::Lease(Lease {
            id: lease.id,
            function: job.function,
            order: R::ORDER,
            nonce: job.nonce,
            nonces: lease.next..=lease.last,
            target: job.share,
            message: job.message,
        });
        let len = message.encode(buf)?;
        let Some(worker) = self.workers.as_mut().get_mut(ready) else { return Ok(None) };
        worker.ready = false;
        let to = worker.id;
        self.last_id = lease.id;
        let deadline = self.deadline();
        if let Some(slot) = self.leases.as_mut().get_mut(at) {
            if slot.state == State::Free {
                self.fresh.take(self.config.lease);
            }
            *slot = LeaseSlot { worker: to, deadline, state: State::Given, ..lease };
        }
        Ok(Some(PoolTransmit { to, len }))
    }

    /// Returns what happened without a message. Poll after [`handle_timeout`](Self::handle_timeout) and
    /// [`handle_bytes`](Self::handle_bytes).
    pub fn poll_event(&mut self) -> Option<PoolEvent> {
        if let Some(lease) = self.leases.as_mut().iter_mut().find(|lease| lease.expired) {
            lease.expired = false;
            return Some(PoolEvent::Expired { worker: lease.worker, lease: lease.id });
        }
        let idle = self.leases.as_ref().iter().all(|lease| lease.state == State::Free);
        if self.exhausted && idle && self.fresh.peek(self.config.lease).is_none() {
            self.exhausted = false;
            return Some(PoolEvent::Exhausted);
        }
        None
    }

    /// Splits a reward among all workers in proportion to the expected hashes of their shares. The parts add
    /// up to the reward, and none is off by more than one.
    pub fn split(&self, reward: u64) -> impl Iterator<Item = (WorkerId, u64)> {
        let earned = || self.workers.as_ref().iter().filter(|slot| slot.credit > 0);
        let total = earned().fold(0_u64, |sum, slot| sum.saturating_add(slot.credit));
        let mut before = 0_u64;
        earned().map(move |slot| {
            // As far as the sum of all parts up to this one reaches, rounded down.
            let up_to = |sum: u64| {
                let product = u128::from(reward).saturating_mul(u128::from(sum));
                u64::try_from(product.checked_div(u128::from(total)).unwrap_or(0)).unwrap_or(reward)
            };
            let sum = before.saturating_add(slot.credit);
            let part = up_to(sum).saturating_sub(up_to(before));
            before = sum;
            (slot.id, part)
        })
    }

    /// Closes the accounts: everybody was paid. Slots of workers that have gone become free.
    pub fn settle(&mut self) {
        for slot in self.workers.as_mut() {
            let connected = slot.connected;
            *slot = if connected { WorkerSlot { credit: 0, ..*slot } } else { WorkerSlot::EMPTY };
        }
    }

    /// Returns the workers that are connected or unpaid.
    pub fn workers(&self) -> impl Iterator<Item = &WorkerSlot> {
        self.workers.as_ref().iter().filter(|slot| !slot.is_free())
    }

    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Returns when a worker that is heard now has been silent too long, which is later than now.
    fn deadline(&self) -> Duration {
        let patience = self.config.patience.max(Duration::from_nanos(1));
        self.now.saturating_add(patience)
    }

    /// Notes what became of a share.
    fn count(&mut self, worker: WorkerId, accepted: bool) {
        let share = self.job.filter(|_| accepted).map(|(job, _)| work_of(job.share));
        for slot in self.workers.as_mut().iter_mut().filter(|slot| slot.is(worker)) {
            slot.count(share);
        }
    }

    /// Takes all leases back from a worker.
    fn take_back(&mut self, worker: WorkerId) {
        for lease in self.leases.as_mut() {
            if lease.state == State::Given && lease.worker == worker {
                lease.state = State::Returned;
            }
        }
    }

    fn finish(&mut self, worker: WorkerId, id: LeaseId) {
        for lease in self.leases.as_mut().iter_mut().filter(|lease| lease.is_out(worker, id)) {
            *lease = LeaseSlot::EMPTY;
        }
        // A worker with a lease of its own that says so of another has told us late.
        let busy = self
            .leases
            .as_ref()
            .iter()
            .any(|lease| lease.state == State::Given && lease.worker == worker);
        for slot in self.workers.as_mut().iter_mut().filter(|slot| slot.is(worker)) {
            slot.ready = slot.connected && !busy;
        }
    }

    fn judge(&mut self, worker: WorkerId, id: LeaseId, nonce: u64) -> Result<Share, ShareError> {
        let stale = ShareError::Stale(id);
        let (job, puzzle) = self.job.ok_or(stale)?;
        let deadline = self.deadline();
        let leases = self.leases.as_mut();
        let lease = leases.iter_mut().find(|lease| lease.is_out(worker, id)).ok_or(stale)?;
        if nonce < lease.first || nonce > lease.last {
            return Err(ShareError::Outside(nonce));
        }
        if lease.finished || nonce < lease.next {
            return Err(ShareError::Duplicate(nonce));
        }
        let digest = puzzle.digest(nonce);
        if !job.share.is_met_by::<R>(&digest) {
            return Err(ShareError::NotEnoughWork(nonce));
        }
        lease.deadline = deadline;
        lease.pass(nonce);
        Ok(Share { nonce, solves: job.target.is_met_by::<R>(&digest) })
    }

    /// Returns what would be leased next, and in which slot: what was taken back first, then what was never
    /// given.
    fn next_lease(&self) -> Option<(usize, LeaseSlot)> {
        let leases = self.leases.as_ref();
        let mut id = LeaseId(self.last_id.0.wrapping_add(1));
        while leases.iter().any(|lease| lease.state == State::Given && lease.id == id) {
            id = LeaseId(id.0.wrapping_add(1));
        }
        let of_state =
            |state| leases.iter().enumerate().find(move |(_, lease)| lease.state == state);
        if let Some((at, lease)) = of_state(State::Returned) {
            return Some((at, LeaseSlot { id, first: lease.next, expired: false, ..*lease }));
        }
        let (at, _) = of_state(State::Free)?;
        let (first, last) = self.fresh.peek(self.config.lease)?;
        Some((at, LeaseSlot { id, first, next: first, last, ..LeaseSlot::EMPTY }))
    }
}

/// Returns the expected hashes of a share, as far as 64 bits go.
fn work_of(target: Target) -> u64 {
    u64::try_from(target.work().hashes().saturating_u128()).unwrap_or(u64::MAX)
}
