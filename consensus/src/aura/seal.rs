//! Aura as an engine for the blocks of `ledger-core`.

use ledger_core::{
    Ancestry, Claim, ClaimKind, Effects, Engine, Hash, Header, Height, KeyPair, Refused, Signature,
    Weight,
};
use thiserror::Error;

use super::credits::CreditSlot;
use super::finality::RollingFinality;
use super::step::step_of;
use crate::digest::Digest;
use crate::id::ValidatorId;
use crate::quorum::{OverHalf, Quorum};
use crate::seal::{SealError, author_of, check_form, check_signature_of};
use crate::select::rotation::RoundRobin;
use crate::select::selector::Selector as _;
use crate::vote::statement::Statement;

/// A block weighs 2^64 - 1 minus the steps since its parent, so that fewer missed steps are heavier.
const FULL_STEP: u64 = u64::MAX;

/// Requires every block to come from the authority of its step: step mod n.
///
/// The step is the time of the block divided by `duration`; the claim is the key of the authority; the proof is its
/// signature of [`AuraSeal::statement`], whose slot is the step. A block of a later step than the clock's is `NotYet`.
/// Blocks are final when enough different authorities have built on them. Empty steps are not signed.
///
/// ```
/// use consensus::ValidatorId;
/// use consensus::aura::{AuraSeal, CreditSlot};
///
/// let ids = [1, 2, 3].map(|n| ValidatorId([n; 32]));
/// let seal = AuraSeal::<_, _>::new(5, ids, [CreditSlot::EMPTY; 8]);
/// let step = seal.step(1012).expect("steps last five seconds");
/// assert_eq!(seal.primary(step), Some(ids[1]), "202 mod 3 is 1");
/// ```
#[derive(Debug, Clone)]
pub struct AuraSeal<V, S, Q = OverHalf> {
    duration: u64,
    authorities: V,
    finality: RollingFinality<S, Q>,
}

/// Why a header does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuraSealError {
    /// The form or the signature is wrong.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A step lasts 0 seconds, or there is no authority.
    #[error("no authorities or no steps")]
    NoAuthorities,
    /// The step is not later than that of the parent.
    #[error("step {step} is not after {parent}")]
    OldStep {
        /// Its step.
        step: u64,
        /// The step of the parent.
        parent: u64,
    },
    /// Another authority has this step.
    #[error("step {step} belongs to {expected:.16}")]
    OutOfTurn {
        /// The step.
        step: u64,
        /// The authority of the step.
        expected: ValidatorId,
    },
}

impl<V, S, Q> AuraSeal<V, S, Q>
where
    V: AsRef<[ValidatorId]>,
    S: AsRef<[CreditSlot]> + AsMut<[CreditSlot]>,
    Q: Quorum,
{
    /// Gives each of the `authorities` a step in turn. A step lasts `duration` seconds. `slots` hold the signatures of
    /// blocks that are not final: as many as there are authorities, or more.
    pub fn new(duration: u64, authorities: V, slots: S) -> Self {
        let count = u64::try_from(authorities.as_ref().len()).unwrap_or(u64::MAX);
        Self { duration, authorities, finality: RollingFinality::new(count, slots) }
    }

    /// Returns the authority of a step.
    pub fn primary(&self, step: u64) -> Option<ValidatorId> {
        RoundRobin::new(self.authorities.as_ref()).select(step, 0)
    }

    /// Returns the step of a time in Unix seconds.
    pub const fn step(&self, time: u64) -> Option<u64> {
        step_of(time, self.duration)
    }

    /// Returns the claim of an authority.
    #[must_use]
    pub fn claim(authority: &ValidatorId) -> Claim {
        Claim::of_parts(ClaimKind::AUTHORITY, &authority.0, &[])
    }

    /// Returns what the author of a header signs. Two headers in one step are a double proposal, whatever their heights.
    pub fn statement(&self, genesis: &ledger_core::GenesisId, header: &Header) -> Statement {
        let step = self.step(header.time).unwrap_or(0);
        Statement::propose(*genesis.as_bytes(), step, 0, *header.id(genesis).as_bytes())
    }

    /// Signs a header.
    pub fn sign(
        &self,
        genesis: &ledger_core::GenesisId,
        header: &Header,
        key: &KeyPair,
    ) -> Signature {
        key.sign(&self.statement(genesis, header))
    }
}

impl<V, S, Q> Engine for AuraSeal<V, S, Q>
where
    V: AsRef<[ValidatorId]> + Clone,
    S: AsRef<[CreditSlot]> + AsMut<[CreditSlot]> + Clone,
    Q: Quorum + Clone,
{
    type Error = AuraSealError;

    fn digest(&self) -> Hash {
        let start = Digest::new(b"consensus/1 aura seal\0").and(&self.duration.to_be_bytes());
        let authorities = self.authorities.as_ref();
        let count = u64::try_from(authorities.len()).unwrap_or(u64::MAX);
        // What is final depends on the quorum: how many authorities are too few names it.
        let too_few = (0..=count).take_while(|few| !Q::is_reached(*few, count)).count();
        let start = start.and(&u64::try_from(too_few).unwrap_or(u64::MAX).to_be_bytes());
        authorities.iter().fold(start, |digest, id| digest.and(&id.0)).into_hash()
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<AuraSealError>> {
        let invalid = |error: AuraSealError| Refused::Invalid(error);
        check_form(header, proof, ClaimKind::AUTHORITY, 32).map_err(|it| invalid(it.into()))?;
        let none = invalid(AuraSealError::NoAuthorities);
        let step = self.step(header.time).ok_or(none)?;
        let parent = self.step(branch.tip().time).ok_or(none)?;
        let current = self.step(now).ok_or(none)?;
        if step > current {
            return Err(Refused::NotYet { at: step.saturating_mul(self.duration) });
        }
        if step <= parent {
            return Err(invalid(AuraSealError::OldStep { step, parent }));
        }
        let expected = self.primary(step).ok_or(none)?;
        let author = author_of(header);
        if author != expected {
            return Err(invalid(AuraSealError::OutOfTurn { step, expected }));
        }
        let statement = self.statement(branch.genesis(), header);
        check_signature_of(&statement, &author, proof).map_err(|it| invalid(it.into()))?;
        Ok(Weight(u128::from(FULL_STEP.saturating_sub(step.saturating_sub(parent)))))
    }

    fn apply(&mut self, header: &Header, _: &Effects) {
        let _ = self.finality.push(header.height.0, &[author_of(header)]); // full only without slots: then nothing is ever final
    }

    fn finalized(&self) -> Option<Height> {
        self.finality.finalized().map(Height)
    }
}
