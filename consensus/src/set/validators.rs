//! Validators by stake, and the draw that chooses among them.

use thiserror::Error;

use super::guide::{Guide, SHARE};
use super::storage::ValidatorStorage;
use super::ticket::ticket_below;
use crate::id::ValidatorId;
use crate::select::selector::Draw;

/// Validators and their stakes, in a [`ValidatorStorage`]: [`ValidatorArray`](crate::ValidatorArray) on a device,
/// `ValidatorVec` on a heap.
///
/// The draw is exact: over many slots a validator is chosen in proportion to its stake ("follow the
/// satoshi"), and one without stake never. Anyone who knows the seed can predict it, and anyone who chooses
/// the seed can influence it: a proposer that can vary the seed can retry until it likes the outcome.
///
/// ```
/// use consensus::{ValidatorArray, ValidatorId, ValidatorSet};
///
/// let [ann, ben] = [1, 2].map(|n| ValidatorId([n; 32]));
/// let mut validators = ValidatorSet::new(ValidatorArray::<8>::EMPTY);
/// validators.set_stake(ann, 60)?;
/// validators.set_stake(ben, 40)?;
/// assert_eq!(validators.total_stake(), 100);
///
/// // Every node that knows seed, height and round draws the same proposer.
/// let seed = [7; 32];
/// let of_ann = (0..1000).filter(|height| validators.draw(&seed, *height, 0) == Some(ann)).count();
/// assert!((550..650).contains(&of_ann), "about 600 of 1000");
/// # Ok::<(), consensus::ValidatorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorSet<S> {
    len: usize,
    guide: Guide,
    slots: S,
}

/// Why a set of validators refuses a change. It is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ValidatorError {
    /// No slot is free.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
    /// The ids are not in ascending order.
    #[error("{0:.16} is not in ascending order")]
    Unsorted(ValidatorId),
    /// The sum of the stakes exceeds 64 bits.
    #[error("the total stake exceeds {}", u64::MAX)]
    TooMuchStake,
}

/// Validators and their stakes. Created by [`ValidatorSet::iter`].
#[derive(Debug, Clone)]
pub struct Validators<'a> {
    ids: &'a [ValidatorId],
    sums: &'a [u64],
    /// The sum of the stakes before the first one.
    before: u64,
}

impl<S: ValidatorStorage> ValidatorSet<S> {
    /// Creates an empty set and clears the storage.
    pub fn new(mut slots: S) -> Self {
        slots.parts().clear();
        Self { len: 0, guide: Guide::EMPTY, slots }
    }

    /// Creates a set from ids in ascending order and their stakes. Costs O(n) for all; those without stake are left out.
    ///
    /// # Errors
    ///
    /// [`ValidatorError`]
    pub fn from_sorted(
        slots: S,
        stakes: impl IntoIterator<Item = (ValidatorId, u64)>,
    ) -> Result<Self, ValidatorError> {
        let mut set = Self::new(slots);
        let capacity = set.capacity();
        let mut parts = set.slots.parts();
        let mut last = None;
        let mut total = 0_u64;
        for (id, stake) in stakes.into_iter().filter(|(_, stake)| *stake > 0) {
            if last >= Some(id) {
                return Err(ValidatorError::Unsorted(id));
            }
            last = Some(id);
            total = total.checked_add(stake).ok_or(ValidatorError::TooMuchStake)?;
            if set.len >= capacity {
                return Err(ValidatorError::Full { capacity });
            }
            parts.insert(set.len, set.len, id, total);
            set.len = set.len.saturating_add(1);
        }
        set.guide = Guide::build(parts.index, parts.weights.get(..set.len).unwrap_or_default());
        Ok(set)
    }

    /// Sets the stake of a validator; 0 removes it. Costs O(n).
    ///
    /// # Errors
    ///
    /// [`ValidatorError`]; the set is unchanged.
    pub fn set_stake(&mut self, id: ValidatorId, stake: u64) -> Result<(), ValidatorError> {
        let before = self.stake(&id);
        let total = self.total_stake().saturating_sub(before);
        total.checked_add(stake).ok_or(ValidatorError::TooMuchStake)?;
        let found = self.ids().binary_search(&id);
        let capacity = self.capacity();
        let mut parts = self.slots.parts();
        let at = match (found, stake) {
            (Ok(at), 0) => {
                parts.remove(at, self.len);
                self.len = self.len.saturating_sub(1);
                at
            }
            (Err(_), 0) => return Ok(()),
            (Ok(at), _) => at,
            (Err(_), _) if self.len >= capacity => return Err(ValidatorError::Full { capacity }),
            (Err(at), _) => {
                let previous = at.checked_sub(1).and_then(|at| parts.weights.get(at));
                parts.insert(at, self.len, id, previous.copied().unwrap_or(0));
                self.len = self.len.saturating_add(1);
                at
            }
        };
        let sums = parts.weights.get_mut(..self.len).unwrap_or_default();
        let difference = stake.wrapping_sub(before); // it may be negative: sums wrap, and come out right
        for sum in sums.iter_mut().skip(at) {
            *sum = sum.wrapping_add(difference);
        }
        self.guide = Guide::build(parts.index, sums);
        Ok(())
    }

