//! The simulation notices a mistake in the rules: a run that is right passes, and the same run with the mistake fails.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test, of which the simulation serves others too"
)]

use sim::Rng;

use super::mutation::{self, Mutation};

#[path = "../../tests/bft_sim/mod.rs"]
pub(super) mod bft_sim;

use bft_sim::{Fault, Plan, run};

/// Four validators, one of them faulty, with partitions: where a mistake shows as two decisions.
fn plan(seed: u64) -> Plan {
    let faults = [Fault::Colluding, Fault::Equivocating];
    let fault = faults[Rng::new(seed).below(2) as usize];
    Plan {
        seed,
        nodes: 4,
        faults: std::vec![fault],
        heights: 3,
        saves: true,
        checks_certificates: false,
    }
}

/// Returns the first seed at which the mistake shows, and how.
fn first_failure(mutation: Mutation, seeds: u64) -> Option<(u64, std::string::String)> {
    (0..seeds).find_map(|seed| {
        run(&plan(seed)).expect("the rules are right");
        mutation::set(Some(mutation));
        let result = run(&plan(seed));
        mutation::set(None);
        result.err().filter(|error| error.contains("disagree")).map(|error| (seed, error))
    })
}

#[test]
fn a_vote_counted_twice_is_noticed() {
    let found = first_failure(Mutation::CountTwice, 400);
    assert!(found.is_some());
}

#[test]
fn a_quorum_of_two_f_is_noticed() {
    let found = first_failure(Mutation::SmallQuorum, 400);
    assert!(found.is_some());
}

#[test]
fn a_skipped_lock_is_noticed() {
    let found = first_failure(Mutation::SkipLock, 2000);
    assert!(found.is_some());
}
