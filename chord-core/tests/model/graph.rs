//! All that maintenance can do from each state, as a graph: where it can lead, where it must, and the shortest way to a flaw.

use core::hash::Hash;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::vec::Vec;

use stateright::Model;

/// A model in which maintenance leads somewhere.
pub(super) trait Maintained: Model<State: Clone + Eq + Hash, Action: Copy + Ord> {
    /// Returns the state after an action, also if it is the same.
    fn follow(&self, state: &Self::State, action: Self::Action) -> Option<Self::State>;

    /// Returns whether maintenance has reached its end.
    fn is_ideal(&self, state: &Self::State) -> bool;

    /// Returns whether the action is one of maintenance: all others may never happen.
    fn is_maintenance(action: &Self::Action) -> bool;

    /// Returns whether a fair run takes an action that is possible again and again, one among these `possible` ones.
    fn must_happen(action: &Self::Action, possible: &Possible<Self::Action>) -> bool;
}

/// What maintenance can do in a state, and to which states that leads.
pub(super) type Possible<A> = [(A, usize)];

/// All states of a model, and from each what maintenance can do and where that leads.
pub(super) struct Graph<A> {
    edges: Vec<Vec<(A, usize)>>,
    is_ideal: Vec<bool>,
    /// Where each state was first reached from.
    parents: Vec<Option<(usize, A)>>,
    pub(super) transitions: usize,
}

impl<A: Copy + Ord> Graph<A> {
    /// Explores by breadth; `None` if there are more than `most` states.
    pub(super) fn new<M: Maintained<Action = A>>(model: &M, most: usize) -> Option<Self> {
        let mut numbers: HashMap<M::State, usize> = HashMap::new();
        let mut queue = VecDeque::new();
        let mut graph = Self {
            edges: std::vec![],
            is_ideal: std::vec![],
            parents: std::vec![],
            transitions: 0,
        };
        for state in model.init_states() {
            numbers.insert(state.clone(), graph.parents.len());
            graph.parents.push(None);
            queue.push_back(state);
        }
        let mut actions = std::vec![];
        while let Some(state) = queue.pop_front() {
            let from = graph.edges.len();
            let mut edges = std::vec![];
            model.actions(&state, &mut actions);
            for action in actions.drain(..) {
                let Some(next) = model.follow(&state, action) else { continue };
                graph.transitions += usize::from(next != state);
                let new = graph.parents.len();
                let to = *numbers.entry(next.clone()).or_insert(new);
                if to == new {
                    graph.parents.push(Some((from, action)));
                    queue.push_back(next);
                }
                if M::is_maintenance(&action) {
                    edges.push((action, to)); // one that changes nothing has happened as well
                }
            }
            graph.edges.push(edges);
            graph.is_ideal.push(model.is_ideal(&state));
            if graph.parents.len() > most {
                return None;
            }
        }
        Some(graph)
    }

    pub(super) fn len(&self) -> usize {
        self.edges.len()
    }

    /// Returns the shortest way to a state.
    fn way(&self, to: usize) -> Vec<A> {
        let mut at = to;
        let mut way = std::vec![];
        while let Some((from, action)) = self.parents[at] {
            way.push(action);
            at = from;
        }
        way.reverse();
        way
    }

    /// Returns how many actions the farthest state is away.
    pub(super) fn depth(&self) -> usize {
        self.len().checked_sub(1).map_or(0, |last| self.way(last).len())
    }

    /// Returns the shortest way to a state from which maintenance cannot lead to an ideal one.
    pub(super) fn dead_end(&self) -> Option<Vec<A>> {
        let mut sources: Vec<Vec<usize>> = std::vec![std::vec![]; self.len()];
        for (from, edges) in self.edges.iter().enumerate() {
            edges.iter().for_each(|(_, to)| sources[*to].push(from));
        }
        let mut leads = self.is_ideal.clone();
        let mut back: Vec<usize> = (0..self.len()).filter(|at| leads[*at]).collect();
        while let Some(at) = back.pop() {
            for from in &sources[at] {
                if !core::mem::replace(&mut leads[*from], true) {
                    back.push(*from);
                }
            }
        }
        leads.iter().position(|leads| !leads).map(|at| self.way(at))
    }

