//! The search for a nonce, in slices of the caller's choice.

use core::marker::PhantomData;
use core::ops::RangeInclusive;

use crate::nonces::Nonces;
use crate::{BigEndian, Puzzle, Reading, Target};

/// Searches a range of nonces for one whose digest meets the target.
///
/// It never blocks: [`step`](Self::step) hashes as often as it is told and comes back. The state is a plain
/// `Copy` value, so a search can be stopped, stored, moved and resumed; ranges split it among workers.
/// Whatever the slices, every nonce is tried once, in order, and the first one that counts is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miner<R = BigEndian> {
    puzzle: Puzzle,
    target: Target,
    nonces: Nonces,
    reading: PhantomData<R>,
}

/// What a slice of the search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This nonce counts. Further steps look for the next one.
    Found(u64),
    /// All nonces of the range were tried; the message has to change for more.
    Exhausted,
    /// The slice is used up; there are nonces left.
    Working,
}

impl<R: Reading> Miner<R> {
    /// Begins a search over `nonces`, both ends included. What a four-byte nonce cannot hold is left out.
    #[must_use]
    pub fn new(puzzle: Puzzle, target: Target, nonces: RangeInclusive<u64>) -> Self {
        let (next, last) = nonces.into_inner();
        let last = last.min(puzzle.format().max());
        Self { puzzle, target, nonces: Nonces::new(next, last), reading: PhantomData }
    }

    /// Tries up to `hashes` nonces. 0 changes nothing.
    pub fn step(&mut self, hashes: u32) -> Step {
        let (puzzle, target) = (&mut self.puzzle, self.target);
        self.nonces.step(hashes, |nonce| target.is_met_by::<R>(&puzzle.digest_mut(nonce)))
    }

    /// Returns the nonces still to be tried, or `None` once there are none.
    #[must_use]
    pub fn remaining(&self) -> Option<RangeInclusive<u64>> {
        self.nonces.remaining()
    }

    /// Returns how many nonces were tried.
    #[must_use]
    pub const fn tried(&self) -> u64 {
        self.nonces.tried()
    }

    /// Returns the target.
    #[must_use]
    pub const fn target(&self) -> Target {
        self.target
    }
}
