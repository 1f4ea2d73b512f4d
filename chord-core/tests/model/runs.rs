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

/// The second question of `rectify` is an action of its own.
#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn four_identifiers_whose_rectify_is_two_actions() {
    for (reuses_at_once, states) in [(false, 55_392), (true, 286_320)] {
        let ring =
            Ring::<4> { reuses_at_once, joins_rectify: false, progress: true, ..Ring::new(2, 3) };
        assert_eq!(exhaust(ring), states);
    }
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
    assert_eq!(exhaust(ring), 3_956_081);
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
        // Not at once: a lone node is its own ring, and one that joins it is connected to that.
        assert!(found["OneOrderedRing"] > 4, "start {start}: {found:?}");
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

const fn late<const N: usize>(r: u8, start: u8, mutation: Mutation) -> Ring<N> {
    Ring {
        mutation,
        late_answers: true,
        reduced: false,
        reuses_at_once: false,
        ..Ring::new(r, start)
    }
}

/// With answers that take their time, a node that answers while it waits shows a list that it has already given up. Its reader
/// then skips a node that counted as a principal when another one was allowed to fail. The shortest trace to that, among
/// eight million states of the full ring.
#[test]
fn answering_while_reading_breaks_the_ring() {
    use Action::{Answer, Fail, Give, Join, Notify, Silence, Stabilize};
    let trace = [
        Stabilize(1),
        Stabilize(2),
        Join { node: 3, before: 2 },
        Give(3),
        Answer(3),
        Give(3),
        Answer(3),
        Notify { from: 3, to: 0 },
        Answer(0),
        Stabilize(0),
        Give(2),
        Answer(2),
        Give(2),
        Answer(2),
        Give(1),
        Fail(1),
        Silence(0),
        Give(0),
        Join { node: 1, before: 0 },
        Answer(0),
        Give(1),
        Answer(1),
        Give(0),
        Fail(2),
        Stabilize(3),
        Give(3),
    ];
    let follow = |mutation| {
        let ring = late::<4>(2, 3, mutation);
        let mut states = ring.init_states();
        for action in trace {
            let mut possible = std::vec![];
            let state = states[states.len() - 1];
            ring.actions(&state, &mut possible);
            let next = ring.next_state(&state, action).filter(|_| possible.contains(&action));
            let Some(next) = next else { break };
            states.push(next);
        }
        let principals = super::properties::all::<4>().into_iter();
        let mut principals = principals.filter(|property| property.name == "SufficientPrincipals");
        let holds = principals.next().unwrap().condition;
        let held = states.iter().take_while(|state| holds(&ring, state)).count();
        (states.len() - 1, held)
    };
    assert_eq!(follow(Mutation::AnswerWhileReading), (26, 26), "broken by the last action");
    let (actions, held) = follow(Mutation::None);
    assert!(actions < 26 && held == actions + 1, "the rule forbids one: {actions} {held}");
}

#[test]
#[ignore = "minutes: .ci/nightly.d/chord-model.sh"]
fn answering_while_reading_is_found() {
    let found = violate(late::<4>(2, 3, Mutation::AnswerWhileReading), &["SufficientPrincipals"]);
    assert_eq!(found["SufficientPrincipals"], 26);
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn adopting_unasked_does_no_harm_among_five_or_in_full() {
    let full = mutated::<4>(Mutation::AdoptUnasked, 2, 3);
    exhaust(Ring { reduced: false, reuses_at_once: false, progress: true, ..full });
    exhaust(Ring { progress: true, ..mutated::<5>(Mutation::AdoptUnasked, 3, 4) });
    exhaust(Ring { reuses_at_once: false, ..mutated::<5>(Mutation::AdoptUnasked, 2, 3) });
}
