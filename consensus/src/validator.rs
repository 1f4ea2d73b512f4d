//! Validators by stake, and the draw that chooses among them.

use core::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

const DRAW_TAG: u8 = 0x44; // 'D'
/// Each attempt is refused in less than half of the cases, so this many never are.
const ATTEMPTS: u32 = 128;

/// Names a validator or an authority: an Ed25519 public key (RFC 8032). `Display` is hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValidatorId(pub [u8; 32]);

/// Who has how much at stake. `S` is the memory; any `[ValidatorSlot]` serves.
///
/// The draw is exact: over many slots a validator is chosen in proportion to its stake ("follow the
/// satoshi"), and one without stake never. It can be predicted by whoever knows the seed, and influenced by
/// whoever chooses it; a seed that a proposer can vary lets it try until it likes the outcome.
#[derive(Debug, Clone)]
pub struct ValidatorSet<S: ?Sized> {
    len: usize,
    slots: S,
}

/// Room for one validator: 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidatorSlot {
    id: ValidatorId,
    stake: u64,
    end: u64, // the stakes up to and including this one
}

/// Why a set of validators refuses a change. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValidatorError {
    /// All slots are taken: the caller's limit.
    #[error("no free slot among {capacity}")]
    Full {
        /// How many slots there are.
        capacity: usize,
    },
    /// The stakes do not fit into 64 bits together.
    #[error("the total stake exceeds {}", u64::MAX)]
    TooMuchStake,
}

impl ValidatorSlot {
    /// A free slot.
    pub const EMPTY: Self = Self { id: ValidatorId([0; 32]), stake: 0, end: 0 };
}

impl<S: AsRef<[ValidatorSlot]> + AsMut<[ValidatorSlot]>> ValidatorSet<S> {
    /// Creates an empty set. What is in `slots` is ignored.
    pub const fn new(slots: S) -> Self {
        Self { len: 0, slots }
    }
}

impl<S: AsRef<[ValidatorSlot]> + AsMut<[ValidatorSlot]> + ?Sized> ValidatorSet<S> {
    /// Sets the stake of a validator; 0 removes it. Costs O(n).
    ///
    /// # Errors
    ///
    /// [`ValidatorError`]; nothing has changed then.
    pub fn set_stake(&mut self, id: ValidatorId, stake: u64) -> Result<(), ValidatorError> {
        let total = self.total_stake().saturating_sub(self.stake(&id));
        total.checked_add(stake).ok_or(ValidatorError::TooMuchStake)?;
        let found = find(self.validators(), &id);
        let slots = self.slots.as_mut();
        let capacity = slots.len();
        match (found, stake) {
            (Ok(at), 0) => {
                if let Some(tail) = slots.get_mut(at..self.len) {
                    tail.rotate_left(1);
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
                tail.rotate_right(1);
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
    /// Draws the proposer of a slot; round 0 first, a further round for each proposer that is silent.
    ///
    /// The same set, seed, slot and round give the same validator on every node, whatever its pointer width.
    /// `None` if nobody has stake.
    #[must_use]
    pub fn draw(&self, seed: &[u8; 32], slot: u64, round: u32) -> Option<ValidatorId> {
        let total = self.total_stake();
        if total == 0 {
            return None;
        }
        let ticket = ticket_below(total, seed, slot, round);
        let validators = self.validators();
        let at = validators.partition_point(|validator| validator.end <= ticket);
        validators.get(at).map(|validator| validator.id)
    }

    /// Returns the stake of a validator; 0 if it is none.
    #[must_use]
    pub fn stake(&self, id: &ValidatorId) -> u64 {
        let validators = self.validators();
        find(validators, id).ok().and_then(|at| validators.get(at)).map_or(0, |slot| slot.stake)
    }

    /// Returns all stakes together.
    #[must_use]
    pub fn total_stake(&self) -> u64 {
        self.validators().last().map_or(0, |slot| slot.end)
    }

    /// Returns the validators and their stakes, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (ValidatorId, u64)> + '_ {
        self.validators().iter().map(|slot| (slot.id, slot.stake))
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

    /// Returns how many validators there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    fn validators(&self) -> &[ValidatorSlot] {
        self.slots.as_ref().get(..self.len).unwrap_or_default()
    }
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
fn ticket_below(total: u64, seed: &[u8; 32], slot: u64, round: u32) -> u64 {
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

impl fmt::Display for ValidatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(usize::MAX);
        self.0.iter().take(digits.div_ceil(2)).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ValidatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
