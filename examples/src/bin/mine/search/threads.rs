//! The search on several threads. Each strides through the range, and all go as far as the least nonce that
//! one of them has found, so that the answer does not depend on how many they are.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use pow::{DigestOrder, Miner, Step};

/// Some milliseconds of work.
const SLICE: u32 = 1 << 15;

/// What the threads tell each other and the one that watches them.
pub struct Shared {
    /// Whether to stop.
    pub stop: AtomicBool,
    /// How many hashes were tried by all together, in earlier runs too.
    pub tried: AtomicU64,
    running: AtomicU64,
    least: AtomicU64, // that was found; the greatest number until then
}

impl Shared {
    pub const fn new(tried: u64) -> Self {
        Self {
            stop: AtomicBool::new(false),
            tried: AtomicU64::new(tried),
            running: AtomicU64::new(0),
            least: AtomicU64::new(u64::MAX),
        }
    }

    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire) > 0
    }
}

/// Searches with one thread for each miner while `watch` is called, which comes back once none
/// [runs](Shared::is_running). Returns the least nonce that counts, if any.
pub fn search<R: DigestOrder + Send>(
    miners: &mut [Miner<R>],
    shared: &Shared,
    watch: impl FnOnce(),
) -> Option<u64> {
    shared.running.store(miners.len() as u64, Ordering::Release);
    let found = thread::scope(|scope| {
        let threads: Vec<_> = (miners.iter_mut())
            .map(|miner| {
                scope.spawn(|| {
                    let found = drive(miner, shared);
                    shared.running.fetch_sub(1, Ordering::Release);
                    found
                })
            })
            .collect();
        watch();
        threads.into_iter().filter_map(|thread| thread.join().expect("it does not panic")).min()
    })?;
    // Who was told to stop may not have come as far as the one that has found something.
    shared.stop.store(false, Ordering::Relaxed);
    let missed = miners.iter_mut().filter_map(|miner| drive(miner, shared)).min();
    Some(missed.map_or(found, |missed| missed.min(found)))
}

fn drive<R: DigestOrder>(miner: &mut Miner<R>, shared: &Shared) -> Option<u64> {
    loop {
        let beyond = (miner.remaining())
            .is_none_or(|nonces| *nonces.start() > shared.least.load(Ordering::Relaxed));
        if beyond || shared.stop.load(Ordering::Relaxed) {
            return None;
        }
        let before = miner.tried();
        let step = miner.step(SLICE);
        shared.tried.fetch_add(miner.tried() - before, Ordering::Relaxed);
        if let Step::Found(nonce) = step {
            shared.least.fetch_min(nonce, Ordering::Relaxed);
            return Some(nonce);
        }
    }
}
