//! Progress under every fair schedule: wherever joins and failures end, maintenance in any order leads to an ideal ring.
//!
//! A run that is never ideal for good would go round in a part of the graph of maintenance for ever. It is fair if
//! each action that is possible again and again in that part is also taken there (strong fairness: a node that is asked
//! again and again is not busy each time). So each part in which all that is possible can also happen has to consist of
//! ideal states. Such parts are found by taking away the states at which something is possible that leads outside only, again
//! and again (the emptiness of Streett automata).

use std::println;

use super::graph::{Graph, Maintained, Possible};
use super::{Action, Mutation, Ring, State};

impl<const N: usize> Maintained for Ring<N> {
    fn follow(&self, state: &State<N>, action: Action) -> Option<State<N>> {
        self.act(state, action)
    }

    fn is_ideal(&self, state: &State<N>) -> bool {
        Self::is_ideal(self, state)
    }

    fn is_maintenance(action: &Action) -> bool {
        !matches!(action, Action::Join { .. } | Action::Fail(_))
    }

    fn must_happen(action: &Action, possible: &Possible<Action>) -> bool {
        // Nobody who can answer has to be busy.
        let Action::Busy(id) = *action else { return true };
        !possible.iter().any(|(it, _)| *it == Action::Answer(id))
    }
}

/// Returns how many states are in a part that a fair run may stay in for ever without being ideal.
fn stuck(ring: Ring<4>) -> usize {
    let graph = Graph::new(&ring, usize::MAX).expect("no bound");
    println!("{:?}: {} states", ring.mutation, graph.len());
    graph.stuck(Ring::<4>::must_happen)
}

#[test]
fn every_fair_schedule_leads_to_the_ideal_ring() {
    assert_eq!(stuck(Ring::<4>::new(2, 3)), 0);
}

#[test]
fn a_ring_that_goes_on_for_ever_is_found() {
    for mutation in [Mutation::RectifyNeverAsks, Mutation::RectifyOnlyIfDead] {
        assert!(stuck(Ring { mutation, ..Ring::new(2, 3) }) > 0, "{mutation:?}");
    }
}
