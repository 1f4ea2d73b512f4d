//! Two rings that merge, with messages: the node's own code, every order of questions, answers, notifications and nudges.
//!
//! A probe is a lookup, and what it reads changes nothing: it is one action that ends at the pair of nodes between which the
//! identifier of the prober lies in the ring of the node that it goes through. What the node does with that is its own
//! code, and so is all that follows. Any member may probe through any other one at any time. A nudge of `rectify` gets lost here.
//!
//! Where members fail, the end of a probe is two actions, as the owner that has answered may fail before its answer arrives. Failures
//! are those that Zave's first assumption allows: everybody keeps a living successor. The second one speaks of principals, of which
//! two rings have none in common.

use core::fmt;
use std::println;
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use stateright::{Checker, HasDiscoveries, Model, Path, Property};

use super::graph::{Graph, Maintained, Possible};
use super::local::{Fields, Local, Machine, Mod, NOW, Text, pack, peer, sent, unpack};
use super::{Action, Mutation, Ring, State};
use crate::id::Identifier;
use crate::lookup::{Ended, Outcome};
use crate::node::State as Life;

/// Some rings, which are ideal apart from each other.
#[derive(Debug, Clone, Copy)]
struct Merging<const N: usize> {
    ring: Ring<N>,
    rings: &'static [&'static [u8]],
    /// Whether only the newest notifications and nudges of each sender are on their way, and its older ones are lost.
    newest: bool,
    /// Whether members fail.
    fails: bool,
    /// Whether states that differ by a rotation of the identifiers are one. No rule of a node depends on where the ring begins, so all that
    /// holds of one of them holds of the others.
    rotates: bool,
}

/// The nodes and what is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Rings<const N: usize> {
    state: State<N>,
    /// Bit `from * N + to`: a nudge is on its way.
    nudges: u64,
    /// The end of the probe of each node, whose answer is on its way.
    found: [Option<(u8, u8)>; N],
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Ring(Action),
    /// The probe of a node ends at two others: the one before it and the one that owns its identifier. Where members fail, their
    /// answer is on its way.
    Probe {
        node: u8,
        before: u8,
        owner: u8,
    },
    /// The answer to the probe of a node arrives.
    Found(u8),
    /// A nudge arrives.
    Nudge {
        from: u8,
        to: u8,
    },
}

impl<const N: usize> Merging<N> {
    fn start(&self) -> Rings<N> {
        let mut nodes = [Local::GONE; N];
        for ring in self.rings {
            for (at, id) in ring.iter().enumerate() {
                let next = |by: usize| ring[(at + by) % ring.len()];
                let len = (ring.len() - 1).min(usize::from(self.ring.r));
                nodes[usize::from(*id)] = Local::pack(Fields {
                    state: Life::Idle,
                    predecessor: next(ring.len() - 1),
                    saved: None,
                    notified: None,
                    asks: false,
                    verifies: false,
                    due: false,
                    len: len as u8,
                    list: core::array::from_fn(|at| if at < len { next(at + 1) } else { 0 }),
                });
            }
        }
        let state = State { nodes, notes: 0, answers: [Local::GONE; N] };
        Rings { state, nudges: 0, found: [None; N] }
    }

    fn steps(&self, rings: &Rings<N>, steps: &mut Vec<Step>) {
        let mut actions = std::vec![];
        self.ring.actions(&rings.state, &mut actions);
        let pings = |id: u8| rings.state.nodes[usize::from(id)].fields().verifies;
        steps.extend(actions.into_iter().filter_map(|action| match action {
            Action::Join { .. } => None,
            Action::Fail(_) if !self.fails => None,
            Action::Busy(id) if pings(id) => None,
            action => Some(Step::Ring(action)),
        }));
        let runs = |id: &u8| rings.state.nodes[usize::from(*id)].runs();
        for node in (0..N as u8).filter(runs) {
            if rings.found[usize::from(node)].is_some() {
                steps.push(Step::Found(node));
                continue;
            }
            for through in (0..N as u8).filter(|through| *through != node).filter(runs) {
                if let Some((before, owner)) = locate(&rings.state, node, through) {
                    let probe = Step::Probe { node, before, owner };
                    if !steps.contains(&probe) {
                        steps.push(probe);
                    }
                }
            }
        }
        for from in 0..N as u8 {
            for to in (0..N as u8).filter(|to| rings.nudges >> self.ring.note(from, *to) & 1 == 1) {
                steps.push(Step::Nudge { from, to });
            }
        }
    }

