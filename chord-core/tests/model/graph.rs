//! All that maintenance can do from each state, as a graph: where it can lead, where it must, and the shortest way to a flaw.

use core::hash::{BuildHasher, BuildHasherDefault, Hash};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::DefaultHasher;
use std::println;
use std::vec::Vec;

use stateright::{Expectation, Model};

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

    /// Returns how many states this one stands for.
    fn count(&self, _: &Self::State) -> usize {
        1
    }
}

/// What maintenance can do in a state, and to which states that leads.
pub(super) type Possible<A> = [(A, u32)];

/// All states of a model by their numbers, and from each what maintenance can do and where that leads. A state is recognized by 64 bits
/// of its hash, as the checker itself does.
pub(super) struct Graph<A> {
    /// Those of the first state, then those of the next one.
    edges: Vec<(A, u32)>,
    /// Where the edges of each state end.
    ends: Vec<usize>,
    is_ideal: Vec<bool>,
    /// Where each state was first reached from.
    parents: Vec<Option<(u32, A)>>,
    pub(super) transitions: usize,
    /// How many states those of the graph stand for.
    pub(super) count: usize,
    /// The first property found that does not always hold, and a shortest way to where it does not.
    pub(super) broken: Option<(&'static str, Vec<A>)>,
}

/// After how many states a line says how far it is.
const PROGRESS: usize = 1 << 21;

/// Some sets of states.
#[derive(Default)]
struct Parts {
    states: Vec<u32>,
    ends: Vec<usize>,
}

impl Parts {
    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.states[start..*end])
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).expect("fewer than 2^32 states")
}

impl<A: Copy + Ord> Graph<A> {
    /// Explores by breadth; `None` if there are more than `most` states.
    pub(super) fn new<M: Maintained<Action = A>>(model: &M, most: usize) -> Option<Self> {
        let mut numbers: HashMap<u64, u32> = HashMap::new();
        let hash =
            |state: &M::State| BuildHasherDefault::<DefaultHasher>::default().hash_one(state);
        let mut queue = VecDeque::new();
        let mut graph = Self {
            edges: std::vec![],
            ends: std::vec![],
            is_ideal: std::vec![],
            parents: std::vec![],
            transitions: 0,
            count: 0,
            broken: None,
        };
        for state in model.init_states() {
            numbers.insert(hash(&state), number(graph.parents.len()));
            graph.parents.push(None);
            queue.push_back(state);
        }
        let mut actions = std::vec![];
        let properties = model.properties();
        let always = || properties.iter().filter(|it| it.expectation == Expectation::Always);
        while let Some(state) = queue.pop_front() {
            let from = number(graph.ends.len());
            if graph.broken.is_none() {
                let broken = always().find(|it| !(it.condition)(model, &state));
                graph.broken = broken.map(|it| (it.name, graph.way(graph.ends.len())));
            }
            if graph.ends.len() % PROGRESS == PROGRESS - 1 {
                println!("{} states, {} of them to do", graph.parents.len(), queue.len());
            }
            graph.count += model.count(&state);
            model.actions(&state, &mut actions);
            for action in actions.drain(..) {
                let Some(next) = model.follow(&state, action) else { continue };
                graph.transitions += usize::from(next != state);
                let new = number(graph.parents.len());
                let to = *numbers.entry(hash(&next)).or_insert(new);
                if to == new {
                    graph.parents.push(Some((from, action)));
                    queue.push_back(next);
                }
                if M::is_maintenance(&action) {
                    graph.edges.push((action, to)); // one that changes nothing has happened as well
                }
            }
            graph.ends.push(graph.edges.len());
            graph.is_ideal.push(model.is_ideal(&state));
            if graph.parents.len() > most {
                return None;
            }
        }
        Some(graph)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn edges(&self, at: usize) -> &Possible<A> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.edges[start..self.ends[at]]
    }

