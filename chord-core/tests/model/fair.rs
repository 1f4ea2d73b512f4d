//! Progress under every fair schedule: wherever joins and failures end, maintenance in any order leads to an ideal ring.
//!
//! A run that is never ideal for good would go round in a part of the graph of maintenance for ever. It is fair if
//! each action that is possible again and again in that part is also taken there (strong fairness: a node that is asked
//! again and again is not busy each time). So each part in which all that is possible can also happen has to consist of
//! ideal states. Such parts are found by taking away the states at which something is possible that leads outside only, again
//! and again (the emptiness of Streett automata).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::println;
use std::vec::Vec;

use super::{Action, Mutation, Ring, State};
use stateright::Model;

/// The maintenance of a ring: from each state that it may be left in, what happens and where it leads.
struct Graph {
    edges: Vec<Vec<(Action, usize)>>,
    is_ideal: Vec<bool>,
}

impl Graph {
    fn new<const N: usize>(ring: Ring<N>) -> Self {
        let mut numbers: HashMap<State<N>, usize> = HashMap::new();
        let mut queue = VecDeque::new();
        let mut graph = Self { edges: std::vec![], is_ideal: std::vec![] };
        let mut number = |state: State<N>, queue: &mut VecDeque<State<N>>| {
            let next = numbers.len();
            *numbers.entry(state).or_insert_with(|| {
                queue.push_back(state);
                next
            })
        };
        for state in ring.init_states() {
            number(state, &mut queue);
        }
        let mut actions = std::vec![];
        while let Some(state) = queue.pop_front() {
            let mut edges = std::vec![];
            ring.actions(&state, &mut actions);
            for action in actions.drain(..) {
                // An action that changes nothing has happened as well.
                let Some(next) = ring.act(&state, action) else { continue };
                let to = number(next, &mut queue);
                if !matches!(action, Action::Join { .. } | Action::Fail(_)) {
                    edges.push((action, to));
                }
            }
            graph.edges.push(edges);
            graph.is_ideal.push(ring.is_ideal(&state));
        }
        graph
    }

    /// Returns how many states are in a part that a fair run may stay in without ever being ideal for good.
    fn stuck(&self) -> usize {
        let mut parts = std::vec![(0..self.edges.len()).collect::<Vec<usize>>()];
        let mut stuck = 0;
        let mut part_of = std::vec![usize::MAX; self.edges.len()];
        let mut name = 0;
        while let Some(states) = parts.pop() {
            name += 1;
            states.iter().for_each(|state| part_of[*state] = name);
            for part in self.strong_parts(&states, &part_of, name) {
                name += 1;
                part.iter().for_each(|state| part_of[*state] = name);
                let inside = |to: usize| part_of[to] == name;
                let edges = || part.iter().flat_map(|state| &self.edges[*state]);
                let taken: BTreeSet<Action> =
                    edges().filter(|(_, to)| inside(*to)).map(|(action, _)| *action).collect();
                // Nobody has to be busy.
                let happens = |it: &Action| matches!(it, Action::Busy(_)) || taken.contains(it);
                let is_possible =
                    |state: &usize| self.edges[*state].iter().all(|(it, _)| happens(it));
                let rest: Vec<usize> = part.iter().copied().filter(is_possible).collect();
                if rest.len() < part.len() {
                    parts.push(rest);
                } else if !taken.is_empty() {
                    stuck += part.iter().filter(|state| !self.is_ideal[**state]).count();
                }
            }
        }
        stuck
    }

    /// Returns the strongly connected parts of some states (Tarjan 1972, without recursion).
    fn strong_parts(&self, states: &[usize], part_of: &[usize], name: usize) -> Vec<Vec<usize>> {
        let mut order: HashMap<usize, usize> = HashMap::new();
        let mut low: HashMap<usize, usize> = HashMap::new();
        let mut open = std::vec![];
        let mut is_open: BTreeSet<usize> = BTreeSet::new();
        let mut parts = std::vec![];
        for start in states {
            if order.contains_key(start) {
                continue;
            }
            let mut way = std::vec![(*start, 0)];
            while let Some((at, edge)) = way.pop() {
                if edge == 0 {
                    low.insert(at, order.len());
                    order.insert(at, order.len());
                    open.push(at);
                    is_open.insert(at);
                }
                if let Some((_, to)) = self.edges[at].get(edge) {
                    way.push((at, edge + 1));
                    if part_of[*to] == name && !order.contains_key(to) {
                        way.push((*to, 0));
                    }
                    continue;
                }
                let lows = self.edges[at].iter().filter(|(_, to)| is_open.contains(to));
                let least = lows.map(|(_, to)| low[to]).min().unwrap_or(usize::MAX).min(low[&at]);
                low.insert(at, least);
                if least == order[&at] {
                    let first = open.iter().rposition(|state| *state == at).expect("it is open");
                    let part = open.split_off(first);
                    for state in &part {
                        is_open.remove(state);
                    }
                    parts.push(part);
                }
            }
        }
        parts
    }
}

#[test]
fn every_fair_schedule_leads_to_the_ideal_ring() {
    let graph = Graph::new(Ring::<4>::new(2, 3));
    println!("{} states of maintenance", graph.edges.len());
    assert_eq!(graph.stuck(), 0);
}

#[test]
fn a_ring_that_goes_on_for_ever_is_found() {
    for mutation in [Mutation::RectifyNeverAsks, Mutation::RectifyOnlyIfDead] {
        let graph = Graph::new(Ring::<4> { mutation, ..Ring::new(2, 3) });
        assert!(graph.stuck() > 0, "{mutation:?}");
    }
}
