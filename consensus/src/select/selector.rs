//! What all selectors have in common.

use crate::id::ValidatorId;

/// Chooses the validator that makes the block of a slot. The same slot and round give the same validator on every node.
///
/// | selector | predictable | influenced by | in proportion to stake |
/// |---|---|---|---|
/// | [`RoundRobin`](crate::RoundRobin) | without limit | nobody | no |
/// | [`BesuRotation`](super::BesuRotation) | from block to block | the last proposer | no |
/// | [`Authorities`](crate::Authorities) | without limit | nobody | no |
/// | [`SeededDraw`](super::SeededDraw) | as far as the seed is known | the one that chooses the seed | exactly, for any set |
///
/// [`WeightedRoundRobin`](super::WeightedRoundRobin) has its own call, since each step changes its priorities.
pub trait Selector {
    /// Returns the validator: in round 0 the first choice, in each later round a stand-in. `None` if there is none.
    /// Costs at most O(log n).
    fn select(&self, slot: u64, round: u32) -> Option<ValidatorId>;
}

impl<T: Selector + ?Sized> Selector for &T {
    fn select(&self, slot: u64, round: u32) -> Option<ValidatorId> {
        T::select(self, slot, round)
    }
}

/// What a [`SeededDraw`](super::SeededDraw) draws from.
pub trait Draw {
    /// Draws the validator of a slot and round, or `None` if nobody has stake.
    fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId>;
}

impl<T: Draw + ?Sized> Draw for &T {
    fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        T::draw(self, seed, slot, round)
    }
}
