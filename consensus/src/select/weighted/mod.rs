//! Weighted round robin: every validator proposes in proportion to its power, in a fixed and smooth order.

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::id::ValidatorId;
use crate::set::storage::{ValidatorParts, ValidatorPartsRef, ValidatorStorage};

mod priorities;
mod update;

use priorities::{settle, steps};

const DIGEST_TAG: u8 = 0x57; // 'W'

/// Validators with a voting power and a priority that decides who proposes next, bit-exact with CometBFT
/// (`types/validator_set.go`), in a [`ValidatorStorage`].
///
/// In every step each priority grows by the power of its validator; the one with the highest priority proposes
/// and pays the total power. Over as many steps as the total power each validator proposes exactly as often as
/// its power demands. The order is fully predictable.
///
/// ```
/// use consensus::select::{Change, WeightedRoundRobin};
/// use consensus::{ValidatorArray, ValidatorId};
///
/// let [ann, ben] = [1, 2].map(|n| ValidatorId([n; 32]));
/// let changes = [Change { id: ann, power: 3 }, Change { id: ben, power: 1 }];
/// let mut validators = WeightedRoundRobin::new(ValidatorArray::<4>::EMPTY, &changes)?;
/// let mut proposers = vec![validators.proposer().unwrap()];
/// for _ in 1..4 {
///     proposers.push(validators.advance(1).unwrap());
/// }
/// assert_eq!(proposers, [ann, ann, ben, ann]);
/// # Ok::<(), consensus::select::UpdateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct WeightedRoundRobin<S> {
    len: usize,
    proposer: Option<ValidatorId>,
    /// The sum of all powers.
    total: u64,
    /// Rescaling and centring would change nothing.
    is_settled: bool,
    slots: S,
}

/// A new or changed validator, or one that is removed.
#[expect(clippy::exhaustive_structs, reason = "a change is an id and a power")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Change {
    /// The validator.
    pub id: ValidatorId,
    /// Its voting power. 0 removes it.
    pub power: u64,
}

/// A validator with its power and priority.
#[expect(clippy::exhaustive_structs, reason = "the three values of the rule")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Prioritized {
    /// The validator.
    pub id: ValidatorId,
    /// Its voting power.
    pub power: u64,
    /// Its priority.
    pub priority: i64,
}

/// Why a set of changes is refused. The validators are unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UpdateError {
    /// A validator is named twice.
    #[error("{0:.16} is changed twice")]
    Duplicate(ValidatorId),
    /// The total power would exceed [`WeightedRoundRobin::<()>::MAX_POWER`].
    #[error("total power exceeds {}", MAX_POWER)]
    TooMuchPower,
    /// No validator would remain.
    #[error("no validator would remain")]
    Empty,
    /// A validator to be removed is unknown.
    #[error("{0:.16} is not a validator and cannot be removed")]
    UnknownRemoval(ValidatorId),
    /// No slot is free.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
}

/// Why there is no next proposer. CometBFT panics in these cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AdvanceError {
    /// The set is empty.
    #[error("no validators")]
    NoValidators,
    /// The number of steps is 0.
    #[error("0 steps; take at least 1")]
    NoSteps,
}

/// Validators in the order of the set. Created by [`WeightedRoundRobin::iter`].
#[derive(Debug, Clone)]
pub struct PrioritizedIter<'a> {
    ids: core::slice::Iter<'a, ValidatorId>,
    powers: core::slice::Iter<'a, u64>,
    priorities: core::slice::Iter<'a, u64>,
}

/// The greatest total power: an eighth of the range of priorities, so that nothing overflows.
const MAX_POWER: u64 = i64::MAX.unsigned_abs() / 8;

impl<S: ValidatorStorage> WeightedRoundRobin<S> {
    /// Creates a set of validators, and elects the first proposer unless the set is empty.
    ///
    /// # Errors
    ///
    /// [`UpdateError`] if the changes are refused. A power of 0 is an unknown removal.
    pub fn new(mut slots: S, validators: &[Change]) -> Result<Self, UpdateError> {
        slots.parts().clear();
        let mut set = Self { len: 0, proposer: None, total: 0, is_settled: false, slots };
        set.update(validators)?;
        set.advance(1);
        Ok(set)
    }

    /// Applies changes as a set: their order makes no difference. New validators wait longer than known ones;
    /// a known one keeps its priority. The proposer stays until the next [`advance`](Self::advance), even if
    /// it was removed. Costs O(n * changes + n log n).
    ///
    /// # Errors
    ///
    /// [`UpdateError`]; the validators are unchanged.
    pub fn update(&mut self, changes: &[Change]) -> Result<(), UpdateError> {
        let capacity = self.capacity();
        let plan = update::check(self.used(), capacity, changes)?;
        if changes.is_empty() {
            return Ok(());
        }
        let mut parts = self.slots.parts();
        self.len = update::apply(&mut parts, self.len, changes, plan);
        let mut validators = used(parts, self.len);
        self.total = total_of(validators.weights);
        settle(validators.index, self.total);
        update::sort(&mut validators);
        self.is_settled = false;
        Ok(())
    }

