//! The runs of the checker.

use std::println;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use super::{Grain, Lies, Mutation, Network, Step};

/// Explores everything; panics if a validator contradicts another or itself, or sends what is not saved. Returns the
/// number of states, and whether there is one in which all have decided.
fn exhaust(network: Network) -> (usize, bool) {
    let start = Instant::now();
    let table = network.table.clone();
    let checker = network.checker().threads(1).spawn_bfs().join();
    println!(
        "{} states, {} transitions, depth {}, {} local states, {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        table.lock().unwrap().locals.len(),
        start.elapsed().as_secs_f64(),
    );
    for name in ["Agreement", "SavedFirst", "NoContradiction"] {
        checker.assert_no_discovery(name);
    }
    (checker.unique_state_count(), checker.discovery("AllDecide").is_some())
}

/// Looks for a violation by breadth and prints the shortest trace. Returns its length in actions.
fn violate(mutation: Mutation, name: &'static str, mut network: Network) -> usize {
    network.mutation = Some(mutation);
    let until = HasDiscoveries::AllOf([name].into_iter().collect());
    let checker = network.checker().threads(1).finish_when(until).spawn_bfs().join();
    let path = checker.discovery(name).expect("the mistake shows");
    println!("{mutation:?}: {} states", checker.unique_state_count());
    let actions = path.into_actions();
    for action in &actions {
        match &action.step {
            Step::Deliver(messages) => {
                println!("  validator {} receives", action.at + 1);
                for message in messages {
                    println!("    {message:?}");
                }
            }
            step => println!("  validator {} {step:?}", action.at + 1),
        }
    }
    actions.len()
}

/// One round: validator 1 is told one value, 2 another, and 3 both.
const EQUIVOCATION: Lies = &[[&[1], &[2], &[1, 2]]];
/// Two rounds. Value 1 can be locked in round 0, of which 1 learns nothing; it proposes value 11 in round 1.
const TWO_ROUNDS: Lies = &[[&[], &[1], &[1]], [&[11], &[11], &[]]];

#[test]
#[ignore = "half a minute in debug: .ci/nightly.d/consensus.sh"]
fn one_round_of_an_equivocating_proposer_has_no_contradiction() {
    let (states, all_decide) = exhaust(Network::new(Grain::Sender, EQUIVOCATION));
    assert_eq!((states, all_decide), (497_021, false));
}

#[test]
#[ignore = "takes minutes in debug: .ci/nightly.d/consensus.sh"]
fn two_rounds_with_a_lock_have_no_contradiction() {
    let (states, all_decide) = exhaust(Network::new(Grain::Sender, TWO_ROUNDS));
    assert_eq!((states, all_decide), (4_943_365, true));
}

#[test]
#[ignore = "a minute in debug: .ci/nightly.d/consensus.sh"]
fn one_round_by_single_statements_with_a_crash_has_no_contradiction() {
    let network = Network { crashes: 1, ..Network::new(Grain::Statement, &[[&[1], &[], &[]]]) };
    let (states, _) = exhaust(network);
    assert_eq!(states, 754_144);
}

#[test]
fn a_vote_counted_twice_breaks_agreement() {
    let network = Network::new(Grain::Sender, EQUIVOCATION);
    assert_eq!(violate(Mutation::CountTwice, "Agreement", network), 2);
}

#[test]
fn a_quorum_of_two_f_breaks_agreement() {
    let network = Network::new(Grain::Sender, EQUIVOCATION);
    assert_eq!(violate(Mutation::SmallQuorum, "Agreement", network), 2);
}

#[test]
fn a_skipped_lock_breaks_agreement() {
    let network = Network::new(Grain::Sender, TWO_ROUNDS);
    assert_eq!(violate(Mutation::SkipLock, "Agreement", network), 11);
}

/// A proposal makes a validator prevote; after a crash it prevotes for the other proposal.
#[test]
fn what_leaves_before_it_is_saved_is_contradicted_after_a_crash() {
    let network = || Network { crashes: 1, ..Network::new(Grain::Statement, EQUIVOCATION) };
    assert_eq!(violate(Mutation::SendBeforeSaved, "SavedFirst", network()), 1);
    assert_eq!(violate(Mutation::SendBeforeSaved, "NoContradiction", network()), 3);
}
