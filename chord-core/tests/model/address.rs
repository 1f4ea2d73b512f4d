//! Identity is not address, with messages: a node changes its address, or restarts at its address under another identifier.
//!
//! Here a node is named by its identifier and its address, and datagrams go to the node that runs at an address. Each question, its
//! answer, a BUSY and a notification are actions of their own, in every order; whatever was sent to an address that its node
//! has left reaches the one that runs there now. A node is asked a second time, and says BUSY, if it waits itself for one that waits or
//! is dead. A sign of life of a node with the own identifier is one action with its answer, and
//! so is a join: nobody reads the newcomer meanwhile. Nudges get lost.

use core::fmt;
use std::collections::BTreeSet;
use std::println;
use std::vec::Vec;

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::Mutation;
use super::graph::{Graph, Maintained, Possible};
use super::local::{Machine, Mod, NOW, Text, sent};
use crate::config::Config;
use crate::contacts::ContactSlot;
use crate::fingers::FingerSlot;
use crate::lookup_slot::LookupSlot;
use crate::node::{NodeSlots, State as Life};
use crate::peer::Peer;
use crate::time::Time;

/// How many identifiers and addresses there can be.
const N: usize = 7;
type Name = Peer<Mod<N>, Mod<N>>;

/// What happens to one of the nodes of a ring, at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// The node at this address moves to these ones, one after the other.
    Moves(u8, &'static [u8]),
    /// The node at this address fails, and one with another identifier starts there.
    Restarts { at: u8, as_id: u8 },
}

/// A ring of nodes at the addresses 0, 1, .., with the identifiers 0, 2, .. in the beginning.
#[derive(Debug, Clone, Copy)]
struct Moving {
    r: u8,
    start: u8,
    change: Change,
    mutation: Mutation,
    /// Whether only the newest notification of each sender is on its way, and its older ones are lost.
    newest: bool,
}

/// All of a node that its future depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Unit {
    id: u8,
    state: Life,
    predecessor: Name,
    saved: Option<Name>,
    notified: Option<Name>,
    asks: bool,
    verifies: bool,
    due: bool,
    twin_rounds: u8,
    list: Vec<Name>,
}

/// The nodes by their addresses, and what is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    nodes: [Option<Unit>; N],
    /// Notifications: the identifier and the address of the sender, and the address that they go to.
    notes: BTreeSet<(u8, u8, u8)>,
    /// How many changes there were.
    changes: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// The clock of the node at an address makes it stabilize.
    Stabilize(u8),
    /// The node at an address has the answer to its question, or its patience ends if nobody is there.
    Answer(u8),
    /// The node that it has asked waits for an answer itself, is asked again and says so.
    Busy(u8),
    /// A notification arrives.
    Notify {
        id: u8,
        from: u8,
        to: u8,
    },
    /// A node has another address from now on.
    Move {
        from: u8,
        to: u8,
    },
    Fail(u8),
    /// A node starts, and joins through the one at the address `through`.
    Join {
        id: u8,
        at: u8,
        through: u8,
    },
}

fn slots(
    r: u8,
) -> NodeSlots<
    Vec<Name>,
    [FingerSlot<Mod<N>, Mod<N>>; 3],
    [LookupSlot<Mod<N>, Mod<N>>; 1],
    [ContactSlot<Mod<N>, Mod<N>>; 0],
> {
    NodeSlots {
        successors: std::vec![Peer::EMPTY; usize::from(r)],
        fingers: [FingerSlot::EMPTY; 3],
        lookups: [LookupSlot::EMPTY],
        contacts: [],
    }
}

const fn name(id: u8, address: u8) -> Name {
    Peer { id: Mod(id), address: Mod(address) }
}

impl Moving {
    fn machine(&self, me: Name) -> Machine<N> {
        let mut config = Config::DEFAULT;
        config.tries = 1;
        config.fix_fingers = core::time::Duration::MAX;
        let mut node = Machine::new(config, me, slots(self.r)).expect("good numbers");
        node.core.advance_clock(NOW);
        node.core.mutation = self.mutation;
        node
    }

