//! The reduced ring leaves out no configuration of the full one.

use std::collections::{HashSet, VecDeque};
use std::println;

use super::local::Local;
use super::{Model, Ring, State};
use sim::Rng;

/// Returns the configurations that a ring reaches: who is a member, with which predecessor and which list. The
/// invariant speaks of nothing else.
fn configurations<const N: usize>(ring: Ring<N>) -> (usize, HashSet<[Local; N]>) {
    let mut seen: HashSet<State<N>> = ring.init_states().into_iter().collect();
    let mut next: VecDeque<_> = seen.iter().copied().collect();
    let mut actions = std::vec![];
    while let Some(state) = next.pop_front() {
        ring.actions(&state, &mut actions);
        for action in actions.drain(..) {
            next.extend(ring.next_state(&state, action).filter(|next| seen.insert(*next)));
        }
    }
    (seen.len(), seen.iter().map(|state| state.nodes.map(Local::configuration)).collect())
}

#[test]
#[ignore = "large: .ci/steps/84-chord-model.sh"]
fn the_reduced_ring_reaches_all_that_the_full_one_does() {
    for (r, start) in [(2, 3), (1, 2)] {
        let reduced = Ring::<4>::new(r, start);
        let (states, few) = configurations(reduced);
        let (all_states, all) = configurations(Ring { reduced: false, ..reduced });
        println!(
            "4 identifiers, r = {r}, start {start}: {} configurations in {all_states} states, \
             and {} in {states} reduced ones",
            all.len(),
            few.len()
        );
        assert!(few == all);
    }
}

/// Among five identifiers the full ring is too large to be exhausted. A part of it, explored in random order and as
/// often from the newest state on, finds nothing that the reduced ring leaves out.
fn sample_within<const N: usize>(r: u8, start: u8, states: usize) {
    let reduced = Ring::<N>::new(r, start);
    let (_, all) = configurations(reduced);
    let full = Ring { reduced: false, ..reduced };
    let mut next = full.init_states();
    let mut seen: HashSet<State<N>> = next.iter().copied().collect();
    let (mut rng, mut found, mut actions) = (Rng::new(1), HashSet::new(), std::vec![]);
    while seen.len() < states && !next.is_empty() {
        let random = rng.below(next.len() as u64) as usize;
        let at = if rng.chance(500) { random } else { next.len() - 1 };
        let state = next.swap_remove(at);
        let configuration = state.nodes.map(Local::configuration);
        assert!(all.contains(&configuration), "{state:?}");
        found.insert(configuration);
        full.actions(&state, &mut actions);
        for action in actions.drain(..) {
            next.extend(full.next_state(&state, action).filter(|next| seen.insert(*next)));
        }
    }
    println!(
        "{N} identifiers, r = {r}, start {start}: {} states of the full ring in {} configurations, all among the {} \
         of the reduced one",
        seen.len(),
        found.len(),
        all.len()
    );
}

#[test]
#[ignore = "large: .ci/steps/84-chord-model.sh"]
fn what_is_seen_of_the_full_ring_among_five_is_in_the_reduced_one() {
    sample_within::<5>(3, 4, 10_000_000);
}

#[test]
#[ignore = "ten minutes: the README says how"]
fn what_is_seen_with_five_identifiers_and_two_successors_is_in_the_reduced_ring() {
    sample_within::<5>(2, 3, 40_000_000);
}
