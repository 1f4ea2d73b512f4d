//! The state of a Clique chain after each block: signers, recent signatures, open votes.

use super::block::{CliqueBlock, CliqueConfig, CliqueError, CliqueSetupError, CliqueVote};
use super::head::CliqueHead;
use super::storage::{CandidateSlot, CliqueStorage, OpenVote, RecentSlot, SignerSlot};
use crate::authority::Turn;
use crate::id::ValidatorId;
use crate::quorum::{OverHalf, Quorum as _};

/// The authorities of a chain, their open votes and their latest signatures (EIP-225), after each block.
///
/// An authority is in turn at every number with number mod n = its index in the ascending list, and may sign one of any
/// floor(n/2) + 1 consecutive blocks. More than half of the authorities add or drop one by their votes. The rules need
/// no signatures: check that of the block before [`apply`](Self::apply).
///
/// ```
/// use consensus::clique::*;
/// use consensus::{Turn, ValidatorId};
///
/// let [ann, ben] = [1, 2].map(|n| ValidatorId([n; 32]));
/// let storage = CliqueSlots {
///     signers: [SignerSlot::EMPTY; 4],
///     recents: [RecentSlot::EMPTY; 3],
///     votes: [CandidateSlot::EMPTY; 4],
/// };
/// let mut clique = Clique::new(CliqueConfig::new(), &[ann], storage)?;
/// let add_ben = Some(CliqueVote { target: ben, authorize: true });
/// let turn = clique.apply(&CliqueBlock { number: 1, signer: ann, vote: add_ben })?;
/// assert_eq!(turn, Turn::In);
/// assert!(clique.signers().eq([ann, ben]), "one vote of one is a majority");
/// let again = clique.apply(&CliqueBlock { number: 2, signer: ann, vote: None });
/// assert_eq!(again, Err(CliqueError::RecentlySigned { signer: ann, next: 3 }));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clique<S> {
    config: CliqueConfig,
    number: u64,
    len: usize,
    storage: S,
}

/// The authorities in ascending order. Created by [`Clique::signers`].
#[derive(Debug, Clone)]
pub struct Signers<'a>(core::slice::Iter<'a, SignerSlot>);

impl<S: CliqueStorage> Clique<S> {
    /// Begins a chain with its first authorities, in any order, after block 0. Clears the storage.
    ///
    /// # Errors
    ///
    /// [`CliqueSetupError`] if the signers are invalid or the storage too small.
    pub fn new(
        config: CliqueConfig,
        signers: &[ValidatorId],
        mut storage: S,
    ) -> Result<Self, CliqueSetupError> {
        if config.epoch == 0 {
            return Err(CliqueSetupError::ZeroEpoch);
        }
        if signers.is_empty() {
            return Err(CliqueSetupError::NoSigners);
        }
        let parts = storage.parts();
        let all = parts.signers.len();
        let window = all.checked_div(2).unwrap_or(0).saturating_add(1);
        let votes = all.saturating_mul(config.votes_per_signer);
        require("signers", all, signers.len())?;
        require("recents", parts.recents.len(), window)?;
        require("votes", parts.votes.len(), votes)?;
        parts.signers.fill(SignerSlot::EMPTY);
        parts.recents.fill(RecentSlot::EMPTY);
        parts.votes.fill(CandidateSlot::EMPTY);
        for (slot, id) in parts.signers.iter_mut().zip(signers) {
            *slot = SignerSlot(*id);
        }
        let used = parts.signers.get_mut(..signers.len()).unwrap_or_default();
        used.sort_unstable_by_key(|slot| slot.0);
        for pair in used.windows(2) {
            if let [one, two] = pair
                && one == two
            {
                return Err(CliqueSetupError::Duplicate(one.0));
            }
        }
        Ok(Self { config, number: 0, len: signers.len(), storage })
    }

