//! The worker's side of shared work.

use super::event::{WorkerCloseReason, WorkerEvent};
use super::message::{Lease, LeaseId, PoolMessage};
use crate::conn::Received;
use crate::error::{BufferTooSmall, DecodeError};
use crate::miner::Miner;
use crate::nonces::Step;
use crate::puzzle::{Puzzle, PuzzleError};
use crate::target::{BigEndian, ByteOrder, LittleEndian};

/// Tries the nonces that a [`Pool`](super::Pool) leases to it, in slices, and reports its shares. The
/// [module](super) has an example.
///
/// It is one end of one connection and has no deadlines, so that its calls take neither a connection nor a
/// time. One share is kept until it is sent; until then [`step`](Self::step) does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Worker {
    work: Option<(LeaseId, Search)>,
    share: Option<u64>,
    done: bool, // and not sent yet
    tally: (u64, u64),
    tried: u64, // under earlier leases
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    Big(Miner<BigEndian>),
    Little(Miner<LittleEndian>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Connection {
    #[default]
    Open,
    /// Closed by this worker; the event was not polled yet.
    Closing(WorkerCloseReason),
    Closed,
}

impl Worker {
    /// Creates a worker without a lease, at one end of an open connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles at most one message of the pool from the front of `bytes`. The outcome is the lease that the
    /// message assigned.
    ///
    /// A malformed message closes the connection: [`WorkerEvent::Closed`] says so, and all `bytes` are
    /// consumed.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Received<LeaseId> {
        let all = Received { consumed: bytes.len(), outcome: None };
        if self.connection != Connection::Open {
            return all;
        }
        let (message, rest) = match PoolMessage::decode(bytes) {
            Ok(decoded) => decoded,
            Err(DecodeError::Incomplete { .. }) => return Received { consumed: 0, outcome: None },
            Err(error) => {
                self.close(WorkerCloseReason::Malformed(error));
                return all;
            }
        };
        let outcome = match message {
            PoolMessage::Lease(lease) => match self.begin(&lease) {
                Ok(()) => Some(lease.id),
                Err(error) => {
                    self.close(WorkerCloseReason::Puzzle(error));
                    return all;
                }
            },
            PoolMessage::Tally { accepted, refused } => {
                self.tally = (accepted, refused);
                None
            }
            PoolMessage::Share { .. } | PoolMessage::Done { .. } => {
                self.close(WorkerCloseReason::Unexpected);
                return all;
            }
        };
        Received { consumed: bytes.len().saturating_sub(rest.len()), outcome }
    }

    /// Tries up to `hashes` nonces, and returns whether another step would try more: not without a lease, nor
    /// before a share is sent.
    pub fn step(&mut self, hashes: u32) -> bool {
        if self.done || self.share.is_some() {
            return false;
        }
        let Some((_, search)) = &mut self.work else { return false };
        let step = match search {
            Search::Big(miner) => miner.step(hashes),
            Search::Little(miner) => miner.step(hashes),
        };
        match step {
            Step::Found(nonce) => self.share = Some(nonce),
            Step::Exhausted => self.done = true,
            Step::Working => {}
        }
        step == Step::Working
    }

    /// Writes the next message to the pool and returns its length, or `None`. Poll after each
    /// [`step`](Self::step) that returned false.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; the worker is unchanged. 13 bytes suffice.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        let Some((lease, _)) = self.work else { return Ok(None) };
        if let Some(nonce) = self.share {
            let len = PoolMessage::Share { lease, nonce }.encode(buf)?;
            self.share = None;
            return Ok(Some(len));
        }
        if !self.done {
            return Ok(None);
        }
        let len = PoolMessage::Done { lease }.encode(buf)?;
        self.drop_lease();
        Ok(Some(len))
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<WorkerEvent> {
        let Connection::Closing(reason) = self.connection else { return None };
        self.connection = Connection::Closed;
        Some(WorkerEvent::Closed { reason })
    }

    /// Returns the number of hashes under all leases.
    #[must_use]
    pub const fn tried(&self) -> u64 {
        let current = match &self.work {
            Some((_, Search::Big(miner))) => miner.tried(),
            Some((_, Search::Little(miner))) => miner.tried(),
            None => 0,
        };
        self.tried.saturating_add(current)
    }

    /// Returns the numbers of shares that the pool has accepted and refused.
    #[must_use]
    pub const fn tally(&self) -> (u64, u64) {
        self.tally
    }

    fn begin(&mut self, lease: &Lease<'_>) -> Result<(), PuzzleError> {
        let puzzle = Puzzle::new(lease.function, lease.message, lease.nonce)?;
        let nonces = lease.nonces.clone();
        let search = match lease.order {
            ByteOrder::Big => Search::Big(Miner::new(puzzle, lease.target, nonces)),
            ByteOrder::Little => Search::Little(Miner::new(puzzle, lease.target, nonces)),
        };
        self.drop_lease();
        self.work = Some((lease.id, search));
        Ok(())
    }

    fn close(&mut self, reason: WorkerCloseReason) {
        self.drop_lease();
        self.connection = Connection::Closing(reason);
    }

    fn drop_lease(&mut self) {
        self.tried = self.tried();
        self.work = None;
        self.share = None;
        self.done = false;
    }
}