    /// Takes this many steps, and returns the proposer of the last one. `None` if there are no validators or
    /// no steps, which changes nothing: [`try_advance`](Self::try_advance) without the reason.
    pub fn advance(&mut self, steps: u32) -> Option<ValidatorId> {
        self.try_advance(steps).ok()
    }

    /// Takes this many steps, and returns the proposer of the last one. Costs O(n * steps).
    ///
    /// Priorities are rescaled and centred once per call, as in CometBFT: two steps at once may differ from one step
    /// twice.
    ///
    /// # Errors
    ///
    /// [`AdvanceError`]; nothing has changed.
    pub fn try_advance(&mut self, count: u32) -> Result<ValidatorId, AdvanceError> {
        if count == 0 {
            return Err(AdvanceError::NoSteps);
        }
        let validators = used(self.slots.parts(), self.len);
        let is_settled = self.is_settled || settle(validators.index, self.total);
        let taken = steps(validators, self.total, is_settled, count);
        let (proposer, is_settled) = taken.ok_or(AdvanceError::NoValidators)?;
        self.proposer = Some(proposer);
        self.is_settled = is_settled;
        Ok(proposer)
    }

    /// Returns the validators, those with more power first, of equals the lower id first.
    pub fn iter(&self) -> PrioritizedIter<'_> {
        let ValidatorPartsRef { ids, weights, index } = self.used();
        PrioritizedIter { ids: ids.iter(), powers: weights.iter(), priorities: index.iter() }
    }

    /// Returns the number of validators for which there is room.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.parts_ref().capacity(1)
    }

    /// Returns a digest over ids, powers and priorities, by which two nodes notice that their schedules
    /// differ.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut sha = Sha256::new();
        sha.update([DIGEST_TAG]);
        for Prioritized { id, power, priority } in self {
            sha.update(id.0);
            sha.update(power.to_be_bytes());
            sha.update(priority.to_be_bytes());
        }
        sha.finalize().into()
    }

    fn used(&self) -> ValidatorPartsRef<'_> {
        let ValidatorPartsRef { ids, weights, index } = self.slots.parts_ref();
        ValidatorPartsRef {
            ids: ids.get(..self.len).unwrap_or_default(),
            weights: weights.get(..self.len).unwrap_or_default(),
            index: index.get(..self.len).unwrap_or_default(),
        }
    }
}

impl<S> WeightedRoundRobin<S> {
    /// Returns the proposer of the current step.
    #[must_use]
    pub const fn proposer(&self) -> Option<ValidatorId> {
        self.proposer
    }

    /// Returns the sum of all powers.
    #[must_use]
    pub const fn total_power(&self) -> u64 {
        self.total
    }

    /// Returns the number of validators.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no validators.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl WeightedRoundRobin<()> {
    /// The greatest total power.
    pub const MAX_POWER: u64 = MAX_POWER;
}

/// Equal sets have equal validators in equal storage, and the same proposer.
impl<S: PartialEq> PartialEq for WeightedRoundRobin<S> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.proposer == other.proposer && self.slots == other.slots
    }
}

impl<S: Eq> Eq for WeightedRoundRobin<S> {}

impl<'a, S: ValidatorStorage> IntoIterator for &'a WeightedRoundRobin<S> {
    type Item = Prioritized;
    type IntoIter = PrioritizedIter<'a>;

    fn into_iter(self) -> PrioritizedIter<'a> {
        self.iter()
    }
}

impl Iterator for PrioritizedIter<'_> {
    type Item = Prioritized;

    fn next(&mut self) -> Option<Prioritized> {
        let id = *self.ids.next()?;
        let power = *self.powers.next()?;
        let priority = self.priorities.next()?.cast_signed();
        Some(Prioritized { id, power, priority })
    }
}

/// Returns the columns of the first `len` validators.
fn used(parts: ValidatorParts<'_>, len: usize) -> ValidatorParts<'_> {
    let ValidatorParts { ids, weights, index } = parts;
    ValidatorParts {
        ids: ids.get_mut(..len).unwrap_or_default(),
        weights: weights.get_mut(..len).unwrap_or_default(),
        index: index.get_mut(..len).unwrap_or_default(),
    }
}

fn total_of(powers: &[u64]) -> u64 {
    powers.iter().fold(0, |sum, power| sum.saturating_add(*power))
}
