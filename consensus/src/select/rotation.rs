//! Rotations: every validator in turn, whatever its stake.

use super::selector::Selector;
use crate::id::ValidatorId;

/// Every validator in turn: the one at (slot + round) mod n. Any `AsRef<[ValidatorId]>` serves as list; all nodes need
/// the same order.
///
/// ```
/// use consensus::{RoundRobin, Selector, ValidatorId};
///
/// let [ann, ben, cid] = [1, 2, 3].map(|n| ValidatorId([n; 32]));
/// let turns = RoundRobin::new([ann, ben, cid]);
/// assert_eq!(turns.select(4, 0), Some(ben), "4 mod 3 is 1");
/// assert_eq!(turns.select(4, 1), Some(cid), "ben was silent");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoundRobin<V>(V);

impl<V: AsRef<[ValidatorId]>> RoundRobin<V> {
    /// Takes turns in the order of the list.
    pub const fn new(validators: V) -> Self {
        Self(validators)
    }
}

impl<V: AsRef<[ValidatorId]>> Selector for RoundRobin<V> {
    fn select(&self, slot: u64, round: u32) -> Option<ValidatorId> {
        let validators = self.0.as_ref();
        let len = u128::try_from(validators.len()).ok()?;
        let turn = u128::from(slot).saturating_add(u128::from(round));
        let index = turn.checked_rem(len)?;
        validators.get(usize::try_from(index).ok()?).copied()
    }
}

/// The rotation of Hyperledger Besu (`ProposerSelector`): from the proposer of the last block. Any `AsRef<[ValidatorId]>`
/// serves as list, in ascending order.
///
/// ```
/// use consensus::{Selector, ValidatorId};
/// use consensus::select::BesuRotation;
///
/// let [ann, ben, cid] = [1, 2, 3].map(|n| ValidatorId([n; 32]));
/// let turns = BesuRotation::new([ann, ben, cid], ben, true);
/// assert_eq!(turns.select(8, 0), Some(cid), "the one after ben");
/// assert_eq!(turns.select(8, 1), Some(ann), "cid was silent");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BesuRotation<V> {
    validators: V,
    last_proposer: ValidatorId,
    changes_each_block: bool,
}

impl<V: AsRef<[ValidatorId]>> BesuRotation<V> {
    /// Continues after the proposer of the last block. With `changes_each_block` the next one begins, otherwise the same
    /// proposes until it is silent.
    pub const fn new(validators: V, last_proposer: ValidatorId, changes_each_block: bool) -> Self {
        Self { validators, last_proposer, changes_each_block }
    }
}

impl<V: AsRef<[ValidatorId]>> Selector for BesuRotation<V> {
    /// Returns the proposer of the next block; the slot plays no part. A last proposer that is no longer a validator is
    /// replaced by the first one after it.
    fn select(&self, _: u64, round: u32) -> Option<ValidatorId> {
        let validators = self.validators.as_ref();
        let found = validators.binary_search(&self.last_proposer);
        let base = match found {
            Ok(index) => index.saturating_add(usize::from(self.changes_each_block)),
            Err(index) => index,
        };
        let turn = u64::try_from(base).ok()?.saturating_add(u64::from(round));
        let index = turn.checked_rem(u64::try_from(validators.len()).ok()?)?;
        validators.get(usize::try_from(index).ok()?).copied()
    }
}
