//! The reduced ring whose second question of `rectify` is an action of its own leaves out no configuration of the full one.

use std::collections::{HashSet, VecDeque};
use std::println;

use stateright::Expectation;

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
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn the_reduced_ring_reaches_all_that_the_full_one_does() {
    let reduced = Ring::<4> { reuses_at_once: false, joins_rectify: false, ..Ring::new(2, 3) };
    let (states, few) = configurations(reduced);
    let full = Ring { reduced: false, ..reduced };
    let (all_states, all) = configurations(full);
    println!(
        "4 identifiers, r = 2, start 3: {} configurations in {all_states} states, and {} in {states} reduced ones",
        all.len(),
        few.len()
    );
    assert!(few == all, "{} / {}", few.difference(&all).count(), all.difference(&few).count());
}

/// How many states of the full ring of five a sample has.
const SAMPLE: usize = 500_000;

/// Among five identifiers the full ring is too large to be exhausted. In a part of it the invariant and what follows from it
/// hold: every second state explored is one that came with a configuration not seen before, if there is any.
fn sample<const N: usize>(full: Ring<N>, states: usize) {
    let mut properties = full.properties();
    properties.retain(|property| property.expectation == Expectation::Always);
    let mut fresh = full.init_states();
    let mut others = std::vec![];
    let mut seen: HashSet<State<N>> = fresh.iter().copied().collect();
    let mut rng = Rng::new(1);
    let mut found = HashSet::new();
    let mut actions = std::vec![];
    while seen.len() < states && !(fresh.is_empty() && others.is_empty()) {
        let from = if others.is_empty() || (!fresh.is_empty() && rng.chance(500)) {
            &mut fresh
        } else {
            &mut others
        };
        let state = from.swap_remove(rng.below(from.len() as u64) as usize);
        full.actions(&state, &mut actions);
        for action in actions.drain(..) {
            let Some(state) = full.next_state(&state, action).filter(|next| seen.insert(*next))
            else {
                continue;
            };
            for property in &properties {
                assert!((property.condition)(&full, &state), "{}: {state:?}", property.name);
            }
            let is_new = found.insert(state.nodes.map(Local::configuration));
            if is_new { &mut fresh } else { &mut others }.push(state);
        }
    }
    println!(
        "{N} identifiers, r = {}, start {}: {} states of the full ring in {} configurations",
        full.r,
        full.start,
        seen.len(),
        found.len()
    );
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn the_invariant_holds_in_a_sample_of_the_full_ring_of_five() {
    sample(Ring::<5> { reduced: false, ..Ring::new(3, 4) }, SAMPLE);
    sample(Ring::<5> { reduced: false, reuses_at_once: false, ..Ring::new(2, 3) }, SAMPLE);
}
