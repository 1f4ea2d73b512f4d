//! The reduced ring whose second question of `rectify` is an action of its own leaves out no configuration of the full one.

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
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn the_reduced_ring_reaches_all_that_the_full_one_does() {
    for (r, start, reuses_at_once) in [(2, 3, false), (2, 3, true), (1, 2, false), (1, 2, true)] {
        let reduced = Ring::<4> { reuses_at_once, joins_rectify: false, ..Ring::new(r, start) };
        let (states, few) = configurations(reduced);
        let full = Ring { reduced: false, ..reduced };
        let (all_states, all) = configurations(full);
        println!(
            "4 identifiers, r = {r}, start {start}, names reused at once {reuses_at_once}: {} configurations in {all_states} states, \
             and {} in {states} reduced ones",
            all.len(),
            few.len()
        );
        assert!(few == all, "{} / {}", few.difference(&all).count(), all.difference(&few).count());
    }
}

/// Among five identifiers the full ring is too large to be exhausted. A part of it finds nothing that the reduced ring
/// leaves out: every second state explored is one that came with a configuration not seen before, if there is any.
fn sample_within<const N: usize>(reduced: Ring<N>, states: usize) {
    let (_, all) = configurations(reduced);
    let full = Ring { reduced: false, ..reduced };
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
            let configuration = state.nodes.map(Local::configuration);
            assert!(all.contains(&configuration), "{state:?}");
            let is_new = found.insert(configuration);
            if is_new { &mut fresh } else { &mut others }.push(state);
        }
    }
    println!(
        "{N} identifiers, r = {}, start {}: {} states of the full ring in {} configurations, all among the {} of the \
         reduced one",
        reduced.r,
        reduced.start,
        seen.len(),
        found.len(),
        all.len()
    );
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn what_is_seen_of_the_full_ring_among_five_is_in_the_reduced_one() {
    sample_within(Ring::<5>::new(3, 4), 3_000_000);
    sample_within(Ring::<5> { reuses_at_once: false, ..Ring::new(2, 3) }, 3_000_000);
}
