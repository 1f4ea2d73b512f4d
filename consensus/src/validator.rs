//! Validators by stake, and the draw that chooses among them.

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::id::ValidatorId;
use crate::select::selector::Draw;

const DRAW_TAG: u8 = 0x44; // 'D'
const GUESSES: u32 = 5;
/// Each attempt is refused in less than half of the cases, so this many never are.
const ATTEMPTS: u32 = 128;

/// Validators and their stakes. Any `AsRef<[ValidatorSlot]> + AsMut<[ValidatorSlot]>` serves as storage.
///
/// The draw is exact: over many slots a validator is chosen in proportion to its stake ("follow the
/// satoshi"), and one without stake never. Anyone who knows the seed can predict it, and anyone who chooses
/// the seed can influence it: a proposer that can vary the seed can retry until it likes the outcome.
///
/// ```
/// use consensus::{ValidatorId, ValidatorSet, ValidatorSlot};
///
/// let [ann, ben] = [1, 2].map(|n| ValidatorId([n; 32]));
/// let mut validators = ValidatorSet::new([ValidatorSlot::EMPTY; 8]);
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
pub struct ValidatorSet<S: ?Sized> {
    len: usize,
    slots: S,
}

/// Storage for one validator: 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidatorSlot {
    id: ValidatorId,
    stake: u64,
    end: u64, // sum of the stakes up to and including this one
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
pub struct Validators<'a>(core::slice::Iter<'a, ValidatorSlot>);

impl ValidatorSlot {
    /// A free slot.
    pub const EMPTY: Self = Self { id: ValidatorId([0; 32]), stake: 0, end: 0 };
}

impl<S: AsRef<[ValidatorSlot]> + AsMut<[ValidatorSlot]>> ValidatorSet<S> {
    /// Creates an empty set and clears the slots.
    pub fn new(mut slots: S) -> Self {
        slots.as_mut().fill(ValidatorSlot::EMPTY);
        Self { len: 0, slots }
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
        let mut last = None;
        let mut end = 0_u64;
        for (id, stake) in stakes.into_iter().filter(|(_, stake)| *stake > 0) {
            if last >= Some(id) {
                return Err(ValidatorError::Unsorted(id));
            }
            last = Some(id);
            end = end.checked_add(stake).ok_or(ValidatorError::TooMuchStake)?;
            let slots = set.slots.as_mut();
            let capacity = slots.len();
            let slot = slots.get_mut(set.len).ok_or(ValidatorError::Full { capacity })?;
            *slot = ValidatorSlot { id, stake, end };
            set.len = set.len.saturating_add(1);
        }
        Ok(set)
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[ValidatorSlot]> + AsMut<[ValidatorSlot]> + ?Sized> ValidatorSet<S> {
    /// Sets the stake of a validator; 0 removes it. Costs O(n).
    ///
    /// # Errors
    ///
    /// [`ValidatorError`]; the set is unchanged.
    pub fn set_stake(&mut self, id: ValidatorId, stake: u64) -> Result<(), ValidatorError> {
        let total = self.total_stake().saturating_sub(self.stake(&id));
        total.checked_add(stake).ok_or(ValidatorError::TooMuchStake)?;
        let found = find(self.validators(), &id);
        let slots = self.slots.as_mut();
        let capacity = slots.len();
        match (found, stake) {
            (Ok(at), 0) => {
                if let Some(tail @ [_, ..]) = slots.get_mut(at..self.len) {
                    tail.rotate_left(1);
                    if let Some(unused) = tail.last_mut() {
                        *unused = ValidatorSlot::EMPTY;
                    }
                    self.len = self.len.saturating_sub(1);
                }
            }
            (Err(_), 0) => {}
            (Ok(at), _) => {
                if let Some(slot) = slots.get_mut(at) {
                    slot.stake = stake;
                }
            }
            (Err(at), _) => {
                let grown = self.len.saturating_add(1);
                let tail = slots.get_mut(at..grown).ok_or(ValidatorError::Full { capacity })?;
                if !tail.is_empty() {
                    tail.rotate_right(1);
                }
                if let Some(slot) = tail.first_mut() {
                    *slot = ValidatorSlot { id, stake, end: 0 };
                }
                self.len = grown;
            }
        }
        add_up(slots.get_mut(..self.len).unwrap_or_default());
        Ok(())
    }
}

impl<S: AsRef<[ValidatorSlot]> + ?Sized> ValidatorSet<S> {
    /// Draws the proposer of a slot: round 0 first, then one more round for each proposer that is silent.
    ///
    /// The same set, seed, slot and round give the same validator on every node, for any pointer width.
    /// `None` if the set is empty.
    #[must_use]
    pub fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        let total = self.total_stake();
        if total == 0 {
            return None;
        }
        let ticket = ticket_below(total, seed, slot, round);
        owner_of(self.validators(), ticket)
    }

    /// Returns the stake of a validator, 0 if it is unknown.
    #[must_use]
    pub fn stake(&self, id: &ValidatorId) -> u64 {
        let validators = self.validators();
        find(validators, id).ok().and_then(|at| validators.get(at)).map_or(0, |slot| slot.stake)
    }

    /// Returns the sum of all stakes.
    #[must_use]
    pub fn total_stake(&self) -> u64 {
        self.validators().last().map_or(0, |slot| slot.end)
    }

    /// Returns the validators and their stakes, in the order of their ids.
    pub fn iter(&self) -> Validators<'_> {
        Validators(self.validators().iter())
    }

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

