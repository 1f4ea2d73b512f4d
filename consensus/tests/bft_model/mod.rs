//! The engine's own code under a model checker: all orders of datagrams, timeouts, saves and crashes.
//!
//! Four validators, one of them Byzantine. A state names the state of each honest validator; each action runs the
//! real engine on real datagrams. What is left out is time: a timer that is set may fire at any moment.
//!
//! - A statement that was sent stays on its way for ever: it may arrive at any time, more than once, or never.
//! - The Byzantine validator has sent all statements of its vocabulary from the beginning. It tells each validator
//!   what it likes, contradictions included.
//! - A crash loses all that is not saved.
//! - Events are answered at once: a block is valid, a proposer has a block of its own for each round.
//!
//! The number of rounds is bounded: the precommit timeout of the last round does not fire. Each local state and each
//! step of it is computed once and then looked up, so that a state of the model is three numbers.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test"
)]

mod local;
mod runs;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use stateright::{Model, Property};

use self::local::{Kind, Local, Message};
use super::Timer;
use super::mutation::{self, Mutation};

/// The honest validators are 1 to 3; 0 is Byzantine and proposes in round 0.
const HONEST: u8 = 3;

/// What may happen in a run.
#[derive(Debug, Clone)]
struct Network {
    lies: Lies,
    /// How often each honest validator may crash.
    crashes: u8,
    grain: Grain,
    mutation: Option<Mutation>,
    table: Arc<Mutex<Table>>,
    /// The properties that a state violated: the first violation is the shortest.
    violated: Arc<Mutex<BTreeSet<&'static str>>>,
}

/// The values that the Byzantine validator proposes and votes for: of each round, to each honest validator.
type Lies = &'static [[&'static [u8]; HONEST as usize]];

/// How much happens in one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grain {
    /// One statement arrives, one state is saved.
    Statement,
    /// All that one validator has sent to that moment arrives; the Byzantine one sends its proposal and both votes for
    /// one value together. States are saved at once.
    Sender,
}

/// The honest validators: where each is in the table.
type State = [u32; HONEST as usize];

/// One event at one validator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Deliver(Vec<Message>),
    Fire(Timer),
    Save,
    Crash,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Action {
    at: u8,
    step: Step,
}

/// All local states that were reached, and where each step leads.
#[derive(Debug, Default)]
struct Table {
    locals: Vec<Arc<Local>>,
    numbers: HashMap<Arc<Local>, u32>,
    steps: HashMap<(u32, Step), u32>,
}

impl Table {
    fn number(&mut self, local: Local) -> u32 {
        let local = Arc::new(local);
        let next = self.locals.len() as u32;
        let number = *self.numbers.entry(Arc::clone(&local)).or_insert(next);
        if number == next {
            self.locals.push(local);
        }
        number
    }

    fn step(&mut self, from: u32, step: Step, mutation: Option<Mutation>) -> u32 {
        let key = (from, step);
        if let Some(to) = self.steps.get(&key) {
            return *to;
        }
        let mut local = Local::clone(&self.locals[from as usize]);
        mutation::set(mutation);
        local.take(&key.1);
        mutation::set(None);
        let to = self.number(local);
        self.steps.insert(key, to);
        to
    }
}

impl Network {
    fn new(grain: Grain, lies: Lies) -> Self {
        Self {
            lies,
            crashes: 0,
            grain,
            mutation: None,
            table: Arc::default(),
            violated: Arc::default(),
        }
    }

    fn last_round(&self) -> u8 {
        self.lies.len() as u8 - 1
    }

    /// Returns what the Byzantine validator sends about a value: a proposal if it is its turn, and both votes.
    fn lie(round: u8, value: u8) -> Vec<Message> {
        let say = |kind| Message { author: 0, kind, round, support: 0, value };
        let proposal = (round == 0).then(|| say(Kind::Propose));
        proposal.into_iter().chain([say(Kind::Prevote), say(Kind::Precommit)]).collect()
    }

    fn lies_to(&self, to: usize) -> impl Iterator<Item = Vec<Message>> {
        let rounds = self.lies.iter().map(move |round| round[to]).zip(0..);
        rounds.flat_map(|(values, round)| values.iter().map(move |value| Self::lie(round, *value)))
    }

    fn deliveries(&self, locals: &[&Local], to: usize) -> Vec<Step> {
        let others = locals.iter().enumerate().filter(|(from, _)| *from != to);
        let truths = others.map(|(_, local)| local.sent.iter().copied().collect::<Vec<_>>());
        let groups = self.lies_to(to).chain(truths).filter(|group| !group.is_empty());
        match self.grain {
            Grain::Sender => groups.map(Step::Deliver).collect(),
            Grain::Statement => groups.flatten().map(|one| Step::Deliver([one].into())).collect(),
        }
    }

    fn violates(&self, name: &'static str, is_violated: bool) -> bool {
        is_violated && self.violated.lock().unwrap().insert(name)
    }

    fn locals<T>(&self, state: &State, test: impl FnOnce([&Local; 3]) -> T) -> T {
        let table = self.table.lock().unwrap();
        test(state.map(|number| &*table.locals[number as usize]))
    }
}

impl Model for Network {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        mutation::set(self.mutation);
        let locals = [1, 2, 3].map(|index| Local::new(index, self.grain == Grain::Sender));
        mutation::set(None);
        let mut table = self.table.lock().unwrap();
        [locals.map(|local| table.number(local))].into()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.locals(state, |locals| {
            for (at, local) in locals.iter().enumerate() {
                let mut steps = self.deliveries(&locals, at);
                steps.extend(local.timers(self.last_round()).map(Step::Fire));
                steps.extend(local.is_saving().then_some(Step::Save));
                steps.extend((local.crashes < self.crashes).then_some(Step::Crash));
                let at = at as u8;
                actions.extend(steps.into_iter().map(|step| Action { at, step }));
            }
        });
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let at = usize::from(action.at);
        let mut next = *state;
        next[at] = self.table.lock().unwrap().step(state[at], action.step, self.mutation);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        [
            Property::always("Agreement", |network: &Self, state| {
                let decisions = network.locals(state, |locals| locals.map(|it| it.decision));
                let decided: BTreeSet<_> = decisions.into_iter().flatten().collect();
                !network.violates("Agreement", decided.len() > 1)
            }),
            Property::always("SavedFirst", |network: &Self, state| {
                let is_early = network.locals(state, |all| all.iter().any(|it| it.is_early()));
                !network.violates("SavedFirst", is_early)
            }),
            Property::always("NoContradiction", |network: &Self, state| {
                let lies = network.locals(state, |all| all.iter().any(|it| it.contradicts()));
                !network.violates("NoContradiction", lies)
            }),
            Property::sometimes("AllDecide", |network: &Self, state| {
                network.locals(state, |all| all.iter().all(|it| it.decision.is_some()))
            }),
        ]
        .into()
    }
}
