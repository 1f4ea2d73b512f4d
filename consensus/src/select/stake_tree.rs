//! A draw by stake whose stakes change often.

use super::selector::{Draw, Selector};
use crate::id::ValidatorId;
use crate::validator::{ValidatorError, ticket_below};

/// Validators and their stakes, for stakes that change often: a Fenwick tree (Fenwick, "A new data structure for
/// cumulative frequency tables", 1994). Any `AsRef<[StakeSlot]> + AsMut<[StakeSlot]>` serves as storage.
///
/// It draws the same validators as [`ValidatorSet`](crate::ValidatorSet). A draw and a change of a stake cost O(log n);
/// inserting and removing a validator cost O(n).
///
/// ```
/// use consensus::{Selector, ValidatorId};
/// use consensus::select::{StakeSlot, StakeTree};
///
/// let [ann, ben] = [1, 2].map(|n| ValidatorId([n; 32]));
/// let mut stakes = StakeTree::new([StakeSlot::EMPTY; 8]);
/// stakes.set_stake(ann, 60)?;
/// stakes.set_stake(ben, 40)?;
/// stakes.set_stake(ann, 0)?;
/// assert_eq!(stakes.draw(&[7; 32], 1, 0), Some(ben), "the only one with stake");
/// # Ok::<(), consensus::ValidatorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StakeTree<S: ?Sized> {
    len: usize,
    total: u64,
    slots: S,
}

/// Storage for one validator: 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StakeSlot {
    id: ValidatorId,
    stake: u64,
    /// The sum of the stakes of the node: of as many slots up to this one as the lowest set bit of its position says.
    sum: u64,
}

/// A draw with a fixed seed: one [`Selector`] for a chain.
///
/// Predictable as far as the seed is known; influenced by the one that chooses the seed; in proportion to stake for a set
/// of any size.
///
/// ```
/// use consensus::select::SeededDraw;
/// use consensus::{Selector, ValidatorId, ValidatorSet, ValidatorSlot};
///
/// let mut validators = ValidatorSet::new([ValidatorSlot::EMPTY; 4]);
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

impl StakeSlot {
    /// A free slot.
    pub const EMPTY: Self = Self { id: ValidatorId([0; 32]), stake: 0, sum: 0 };
}