    /// Returns the node at an address, and the question that it has asked, with its addressee.
    fn unpack(&self, world: &World, at: u8) -> Option<(Machine<N>, Option<(u8, Vec<u8>)>)> {
        let unit = world.nodes[usize::from(at)].as_ref()?;
        let mut node = self.machine(name(unit.id, at));
        node.core.state = unit.state;
        node.core.predecessor = unit.predecessor;
        node.core.saved = unit.saved;
        node.core.notified = unit.notified;
        node.core.stabilize_at = if unit.due { node.core.now } else { Time::NEVER };
        node.core.twin_rounds = unit.twin_rounds;
        node.core.verifying = unit.verifies;
        node.with(|it, _| {
            it.table.successors.set_raw(&unit.list);
            if unit.asks {
                it.ask();
            }
        });
        let question = if unit.asks { sent(&mut node) } else { None };
        Some((node, question))
    }

    /// Packs the node at an address once it has sent all. Signs of life that it asks for are answered at once.
    fn settle(&self, world: &mut World, at: u8, node: Machine<N>) -> Option<()> {
        let mut node = node;
        while let Some((to, bytes)) = sent(&mut node) {
            match Text::<N>::decode(&bytes).expect("its own").0 {
                Text::<N>::Notify { id } => {
                    world.notes.retain(|(_, from, _)| !self.newest || *from != at);
                    world.notes.insert((id.0, at, to));
                }
                Text::<N>::Query { .. } | Text::<N>::Ping { .. } | Text::<N>::Nudge { .. } => {}
                Text::<N>::Find { token, .. } => match self.answer(world, to, at, &[&bytes]) {
                    Some(answer) => node.handle_datagram(NOW, Mod(to), &answer).expect("an answer"),
                    None => node.with(|it, slots| it.handle_own_question(slots, token)), // nobody is there
                },
                other => panic!("{other}"),
            }
        }
        world.nodes[usize::from(at)] = Some(Unit {
            id: node.core.me.id.0,
            state: node.core.state,
            predecessor: node.core.predecessor,
            saved: node.core.saved,
            notified: node.core.notified,
            asks: node.core.question.is_some(),
            verifies: node.core.verifying,
            due: node.core.is_due(node.core.stabilize_at),
            twin_rounds: node.core.twin_rounds,
            list: node.successors().to_vec(),
        });
        Some(())
    }

    /// Returns what the node at address `by` answers to the last of these datagrams, if it does.
    fn answer(&self, world: &World, by: u8, to: u8, questions: &[&[u8]]) -> Option<Vec<u8>> {
        let (mut other, _) = self.unpack(world, by)?;
        for question in questions {
            other.handle_datagram(NOW, Mod(to), question).expect("a question");
        }
        sent(&mut other).filter(|(addressee, _)| *addressee == to).map(|(_, answer)| answer)
    }

    /// Returns whether the node at an address reads another one and has no answer soon: that one waits as well, or is dead. Others
    /// have their answers before anybody asks them a second time.
    fn waits_long(&self, world: &World, at: u8) -> bool {
        let Some((mut node, Some((to, question)))) = self.unpack(world, at) else { return false };
        node.with(|it, _| it.is_reading()) && self.answer(world, to, at, &[&question]).is_none()
    }

    /// Lets a newcomer join; `None` if one that it asks has no time for it now.
    fn join(&self, world: &mut World, me: Name, through: u8) -> Option<()> {
        let mut node = self.machine(me);
        node.join(NOW, Mod(through)).expect("it is new");
        while !node.state().is_member() {
            let (to, question) = sent(&mut node)?;
            if to == me.address.0 {
                node.handle_datagram(NOW, Mod(to), &question).expect("its own question");
                continue;
            }
            let answer = self.answer(world, to, me.address.0, &[&question])?;
            node.handle_datagram(NOW, Mod(to), &answer).expect("an answer");
        }
        node.core.stabilize_at = Time::NEVER;
        node.core.question = None; // it asks when its turn comes
        self.settle(world, me.address.0, node)
    }

