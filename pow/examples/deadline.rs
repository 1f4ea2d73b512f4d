//! Searches for a nonce for at most one second, then continues from the saved state.

use core::time::Duration;
use std::time::Instant;

use pow::{HashFunction, Miner, NonceField, NonceFormat, Puzzle, PuzzleError, Step, Target};

fn main() -> Result<(), PuzzleError> {
    let field = NonceField { offset: 5, format: NonceFormat::U64Be };
    let puzzle = Puzzle::new(HashFunction::Sha256, b"song ________", field)?;
    let mut miner: Miner = Miner::new(puzzle, Target::from_zero_bits(20), 0..=u64::MAX);
    let mut round = 1;
    let nonce = loop {
        match search(&mut miner, Duration::from_secs(1)) {
            Some(nonce) => break nonce,
            None => println!("round {round}: {} hashes so far", miner.tried()),
        }
        round += 1;
    };
    println!("nonce {nonce} after {} hashes", miner.tried());
    Ok(())
}

fn search(miner: &mut Miner, time: Duration) -> Option<u64> {
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        if let Step::Found(nonce) = miner.step(10_000) {
            return Some(nonce);
        }
    }
    None
}
