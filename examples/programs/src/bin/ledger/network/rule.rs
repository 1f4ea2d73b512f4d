//! The engine of a chain: work, stake or authority.

use core::cmp::Ordering;

use consensus::{AuthoritySeal, AuthoritySlot, StakeSeal, ValidatorVec};
use examples::rules::RuleError;
use ledger_core::{Ancestry, Effects, Engine, Hash, Header, Refused, Tip, Weight};
use pow::WorkSeal;

/// Which blocks count.
#[derive(Debug, Clone)]
pub enum Rule {
    Work(WorkSeal),
    Authority(AuthoritySeal<Vec<AuthoritySlot>>),
    Stake(StakeSeal<ValidatorVec>),
}

impl Engine for Rule {
    type Error = RuleError;

    fn digest(&self) -> Hash {
        match self {
            Self::Work(work) => work.digest(),
            Self::Authority(authority) => authority.digest(),
            Self::Stake(stake) => stake.digest(),
        }
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<RuleError>> {
        match self {
            Self::Work(work) => {
                let checked = work.check(branch, header, proof, now);
                checked.map_err(|refused| refused.map(RuleError::Work))
            }
            Self::Authority(authority) => {
                let checked = authority.check(branch, header, proof, now);
                checked.map_err(|refused| refused.map(RuleError::Seal))
            }
            Self::Stake(stake) => {
                let checked = stake.check(branch, header, proof, now);
                checked.map_err(|refused| refused.map(RuleError::Seal))
            }
        }
    }

    /// Among equals the lower id is better, so that nodes agree even if no block follows for long. The seals compare so
    /// themselves.
    fn prefer(&self, ours: &Tip, theirs: &Tip) -> Ordering {
        match self {
            Self::Work(work) => work.prefer(ours, theirs).then_with(|| theirs.id.cmp(&ours.id)),
            Self::Authority(authority) => authority.prefer(ours, theirs),
            Self::Stake(stake) => stake.prefer(ours, theirs),
        }
    }

    fn apply(&mut self, header: &Header, effects: &Effects) {
        match self {
            Self::Work(work) => work.apply(header, effects),
            Self::Authority(authority) => authority.apply(header, effects),
            Self::Stake(stake) => stake.apply(header, effects),
        }
    }

    fn depends_on_effects(&self) -> bool {
        match self {
            Self::Work(work) => work.depends_on_effects(),
            Self::Authority(authority) => authority.depends_on_effects(),
            Self::Stake(stake) => stake.depends_on_effects(),
        }
    }
}
