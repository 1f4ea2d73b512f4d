//! The search for a nonce, in slices of the caller's choice.

use core::marker::PhantomData;
use core::num::NonZeroU64;
use core::ops::RangeInclusive;

use crate::kernel::run::{BATCH, LANES, Place, Run};
use crate::kernel::{BATCHES, Kernel};
use crate::nonces::{Nonces, Step};
use crate::puzzle::Puzzle;
use crate::sha256::{bytes_of, second_block};
use crate::target::{BigEndian, DigestOrder, Target};

/// Searches a range of nonces for one whose digest meets the target.
///
/// It never blocks: [`step`](Self::step) makes a bounded number of hashes and returns. The state is a plain
/// `Copy` value, so that a search can be stopped, stored, moved and resumed. Ranges or strides split it among
/// workers. For any slices and any [kernel](Kernel) every nonce is tried once, in order, and the first one
/// that meets the target is found.
///
/// To cancel a search, stop calling, or call [`cancel`](Self::cancel) if others keep calling.
///
/// ```
/// use pow::{HashFunction, Miner, NonceField, NonceFormat, Puzzle, Step, Target};
///
/// let field = NonceField { offset: 5, format: NonceFormat::U64Be };
/// let puzzle = Puzzle::new(HashFunction::Sha256, b"song ________", field)?;
/// let mut miner: Miner = Miner::new(puzzle, Target::from_zero_bits(8), 0..=u64::MAX);
/// let nonce = loop {
///     match miner.step(1000) {
///         Step::Found(nonce) => break nonce,
///         Step::Working => {} // the program's other work goes here
///         Step::Exhausted => unreachable!("2^64 nonces"),
///     }
/// };
/// assert!(puzzle.digest(nonce).starts_with(&[0]));
/// # Ok::<(), pow::PuzzleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miner<R = BigEndian> {
    puzzle: Puzzle,
    target: Target,
    nonces: Nonces,
    kernel: Kernel,
    order: PhantomData<R>,
}

impl<R: DigestOrder> Miner<R> {
    /// Starts a search over `nonces`, both ends included. Nonces that do not fit the field are left out.
    #[must_use]
    pub fn new(puzzle: Puzzle, target: Target, nonces: RangeInclusive<u64>) -> Self {
        let (next, last) = within(&puzzle, nonces);
        let nonces = Nonces::new(next, last);
        Self { puzzle, target, nonces, kernel: Kernel::best(), order: PhantomData }
    }

    /// Tries only every `stride`-th nonce of the range. To share a range among n workers, start worker i at
    /// the i-th nonce and let all stride by n.
    #[must_use]
    pub fn with_stride(self, stride: NonZeroU64) -> Self {
        Self { nonces: self.nonces.with_stride(stride.get()), ..self }
    }

    /// Hashes with this kernel instead of the fastest.
    #[must_use]
    pub fn with_kernel(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// Tries up to `hashes` nonces. 0 changes nothing. A few thousand per call hide its cost; with fewer than
    /// 64 the kernels cannot hash 64 side by side.
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

    /// Continues with another message, such as one with another extra-nonce or time stamp, and with these
    /// nonces. The count of nonces tried is kept.
    pub fn restart(&mut self, puzzle: Puzzle, nonces: RangeInclusive<u64>) {
        let (next, last) = within(&puzzle, nonces);
        self.puzzle = puzzle;
        self.nonces.restart(next, last);
    }

    /// Ends the search: from now on it is exhausted. Returns the nonces that were not tried.
    pub fn cancel(&mut self) -> Option<RangeInclusive<u64>> {
        let remaining = self.remaining();
        self.nonces.cancel();
        remaining
    }

    /// Returns the nonces that remain, or `None` if none do. With a stride the first of the range is the next
    /// nonce, and not all of the range are tried.
    #[must_use]
    pub fn remaining(&self) -> Option<RangeInclusive<u64>> {
        self.nonces.remaining()
    }

    /// Returns the number of nonces tried.
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
        let target = self.target;
        let limit = target.leading_word();
        let puzzle = &mut self.puzzle;
        let mut second = second_block();
        self.nonces.step(hashes, |nonce| {
            let words = puzzle.words_mut(nonce, &mut second);
            // One word rules out nearly all digests.
            R::leading_word(&words) <= limit && target.is_met_by::<R>(&bytes_of(words))
        })
    }

    /// Skips batches without a digest that meets the target, of at most `hashes` nonces. Returns the number of
    /// nonces skipped, and the number after them that have to be tried one by one: they may contain a
    /// solution, or they are the last ones, or the last with the same high bits.
    fn skip_batches(&mut self, hashes: u32) -> (u32, u32) {
        let place = Place::of(&self.puzzle);
        let run = Run::new(&self.puzzle, place, self.nonces.next());
        let mut low = place.low(self.nonces.next());
        let stride = u32::try_from(self.nonces.stride()).unwrap_or(u32::MAX);
        let limit = self.target.leading_word();
        let mut words = [0; LANES];
        let mut leading = [0; LANES];
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
            self.kernel.leading_words::<R>(&run, &words, &mut leading);
            if leading.iter().fold(u32::MAX, |least, word| least.min(*word)) <= limit {
                return (skipped, BATCH);
            }
            self.nonces.skip(BATCH);
            skipped = skipped.saturating_add(BATCH);
            low = lane;
        }
        (skipped, 0)
    }
}

/// Returns the ends of a range, limited to nonces that fit the field.
fn within(puzzle: &Puzzle, nonces: RangeInclusive<u64>) -> (u64, u64) {
    let (next, last) = nonces.into_inner();
    (next, last.min(puzzle.format().max()))
}