    /// Returns the shortest way out of an ideal state by maintenance.
    pub(super) fn relapse(&self) -> Option<Vec<A>> {
        (0..self.len()).filter(|at| self.is_ideal[*at]).find_map(|at| {
            let (action, _) = self.edges[at].iter().find(|(_, to)| !self.is_ideal[*to])?;
            Some([self.way(at), std::vec![*action]].concat())
        })
    }

    /// Returns how many states are in a part that a fair run may stay in without ever being ideal for good.
    pub(super) fn stuck(&self, must_happen: fn(&A, &Possible<A>) -> bool) -> usize {
        let mut parts = std::vec![(0..self.edges.len()).collect::<Vec<usize>>()];
        let mut stuck = 0;
        let mut part_of = std::vec![usize::MAX; self.edges.len()];
        let mut marks = std::vec![Mark::NEW; self.edges.len()];
        let mut name = 0;
        while let Some(states) = parts.pop() {
            name += 1;
            states.iter().for_each(|state| part_of[*state] = name);
            states.iter().for_each(|state| marks[*state] = Mark::NEW);
            for part in self.strong_parts(&states, &mut marks, |to| part_of[to] == name) {
                name += 1;
                part.iter().for_each(|state| part_of[*state] = name);
                let inside = |to: usize| part_of[to] == name;
                let edges = || part.iter().flat_map(|state| &self.edges[*state]);
                let taken: BTreeSet<A> =
                    edges().filter(|(_, to)| inside(*to)).map(|(action, _)| *action).collect();
                let is_possible = |state: &usize| {
                    let edges = &self.edges[*state];
                    edges.iter().all(|(it, _)| taken.contains(it) || !must_happen(it, edges))
                };
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

    /// Returns how many states of the parts that no way leads out of are not ideal. If each action that is possible has a chance to be
    /// the next one, a run ends in such a part.
    pub(super) fn recurrent(&self) -> usize {
        let all: Vec<usize> = (0..self.len()).collect();
        let mut marks = std::vec![Mark::NEW; self.len()];
        let mut part_of = std::vec![0; self.len()];
        let parts = self.strong_parts(&all, &mut marks, |_| true);
        for (name, part) in parts.iter().enumerate() {
            part.iter().for_each(|state| part_of[*state] = name);
        }
        let stays = |state: &usize| {
            self.edges[*state].iter().all(|(_, to)| part_of[*to] == part_of[*state])
        };
        let ends = parts.iter().filter(|part| part.iter().all(stays));
        ends.flatten().filter(|state| !self.is_ideal[**state]).count()
    }

    /// Returns the strongly connected parts of some states (Tarjan 1972, without recursion).
    fn strong_parts(
        &self,
        states: &[usize],
        marks: &mut [Mark],
        inside: impl Fn(usize) -> bool,
    ) -> Vec<Vec<usize>> {
        let mut count = 0;
        let mut open = std::vec![];
        let mut parts = std::vec![];
        for start in states {
            if marks[*start] != Mark::NEW {
                continue;
            }
            let mut way = std::vec![(*start, 0)];
            while let Some((at, edge)) = way.pop() {
                if edge == 0 {
                    marks[at] = Mark { order: count, low: count, is_open: true };
                    count += 1;
                    open.push(at);
                }
                if let Some((_, to)) = self.edges[at].get(edge) {
                    way.push((at, edge + 1));
                    if inside(*to) && marks[*to] == Mark::NEW {
                        way.push((*to, 0));
                    }
                    continue;
                }
                let ways = self.edges[at].iter().filter(|(_, to)| inside(*to));
                let lows = ways.map(|(_, to)| marks[*to]).filter(|mark| mark.is_open);
                let low = lows.map(|mark| mark.low).min();
                marks[at].low = low.map_or(marks[at].low, |low| low.min(marks[at].low));
                if marks[at].low == marks[at].order {
                    let first = open.iter().rposition(|state| *state == at).expect("it is open");
                    let part = open.split_off(first);
                    part.iter().for_each(|state| marks[*state].is_open = false);
                    parts.push(part);
                }
            }
        }
        parts
    }
}

/// What the search for strongly connected parts knows of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    order: usize,
    low: usize,
    is_open: bool,
}

impl Mark {
    const NEW: Self = Self { order: usize::MAX, low: usize::MAX, is_open: false };
}
