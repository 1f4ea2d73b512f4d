//! The runs of the checker.

use std::collections::BTreeMap;
use std::println;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use std::vec::Vec;

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};

use super::{Action, Mutation, Ring, State};

/// Explores everything; panics if something is violated. Returns the number of states.
fn exhaust<const N: usize>(ring: Ring<N>) -> usize {
    let start = Instant::now();
    let checker = ring.checker().threads(2).spawn_bfs().join();
    println!(
        "{N} identifiers, r = {}, start {}: {} states, {} transitions, {:.0} s",
        ring.r,
        ring.start,
        checker.unique_state_count(),
        checker.state_count(),
        start.elapsed().as_secs_f64(),
    );
    checker.assert_properties();
    checker.unique_state_count()
}

/// Looks for the violations of `names`, by breadth; prints the shortest trace of each. Returns their
/// lengths in actions. The checker overwrites what it has found, so a visitor keeps the first.
fn violate<const N: usize>(ring: Ring<N>, names: &[&'static str]) -> BTreeMap<&'static str, usize> {
    let first = Arc::new(Mutex::new(BTreeMap::new()));
    let kept = Arc::clone(&first);
    let visitor = move |path: Path<State<N>, Action>| {
        let mut kept = kept.lock().unwrap();
        for property in ring.properties() {
            let violated = !(property.condition)(&ring, path.last_state());
            if violated && property.expectation == Expectation::Always {
                kept.entry(property.name).or_insert_with(|| path.clone().into_actions());
            }
        }
    };
    let until = HasDiscoveries::AllOf(names.iter().copied().collect());
    let checker = ring.checker().finish_when(until).visitor(visitor).spawn_bfs().join();
    let unique = checker.unique_state_count();
    let all = names.iter().any(|name| !first.lock().unwrap().contains_key(name));
    let end = if all { ", which are all" } else { "" };
    println!("{:?}, {N} identifiers, r = {}: {unique} states{end}", ring.mutation, ring.r);
    let first = first.lock().unwrap();
    for (name, actions) in first.iter() {
        println!("  {name} after {}: {actions:?}", actions.len());
    }
    first.iter().map(|(name, actions)| (*name, actions.len())).collect()
}

const SOUND: &[&str] = &["SufficientPrincipals", "NoDuplicates"];
const BROKEN: &[&str] = &["OneOrderedRing"];

#[test]
fn four_identifiers_always_reach_the_ideal_ring() {
    let mut ring = Ring::<4>::new(2, 3);
    ring.progress = true;
    assert_eq!(exhaust(ring), 59_584);
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn five_identifiers_and_three_successors() {
    let mut ring = Ring::<5>::new(3, 4);
    ring.progress = true;
    assert_eq!(exhaust(ring), 5_275_192);
}

#[test]
#[ignore = "minutes: the README says how"]
fn five_identifiers_and_two_successors() {
    let mut ring = Ring::<5>::new(2, 3);
    ring.reuses_at_once = false;
    ring.progress = true;
    assert_eq!(exhaust(ring), 20_635_693);
}

/// Every question and every answer is an action of its own.
#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn four_identifiers_in_full() {
    let ring =
        Ring::<4> { reduced: false, reuses_at_once: false, progress: true, ..Ring::new(2, 3) };
    assert_eq!(exhaust(ring), 1_587_887);
}

#[test]
#[ignore = "minutes: the README says how"]
fn four_identifiers_in_full_that_come_back_at_once() {
    let ring = Ring::<4> { reduced: false, progress: true, ..Ring::new(2, 3) };
    assert_eq!(exhaust(ring), 12_970_009);
}

#[test]
fn failures_beyond_the_assumptions_break_the_ring() {
    let mut ring = Ring::<4>::new(2, 3);
    ring.keeps_principals = false; // 1
    let found = violate(ring, &[SOUND, BROKEN].concat());
    assert!(found["SufficientPrincipals"] == 1 && found["OneOrderedRing"] > 1, "{found:?}");
    ring.keeps_live_entry = false; // 2
    let found = violate(ring, &["OneLiveSuccessor", "ConnectedAppendages"]);
    assert_eq!((found["OneLiveSuccessor"], found["ConnectedAppendages"]), (2, 2));
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn failures_of_last_entries_break_the_ring() {
    let mut ring = Ring::<5>::new(2, 3);
    ring.keeps_live_entry = false; // 2b
    let found = violate(ring, &["OneLiveSuccessor"]);
    assert!(found.contains_key("OneLiveSuccessor"), "{found:?}");
}

#[test]
fn rings_without_a_base_break() {
    for start in [1, 2] {
        let mut ring = Ring::<4>::new(2, start); // 5 and 5b
        let found = violate(ring, SOUND);
        assert_eq!(found["SufficientPrincipals"], 0, "in the beginning");
        ring.keeps_principals = false; // 6
        let found = violate(ring, BROKEN);
        assert!(found.contains_key("OneOrderedRing"), "start {start}: {found:?}");
    }
}

fn mutated<const N: usize>(mutation: Mutation, r: u8, start: u8) -> Ring<N> {
    Ring { mutation, ..Ring::new(r, start) }
}

#[test]
fn faults_of_lists_are_caught() {
    let found = |mutation, names| violate(mutated::<4>(mutation, 2, 3), names);
    let copy = found(Mutation::JoinWithoutCopy, SOUND); // 3
    assert_eq!(copy["NoDuplicates"], 1);
    let copy = found(Mutation::JoinWithoutCopy, BROKEN);
    assert!(copy.contains_key("OneOrderedRing"), "{copy:?}");
    for padding in [Mutation::PadWithOwn, Mutation::PadWithLast] {
        assert!(found(padding, SOUND).contains_key("NoDuplicates"), "4 and 4b");
    }
}

#[test]
fn faults_of_rectify_stop_progress() {
    for mutation in [Mutation::RectifyNeverAsks, Mutation::RectifyOnlyIfDead] {
        let ring = Ring { progress: true, ..mutated::<4>(mutation, 2, 3) }; // 7 and 8
        let found = violate(ring, &["Progress"]);
        assert!(found.contains_key("Progress"), "{mutation:?}: {found:?}");
    }
}

/// 9 and 10, which the abstraction with shared memory does not catch: with messages, a ring whose
/// nodes adopt any node that notifies can go on for ever; to adopt without asking does no harm here.
#[test]
fn the_two_that_shared_memory_does_not_catch() {
    let progress = |mutation| Ring { progress: true, ..mutated::<4>(mutation, 2, 3) };
    let found = violate(progress(Mutation::RectifyAlways), &["Progress"]);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&"Progress"]);
    assert_eq!(exhaust(progress(Mutation::AdoptUnasked)), 24_048);
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn adopting_unasked_does_no_harm_among_five_or_in_full() {
    let full = mutated::<4>(Mutation::AdoptUnasked, 2, 3);
    exhaust(Ring { reduced: false, reuses_at_once: false, progress: true, ..full });
    exhaust(Ring { progress: true, ..mutated::<5>(Mutation::AdoptUnasked, 3, 4) });
    exhaust(Ring { reuses_at_once: false, ..mutated::<5>(Mutation::AdoptUnasked, 2, 3) });
}