impl<S: AsRef<[StakeSlot]> + AsMut<[StakeSlot]>> StakeTree<S> {
    /// Creates an empty tree and clears the slots.
    pub fn new(mut slots: S) -> Self {
        slots.as_mut().fill(StakeSlot::EMPTY);
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
        let mut last = None;
        for (id, stake) in stakes {
            if last >= Some(id) {
                return Err(ValidatorError::Unsorted(id));
            }
            last = Some(id);
            let total = tree.total.checked_add(stake);
            tree.total = total.ok_or(ValidatorError::TooMuchStake)?;
            let slots = tree.slots.as_mut();
            let capacity = slots.len();
            let slot = slots.get_mut(tree.len).ok_or(ValidatorError::Full { capacity })?;
            *slot = StakeSlot { id, stake, sum: 0 };
            tree.len = tree.len.saturating_add(1);
        }
        tree.rebuild();
        Ok(tree)
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[StakeSlot]> + AsMut<[StakeSlot]> + ?Sized> StakeTree<S> {
    /// Sets the stake of a validator. With stake 0 it keeps its slot and is never drawn; [`remove`](Self::remove) frees
    /// the slot.
    ///
    /// # Errors
    ///
    /// [`ValidatorError`]; the tree is unchanged.
    pub fn set_stake(&mut self, id: ValidatorId, stake: u64) -> Result<(), ValidatorError> {
        let before = self.stake(&id);
        let total = self.total.saturating_sub(before).checked_add(stake);
        let total = total.ok_or(ValidatorError::TooMuchStake)?;
        match self.find(&id) {
            Ok(at) => {
                let slots = self.slots.as_mut().get_mut(..self.len).unwrap_or_default();
                if let Some(slot) = slots.get_mut(at) {
                    slot.stake = stake;
                }
                add(slots, at, stake.wrapping_sub(before));
            }
            Err(at) => self.insert(at, StakeSlot { id, stake, sum: 0 })?,
        }
        self.total = total;
        Ok(())
    }

    /// Removes a validator. Unknown ones are ignored.
    pub fn remove(&mut self, id: &ValidatorId) {
        let Ok(at) = self.find(id) else { return };
        self.total = self.total.saturating_sub(self.stake(id));
        if let Some(tail) = self.slots.as_mut().get_mut(at..self.len) {
            tail.rotate_left(1);
            if let Some(unused) = tail.last_mut() {
                *unused = StakeSlot::EMPTY;
            }
        }
        self.len = self.len.saturating_sub(1);
        self.rebuild();
    }

    fn insert(&mut self, at: usize, slot: StakeSlot) -> Result<(), ValidatorError> {
        let grown = self.len.saturating_add(1);
        let slots = self.slots.as_mut();
        let capacity = slots.len();
        let tail = slots.get_mut(at..grown).ok_or(ValidatorError::Full { capacity })?;
        tail.rotate_right(1);
        if let Some(first) = tail.first_mut() {
            *first = slot;
        }
        self.len = grown;
        self.rebuild();
        Ok(())
    }

    fn rebuild(&mut self) {
        let slots = self.slots.as_mut().get_mut(..self.len).unwrap_or_default();
        for slot in &mut *slots {
            slot.sum = slot.stake;
        }
        for position in 1..=slots.len() {
            let sum = slots.get(position.saturating_sub(1)).map_or(0, |slot| slot.sum);
            let parent = position.saturating_add(lowest_bit(position)).saturating_sub(1);
            if let Some(parent) = slots.get_mut(parent) {
                parent.sum = parent.sum.wrapping_add(sum);
            }
        }
    }
}

impl<S: AsRef<[StakeSlot]> + ?Sized> StakeTree<S> {
    /// Draws the proposer of a slot and round, as [`ValidatorSet::draw`](crate::ValidatorSet::draw) does.
    #[must_use]
    pub fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        if self.total == 0 {
            return None;
        }
        let mut ticket = ticket_below(self.total, seed, slot, round);
        let slots = self.used();
        let mut passed = 0_usize;
        let highest = slots.len().checked_ilog2().and_then(|bits| 1_usize.checked_shl(bits));
        let mut step = highest.unwrap_or(0); // no power of two above the length: it may not fit in 16 bits
        while step > 0 {
            let next = passed.saturating_add(step);
            if let Some(node) = slots.get(next.saturating_sub(1))
                && node.sum <= ticket
            {
                ticket = ticket.saturating_sub(node.sum);
                passed = next;
            }
            step /= 2;
        }
        slots.get(passed).map(|slot| slot.id)
    }

    /// Returns the stake of a validator, 0 if it is unknown.
    #[must_use]
    pub fn stake(&self, id: &ValidatorId) -> u64 {
        let slot = self.find(id).ok().and_then(|at| self.used().get(at));
        slot.map_or(0, |slot| slot.stake)
    }

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

    fn used(&self) -> &[StakeSlot] {
        self.slots.as_ref().get(..self.len).unwrap_or_default()
    }

    fn find(&self, id: &ValidatorId) -> Result<usize, usize> {
        self.used().binary_search_by(|slot| slot.id.cmp(id))
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

impl<S: AsRef<[StakeSlot]> + ?Sized> Draw for StakeTree<S> {
    fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        self.draw(seed, slot, round)
    }
}

/// Adds to every node that covers the slot. A difference may be negative: sums wrap, and come out right.
fn add(slots: &mut [StakeSlot], at: usize, difference: u64) {
    let mut position = at.saturating_add(1);
    while let Some(node) = slots.get_mut(position.saturating_sub(1)) {
        node.sum = node.sum.wrapping_add(difference);
        position = position.saturating_add(lowest_bit(position));
    }
}

const fn lowest_bit(position: usize) -> usize {
    position & position.wrapping_neg()
}
