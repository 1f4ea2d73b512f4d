//! The life of a stake: bond, wait, validate, leave, withdraw; and slashing, once for each offence.

use thiserror::Error;

use crate::id::ValidatorId;
use crate::vote::offence::Offence;

/// Stakes from bond to withdrawal. Any `AsRef<[BondSlot]> + AsMut<[BondSlot]>` serves as storage.
///
/// | state | next | when |
/// |---|---|---|
/// | waiting | active | at the next epochs, in the order of bonding, [`churn`](StakeConfig::churn) per epoch |
/// | active | unbonding | [`unbond`](StakeBook::unbond), or [`slash`](StakeBook::slash) |
/// | unbonding | withdrawn | [`withdraw`](StakeBook::withdraw), from [`unbonding`](StakeConfig::unbonding) epochs later on |
///
/// A stake that is unbonding can still be slashed: evidence is worth something as long as the stake is there.
///
/// ```
/// use consensus::{Offence, OffenceKind, ValidatorId};
/// use consensus::stake::{BondSlot, SlashError, StakeBook, StakeConfig};
///
/// let ann = ValidatorId([1; 32]);
/// let mut book = StakeBook::new(StakeConfig::new(), [BondSlot::EMPTY; 8]);
/// book.bond(ann, 1000)?;
/// book.advance(1);
/// assert_eq!(book.active().collect::<Vec<_>>(), [(ann, 1000)]);
///
/// let offence = Offence { author: ann, kind: OffenceKind::DoubleProposal, slot: 7 };
/// assert_eq!(book.slash(&offence, 1), Ok(50), "a twentieth");
/// assert_eq!(book.slash(&offence, 1), Err(SlashError::AlreadySlashed));
/// assert_eq!(book.active().count(), 0);
/// # Ok::<(), consensus::stake::BondError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StakeBook<S: ?Sized> {
    config: StakeConfig,
    epoch: u64,
    next_order: u64,
    slots: S,
}

/// Parameters of a chain: the same on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StakeConfig {
    /// The number of validators that become active in one epoch. A set that changes slowly keeps its promises.
    pub churn: u32,
    /// The number of epochs between leaving and withdrawing. Choose it longer than evidence takes to arrive.
    pub unbonding: u64,
    /// The part of a stake that an offence costs, in thousandths. At most 1000.
    pub slash_per_mille: u16,
    /// The lowest stake.
    pub minimum: u64,
}

/// Storage for one stake: 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BondSlot(Option<Bond>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bond {
    id: ValidatorId,
    stake: u64,
    /// The order of bonding.
    order: u64,
    state: BondState,
    is_slashed: bool,
}

/// Where a stake is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BondState {
    /// It waits to become active.
    Waiting,
    /// Its owner validates.
    Active {
        /// The first epoch in which it did.
        since: u64,
    },
    /// Its owner has left.
    Unbonding {
        /// The first epoch in which it validated; the epoch of leaving if it never did.
        since: u64,
        /// The epoch in which it left: it did not validate any more.
        left: u64,
    },
}

/// Why a stake does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BondError {
    /// The validator has a stake already.
    #[error("{0:.16} has a stake already")]
    Bonded(ValidatorId),
    /// The validator has no stake, or has left.
    #[error("{0:.16} has no stake to move")]
    Unknown(ValidatorId),
    /// The stake is too small.
    #[error("a stake of less than {minimum}")]
    TooSmall {
        /// The lowest stake.
        minimum: u64,
    },
    /// The sum of all stakes would exceed 64 bits.
    #[error("the total stake exceeds {}", u64::MAX)]
    TooMuchStake,
    /// The stake is still unbonding.
    #[error("not before epoch {at}")]
    Unbonding {
        /// The first epoch in which it can be withdrawn.
        at: u64,
    },
    /// No slot is free.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
}

/// Why an offence is not punished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SlashError {
    /// An honest validator may do this.
    #[error("not an offence that costs stake")]
    Benign,
    /// The offender did not validate at that time.
    #[error("{0:.16} did not validate in that epoch")]
    NotMember(ValidatorId),
    /// The offence is older than the unbonding time.
    #[error("older than epoch {oldest}")]
    Expired {
        /// The oldest epoch that still counts.
        oldest: u64,
    },
    /// The offender was slashed and removed. One slash covers all that it did before.
    #[error("slashed already")]
    AlreadySlashed,
}

