//! Weighted round robin: every validator proposes in proportion to its power, in a fixed and smooth order.

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::id::ValidatorId;

const DIGEST_TAG: u8 = 0x57; // 'W'

/// Validators with a voting power and a priority that decides who proposes next, bit-exact with CometBFT
/// (`types/validator_set.go`). Any `AsRef<[PrioritySlot]> + AsMut<[PrioritySlot]>` serves as storage.
///
/// In every step each priority grows by the power of its validator; the one with the highest priority proposes
/// and pays the total power. Over as many steps as the total power each validator proposes exactly as often as
/// its power demands. The order is fully predictable.
///
/// ```
/// use consensus::ValidatorId;
/// use consensus::select::{Change, PrioritySlot, WeightedRoundRobin};
///
/// let [ann, ben] = [1, 2].map(|n| ValidatorId([n; 32]));
/// let changes = [Change { id: ann, power: 3 }, Change { id: ben, power: 1 }];
/// let mut validators = WeightedRoundRobin::new([PrioritySlot::EMPTY; 4], &changes)?;
/// let mut proposers = vec![validators.proposer().unwrap()];
/// for _ in 1..4 {
///     proposers.push(validators.advance(1).unwrap());
/// }
/// assert_eq!(proposers, [ann, ann, ben, ann]);
/// # Ok::<(), consensus::select::UpdateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightedRoundRobin<S> {
    len: usize,
    proposer: Option<ValidatorId>,
    slots: S,
}

/// Storage for one validator: 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrioritySlot {
    id: ValidatorId,
    power: u64,
    priority: i64,
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
pub struct PrioritizedIter<'a>(core::slice::Iter<'a, PrioritySlot>);

/// The greatest total power: an eighth of the range of priorities, so that nothing overflows.
const MAX_POWER: u64 = i64::MAX.unsigned_abs() / 8;

impl PrioritySlot {
    /// A free slot.
    pub const EMPTY: Self = Self { id: ValidatorId([0; 32]), power: 0, priority: 0 };
}

impl<S: AsRef<[PrioritySlot]> + AsMut<[PrioritySlot]>> WeightedRoundRobin<S> {
    /// Creates a set of validators, and elects the first proposer unless the set is empty.
    ///
    /// # Errors
    ///
    /// [`UpdateError`] if the changes are refused. A power of 0 is an unknown removal.
    pub fn new(mut slots: S, validators: &[Change]) -> Result<Self, UpdateError> {
        slots.as_mut().fill(PrioritySlot::EMPTY);
        let mut set = Self { len: 0, proposer: None, slots };
        set.update(validators)?;
        set.advance(1);
        Ok(set)
    }