    /// Checks a block without applying it, and returns whether its signer is in turn.
    ///
    /// # Errors
    ///
    /// [`CliqueError`]
    pub fn check(&self, block: &CliqueBlock) -> Result<Turn, CliqueError> {
        let CliqueBlock { number, signer, vote } = *block;
        let expected = self.number.saturating_add(1);
        if number != expected || self.number == u64::MAX {
            return Err(CliqueError::WrongNumber { expected, found: number });
        }
        if !self.is_signer(&signer) {
            return Err(CliqueError::Unauthorized(signer));
        }
        if let Some(signed) = self.recent(&signer, number) {
            let next = signed.saturating_add(self.signer_limit());
            return Err(CliqueError::RecentlySigned { signer, next });
        }
        if let Some(vote) = vote {
            self.check_vote(number, &signer, &vote)?;
        }
        Ok(if self.in_turn(number) == Some(signer) { Turn::In } else { Turn::Out })
    }

    /// Applies the next block and returns whether its signer is in turn.
    ///
    /// # Errors
    ///
    /// [`CliqueError`]; the state is unchanged.
    pub fn apply(&mut self, block: &CliqueBlock) -> Result<Turn, CliqueError> {
        let turn = self.check(block)?;
        let CliqueBlock { number, signer, vote } = *block;
        if self.is_checkpoint(number) {
            self.storage.parts().votes.fill(CandidateSlot::EMPTY);
        }
        let recents = self.storage.parts().recents;
        if let Some(slot) = recents.get_mut(ring_index(number, recents.len())) {
            *slot = RecentSlot(Some((number, signer)));
        }
        self.number = number;
        if let Some(vote) = vote {
            self.cast(signer, &vote);
        }
        Ok(turn)
    }

