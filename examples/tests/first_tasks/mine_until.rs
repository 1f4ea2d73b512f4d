//! Mine with a deadline, and continue the search where it stopped.

use core::time::Duration;
use std::time::Instant;

use pow::{HashFunction, Miner, NonceField, NonceFormat, Puzzle, PuzzleError, Step, Target};

fn mine_until(miner: &mut Miner, deadline: Instant) -> Option<u64> {
    let mut found = None;
    while found.is_none() && Instant::now() < deadline {
        if let Step::Found(nonce) = miner.step(1000) {
            found = Some(nonce);
        }
    }
    found
}

#[test]
fn a_search_stops_at_its_deadline_and_continues_later() -> Result<(), PuzzleError> {
    let field = NonceField { offset: 5, format: NonceFormat::U64Be };
    let puzzle = Puzzle::new(HashFunction::Sha256, b"song ________", field)?;
    let mut miner: Miner = Miner::new(puzzle, Target::from_zero_bits(12), 0..=u64::MAX);
    assert_eq!(mine_until(&mut miner, Instant::now()), None, "the deadline has passed");
    let saved = miner; // plain data: a later search continues here
    let nonce = mine_until(&mut { saved }, Instant::now() + Duration::from_secs(60));
    let nonce = nonce.expect("12 bits take 4,096 hashes");
    assert_eq!((puzzle.digest(nonce)[0], puzzle.digest(nonce)[1] >> 4), (0, 0));
    Ok(())
}