    /// Applies changes as a set: their order makes no difference. New validators wait longer than known ones;
    /// a known one keeps its priority. The proposer stays until the next [`advance`](Self::advance), even if
    /// it was removed. Costs O(n * changes).
    ///
    /// # Errors
    ///
    /// [`UpdateError`]; the validators are unchanged.
    pub fn update(&mut self, changes: &[Change]) -> Result<(), UpdateError> {
        let slots = self.slots.as_mut();
        let plan = check(slots, self.len, changes)?;
        self.len = apply(slots, self.len, changes, plan);
        let validators = slots.get_mut(..self.len).unwrap_or_default();
        if !changes.is_empty() {
            rescale(validators);
            center(validators);
            sort(validators);
        }
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
    pub fn try_advance(&mut self, steps: u32) -> Result<ValidatorId, AdvanceError> {
        let validators = self.slots.as_mut().get_mut(..self.len).unwrap_or_default();
        if steps == 0 {
            return Err(AdvanceError::NoSteps);
        }
        if validators.is_empty() {
            return Err(AdvanceError::NoValidators);
        }
        rescale(validators);
        center(validators);
        let total = signed(total_of(validators));
        for _ in 0..steps {
            self.proposer = step(validators, total);
        }
        self.proposer.ok_or(AdvanceError::NoValidators)
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[PrioritySlot]>> WeightedRoundRobin<S> {
    /// Returns the proposer of the current step.
    #[must_use]
    pub const fn proposer(&self) -> Option<ValidatorId> {
        self.proposer
    }

    /// Returns the sum of all powers.
    #[must_use]
    pub fn total_power(&self) -> u64 {
        total_of(self.validators())
    }

    /// Returns the validators, those with more power first, of equals the lower id first.
    pub fn iter(&self) -> PrioritizedIter<'_> {
        PrioritizedIter(self.validators().iter())
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

    /// Returns the number of slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    /// Returns a digest over ids, powers and priorities, by which two nodes notice that their schedules
    /// differ.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut sha = Sha256::new();
        sha.update([DIGEST_TAG]);
        for validator in self.validators() {
            sha.update(validator.id.0);
            sha.update(validator.power.to_be_bytes());
            sha.update(validator.priority.to_be_bytes());
        }
        sha.finalize().into()
    }

    fn validators(&self) -> &[PrioritySlot] {
        self.slots.as_ref().get(..self.len).unwrap_or_default()
    }
}

impl WeightedRoundRobin<()> {
    /// The greatest total power.
    pub const MAX_POWER: u64 = MAX_POWER;
}

impl<'a, S: AsRef<[PrioritySlot]>> IntoIterator for &'a WeightedRoundRobin<S> {
    type Item = Prioritized;
    type IntoIter = PrioritizedIter<'a>;

    fn into_iter(self) -> PrioritizedIter<'a> {
        self.iter()
    }
}

impl Iterator for PrioritizedIter<'_> {
    type Item = Prioritized;

    fn next(&mut self) -> Option<Prioritized> {
        let PrioritySlot { id, power, priority } = *self.0.next()?;
        Some(Prioritized { id, power, priority })
    }
}

/// Checks changes, in CometBFT's order, and returns the priority of new validators.
fn check(slots: &[PrioritySlot], len: usize, changes: &[Change]) -> Result<i64, UpdateError> {
    let known = slots.get(..len).unwrap_or_default();
    let power_of = |id| known.iter().find(|slot| slot.id == id).map(|slot| slot.power);
    let mut rest = changes;
    while let [change, others @ ..] = rest {
        if others.iter().any(|other| other.id == change.id) {
            return Err(UpdateError::Duplicate(change.id));
        }
        rest = others;
    }
    if changes.iter().any(|change| change.power > MAX_POWER) {
        return Err(UpdateError::TooMuchPower);
    }
    let is_new = |change: &&Change| change.power > 0 && power_of(change.id).is_none();
    let new = changes.iter().filter(is_new).count();
    let removals = changes.iter().filter(|change| change.power == 0);
    if !changes.is_empty() && new == 0 && removals.clone().count() == len {
        return Err(UpdateError::Empty);
    }
    let mut removed = 0_u128;
    for removal in removals.clone() {
        let power = power_of(removal.id).ok_or(UpdateError::UnknownRemoval(removal.id))?;
        removed = removed.saturating_add(u128::from(power));
    }
    let mut before_removals = u128::from(total_of(known));
    for change in changes.iter().filter(|change| change.power > 0) {
        let old = power_of(change.id).unwrap_or(0);
        before_removals = before_removals.saturating_add(u128::from(change.power));
        before_removals = before_removals.saturating_sub(u128::from(old));
    }
    if before_removals.saturating_sub(removed) > u128::from(MAX_POWER) {
        return Err(UpdateError::TooMuchPower);
    }
    let kept = len.saturating_sub(removals.count());
    if kept.saturating_add(new) > slots.len() {
        return Err(UpdateError::Full { capacity: slots.len() });
    }
    let delay = before_removals.saturating_add(before_removals >> 3);
    Ok(i64::try_from(delay).unwrap_or(i64::MAX).saturating_neg())
}

