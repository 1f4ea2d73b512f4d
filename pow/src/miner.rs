//! The search for a nonce, in slices of the caller's choice.

use core::marker::PhantomData;
use core::num::NonZeroU64;
use core::ops::RangeInclusive;

use crate::kernel::{BATCH, BATCHES, LANES, Place, Run};
use crate::nonces::Nonces;
use crate::puzzle::{bytes_of, second_block};
use crate::{BigEndian, Kernel, Puzzle, Reading, Target};

/// Searches a range of nonces for one whose digest meets the target.
///
/// It never blocks: [`step`](Self::step) hashes as often as it is told and comes back. The state is a plain
/// `Copy` value, so a search can be stopped, stored, moved and resumed; ranges or strides split it among
/// workers. Whatever the slices and the [kernel](Kernel), every nonce is tried once, in order, and the first
/// one that counts is found.
///
/// To cancel a search is to stop calling, or [`cancel`](Self::cancel) where others go on calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miner<R = BigEndian> {
    puzzle: Puzzle,
    target: Target,
    nonces: Nonces,
    kernel: Kernel,
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
        let (next, last) = within(&puzzle, nonces);
        let (nonces, kernel) = (Nonces::new(next, last), Kernel::best());
        Self { puzzle, target, nonces, kernel, reading: PhantomData }
    }

    /// Tries only every `stride`-th nonce of the range: of n workers each begins one nonce later than the one
    /// before, and all stride by n.
    #[must_use]
    pub fn with_stride(self, stride: NonZeroU64) -> Self {
        Self { nonces: self.nonces.with_stride(stride.get()), ..self }
    }

    /// Hashes with this kernel, and not with the best.
    #[must_use]
    pub fn with_kernel(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// Tries up to `hashes` nonces. 0 changes nothing. Budgets of some thousands hide the cost of the call;
    /// those below 64 keep a kernel from taking 64 at once.
    pub fn step(&mut self, hashes: u32) -> Step {
        let mut left = hashes;
        while BATCHES && left >= BATCH {
            let (skipped, doubtful) = self.skip_batches(left);
            left = left.saturating_sub(skipped).saturating_sub(doubtful);
            let step = self.step_singly(doubtful);
            if step != Step::Working {
                return step;
            }
        }
        self.step_singly(left)
    }

    /// Changes over to another message, such as one with another extra-nonce or time stamp, and to these
    /// nonces; the count of those tried goes on.
    pub fn turn_to(&mut self, puzzle: Puzzle, nonces: RangeInclusive<u64>) {
        let (next, last) = within(&puzzle, nonces);
        self.puzzle = puzzle;
        self.nonces.turn_to(next, last);
    }

    /// Ends the search: from now on it is exhausted. Returns the nonces that were still to be tried, for
    /// somebody else to go on with.
    pub fn cancel(&mut self) -> Option<RangeInclusive<u64>> {
        let remaining = self.remaining();
        self.nonces.cancel();
        remaining
    }

    /// Returns the nonces still to be tried, or `None` once there are none. With a stride, the first of them
    /// is the next, and not all are tried.
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

    /// Returns the kernel.
    #[must_use]
    pub const fn kernel(&self) -> Kernel {
        self.kernel
    }

    fn step_singly(&mut self, hashes: u32) -> Step {
        let (puzzle, target, limit) = (&mut self.puzzle, self.target, self.target.top());
        let mut second = second_block();
        self.nonces.step(hashes, |nonce| {
            let words = puzzle.words_mut(nonce, &mut second);
            // One word tells nearly all of those that do not count.
            R::top(&words) <= limit && target.is_met_by::<R>(&bytes_of(words))
        })
    }

    /// Leaves out batches in which nothing counts, of at most `hashes` nonces. Returns how many nonces those
    /// were, and how many after them have to be tried one by one: something may count there, or they are the
    /// last ones, or the last with the same high bits.
    fn skip_batches(&mut self, hashes: u32) -> (u32, u32) {
        let place = Place::of(&self.puzzle);
        let run = Run::new(&self.puzzle, place, self.nonces.next());
        let mut low = place.low(self.nonces.next());
        let stride = u32::try_from(self.nonces.stride()).unwrap_or(u32::MAX);
        let limit = self.target.top();
        let (mut words, mut tops) = ([0; LANES], [0; LANES]);
        let mut skipped = 0_u32;
        while hashes.saturating_sub(skipped) >= BATCH {
            let reach = self.nonces.reach(BATCH).and_then(|by| u32::try_from(by).ok());
            let last = reach.and_then(|reach| low.checked_add(reach));
            if last.is_none_or(|last| last > place.low_max()) {
                let rest = place.low_max().saturating_sub(low).saturating_add(1);
                return (skipped, rest.min(BATCH));
            }
            let mut lane = low;
            for word in &mut words {
                *word = place.word(lane);
                lane = lane.wrapping_add(stride);
            }
            self.kernel.tops::<R>(&run, &words, &mut tops);
            if tops.iter().fold(u32::MAX, |least, top| least.min(*top)) <= limit {
                return (skipped, BATCH);
            }
            self.nonces.pass(BATCH);
            skipped = skipped.saturating_add(BATCH);
            low = lane;
        }
        (skipped, 0)
    }
}

/// Returns the ends of a range, cut to what the nonce can hold.
fn within(puzzle: &Puzzle, nonces: RangeInclusive<u64>) -> (u64, u64) {
    let (next, last) = nonces.into_inner();
    (next, last.min(puzzle.format().max()))
}