    fn act(&self, rings: &Rings<N>, step: Step) -> Option<Rings<N>> {
        let mut next = *rings;
        let (id, mut node) = match step {
            Step::Ring(action) => {
                next.state = self.ring.act(&rings.state, action)?;
                if let Action::Fail(id) = action {
                    next.found[usize::from(id)] = None;
                    (0..N as u8).for_each(|from| next.nudges &= !(1 << self.ring.note(from, id)));
                }
                return Some(self.in_bounds(rings, next));
            }
            Step::Probe { node, before, owner } if self.fails => {
                next.found[usize::from(node)] = Some((before, owner));
                return Some(next);
            }
            Step::Probe { node, before, owner } => (node, self.probed(rings, node, before, owner)),
            Step::Found(node) => {
                let (before, owner) = next.found[usize::from(node)].take()?;
                (node, self.probed(rings, node, before, owner))
            }
            Step::Nudge { from, to } => {
                next.nudges &= !(1 << self.ring.note(from, to));
                let mut machine = self.unpack(rings, to);
                let mut buf = [0; 16];
                let len = Text::<N>::Nudge { id: Mod(from) }.encode(&mut buf).expect("room");
                machine.handle_datagram(NOW, Mod(from), &buf[..len]).expect("a message");
                (to, machine)
            }
        };
        while let Some((to, bytes)) = sent(&mut node) {
            let runs = rings.state.nodes[usize::from(to)].runs();
            let bit = u64::from(runs) << self.ring.note(id, to);
            match Text::<N>::decode(&bytes).expect("its own").0 {
                Text::<N>::Notify { .. } => next.state.notes |= bit,
                Text::<N>::Nudge { .. } => next.nudges |= bit,
                Text::<N>::Query { .. } | Text::<N>::Ping { .. } => {}
                other => panic!("{other}"),
            }
        }
        next.state.nodes[usize::from(id)] = pack(&node);
        Some(self.in_bounds(rings, next))
    }

    /// Returns a node that has learnt the end of its probe.
    fn probed(&self, rings: &Rings<N>, node: u8, before: u8, owner: u8) -> Machine<N> {
        let mut machine = self.unpack(rings, node);
        machine.with(|it, _| {
            let at = peer(before);
            let outcome = Outcome::Owner(peer(owner));
            it.probed(&Ended { origin: at, at, round_trip: 0, outcome });
        });
        machine
    }

    /// Loses the older messages of nodes that have sent new ones.
    fn in_bounds(&self, before: &Rings<N>, after: Rings<N>) -> Rings<N> {
        let row = (1u64 << N) - 1;
        let newest = |before: u64, after: u64| {
            let of = |from: usize| {
                let sent = (after & !before) >> (from * N) & row;
                let all = after >> (from * N) & row;
                (if sent == 0 { all } else { sent }) << (from * N)
            };
            (0..N).map(of).fold(0, |all, bits| all | bits)
        };
        let mut after = after;
        if self.newest {
            after.state.notes = newest(before.state.notes, after.state.notes);
            after.nudges = newest(before.nudges, after.nudges);
        }
        after
    }