    fn act(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        match step {
            Step::Stabilize(at) => {
                let (mut node, _) = self.unpack(world, at)?;
                node.core.stabilize_at = node.core.now;
                node.handle_timeout(NOW);
                self.settle(&mut next, at, node)?;
            }
            Step::Answer(at) => {
                let (mut node, question) = self.unpack(world, at)?;
                let (to, question) = question?;
                if to == at {
                    node.handle_datagram(NOW, Mod(at), &question).expect("its own question");
                } else if world.nodes[usize::from(to)].is_some() {
                    let answer = self.answer(world, to, at, &[&question])?;
                    node.handle_datagram(NOW, Mod(to), &answer).expect("an answer");
                } else {
                    node.handle_timeout(NOW + Config::DEFAULT.patience);
                }
                self.settle(&mut next, at, node)?;
            }
            Step::Busy(at) => {
                let (mut node, question) = self.unpack(world, at)?;
                let (to, question) = question.filter(|(to, _)| *to != at)?;
                if node.with(|it, _| it.pings()) || !self.waits_long(world, to) {
                    return None;
                }
                let answer = self.answer(world, to, at, &[&question, &question])?;
                node.handle_datagram(NOW, Mod(to), &answer).expect("an answer");
                self.settle(&mut next, at, node)?;
            }
            Step::Notify { id, from, to } => {
                next.notes.remove(&(id, from, to));
                if let Some((mut node, _)) = self.unpack(world, to) {
                    let mut buf = [0; 16];
                    let len = Text::<N>::Notify { id: Mod(id) }.encode(&mut buf).expect("room");
                    node.handle_datagram(NOW, Mod(from), &buf[..len]).expect("a message");
                    self.settle(&mut next, to, node)?;
                }
            }
            Step::Move { from, to } => {
                let (mut node, _) = self.unpack(world, from)?;
                node.set_address(Mod(to));
                next.nodes[usize::from(from)] = None;
                self.settle(&mut next, to, node)?;
                next.changes += 1;
            }
            Step::Fail(at) => {
                next.nodes[usize::from(at)] = None;
                next.changes += 1;
            }
            Step::Join { id, at, through } => {
                self.join(&mut next, name(id, at), through)?;
                next.changes += 1;
            }
        }
        Some(next)
    }

    /// Lists the changes that may come next.
    fn changes(&self, world: &World, steps: &mut Vec<Step>) {
        let joins = |id: u8, at: u8| {
            (0..N as u8)
                .filter(move |through| {
                    world.nodes[usize::from(*through)].is_some() && *through != at
                })
                .map(move |through| Step::Join { id, at, through })
        };
        match (self.change, world.changes) {
            (Change::Moves(from, to), done) if usize::from(done) < to.len() => {
                let from = done.checked_sub(1).map_or(from, |last| to[usize::from(last)]);
                steps.push(Step::Move { from, to: to[usize::from(done)] });
            }
            (Change::Restarts { at, .. }, 0) => steps.push(Step::Fail(at)),
            (Change::Restarts { at, as_id }, 1) => steps.extend(joins(as_id, at)),
            _ => {}
        }
    }

    fn members(world: &World) -> Vec<Name> {
        let runs = |(at, unit): (usize, &Option<Unit>)| {
            unit.as_ref().filter(|it| it.state.is_member()).map(|it| name(it.id, at as u8))
        };
        let mut members: Vec<Name> = world.nodes.iter().enumerate().filter_map(runs).collect();
        members.sort_by_key(|member| member.id);
        members
    }
}

impl Model for Moving {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let members: Vec<_> = (0..self.start).map(|at| name(2 * at, at)).collect();
        let mut world = World { nodes: [const { None }; N], notes: BTreeSet::new(), changes: 0 };
        for me in &members {
            let mut node = self.machine(*me);
            node.create_base(NOW, &members).expect("enough members");
            node.core.stabilize_at = Time::NEVER;
            self.settle(&mut world, me.address.0, node).expect("nothing to ask");
        }
        std::vec![world]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for at in 0..N as u8 {
            let Some(unit) = &world.nodes[usize::from(at)] else { continue };
            if unit.asks {
                steps.extend([Step::Answer(at), Step::Busy(at)]);
            } else if unit.state.is_member() {
                steps.push(Step::Stabilize(at));
            }
        }
        steps.extend(world.notes.iter().map(|(id, from, to)| Step::Notify {
            id: *id,
            from: *from,
            to: *to,
        }));
        self.changes(world, steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        self.act(world, step).filter(|next| next != world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        std::vec![
            Property::always("NobodyGivesWay", |_, world: &World| {
                world.nodes.iter().flatten().all(|it| it.state.is_member())
            }),
            Property::always("OrderedSuccessorLists", |_, world: &World| {
                world.nodes.iter().flatten().all(|unit| {
                    let away = |peer: &Name| (peer.id.0 + N as u8 - unit.id) % N as u8;
                    unit.list.is_sorted_by(|a, b| away(a) < away(b))
                        && unit.list.iter().all(|it| it.id.0 != unit.id)
                })
            }),
            Property::sometimes("IdealAfterChanges", |model: &Self, world: &World| {
                let last = match model.change {
                    Change::Moves(_, to) => to.len(),
                    Change::Restarts { .. } => 2,
                };
                usize::from(world.changes) == last && Maintained::is_ideal(model, world)
            }),
        ]
    }
}

impl Maintained for Moving {
    fn follow(&self, world: &World, step: Step) -> Option<World> {
        self.act(world, step)
    }

