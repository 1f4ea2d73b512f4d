//! The search on several threads. Each strides through the range, and all go as far as the least nonce that
//! one of them has found, so that the answer does not depend on how many they are.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
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
    least: AtomicU64,              // that was found; the greatest number until then
    next: Vec<Mutex<Option<u64>>>, // of each thread
}

impl Shared {
    pub fn new(tried: u64, next: &[Option<u64>]) -> Self {
        Self {
            stop: AtomicBool::new(false),
            tried: AtomicU64::new(tried),
            running: AtomicU64::new(0),
            least: AtomicU64::new(u64::MAX),
            next: next.iter().copied().map(Mutex::new).collect(),
        }
    }

    /// Returns the next nonce of each thread. One that has found something stays there.
    pub fn next(&self) -> Vec<Option<u64>> {
        let value = |next: &Mutex<_>| *next.lock().unwrap_or_else(PoisonError::into_inner);
        self.next.iter().map(value).collect()
    }

    fn set_next(&self, thread: usize, next: Option<u64>) {
        if let Some(slot) = self.next.get(thread) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = next;
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
        let threads: Vec<_> = (miners.iter_mut().enumerate())
            .map(|(thread, miner)| {
                scope.spawn(move || {
                    let found = drive(thread, miner, shared);
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
    let miners = miners.iter_mut().enumerate();
    let missed = miners.filter_map(|(thread, miner)| drive(thread, miner, shared)).min();
    Some(missed.map_or(found, |missed| missed.min(found)))
}

fn drive<R: DigestOrder>(thread: usize, miner: &mut Miner<R>, shared: &Shared) -> Option<u64> {
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
        shared.set_next(thread, miner.remaining().map(|nonces| *nonces.start()));
    }
}
