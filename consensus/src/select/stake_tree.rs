//! A draw by stake whose stakes change often.

use core::hint::select_unpredictable;

use super::selector::{Draw, Selector};
use crate::id::ValidatorId;
use crate::set::storage::{ValidatorPartsRef, ValidatorStorage};
use crate::set::ticket::ticket_below;
use crate::set::validators::ValidatorError;

/// Stakes that share a node of the tree: a cache line. The tree is an eighth as large as the list, and stays in a fast cache
/// where the list does not.
const BLOCK: usize = 8;

/// Validators and their stakes, for stakes that change often: a Fenwick tree (Fenwick, "A new data structure for
/// cumulative frequency tables", 1994) over the sums of eight stakes each, in a
/// [`ValidatorStorage`](crate::ValidatorStorage).
///
/// It draws the same validators as [`ValidatorSet`](crate::ValidatorSet). A draw and a change of a stake cost O(log n);
/// inserting and removing a validator cost O(n).
///
/// ```
/// use consensus::select::StakeTree;
/// use consensus::{Selector, ValidatorArray, ValidatorId};
///
/// let [ann, ben] = [1, 2].map(|n| ValidatorId([n; 32]));
/// let mut stakes = StakeTree::new(ValidatorArray::<8>::EMPTY);
/// stakes.set_stake(ann, 60)?;
/// stakes.set_stake(ben, 40)?;
/// stakes.set_stake(ann, 0)?;
/// assert_eq!(stakes.draw(&[7; 32], 1, 0), Some(ben), "the only one with stake");
/// # Ok::<(), consensus::ValidatorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StakeTree<S> {
    len: usize,
    total: u64,
    slots: S,
}

/// A draw with a fixed seed: one [`Selector`] for a chain.
///
/// Predictable as far as the seed is known; influenced by the one that chooses the seed; in proportion to stake for a set
/// of any size.
///
/// ```
/// use consensus::select::SeededDraw;
/// use consensus::{Selector, ValidatorArray, ValidatorId, ValidatorSet};
///
/// let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
/// validators.set_stake(ValidatorId([1; 32]), 100)?;
/// let draw = SeededDraw::new(validators, [7; 32]);
/// assert_eq!(draw.select(1, 0), Some(ValidatorId([1; 32])), "there is no other");
/// # Ok::<(), consensus::ValidatorError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeededDraw<T> {
    stakes: T,
    seed: [u8; 32],
}

impl<S: ValidatorStorage> StakeTree<S> {
    /// Creates an empty tree and clears the storage.
    pub fn new(mut slots: S) -> Self {
        slots.parts().clear();
        Self { len: 0, total: 0, slots }
    }

    /// Creates a tree from ids in ascending order and their stakes. Costs O(n) for all.
    ///
    /// # Errors
    ///
    /// [`ValidatorError`]
    pub fn from_sorted(
        slots: S,
        stakes: impl IntoIterator<Item = (ValidatorId, u64)>,
    ) -> Result<Self, ValidatorError> {
        let mut tree = Self::new(slots);
        let capacity = tree.capacity();
        let mut last = None;
        for (id, stake) in stakes {
            if last >= Some(id) {
                return Err(ValidatorError::Unsorted(id));
            }
            last = Some(id);
            let total = tree.total.checked_add(stake);
            tree.total = total.ok_or(ValidatorError::TooMuchStake)?;
            if tree.len >= capacity {
                return Err(ValidatorError::Full { capacity });
            }
            tree.slots.parts().insert(tree.len, tree.len, id, stake);
            tree.len = tree.len.saturating_add(1);
        }
        tree.rebuild();
        Ok(tree)
    }

    /// Sets the stake of a validator. With stake 0 it keeps its slot and is never drawn; [`remove`](Self::remove) frees
    /// the slot.
    ///
    /// # Errors
    ///
    /// [`ValidatorError`]; the tree is unchanged.
    pub fn set_stake(&mut self, id: ValidatorId, stake: u64) -> Result<(), ValidatorError> {
        let found = self.ids().binary_search(&id);
        let before = found.map_or(0, |at| self.stake_at(at));
        let total = self.total.saturating_sub(before).checked_add(stake);
        let total = total.ok_or(ValidatorError::TooMuchStake)?;
        match found {
            Ok(at) => {
                let parts = self.slots.parts();
                if let Some(slot) = parts.weights.get_mut(at) {
                    *slot = stake;
                }
                let nodes = parts.index.get_mut(..nodes_of(self.len)).unwrap_or_default();
                add(nodes, at / BLOCK, stake.wrapping_sub(before));
            }
            Err(at) => {
                let capacity = self.capacity();
                if self.len >= capacity {
                    return Err(ValidatorError::Full { capacity });
                }
                self.slots.parts().insert(at, self.len, id, stake);
                self.len = self.len.saturating_add(1);
                self.rebuild();
            }
        }
        self.total = total;
        Ok(())
    }

    /// Removes a validator. Unknown ones are ignored. Costs O(n).
    pub fn remove(&mut self, id: &ValidatorId) {
        let Ok(at) = self.ids().binary_search(id) else { return };
        self.total = self.total.saturating_sub(self.stake_at(at));
        self.slots.parts().remove(at, self.len);
        self.len = self.len.saturating_sub(1);
        self.rebuild();
    }