    /// Returns the same with all identifiers greater by `by`.
    fn rotated(&self, rings: &Rings<N>, by: u8) -> Rings<N> {
        let n = N as u8;
        let turn = |id: u8| (id + by) % n;
        let turned = |bits: u64| {
            let mut turned = 0;
            for from in 0..n {
                for to in (0..n).filter(|to| bits >> self.ring.note(from, *to) & 1 == 1) {
                    turned |= 1 << self.ring.note(turn(from), turn(to));
                }
            }
            turned
        };
        let from = |to: usize| (to + N - usize::from(by)) % N;
        let local =
            |locals: &[Local; N]| core::array::from_fn(|to| locals[from(to)].rotated(by, n));
        let found = |to: usize| rings.found[from(to)].map(|(at, owner)| (turn(at), turn(owner)));
        let state = State {
            nodes: local(&rings.state.nodes),
            notes: turned(rings.state.notes),
            answers: local(&rings.state.answers),
        };
        Rings { state, nudges: turned(rings.nudges), found: core::array::from_fn(found) }
    }

    /// Returns all rotations of a state that its rings may have begun with.
    fn rotations(&self, rings: &Rings<N>) -> impl Iterator<Item = Rings<N>> {
        let start = self.start();
        let same = move |by: &u8| self.rotated(&start, *by) == start;
        let rings = *rings;
        (0..N as u8).filter(same).map(move |by| self.rotated(&rings, by))
    }

    fn next(&self, rings: &Rings<N>, step: Step) -> Option<Rings<N>> {
        let next = self.act(rings, step)?;
        if self.rotates { self.rotations(&next).min() } else { Some(next) }
    }

    fn unpack(&self, rings: &Rings<N>, id: u8) -> Machine<N> {
        unpack::<N>(id, rings.state.nodes[usize::from(id)], self.ring.r, self.ring.mutation).0
    }
}

impl<const N: usize> Model for Merging<N> {
    type State = Rings<N>;
    type Action = Step;

    fn init_states(&self) -> Vec<Rings<N>> {
        std::vec![self.start()]
    }

    fn actions(&self, rings: &Rings<N>, steps: &mut Vec<Step>) {
        self.steps(rings, steps);
    }

    fn next_state(&self, rings: &Rings<N>, step: Step) -> Option<Rings<N>> {
        self.next(rings, step).filter(|next| next != rings)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        std::vec![
            Property::always("OrderedSuccessorLists", |_, rings: &Rings<N>| {
                let mut nodes = rings.state.nodes.iter().enumerate();
                nodes.all(|(id, local)| {
                    let away = |to: &u8| (usize::from(*to) + N - id) % N;
                    let fields = local.fields();
                    let list = fields.successors();
                    !list.contains(&(id as u8)) && list.is_sorted_by(|a, b| away(a) < away(b))
                })
            }),
            Property::always("OneLiveSuccessor", |model: &Self, rings: &Rings<N>| {
                let ring = &model.ring;
                ring.members(&rings.state).all(|id| ring.best(&rings.state, id).is_some())
            }),
            Property::sometimes("OneIdealRing", |model: &Self, rings: &Rings<N>| {
                model.ring.is_ideal(&rings.state)
            }),
        ]
    }
}

impl<const N: usize> Maintained for Merging<N> {
    fn follow(&self, rings: &Rings<N>, step: Step) -> Option<Rings<N>> {
        self.next(rings, step)
    }

    fn count(&self, rings: &Rings<N>) -> usize {
        if !self.rotates {
            return 1;
        }
        let all: std::collections::BTreeSet<_> = self.rotations(rings).collect();
        all.len()
    }

    fn is_ideal(&self, rings: &Rings<N>) -> bool {
        self.ring.is_ideal(&rings.state)
    }

    fn is_maintenance(step: &Step) -> bool {
        !matches!(step, Step::Ring(Action::Fail(_)))
    }

    fn must_happen(step: &Step, possible: &Possible<Step>) -> bool {
        // Nobody who can answer has to be busy.
        let Step::Ring(Action::Busy(id)) = *step else { return true };
        !possible.iter().any(|(it, _)| *it == Step::Ring(Action::Answer(id)))
    }
}

