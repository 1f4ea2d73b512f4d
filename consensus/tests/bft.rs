//! Networks of BFT validators: agreement always, decisions once the network works.

mod bft_sim;

use std::env;

use bft_sim::{Fault, Plan, Report, run};
use sim::Rng;

/// A plan for a seed: 4, 7 or 10 validators, up to a third of them faulty in any of the ways.
fn plan(seed: u64) -> Plan {
    let mut rng = Rng::new(seed ^ 0x5EED);
    let nodes = [4, 7, 10][rng.below(3) as usize];
    let count = rng.below((nodes as u64 - 1) / 3 + 1);
    let faults = (0..count).map(|_| Fault::ALL[rng.below(8) as usize]).collect();
    Plan { seed, nodes, faults, heights: 3, saves: true, checks_certificates: true }
}

fn check_one(seed: u64) -> Report {
    let plan = plan(seed);
    run(&plan).unwrap_or_else(|error| panic!("{plan:?}: {error}"))
}

fn check(seeds: core::ops::Range<u64>) {
    let mut evidence = 0;
    let mut crashes = 0;
    let mut rounds = 0;
    for seed in seeds {
        let report = check_one(seed);
        evidence += report.evidence;
        crashes += report.crashes;
        rounds = rounds.max(report.rounds);
    }
    println!("{evidence} contradictions found, {crashes} crashes, up to round {rounds}");
    assert!(evidence > 0 && crashes > 0 && rounds > 2, "the runs are hard enough");
}

#[test]
fn honest_validators_agree_and_decide() {
    check(0..20);
}

/// Runs that stopped when a round waited for votes that a faulty validator had sent to one node only.
#[test]
fn a_round_ends_without_the_votes_of_faulty_validators() {
    check_one(1_003_538);
}

/// `SEEDS=100000 cargo test --release -p consensus --test bft -- --ignored`
#[test]
#[ignore = "takes 4 ms a run when optimised"]
fn honest_validators_agree_and_decide_in_many_runs() {
    let seeds = env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(10_000);
    check(1_000_000..1_000_000 + seeds);
}

/// A disk that forgets breaks the promise of a validator, and the simulation notices.
#[test]
fn sending_before_saving_is_noticed() {
    let broken = (0..20).filter(|seed| run(&Plan { saves: false, ..plan(*seed) }).is_err());
    assert!(broken.count() > 3);
}