    fn rebuild(&mut self) {
        let parts = self.slots.parts();
        let stakes = parts.weights.get(..self.len).unwrap_or_default();
        let count = nodes_of(self.len);
        if let Some(unused) = parts.index.get_mut(count) {
            *unused = 0; // a validator was removed
        }
        let nodes = parts.index.get_mut(..count).unwrap_or_default();
        for (node, block) in nodes.iter_mut().zip(stakes.chunks(BLOCK)) {
            *node = block.iter().fold(0, |sum, stake| sum.saturating_add(*stake)); // the total fits
        }
        for position in 1..=nodes.len() {
            let sum = nodes.get(position.saturating_sub(1)).copied().unwrap_or(0);
            let parent = position.saturating_add(lowest_bit(position)).saturating_sub(1);
            if let Some(parent) = nodes.get_mut(parent) {
                *parent = parent.wrapping_add(sum);
            }
        }
    }

    /// Draws the proposer of a slot and round, as [`ValidatorSet::draw`](crate::ValidatorSet::draw) does.
    #[must_use]
    pub fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        if self.total == 0 {
            return None;
        }
        self.owner_of(ticket_below(self.total, seed, slot, round))
    }

    /// Returns the validator that owns a coin, as [`ValidatorSet::owner_of`](crate::ValidatorSet::owner_of) does. Costs
    /// O(log n).
    #[must_use]
    pub fn owner_of(&self, coin: u64) -> Option<ValidatorId> {
        self.ids().get(self.owner_index(coin)?).copied()
    }

    /// Returns the place of the owner of a coin in the order of the ids, those without stake included: for what is kept
    /// beside the validators in this order. Does not read the id.
    #[must_use]
    pub fn owner_index(&self, coin: u64) -> Option<usize> {
        if coin >= self.total {
            return None;
        }
        let ValidatorPartsRef { weights, index, .. } = self.slots.parts_ref();
        let nodes = index.get(..nodes_of(self.len))?;
        let (block, coin) = descend(nodes, coin);
        let first = block.saturating_mul(BLOCK);
        let stakes = weights.get(first..self.len)?;
        let passed = stakes.first_chunk().map_or_else(
            || stakes.iter().scan(coin, |coin, stake| spend(coin, *stake)).count(),
            |block| passed_in_block(block, coin),
        );
        Some(first.saturating_add(passed))
    }

    /// Returns the stake of a validator, 0 if it is unknown.
    #[must_use]
    pub fn stake(&self, id: &ValidatorId) -> u64 {
        self.ids().binary_search(id).map_or(0, |at| self.stake_at(at))
    }

    /// Returns the number of validators for which there is room.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.parts_ref().capacity(BLOCK)
    }

    fn ids(&self) -> &[ValidatorId] {
        self.slots.parts_ref().ids.get(..self.len).unwrap_or_default()
    }

    fn stake_at(&self, at: usize) -> u64 {
        self.slots.parts_ref().weights.get(at).copied().unwrap_or(0)
    }
}

impl<S> StakeTree<S> {
    /// Returns the sum of all stakes.
    #[must_use]
    pub const fn total_stake(&self) -> u64 {
        self.total
    }

    /// Returns the number of validators, those without stake included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there is no validator.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<T: Draw> SeededDraw<T> {
    /// Draws from `stakes` with this seed.
    pub const fn new(stakes: T, seed: [u8; 32]) -> Self {
        Self { stakes, seed }
    }
}

impl<T: Draw> Selector for SeededDraw<T> {
    fn select(&self, slot: u64, round: u32) -> Option<ValidatorId> {
        self.stakes.draw(&self.seed, slot, round)
    }
}

impl<S: ValidatorStorage> Draw for StakeTree<S> {
    fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        self.draw(seed, slot, round)
    }
}

/// Returns the number of nodes for this number of validators.
const fn nodes_of(len: usize) -> usize {
    len.div_ceil(BLOCK)
}

/// Returns the block that holds a coin of the tree, and the place of the coin in it.
///
/// Which way the coin goes cannot be predicted, so no branch depends on it; that there is a node nearly always can.
fn descend(nodes: &[u64], mut coin: u64) -> (usize, u64) {
    let mut passed = 0_usize;
    let highest = nodes.len().checked_ilog2().and_then(|bits| 1_usize.checked_shl(bits));
    let mut step = highest.unwrap_or(0); // no power of two above the length: it may not fit in 16 bits
    while step > 0 {
        let at = passed.wrapping_add(step.wrapping_sub(1));
        if let Some(sum) = nodes.get(at) {
            let is_passed = *sum <= coin;
            coin = select_unpredictable(is_passed, coin.wrapping_sub(*sum), coin);
            passed = select_unpredictable(is_passed, at.wrapping_add(1), passed);
        }
        step /= 2;
    }
    (passed, coin)
}

/// Returns the number of stakes before the one that holds the coin, without branches. No sum exceeds the total.
fn passed_in_block(block: &[u64; BLOCK], coin: u64) -> usize {
    let mut sum = 0_u64;
    let mut passed = 0_usize;
    for stake in block.split_last().map_or(&[][..], |(_, before)| before) {
        sum = sum.wrapping_add(*stake);
        passed = passed.wrapping_add(usize::from(sum <= coin));
    }
    passed
}

/// Takes a stake off the coin, or returns `None` if the coin lies in it.
fn spend(coin: &mut u64, stake: u64) -> Option<()> {
    *coin = coin.checked_sub(stake)?;
    Some(())
}

/// Adds to every node that covers the block. A difference may be negative: sums wrap, and come out right.
fn add(nodes: &mut [u64], block: usize, difference: u64) {
    let mut position = block.saturating_add(1);
    while let Some(node) = nodes.get_mut(position.saturating_sub(1)) {
        *node = node.wrapping_add(difference);
        position = position.saturating_add(lowest_bit(position));
    }
}

const fn lowest_bit(position: usize) -> usize {
    position & position.wrapping_neg()
}