/// Follows first living entries from node `through` to the pair between which `id` lies; `None` if it is in that ring, or if a node on
/// the way knows nobody who lives.
fn locate<const N: usize>(state: &State<N>, id: u8, through: u8) -> Option<(u8, u8)> {
    let mut before = through;
    for _ in 0..2 * N {
        let fields = state.nodes[usize::from(before)].fields();
        let runs = |id: &u8| state.nodes[usize::from(*id)].runs();
        let owner = match fields.successors() {
            [] => before,
            list => list.iter().copied().find(runs)?,
        };
        if owner == id {
            return None;
        }
        if Mod::<N>(id).between(Mod(before), Mod(owner)) {
            return Some((before, owner));
        }
        before = owner;
    }
    None
}

/// What exploring has found.
struct Found {
    states: usize,
    /// How many states these stand for.
    count: usize,
    /// The shortest way to a state from which no way leads to one ideal ring, or out of such a ring.
    flaw: Option<Vec<Step>>,
    /// A property that does not always hold, and a shortest way to where it does not.
    broken: Option<(&'static str, Vec<Step>)>,
    /// How many states a run may come back to for ever that are not one ideal ring.
    recurrent: usize,
    /// How many states are in a part that a fair run may stay in without one ideal ring. Where only the newest messages are on their
    /// way that is not asked: nodes may say BUSY to each other in turn for ever.
    stuck: Option<usize>,
}

impl<const N: usize> Merging<N> {
    fn new(rings: &'static [&'static [u8]], r: u8, mutation: Mutation) -> Self {
        let ring = Ring { mutation, keeps_principals: false, ..Ring::new(r, 2) };
        Self { ring, rings, newest: false, fails: false, rotates: false }
    }

    /// Explores everything.
    fn explore(&self) -> Found {
        let graph = Graph::new(self, usize::MAX).expect("no bound");
        let flaw = graph.dead_end().into_iter().chain(graph.relapse()).min_by_key(Vec::len);
        let found = Found {
            states: graph.len(),
            count: graph.count,
            broken: graph.broken.clone(),
            flaw,
            recurrent: graph.recurrent(),
            stuck: (!self.newest).then(|| graph.stuck(Self::must_happen)),
        };
        let Ring { r, mutation, reduced, .. } = self.ring;
        println!(
            "{:?}, r = {r}, {mutation:?}, reduced {reduced}, newest only {}, failures {}: {} states for {}, {} transitions, {} deep, {} recurrent, {:?} stuck, flaw {:?}",
            self.rings,
            self.newest,
            self.fails,
            found.states,
            found.count,
            graph.transitions,
            graph.depth(),
            found.recurrent,
            found.stuck,
            found.flaw
        );
        found
    }

    /// Returns the shortest way to a violation of a property. The checker overwrites what it has found, so a visitor keeps the first.
    fn violates(self, name: &'static str) -> Option<Vec<Step>> {
        let first = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&first);
        let visitor = move |path: Path<Rings<N>, Step>| {
            let holds = (self.property(name).condition)(&self, path.last_state());
            if !holds {
                kept.lock().unwrap().get_or_insert_with(|| path.into_actions());
            }
        };
        let until = HasDiscoveries::AnyOf([name].into_iter().collect());
        self.checker().finish_when(until).visitor(visitor).spawn_bfs().join();
        first.lock().unwrap().take()
    }

    /// Explores everything; panics if there is a flaw.
    fn becomes_one(&self) -> Found {
        let found = self.explore();
        assert_eq!(found.broken, None);
        assert!(found.flaw.is_none() && found.recurrent == 0);
        found
    }
}

const ONE_AND_TWO: &[&[u8]] = &[&[0], &[1, 2]];
const ONE_AND_THREE: &[&[u8]] = &[&[0], &[1, 2, 3]];
const IN_TURN: &[&[u8]] = &[&[0, 2], &[1, 3]];
const LONE: &[&[u8]] = &[&[0], &[1], &[2]];

#[test]
fn a_lone_node_and_a_ring_of_two_become_one() {
    for (r, states) in [(1, 16_788), (2, 23_148)] {
        let found = Merging::<3>::new(ONE_AND_TWO, r, Mutation::None).becomes_one();
        assert_eq!((found.states, found.stuck), (states, Some(0)));
    }
}