/// Applies changes that were checked, and returns the number of validators.
fn apply(
    slots: &mut [PrioritySlot],
    mut len: usize,
    changes: &[Change],
    priority_of_new: i64,
) -> usize {
    for change in changes.iter().filter(|change| change.power == 0) {
        let known = slots.get(..len).unwrap_or_default();
        let Some(at) = known.iter().position(|slot| slot.id == change.id) else { continue };
        if let Some(tail @ [_, ..]) = slots.get_mut(at..len) {
            tail.rotate_left(1);
            len = len.saturating_sub(1);
        }
        if let Some(unused) = slots.get_mut(len) {
            *unused = PrioritySlot::EMPTY;
        }
    }
    for change in changes.iter().filter(|change| change.power > 0) {
        let known = slots.get_mut(..len).unwrap_or_default();
        if let Some(slot) = known.iter_mut().find(|slot| slot.id == change.id) {
            slot.power = change.power;
        } else if let Some(slot) = slots.get_mut(len) {
            let Change { id, power } = *change;
            *slot = PrioritySlot { id, power, priority: priority_of_new };
            len = len.saturating_add(1);
        }
    }
    len
}

/// Takes one step and returns the proposer: the one with the highest priority, of equals the lowest id. One pass, since
/// sets are larger than the fastest cache.
fn step(validators: &mut [PrioritySlot], total: i64) -> Option<ValidatorId> {
    let mut validators = validators.iter_mut();
    let mut first = validators.next()?;
    first.priority = first.priority.saturating_add(signed(first.power));
    for validator in validators {
        validator.priority = validator.priority.saturating_add(signed(validator.power));
        let is_higher = validator.priority > first.priority;
        if is_higher || (validator.priority == first.priority && validator.id < first.id) {
            first = validator;
        }
    }
    first.priority = first.priority.saturating_sub(total);
    Some(first.id)
}

/// Keeps the distance between two priorities within twice the total power. Divisions truncate.
fn rescale(validators: &mut [PrioritySlot]) {
    let window = signed(total_of(validators)).saturating_mul(2);
    let mut greatest = i64::MIN;
    let mut least = i64::MAX;
    for validator in validators.iter() {
        greatest = greatest.max(validator.priority);
        least = least.min(validator.priority);
    }
    let distance = greatest.wrapping_sub(least).wrapping_abs();
    if window <= 0 || distance <= window {
        return;
    }
    let ratio = distance.saturating_add(window.saturating_sub(1)).checked_div(window).unwrap_or(1);
    for validator in validators {
        validator.priority = validator.priority.checked_div(ratio).unwrap_or(0);
    }
}

/// Moves the average of all priorities to 0. The average is rounded down.
fn center(validators: &mut [PrioritySlot]) {
    let priorities = validators.iter().map(|validator| i128::from(validator.priority));
    let sum = priorities.fold(0_i128, i128::wrapping_add); // 64 bits each: it does not wrap
    let Ok(count) = i128::try_from(validators.len()) else { return };
    let average = i64::try_from(sum.checked_div_euclid(count).unwrap_or(0)).unwrap_or(0);
    if average == 0 {
        return; // the common case
    }
    for validator in validators {
        validator.priority = validator.priority.saturating_sub(average);
    }
}

/// Sorts by power, the greatest first, then by id. Few validators are out of place.
fn sort(validators: &mut [PrioritySlot]) {
    for at in 1..validators.len() {
        let (sorted, rest) = validators.split_at(at);
        let Some(next) = rest.first() else { return };
        let place = sorted.partition_point(|slot| {
            next.power.cmp(&slot.power).then_with(|| slot.id.cmp(&next.id)).is_lt()
        });
        if let Some(tail @ [_, ..]) = validators.get_mut(place..=at) {
            tail.rotate_right(1);
        }
    }
}

fn total_of(validators: &[PrioritySlot]) -> u64 {
    validators.iter().fold(0, |sum, validator| sum.saturating_add(validator.power))
}

fn signed(power: u64) -> i64 {
    i64::try_from(power).unwrap_or(i64::MAX)
}