/// Validators and their stakes. Created by [`StakeBook::active`].
#[derive(Debug, Clone)]
pub struct ActiveStakes<'a>(core::slice::Iter<'a, BondSlot>);

impl StakeConfig {
    /// Four validators each epoch, 256 epochs to withdraw, a twentieth of the stake for an offence, stakes from 1 on.
    #[must_use]
    pub const fn new() -> Self {
        Self { churn: 4, unbonding: 256, slash_per_mille: 50, minimum: 1 }
    }
}

impl Default for StakeConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl BondSlot {
    /// A free slot.
    pub const EMPTY: Self = Self(None);
}

impl<S: AsRef<[BondSlot]> + AsMut<[BondSlot]>> StakeBook<S> {
    /// Creates an empty book in epoch 0 and clears the slots.
    pub fn new(config: StakeConfig, mut slots: S) -> Self {
        slots.as_mut().fill(BondSlot::EMPTY);
        Self { config, epoch: 0, next_order: 0, slots }
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[BondSlot]> + AsMut<[BondSlot]> + ?Sized> StakeBook<S> {
    /// Bonds a stake. It waits to become active.
    ///
    /// # Errors
    ///
    /// [`BondError`]; the book is unchanged.
    pub fn bond(&mut self, id: ValidatorId, stake: u64) -> Result<(), BondError> {
        let minimum = self.config.minimum.max(1);
        if stake < minimum {
            return Err(BondError::TooSmall { minimum });
        }
        if self.find(&id).is_some() {
            return Err(BondError::Bonded(id));
        }
        self.total().checked_add(stake).ok_or(BondError::TooMuchStake)?;
        let capacity = self.slots.as_ref().len();
        let mut slots = self.slots.as_mut().iter_mut();
        let free = slots.find(|slot| slot.0.is_none()).ok_or(BondError::Full { capacity })?;
        let order = self.next_order;
        let state = BondState::Waiting;
        free.0 = Some(Bond { id, stake, order, state, is_slashed: false });
        self.next_order = order.saturating_add(1);
        Ok(())
    }

    /// Leaves: the validator is not active any more, and can withdraw later. One that waits can withdraw as late.
    ///
    /// # Errors
    ///
    /// [`BondError::Unknown`]; the book is unchanged.
    pub fn unbond(&mut self, id: &ValidatorId) -> Result<(), BondError> {
        let epoch = self.epoch;
        let bond = self.find_mut(id).ok_or(BondError::Unknown(*id))?;
        bond.state = match bond.state {
            BondState::Waiting => BondState::Unbonding { since: epoch, left: epoch },
            BondState::Active { since } => BondState::Unbonding { since, left: epoch },
            BondState::Unbonding { .. } => return Err(BondError::Unknown(*id)),
        };
        Ok(())
    }

    /// Withdraws what is left of a stake after the unbonding time, and returns it.
    ///
    /// # Errors
    ///
    /// [`BondError`]; the book is unchanged.
    pub fn withdraw(&mut self, id: &ValidatorId) -> Result<u64, BondError> {
        let unbonding = self.config.unbonding;
        let epoch = self.epoch;
        let bond = self.find(id).ok_or(BondError::Unknown(*id))?;
        let BondState::Unbonding { left, .. } = bond.state else {
            return Err(BondError::Unknown(*id));
        };
        let stake = bond.stake;
        let at = left.saturating_add(unbonding);
        if epoch < at {
            return Err(BondError::Unbonding { at });
        }
        let slots = self.slots.as_mut().iter_mut();
        for slot in slots.filter(|slot| slot.0.is_some_and(|bond| bond.id == *id)) {
            slot.0 = None;
        }
        Ok(stake)
    }

    /// Moves on to an epoch, and activates stakes that wait, the oldest first: as many as the churn allows for each epoch
    /// that passed. An earlier epoch changes nothing.
    pub fn advance(&mut self, epoch: u64) {
        let passed = epoch.saturating_sub(self.epoch);
        self.epoch = self.epoch.max(epoch);
        let allowed = passed.saturating_mul(u64::from(self.config.churn));
        let waiting = self.slots.as_ref().iter().filter_map(|slot| slot.0);
        let waiting = waiting.filter(|bond| bond.state == BondState::Waiting).count();
        let count = usize::try_from(allowed).unwrap_or(usize::MAX).min(waiting);
        for _ in 0..count {
            let bonds = self.slots.as_mut().iter_mut().filter_map(|slot| slot.0.as_mut());
            let waiting = bonds.filter(|bond| bond.state == BondState::Waiting);
            if let Some(oldest) = waiting.min_by_key(|bond| bond.order) {
                oldest.state = BondState::Active { since: self.epoch };
            }
        }
    }

    /// Punishes an offence of a slot in `epoch`: takes a part of the stake, removes the validator, and returns what was
    /// taken. A validator that was slashed is not slashed again: it is out, whatever it did before.
    ///
    /// # Errors
    ///
    /// [`SlashError`]; the book is unchanged.
    pub fn slash(&mut self, offence: &Offence, epoch: u64) -> Result<u64, SlashError> {
        if !offence.kind.is_slashable() {
            return Err(SlashError::Benign);
        }
        let oldest = self.epoch.saturating_sub(self.config.unbonding);
        if epoch < oldest {
            return Err(SlashError::Expired { oldest });
        }
        let now = self.epoch;
        let per_mille = u128::from(self.config.slash_per_mille.min(1000));
        let not_member = SlashError::NotMember(offence.author);
        let bond = self.find_mut(&offence.author).ok_or(not_member)?;
        if bond.is_slashed {
            return Err(SlashError::AlreadySlashed);
        }
        let was_member = match bond.state {
            BondState::Waiting => false,
            BondState::Active { since } => (since..=now).contains(&epoch),
            BondState::Unbonding { since, left } => (since..left).contains(&epoch),
        };
        if !was_member {
            return Err(not_member);
        }
        let taken = u128::from(bond.stake).saturating_mul(per_mille).checked_div(1000);
        let taken = taken.and_then(|taken| u64::try_from(taken).ok()).unwrap_or(bond.stake);
        bond.stake = bond.stake.saturating_sub(taken);
        bond.is_slashed = true;
        if let BondState::Active { since } = bond.state {
            bond.state = BondState::Unbonding { since, left: now };
        }
        Ok(taken)
    }
}

impl<S: AsRef<[BondSlot]> + ?Sized> StakeBook<S> {
    /// Returns the validators and their stakes.
    pub fn active(&self) -> ActiveStakes<'_> {
        ActiveStakes(self.slots.as_ref().iter())
    }

    /// Returns where a stake is in its life, and how large it is.
    #[must_use]
    pub fn bond_of(&self, id: &ValidatorId) -> Option<(BondState, u64)> {
        self.find(id).map(|bond| (bond.state, bond.stake))
    }

    /// Returns the sum of all stakes, whatever their state.
    #[must_use]
    pub fn total(&self) -> u64 {
        let bonds = self.slots.as_ref().iter().filter_map(|slot| slot.0);
        bonds.fold(0, |sum, bond| sum.saturating_add(bond.stake))
    }

    fn find(&self, id: &ValidatorId) -> Option<&Bond> {
        let mut bonds = self.slots.as_ref().iter().filter_map(|slot| slot.0.as_ref());
        bonds.find(|bond| bond.id == *id)
    }
}

impl<S: AsMut<[BondSlot]> + ?Sized> StakeBook<S> {
    fn find_mut(&mut self, id: &ValidatorId) -> Option<&mut Bond> {
        let mut bonds = self.slots.as_mut().iter_mut().filter_map(|slot| slot.0.as_mut());
        bonds.find(|bond| bond.id == *id)
    }
}

impl Iterator for ActiveStakes<'_> {
    type Item = (ValidatorId, u64);

    fn next(&mut self) -> Option<(ValidatorId, u64)> {
        let mut bonds = self.0.by_ref().filter_map(|slot| slot.0);
        let active = bonds.find(|bond| matches!(bond.state, BondState::Active { .. }))?;
        Some((active.id, active.stake))
    }
}