/// Every question and every answer is an action of its own.
#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn a_lone_node_and_a_ring_of_two_become_one_in_full() {
    let model = Merging::<3>::new(ONE_AND_TWO, 1, Mutation::None);
    let ring = Ring { reduced: false, ..model.ring };
    assert_eq!(Merging { ring, ..model }.becomes_one().states, 1_225_039);
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn two_rings_of_two_become_one() {
    let model = Merging::<4>::new(IN_TURN, 1, Mutation::None);
    assert_eq!(Merging { newest: true, rotates: true, ..model }.becomes_one().count, 7_848_102);
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn two_rings_of_two_with_two_successors_become_one() {
    let model = Merging::<4>::new(IN_TURN, 2, Mutation::None);
    assert_eq!(Merging { newest: true, rotates: true, ..model }.becomes_one().count, 16_308_004);
}

/// With and without rotation the same states are reached.
#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn rotations_stand_for_all_states() {
    let model = Merging::<3>::new(LONE, 1, Mutation::None);
    let model = Merging { newest: true, ..model };
    let all = model.explore();
    let some = Merging { rotates: true, ..model }.explore();
    assert_eq!(some.count, all.states);
    assert!(some.states < all.states / 2);
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn a_lone_node_and_a_ring_of_three_become_one() {
    let model = Merging::<4>::new(ONE_AND_THREE, 2, Mutation::None);
    assert_eq!(Merging { newest: true, ..model }.becomes_one().states, 115_377);
}

/// These rings have more states than fit in memory. The search by breadth ends after this many transitions.
const SAMPLE: usize = 5_000_000;

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn two_rings_of_two_with_two_successors_keep_their_lists_in_order_in_a_sample() {
    for fails in [false, true] {
        let model = Merging::<4>::new(IN_TURN, 2, Mutation::None);
        let model = Merging { newest: true, fails, ..model };
        let checker = model.checker().target_state_count(SAMPLE).spawn_bfs().join();
        println!("failures {fails}: {} states", checker.unique_state_count());
        for name in ["OrderedSuccessorLists", "OneLiveSuccessor"] {
            let flaw = checker.discovery(name).map(Path::into_actions);
            assert_eq!(flaw, None, "{name}");
        }
    }
}

/// Members fail while the rings merge, and everybody keeps a living successor.
#[test]
fn rings_become_one_although_members_fail() {
    for (r, states) in [(1, 182_090), (2, 283_584)] {
        let model = Merging::<3>::new(ONE_AND_TWO, r, Mutation::None);
        let found = Merging { fails: true, ..model }.becomes_one();
        assert_eq!((found.states, found.stuck), (states, Some(0)));
    }
}

/// The owner that a probe has found fails before its answer arrives, and takes the place of the only successor that lives.
#[test]
fn a_merge_that_adopts_unasked_loses_the_last_living_successor() {
    let model = Merging::<3>::new(ONE_AND_TWO, 1, Mutation::MergeUnasked);
    let way = Merging { fails: true, ..model }.violates("OneLiveSuccessor").expect("a violation");
    println!("{way:?}");
    assert_eq!(way.len(), 3, "a probe, a failure, and the answer of the dead node");
}

/// All nodes live, so a successor that was never asked does no harm.
#[test]
fn a_merge_that_adopts_unasked_does_no_harm_where_all_live() {
    Merging::<3>::new(ONE_AND_TWO, 2, Mutation::MergeUnasked).becomes_one();
}

#[test]
fn faults_of_a_merge_are_caught() {
    for mutation in [Mutation::MergeNever, Mutation::RectifyOnlyIfDead, Mutation::RectifyAlways] {
        let found = Merging::<3>::new(ONE_AND_TWO, 2, mutation).explore();
        assert!(found.flaw.is_some() || found.stuck > Some(0), "{mutation:?}");
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(action) => action.fmt(f),
            Self::Probe { node, before, owner } => {
                write!(f, "Probe {{ node: {node}, ends between {before} and {owner} }}")
            }
            Self::Found(node) => write!(f, "Found({node})"),
            Self::Nudge { from, to } => write!(f, "Nudge {{ from: {from}, to: {to} }}"),
        }
    }
}