    /// Returns the number of slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    fn validators(&self) -> &[ValidatorSlot] {
        self.slots.as_ref().get(..self.len).unwrap_or_default()
    }
}

impl<'a, S: AsRef<[ValidatorSlot]> + ?Sized> IntoIterator for &'a ValidatorSet<S> {
    type Item = (ValidatorId, u64);
    type IntoIter = Validators<'a>;

    fn into_iter(self) -> Validators<'a> {
        self.iter()
    }
}

impl Iterator for Validators<'_> {
    type Item = (ValidatorId, u64);

    fn next(&mut self) -> Option<(ValidatorId, u64)> {
        self.0.next().map(|slot| (slot.id, slot.stake))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }

    /// Costs O(1).
    fn nth(&mut self, n: usize) -> Option<(ValidatorId, u64)> {
        self.0.nth(n).map(|slot| (slot.id, slot.stake))
    }
}

impl ExactSizeIterator for Validators<'_> {}

impl<S: AsRef<[ValidatorSlot]> + ?Sized> Draw for ValidatorSet<S> {
    fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        self.draw(seed, slot, round)
    }
}

/// Returns the validator that owns a coin, counted along the list.
///
/// A few guesses in proportion to the sums come first: of many stakes they touch far fewer lines of memory than halving
/// does. Halving ends it, so that no distribution of stakes costs more than O(log n).
fn owner_of(validators: &[ValidatorSlot], coin: u64) -> Option<ValidatorId> {
    let mut rest = validators;
    let mut before = 0_u64; // the sum of all stakes before the rest
    for _ in 0..GUESSES {
        let after = rest.last()?.end;
        let at = guess(coin.saturating_sub(before), after.saturating_sub(before), rest.len());
        let slot = rest.get(at)?;
        if slot.end <= coin {
            before = slot.end;
            rest = rest.get(at.saturating_add(1)..)?;
        } else if slot.end.saturating_sub(slot.stake) <= coin {
            return Some(slot.id);
        } else {
            rest = rest.get(..at)?;
        }
    }
    let at = rest.partition_point(|validator| validator.end <= coin);
    rest.get(at).map(|validator| validator.id)
}

/// Returns about `len * coin / total`, below `len`. Only the upper 32 bits of the sums count, so that the product fits.
fn guess(coin: u64, total: u64, len: usize) -> usize {
    let shift = u64::BITS.saturating_sub(total.leading_zeros()).saturating_sub(32);
    let width = u64::from(u32::try_from(len).unwrap_or(u32::MAX));
    let product = (coin >> shift).saturating_mul(width);
    let place = product.checked_div((total >> shift).saturating_add(1)).unwrap_or(0);
    usize::try_from(place).unwrap_or(0).min(len.saturating_sub(1))
}

fn find(validators: &[ValidatorSlot], id: &ValidatorId) -> Result<usize, usize> {
    validators.binary_search_by(|slot| slot.id.cmp(id))
}

fn add_up(validators: &mut [ValidatorSlot]) {
    let mut sum = 0_u64;
    for validator in validators {
        sum = sum.saturating_add(validator.stake); // `set_stake` has checked it
        validator.end = sum;
    }
}

/// Returns a number below `total`, each with the same probability.
///
/// The high half of a 64 x 64 bit product is the number; the few low halves that would favour some numbers
/// are drawn again (Lemire, "Fast random integer generation in an interval", 2019).
pub(crate) fn ticket_below(total: u64, seed: &[u8; 32], slot: u64, round: u32) -> u64 {
    let unfair = total.wrapping_neg().checked_rem(total).unwrap_or(0);
    let mut ticket = 0;
    for attempt in 0..ATTEMPTS {
        let mut sha = Sha256::new();
        sha.update([DRAW_TAG]);
        sha.update(seed);
        sha.update(slot.to_be_bytes());
        sha.update(round.to_be_bytes());
        sha.update(attempt.to_be_bytes());
        let digest: [u8; 32] = sha.finalize().into();
        let random = digest.first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
        let (low, high) = widening_mul(random, total);
        ticket = high;
        if low >= unfair {
            break;
        }
    }
    ticket
}

/// Returns the low and the high half of the product.
fn widening_mul(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a).saturating_mul(u128::from(b)).to_le_bytes();
    let (halves, _) = product.as_chunks::<8>();
    match halves {
        [low, high] => (u64::from_le_bytes(*low), u64::from_le_bytes(*high)),
        _ => (0, 0), // sixteen bytes are two halves
    }
}