    /// Returns the number of the last block.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Returns the authorities in ascending order, which is the order of their turns.
    pub fn signers(&self) -> Signers<'_> {
        Signers(self.signer_slots().iter())
    }

    /// Returns whether a key is an authority.
    pub fn is_signer(&self, id: &ValidatorId) -> bool {
        self.index_of(id).is_ok()
    }

    /// Returns the authority that is in turn at `number`. `None` if all were dropped.
    pub fn in_turn(&self, number: u64) -> Option<ValidatorId> {
        let len = u64::try_from(self.len).ok()?;
        let index = usize::try_from(number.checked_rem(len)?).ok()?;
        self.signer_slots().get(index).map(|slot| slot.0)
    }

    /// Returns floor(n/2) + 1: an authority may sign one of this many consecutive blocks.
    #[must_use]
    pub fn signer_limit(&self) -> u64 {
        u64::try_from(self.len / 2).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Returns what a block of `signer` after the last one is worth in the choice of the head (EIP-3436), given the total
    /// difficulty with it and its hash. `None` if it is not an authority.
    pub fn head(
        &self,
        signer: &ValidatorId,
        total_difficulty: u64,
        hash: [u8; 32],
    ) -> Option<CliqueHead> {
        let index = self.index_of(signer).ok()?;
        let number = self.number.checked_add(1)?;
        CliqueHead::new(total_difficulty, number, index, self.len, hash)
    }

    /// Returns the parameters.
    #[must_use]
    pub const fn config(&self) -> &CliqueConfig {
        &self.config
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    pub(super) fn index_of(&self, id: &ValidatorId) -> Result<usize, usize> {
        self.signer_slots().binary_search_by(|slot| slot.0.cmp(id))
    }

    fn signer_slots(&self) -> &[SignerSlot] {
        self.storage.parts_ref().signers.get(..self.len).unwrap_or_default()
    }

    fn is_checkpoint(&self, number: u64) -> bool {
        number.checked_rem(self.config.epoch) == Some(0)
    }

    /// Returns the latest number below `number` that the signer signed, as long as that keeps it from signing.
    fn recent(&self, signer: &ValidatorId, number: u64) -> Option<u64> {
        let window = self.signer_limit();
        let recents = self.storage.parts_ref().recents.iter().filter_map(|slot| slot.0);
        let own = recents.filter(|(_, id)| id == signer).map(|(signed, _)| signed);
        own.filter(|signed| signed.saturating_add(window) > number).max()
    }

    fn check_vote(
        &self,
        number: u64,
        signer: &ValidatorId,
        vote: &CliqueVote,
    ) -> Result<(), CliqueError> {
        if self.is_checkpoint(number) {
            return Err(CliqueError::VoteAtCheckpoint);
        }
        let limit = self.config.votes_per_signer;
        let votes = self.storage.parts_ref().votes.iter().filter_map(|slot| slot.0);
        let others = votes.filter(|open| open.signer == *signer && open.target != vote.target);
        if self.is_meaningful(vote) && others.count() >= limit {
            return Err(CliqueError::TooManyVotes { signer: *signer, limit });
        }
        let capacity = self.storage.parts_ref().signers.len();
        let adds = !self.is_signer(&vote.target) && self.decides(signer, vote);
        if adds && self.len >= capacity {
            return Err(CliqueError::Full { capacity });
        }
        Ok(())
    }

    /// Returns whether a vote would change the list: it adds a stranger or drops an authority.
    fn is_meaningful(&self, vote: &CliqueVote) -> bool {
        vote.authorize != self.is_signer(&vote.target)
    }

    /// Returns whether the open votes on the target are a majority once this vote replaces that of the signer. They all
    /// want the same: to add a stranger, or to drop an authority.
    fn decides(&self, signer: &ValidatorId, vote: &CliqueVote) -> bool {
        let votes = self.storage.parts_ref().votes.iter().filter_map(|slot| slot.0);
        let others = votes.filter(|open| open.target == vote.target && open.signer != *signer);
        let others = u64::try_from(others.count()).unwrap_or(u64::MAX);
        let count = others.saturating_add(u64::from(self.is_meaningful(vote)));
        OverHalf::is_reached(count, u64::try_from(self.len).unwrap_or(u64::MAX))
    }

    /// Counts a vote that was checked. Only its own target is decided by it: another target that has a majority because
    /// the list has changed is decided by the next vote on it, even by one that changes nothing itself.
    fn cast(&mut self, signer: ValidatorId, vote: &CliqueVote) {
        let target = vote.target;
        let is_meaningful = self.is_meaningful(vote);
        let decides = self.decides(&signer, vote);
        self.discard(|open| open.signer == signer && open.target == target);
        if !decides {
            let votes = self.storage.parts().votes;
            let free = votes.iter_mut().find(|slot| slot.0.is_none());
            if let Some(slot) = free.filter(|_| is_meaningful) {
                slot.0 = Some(OpenVote { signer, target });
            }
            return;
        }
        if self.is_signer(&target) {
            self.remove(&target);
            self.discard(|open| open.signer == target);
        } else {
            self.insert(target);
        }
        self.discard(|open| open.target == target);
    }

    fn discard(&mut self, condition: impl Fn(&OpenVote) -> bool) {
        for slot in self.storage.parts().votes {
            if slot.0.is_some_and(|open| condition(&open)) {
                slot.0 = None;
            }
        }
    }

    fn insert(&mut self, id: ValidatorId) {
        let Err(at) = self.index_of(&id) else { return };
        let grown = self.len.saturating_add(1);
        let Some(tail @ [_, ..]) = self.storage.parts().signers.get_mut(at..grown) else { return };
        tail.rotate_right(1);
        if let Some(slot) = tail.first_mut() {
            *slot = SignerSlot(id);
        }
        self.len = grown;
    }

    fn remove(&mut self, id: &ValidatorId) {
        let Ok(at) = self.index_of(id) else { return };
        let len = self.len;
        let Some(tail @ [_, ..]) = self.storage.parts().signers.get_mut(at..len) else { return };
        tail.rotate_left(1);
        if let Some(unused) = tail.last_mut() {
            *unused = SignerSlot::EMPTY;
        }
        self.len = self.len.saturating_sub(1);
    }
}

fn require(region: &'static str, found: usize, needed: usize) -> Result<(), CliqueSetupError> {
    if found < needed {
        return Err(CliqueSetupError::TooFewSlots { region, found, needed });
    }
    Ok(())
}

fn ring_index(number: u64, len: usize) -> usize {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    usize::try_from(number.checked_rem(len).unwrap_or(0)).unwrap_or(0)
}

impl Iterator for Signers<'_> {
    type Item = ValidatorId;

    fn next(&mut self) -> Option<ValidatorId> {
        self.0.next().map(|slot| slot.0)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Signers<'_> {}
