//! The worker's side of shared work.

use thiserror::Error;

use super::{Lease, LeaseId, PoolMessage};
use crate::{
    BigEndian, BufferTooSmall, ByteOrder, DecodeError, LittleEndian, Miner, Puzzle, PuzzleError,
    Step,
};

/// Tries the nonces that a [`Pool`](super::Pool) leases to it, in slices, and reports its shares.
///
/// It has no deadlines, so it needs no clock. One share is kept until it is sent; until then
/// [`step`](Self::step) does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Worker {
    work: Option<(LeaseId, Search)>,
    share: Option<u64>,
    done: bool, // to be told
    tally: (u64, u64),
    tried: u64, // under earlier leases
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    Big(Miner<BigEndian>),
    Little(Miner<LittleEndian>),
}

/// Why a worker does not take a message: the pool's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The bytes are not a message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The lease's message is not a puzzle.
    #[error(transparent)]
    Puzzle(#[from] PuzzleError),
    /// A message that only workers send.
    #[error("a worker's message from the pool")]
    Unexpected,
}

impl Worker {
    /// Begins without work.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a message of the pool from the front of `bytes`, and returns how many bytes it was; 0 if it is
    /// not complete.
    ///
    /// # Errors
    ///
    /// [`WorkerError`] if it is none; nothing changed.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, WorkerError> {
        let (message, rest) = match PoolMessage::decode(bytes) {
            Err(DecodeError::Incomplete { .. }) => return Ok(0),
            decoded => decoded?,
        };
        match message {
            PoolMessage::Lease(lease) => self.begin(&lease)?,
            PoolMessage::Tally { accepted, refused } => self.tally = (accepted, refused),
            PoolMessage::Share { .. } | PoolMessage::Done { .. } => {
                return Err(WorkerError::Unexpected);
            }
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    /// Tries up to `hashes` nonces, and returns whether there are more to be tried at once: not without a
    /// lease, nor before a share is sent.
    pub fn step(&mut self, hashes: u32) -> bool {
        let Some((_, search)) = self.work.as_mut().filter(|_| !self.done && self.share.is_none())
        else {
            return false;
        };
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

    /// Writes what is to be sent to the pool, and returns its length; `None` if there is nothing. Poll after
    /// each [`step`](Self::step) that returned false.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed.
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
        self.tried = self.tried();
        (self.work, self.done) = (None, false);
        Ok(Some(len))
    }

    /// Returns how many hashes were tried under all leases.
    #[must_use]
    pub const fn tried(&self) -> u64 {
        let now = match &self.work {
            Some((_, Search::Big(miner))) => miner.tried(),
            Some((_, Search::Little(miner))) => miner.tried(),
            None => 0,
        };
        self.tried.saturating_add(now)
    }

    /// Returns how many shares the pool says it has accepted and refused.
    #[must_use]
    pub const fn tally(&self) -> (u64, u64) {
        self.tally
    }

    fn begin(&mut self, lease: &Lease<'_>) -> Result<(), PuzzleError> {
        let puzzle = Puzzle::new(lease.function, lease.message, lease.nonce)?;
        let (target, nonces) = (lease.target, lease.nonces.clone());
        let search = match lease.order {
            ByteOrder::Big => Search::Big(Miner::new(puzzle, target, nonces)),
            ByteOrder::Little => Search::Little(Miner::new(puzzle, target, nonces)),
        };
        self.tried = self.tried();
        (self.work, self.share, self.done) = (Some((lease.id, search)), None, false);
        Ok(())
    }
}
