//! Selectors: which validator makes the block of a slot. [`Selector`](crate::Selector) and
//! [`RoundRobin`](crate::RoundRobin) are at the root of the crate.

pub(crate) mod rotation;
pub(crate) mod selector;
pub(crate) mod stake_tree;
mod weighted;

pub use rotation::BesuRotation;
pub use selector::Draw;
pub use stake_tree::{SeededDraw, StakeTree};
pub use weighted::{
    AdvanceError, Change, Prioritized, PrioritizedIter, UpdateError, WeightedRoundRobin,
};
