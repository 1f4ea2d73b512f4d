//! The runs of the checker.

use std::println;
use std::time::Instant;

use stateright::{Checker, Model};

use super::Ring;

/// Explores everything; panics if something is violated.
fn exhaust<const N: usize>(ring: Ring<N>, threads: usize) -> usize {
    let start = Instant::now();
    let checker = ring.checker().threads(threads).spawn_bfs().join();
    println!(
        "{N} identifiers, r = {}, start {}: {} states, {} transitions, depth {}, {:.0} s",
        ring.r,
        ring.start,
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        start.elapsed().as_secs_f64(),
    );
    checker.assert_properties();
    checker.unique_state_count()
}

#[test]
fn four_identifiers() {
    let mut ring = Ring::<4>::new(2, 3);
    ring.progress = true;
    exhaust(ring, 1);
}

#[test]
#[ignore = "takes minutes: .ci/steps/84-chord-model.sh"]
fn five_identifiers_and_three_successors() {
    let mut ring = Ring::<5>::new(3, 4);
    ring.progress = true;
    exhaust(ring, 2);
}

#[test]
#[ignore = "takes minutes: .ci/steps/84-chord-model.sh"]
fn five_identifiers() {
    exhaust(Ring::<5>::new(2, 3), 2);
}