    fn is_ideal(&self, world: &World) -> bool {
        let ring = Self::members(world);
        let next = |at: usize, by: usize| ring[(at + by) % ring.len()];
        ring.iter().enumerate().all(|(at, me)| {
            let Some(unit) = &world.nodes[usize::from(me.address.0)] else { return false };
            let known = usize::from(self.r).min(ring.len() - 1);
            unit.list.iter().copied().eq((1..=known).map(|by| next(at, by)))
                && unit.predecessor == next(at, ring.len() - 1)
        })
    }

    fn is_maintenance(step: &Step) -> bool {
        !matches!(step, Step::Move { .. } | Step::Fail(_) | Step::Join { .. })
    }

    fn must_happen(step: &Step, possible: &Possible<Step>) -> bool {
        // Nobody who can answer has to be busy.
        let Step::Busy(at) = *step else { return true };
        !possible.iter().any(|(it, _)| *it == Step::Answer(at))
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, state, predecessor, list, .. } = self;
        write!(f, "{id} {state:?} {predecessor} {list:?}")
    }
}

/// What exploring has found.
struct Found {
    states: usize,
    /// The shortest way to a state from which no way leads to an ideal ring.
    dead_end: Option<Vec<Step>>,
    /// How many states a run may come back to for ever that are not ideal.
    recurrent: usize,
}

impl Moving {
    const fn new(r: u8, change: Change) -> Self {
        // One more than the base, as one of them fails.
        Self { r, start: r + 2, change, mutation: Mutation::None, newest: true }
    }

    /// Explores everything.
    fn explore(&self) -> Found {
        let graph = Graph::new(self, usize::MAX).expect("no bound");
        let found =
            Found { states: graph.len(), dead_end: graph.dead_end(), recurrent: graph.recurrent() };
        println!(
            "{self:?}: {} states, {} transitions, {} deep, {} recurrent, dead end {:?}",
            found.states,
            graph.transitions,
            graph.depth(),
            found.recurrent,
            found.dead_end
        );
        found
    }

    /// Explores everything; panics unless all ends in an ideal ring. Returns the number of states.
    fn becomes_ideal(&self) -> usize {
        self.checker().spawn_bfs().join().assert_properties();
        let found = self.explore();
        assert_eq!((found.dead_end, found.recurrent), (None, 0));
        found.states
    }
}

/// Its new identifier lies before the former one, between two others, or behind the former one.
#[test]
fn a_node_that_restarts_at_its_address_is_a_member_under_its_new_identifier() {
    let restarts = |as_id| Moving::new(1, Change::Restarts { at: 1, as_id });
    let states = [1, 5, 3].map(|as_id| restarts(as_id).becomes_ideal());
    assert_eq!(states, [7_977, 21_981, 3_536]);
}

#[test]
fn a_node_that_changes_its_address_stays_a_member() {
    assert_eq!(Moving::new(1, Change::Moves(1, &[5])).becomes_ideal(), 22_408);
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-model.sh"]
fn a_node_whose_address_changes_twice_stays_a_member() {
    let moves = |to| Moving::new(1, Change::Moves(1, to)).becomes_ideal();
    assert_eq!([moves(&[5, 6]), moves(&[5, 1])], [174_833, 89_542]);
}

/// Returns the shortest way to a state that violates a property.
fn violation(mutation: Mutation, change: Change) -> Option<(&'static str, Vec<Step>)> {
    let model = Moving { mutation, ..Moving::new(1, change) };
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let found = checker.discoveries().into_iter().find(|(name, _)| *name != "IdealAfterChanges");
    let found = found.map(|(name, path)| (name, path.into_actions()));
    println!("{mutation:?}, {change:?}: {found:?}");
    found
}

#[test]
fn faults_of_identity_are_caught() {
    let moves = Change::Moves(1, &[5]);
    assert!(violation(Mutation::GiveWayUnasked, moves).is_some());
    let mutation = Mutation::AskOneself;
    let change = Change::Restarts { at: 1, as_id: 1 };
    let found = Moving { mutation, ..Moving::new(1, change) }.explore();
    assert!(found.dead_end.is_some() || found.recurrent > 0);
}