    /// Returns the shortest way to a state.
    fn way(&self, to: usize) -> Vec<A> {
        let mut at = to;
        let mut way = std::vec![];
        while let Some((from, action)) = self.parents[at] {
            way.push(action);
            at = from as usize;
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
        // Where the ways into each state begin, sorted by where they end.
        let mut starts = std::vec![0usize; self.len() + 1];
        self.edges.iter().for_each(|(_, to)| starts[*to as usize + 1] += 1);
        (1..starts.len()).for_each(|at| starts[at] += starts[at - 1]);
        let mut sources = std::vec![0u32; self.edges.len()];
        let mut free = starts.clone();
        for from in 0..self.len() {
            for (_, to) in self.edges(from) {
                sources[free[*to as usize]] = number(from);
                free[*to as usize] += 1;
            }
        }
        let mut leads = self.is_ideal.clone();
        let mut back: Vec<usize> = (0..self.len()).filter(|at| leads[*at]).collect();
        while let Some(at) = back.pop() {
            for from in &sources[starts[at]..starts[at + 1]] {
                let from = *from as usize;
                if !core::mem::replace(&mut leads[from], true) {
                    back.push(from);
                }
            }
        }
        leads.iter().position(|leads| !leads).map(|at| self.way(at))
    }

    /// Returns the shortest way out of an ideal state by maintenance.
    pub(super) fn relapse(&self) -> Option<Vec<A>> {
        (0..self.len()).filter(|at| self.is_ideal[*at]).find_map(|at| {
            let mut edges = self.edges(at).iter();
            let (action, _) = edges.find(|(_, to)| !self.is_ideal[*to as usize])?;
            Some([self.way(at), std::vec![*action]].concat())
        })
    }

    /// Returns how many states are in a part that a fair run may stay in without ever being ideal for good.
    pub(super) fn stuck(&self, must_happen: fn(&A, &Possible<A>) -> bool) -> usize {
        let mut parts = std::vec![(0..self.len()).map(number).collect::<Vec<u32>>()];
        let mut stuck = 0;
        let mut part_of = std::vec![usize::MAX; self.len()];
        let mut marks = std::vec![Mark::NEW; self.len()];
        let mut name = 0;
        while let Some(states) = parts.pop() {
            name += 1;
            states.iter().for_each(|state| part_of[*state as usize] = name);
            states.iter().for_each(|state| marks[*state as usize] = Mark::NEW);
            let strong = self.strong_parts(&states, &mut marks, |to| part_of[to as usize] == name);
            for part in strong.iter() {
                name += 1;
                part.iter().for_each(|state| part_of[*state as usize] = name);
                let inside = |to: u32| part_of[to as usize] == name;
                let edges = || part.iter().flat_map(|state| self.edges(*state as usize));
                let taken: BTreeSet<A> =
                    edges().filter(|(_, to)| inside(*to)).map(|(action, _)| *action).collect();
                let is_possible = |state: &u32| {
                    let edges = self.edges(*state as usize);
                    edges.iter().all(|(it, _)| taken.contains(it) || !must_happen(it, edges))
                };
                let rest: Vec<u32> = part.iter().copied().filter(is_possible).collect();
                if rest.len() < part.len() {
                    parts.push(rest);
                } else if !taken.is_empty() {
                    stuck += part.iter().filter(|state| !self.is_ideal[**state as usize]).count();
                }
            }
        }
        stuck
    }

    /// Returns how many states of the parts that no way leads out of are not ideal. If each action that is possible has a chance to be
    /// the next one, a run ends in such a part.
    pub(super) fn recurrent(&self) -> usize {
        let all: Vec<u32> = (0..self.len()).map(number).collect();
        let mut marks = std::vec![Mark::NEW; self.len()];
        let mut part_of = std::vec![0; self.len()];
        let parts = self.strong_parts(&all, &mut marks, |_| true);
        for (name, part) in parts.iter().enumerate() {
            part.iter().for_each(|state| part_of[*state as usize] = number(name));
        }
        let part_of = |state: u32| part_of[state as usize];
        let stays = |state: &u32| {
            self.edges(*state as usize).iter().all(|(_, to)| part_of(*to) == part_of(*state))
        };
        let ends = parts.iter().filter(|part| part.iter().all(stays));
        ends.flatten().filter(|state| !self.is_ideal[**state as usize]).count()
    }

    /// Returns the strongly connected parts of some states (Tarjan 1972, without recursion).
    fn strong_parts(
        &self,
        states: &[u32],
        marks: &mut [Mark],
        inside: impl Fn(u32) -> bool,
    ) -> Parts {
        let mut count = 0;
        let mut open = std::vec![];
        let mut parts = Parts::default();
        for start in states {
            let start = *start as usize;
            if marks[start] != Mark::NEW {
                continue;
            }
            let mut way = std::vec![(start, 0)];
            while let Some((at, edge)) = way.pop() {
                if edge == 0 {
                    marks[at] = Mark { order: count, low: count, is_open: true };
                    count += 1;
                    open.push(number(at));
                }
                if let Some((_, to)) = self.edges(at).get(edge) {
                    way.push((at, edge + 1));
                    if inside(*to) && marks[*to as usize] == Mark::NEW {
                        way.push((*to as usize, 0));
                    }
                    continue;
                }
                let ways = self.edges(at).iter().filter(|(_, to)| inside(*to));
                let lows = ways.map(|(_, to)| marks[*to as usize]).filter(|mark| mark.is_open);
                let low = lows.map(|mark| mark.low).min();
                marks[at].low = low.map_or(marks[at].low, |low| low.min(marks[at].low));
                if marks[at].low == marks[at].order {
                    let is_first = |state: &u32| *state as usize == at;
                    let first = open.iter().rposition(is_first).expect("it is open");
                    open[first..].iter().for_each(|state| marks[*state as usize].is_open = false);
                    parts.states.extend(open.drain(first..));
                    parts.ends.push(parts.states.len());
                }
            }
        }
        parts
    }
}

/// What the search for strongly connected parts knows of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    order: u32,
    low: u32,
    is_open: bool,
}

impl Mark {
    const NEW: Self = Self { order: u32::MAX, low: u32::MAX, is_open: false };
}
