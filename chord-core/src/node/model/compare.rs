//! The reduced ring leaves out no configuration of the full one.

use std::collections::{HashSet, VecDeque};
use std::println;

use super::local::Local;
use super::{Model, Ring, State};

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