    /// Draws the proposer of a slot: round 0 first, then one more round for each proposer that is silent.
    ///
    /// The same set, seed, slot and round give the same validator on every node, for any pointer width.
    /// `None` if the set is empty.
    #[must_use]
    pub fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        self.owner_of(self.coin(seed, slot, round)?)
    }

    /// Returns the coin that [`draw`](Self::draw) picks: a number below the total stake, each with the same probability.
    /// `None` if the set is empty.
    #[must_use]
    pub fn coin(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<u64> {
        let total = self.total_stake();
        (total > 0).then(|| ticket_below(total, seed, slot, round))
    }

    /// Returns the validator that owns a coin, when the coins of all are counted in the order of their ids. `None` if the
    /// coin is not below the total stake. Costs O(log n), and O(1) on average over all coins.
    #[must_use]
    pub fn owner_of(&self, coin: u64) -> Option<ValidatorId> {
        self.ids().get(self.owner_index(coin)?).copied()
    }

    /// Returns the place of the owner of a coin in [`iter`](Self::iter): for what is kept beside the validators in this
    /// order. Does not read the id.
    #[must_use]
    pub fn owner_index(&self, coin: u64) -> Option<usize> {
        self.guide.position(self.slots.parts_ref().index, self.sums(), coin)
    }

    /// Returns the stake of a validator, 0 if it is unknown.
    #[must_use]
    pub fn stake(&self, id: &ValidatorId) -> u64 {
        let Ok(at) = self.ids().binary_search(id) else { return 0 };
        self.iter().nth(at).map_or(0, |(_, stake)| stake)
    }

    /// Returns the sum of all stakes.
    #[must_use]
    pub fn total_stake(&self) -> u64 {
        self.sums().last().copied().unwrap_or(0)
    }

    /// Returns the validators and their stakes, in the order of their ids.
    pub fn iter(&self) -> Validators<'_> {
        Validators { ids: self.ids(), sums: self.sums(), before: 0 }
    }

    /// Returns the number of validators for which there is room.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.parts_ref().capacity(SHARE)
    }

    fn ids(&self) -> &[ValidatorId] {
        self.slots.parts_ref().ids.get(..self.len).unwrap_or_default()
    }

    fn sums(&self) -> &[u64] {
        self.slots.parts_ref().weights.get(..self.len).unwrap_or_default()
    }
}

impl<S> ValidatorSet<S> {
    /// Returns the number of validators.
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

impl<'a, S: ValidatorStorage> IntoIterator for &'a ValidatorSet<S> {
    type Item = (ValidatorId, u64);
    type IntoIter = Validators<'a>;

    fn into_iter(self) -> Validators<'a> {
        self.iter()
    }
}

impl Iterator for Validators<'_> {
    type Item = (ValidatorId, u64);

    fn next(&mut self) -> Option<(ValidatorId, u64)> {
        let id = self.ids.split_off_first()?;
        let sum = self.sums.split_off_first()?;
        let stake = sum.saturating_sub(self.before);
        self.before = *sum;
        Some((*id, stake))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ids.len(), Some(self.ids.len()))
    }

    /// Costs O(1).
    fn nth(&mut self, n: usize) -> Option<(ValidatorId, u64)> {
        let skipped = self.sums.get(..n).unwrap_or(self.sums);
        self.before = skipped.last().copied().unwrap_or(self.before);
        self.ids = self.ids.get(n..).unwrap_or_default();
        self.sums = self.sums.get(n..).unwrap_or_default();
        self.next()
    }
}

impl ExactSizeIterator for Validators<'_> {}

impl<S: ValidatorStorage> Draw for ValidatorSet<S> {
    fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        self.draw(seed, slot, round)
    }
}
