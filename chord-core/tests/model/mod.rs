//! The node's own code under a model checker: all orders of messages, timers, joins and failures.
//!
//! A state holds what the nodes hold, packed, and the notifications on their way. Each action
//! unpacks the nodes it concerns, hands them real datagrams or lets their time pass, and packs
//! them again. What the packing leaves out is time, tokens and fingers, on which nothing here may
//! depend. What counts as one action:
//!
//! - a question is on its way until it is answered, one for each node; a step happens when the
//!   node asked answers (Zave 2017), so the answer and its arrival are one action. In runs with late answers they are
//!   two, and the properties speak of what the nodes hold once the answers have arrived;
//! - a notification is a message of its own, which may take for ever;
//! - silence is perfect: who is not running never answers, and who runs is never taken for dead;
//! - a name is used again once no question to its former life is on its way, and no notification of that life is on its
//!   way or held back by who has got it. That is the protocol's own rule, and in some runs the second half is dropped.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::needless_for_each,
    clippy::std_instead_of_core,
    clippy::struct_excessive_bools,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    clippy::iter_over_hash_type,
    clippy::redundant_closure_for_method_calls,
    clippy::type_complexity,
    clippy::unwrap_used
)]

mod actions;
mod address;
mod compare;
mod fair;
mod graph;
mod local;
mod merge;
mod mutation;
mod progress;
mod properties;
mod runs;

use stateright::{Model, Property};
use std::vec::Vec;

use local::Local;
pub(super) use mutation::Mutation;

/// A ring of `N` identifiers, all of which may join and fail.
#[derive(Debug, Clone, Copy)]
struct Ring<const N: usize> {
    r: u8,
    /// How many identifiers are an ideal ring in the beginning.
    start: u8,
    /// Zave's first assumption on failures: everybody keeps a living successor.
    keeps_live_entry: bool,
    /// Zave's second: a principal fails only while there are more than r + 1 of them.
    keeps_principals: bool,
    mutation: Mutation,
    /// Whether actions that nobody else can tell apart from one are one; see [`actions`].
    reduced: bool,
    /// In the reduced ring: whether both questions of `rectify` are one action. That leaves out what happens between the silence of
    /// the old predecessor and the sign of life of the new one.
    joins_rectify: bool,
    /// Whether a name is used again while a notification of its former life is under way or held back. The
    /// protocol forbids it: who comes back so soon takes another name.
    reuses_at_once: bool,
    /// Whether the answer to a query takes its time.
    late_answers: bool,
    /// Whether each state is checked for progress.
    progress: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct State<const N: usize> {
    nodes: [Local; N],
    /// Bit `from * N + to`: a notification is on its way.
    notes: u64,
    /// What the node that was asked held when it gave the answer that is on its way to each node.
    answers: [Local; N],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Action {
    /// The clock of a node makes it stabilize.
    Stabilize(u8),
    /// The peer a node has asked answers, and the answer arrives. Where answers are late, it arrives.
    Answer(u8),
    /// The peer a node has asked answers, and the answer is on its way.
    Give(u8),
    /// The peer a node has asked waits for an answer itself, is asked again and says so.
    Busy(u8),
    /// The peer a node has asked is dead, and its patience ends.
    Silence(u8),
    /// A notification arrives.
    Notify { from: u8, to: u8 },
    /// A node looks for its place, and asks the member before it for its list.
    Join { node: u8, before: u8 },
    /// A node fails.
    Fail(u8),
}

impl<const N: usize> Ring<N> {
    const fn new(r: u8, start: u8) -> Self {
        Self {
            r,
            start,
            keeps_live_entry: true,
            keeps_principals: true,
            mutation: Mutation::None,
            reduced: true,
            joins_rectify: true,
            reuses_at_once: true,
            late_answers: false,
            progress: false,
        }
    }
}

impl<const N: usize> Model for Ring<N> {
    type State = State<N>;
    type Action = Action;

    fn init_states(&self) -> Vec<State<N>> {
        let node = |id| if id < self.start { self.ideal(id) } else { Local::GONE };
        let nodes = core::array::from_fn(|id| node(id as u8));
        std::vec![State { nodes, notes: 0, answers: [Local::GONE; N] }]
    }

    fn actions(&self, state: &State<N>, actions: &mut Vec<Action>) {
        self.list_actions(state, actions);
    }

    fn next_state(&self, state: &State<N>, action: Action) -> Option<State<N>> {
        self.act(state, action).filter(|next| next != state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
