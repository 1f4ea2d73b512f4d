//! Slots as an engine for the blocks of `ledger-core`.

use ledger_core::{
    Ancestry, Claim, ClaimKind, Effects, Engine, GenesisId, Hash, Header, Refused, Weight,
};
use thiserror::Error;

use crate::digest::Digest;
use crate::error::{BufferTooSmall, take};
use crate::id::ValidatorId;
use crate::proof_votes::{ProofVote, VOTE_LEN, VotesError, decode_votes, vote_bytes};
use crate::seal::{SealError, author_of, check_claim, check_signature_of, slash, slashed};
use crate::set::storage::ValidatorStorage;
use crate::set::validators::ValidatorSet;
use crate::vote::statement::{SignedStatement, Statement, StatementKind};

/// Requires every block to come from the validator that is drawn for its slot, and lets it carry the attestations to its
/// parent.
///
/// The slot is the time of the block divided by `duration`. The claim has the kind of stake and names the validator (32
/// bytes) and the stake of the attestations (u64); the proof is the validator's signature of [`SlotSeal::statement`], then
/// the source and the target of the attestations (u64 each) and for each of them the index of the validator in the order of
/// ids (u16) and its signature, in ascending order; all integers are big-endian. A proof without attestations ends after
/// the first signature. A block of a later slot than the clock's is `NotYet`.
///
/// A block weighs 1 and the stake of the attestations that it carries, so that the chain with the most attestations is the
/// heaviest. The id covers the claim and not the proof: a proof with other attestations than the claim asks for is refused,
/// so that a block weighs the same for everybody.
///
/// The draw depends on a public seed and on the slot: it is predictable without limit, and nobody influences it.
///
/// ```
/// use consensus::slot::SlotSeal;
/// use consensus::{ValidatorArray, ValidatorId, ValidatorSet};
///
/// let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
/// validators.set_stake(ValidatorId([1; 32]), 100)?;
/// let seal = SlotSeal::new(12, [7; 32], validators);
/// assert_eq!(seal.slot(25), Some(2));
/// assert_eq!(seal.proposer(2), Some(ValidatorId([1; 32])), "there is no other");
/// # Ok::<(), consensus::ValidatorError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SlotSeal<S> {
    duration: u64,
    seed: [u8; 32],
    validators: ValidatorSet<S>,
    first_digest: Option<Hash>, // once the validators have changed
}

/// Why a header does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SlotSealError {
    /// The form or the signature is wrong, or another validator was drawn.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A slot lasts 0 seconds.
    #[error("a slot of no length")]
    NoSlots,
    /// The slot is not later than that of the parent.
    #[error("slot {slot} is not after {parent}")]
    OldSlot {
        /// Its slot.
        slot: u64,
        /// The slot of the parent.
        parent: u64,
    },
    /// The proof does not end with a list of attestations.
    #[error("malformed attestations")]
    Malformed,
    /// The attestations have another stake than the block claims.
    #[error("attestations with a stake of {found}, but {claimed} is claimed")]
    WrongStake {
        /// The stake in the claim.
        claimed: u64,
        /// The stake of the attestations in the proof.
        found: u64,
    },
    /// The attestations are not for a slot of the parent until this block.
    #[error("attestations for slot {0}, in which the parent was not the head")]
    WrongTarget(u64),
    /// The attestations are not in ascending order, or one validator attests twice.
    #[error("attestation of validator {0} out of order")]
    OutOfOrder(u16),
    /// No validator has this index.
    #[error("no validator has index {0}")]
    UnknownValidator(u16),
}

/// The slots around a block.
struct Slots {
    parent: u64,
    own: u64,
}

impl<S: ValidatorStorage> SlotSeal<S> {
    /// Draws among `validators` with this seed. A slot lasts `duration` seconds.
    pub const fn new(duration: u64, seed: [u8; 32], validators: ValidatorSet<S>) -> Self {
        Self { duration, seed, validators, first_digest: None }
    }

    /// Returns the slot of a time in Unix seconds, or `None` if slots have no length.
    #[must_use]
    pub const fn slot(&self, time: u64) -> Option<u64> {
        time.checked_div(self.duration)
    }

    /// Returns the validator that makes the block of a slot.
    #[must_use]
    pub fn proposer(&self, slot: u64) -> Option<ValidatorId> {
        self.validators.draw(&self.seed, slot, 0)
    }

    /// Returns the claim of a validator whose block carries what [`encode_proof`](Self::encode_proof) takes of these
    /// attestations.
    #[must_use]
    pub fn claim(&self, validator: &ValidatorId, attestations: &[SignedStatement]) -> Claim {
        let stakes = self.votes(attestations).map(|(_, stake, _)| stake);
        let stake = stakes.fold(0, u64::saturating_add);
        Claim::of_parts(ClaimKind::STAKE, &validator.0, &stake.to_be_bytes())
    }

    /// Returns what the author of a header signs. Two headers in one slot are a double proposal, whatever their heights.
    pub fn statement(&self, genesis: &GenesisId, header: &Header) -> Statement {
        let slot = self.slot(header.time).unwrap_or(0);
        Statement::propose(*genesis.as_bytes(), slot, 0, *header.id(genesis).as_bytes())
    }

    /// Returns the validators.
    pub const fn validators(&self) -> &ValidatorSet<S> {
        &self.validators
    }

    /// Encodes a signature and the attestations to the parent as the proof of a block, and returns its length: 64 bytes, and
    /// with attestations 16 more and 66 for each. The attestations have to be in ascending order of their authors. All have
    /// the link of the first; others, those of strangers and those out of order are left out. Costs O(n).
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]
    pub fn encode_proof(
        &self,
        signature: &[u8; 64],
        attestations: &[SignedStatement],
        out: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let votes = self.votes(attestations).map(|(index, _, signature)| (index, signature));
        let count = votes.clone().count();
        let link = link_of_first(attestations).filter(|_| count > 0);
        let link_len = if link.is_some() { 16_usize } else { 0 };
        let needed = count.saturating_mul(VOTE_LEN).saturating_add(link_len).saturating_add(64);
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let link = link.into_iter().flatten().flat_map(u64::to_be_bytes);
        let bytes = signature.iter().copied().chain(link).chain(vote_bytes(votes));
        for (byte, value) in out.iter_mut().zip(bytes) {
            *byte = value;
        }
        Ok(needed)
    }

    /// Returns the attestations of a proof: index, stake and signature of the validators.
    fn votes(
        &self,
        attestations: &[SignedStatement],
    ) -> impl Iterator<Item = (u16, u64, [u8; 64])> + Clone {
        let link = link_of_first(attestations);
        let mut validators = self.validators.iter().enumerate().peekable();
        attestations.iter().filter_map(move |signed| {
            if link.is_none() || link_of(&signed.statement) != link {
                return None;
            }
            while validators.peek().is_some_and(|(_, (id, _))| *id < signed.author) {
                validators.next();
            }
            let (index, (id, stake)) = *validators.peek()?;
            if id != signed.author {
                return None;
            }
            validators.next();
            Some((u16::try_from(index).ok()?, stake, signed.signature))
        })
    }

    /// Checks the attestations to the parent: first whether they have the stake that is claimed, then their signatures.
    fn check_attestations(
        &self,
        genesis: [u8; 32],
        parent: [u8; 32],
        slots: &Slots,
        proof: &[u8],
        claimed: u64,
    ) -> Result<(), SlotSealError> {
        let wrong = |found| SlotSealError::WrongStake { claimed, found };
        if proof.is_empty() {
            return if claimed == 0 { Ok(()) } else { Err(wrong(0)) };
        }
        let (source, rest) = take(proof).map_err(|_| SlotSealError::Malformed)?;
        let (target, votes) = take(rest).map_err(|_| SlotSealError::Malformed)?;
        let source = u64::from_be_bytes(*source);
        let target = u64::from_be_bytes(*target);
        if !(slots.parent..slots.own).contains(&target) || source >= target {
            return Err(SlotSealError::WrongTarget(target));
        }
        let kind = StatementKind::Attest { source };
        let statement = Statement::new(genesis, kind, target, 0, parent);
        if votes.is_empty() {
            return Err(SlotSealError::Malformed);
        }
        let mut found = 0_u64;
        for vote in decode_votes(votes, &self.validators)? {
            found = found.saturating_add(vote?.stake);
        }
        if found != claimed {
            return Err(wrong(found));
        }
        for vote in decode_votes(votes, &self.validators)? {
            let ProofVote { author, signature, .. } = vote?;
            check_signature_of(&statement, &author, signature)?;
        }
        Ok(())
    }
}

impl From<VotesError> for SlotSealError {
    fn from(error: VotesError) -> Self {
        match error {
            VotesError::Malformed => Self::Malformed,
            VotesError::OutOfOrder(index) => Self::OutOfOrder(index),
            VotesError::UnknownValidator(index) => Self::UnknownValidator(index),
        }
    }
}

impl<S: ValidatorStorage + Clone> Engine for SlotSeal<S> {
    type Error = SlotSealError;

    fn digest(&self) -> Hash {
        self.first_digest.unwrap_or_else(|| {
            let start = Digest::new(b"consensus/1 slot seal\0").and(&self.duration.to_be_bytes());
            start.and(&self.seed).and_stakes(&self.validators).into_hash()
        })
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<SlotSealError>> {
        let slots = self.check_slot(branch, header, now)?;
        let invalid = |error: SlotSealError| Refused::Invalid(error);
        check_claim(header, ClaimKind::STAKE, 40).map_err(|error| invalid(error.into()))?;
        let found = author_of(header);
        let expected = self.proposer(slots.own).ok_or(invalid(SealError::NoValidators.into()))?;
        if expected != found {
            return Err(invalid(SealError::NotDrawn { expected, found }.into()));
        }
        let genesis = branch.genesis();
        let statement = self.statement(genesis, header);
        check_signature_of(&statement, &found, proof).map_err(|error| invalid(error.into()))?;
        let attestations = proof.get(64..).unwrap_or_default();
        let parent = *branch.tip().id.as_bytes();
        let claimed = attested_in(header);
        self.check_attestations(*genesis.as_bytes(), parent, &slots, attestations, claimed)
            .map_err(invalid)?;
        Ok(Weight(u128::from(claimed).saturating_add(1)))
    }

    fn apply(&mut self, _: &Header, effects: &Effects) {
        if slashed(effects).next().is_some() {
            self.first_digest = Some(self.digest());
            slash(&mut self.validators, effects);
        }
    }

    fn depends_on_effects(&self) -> bool {
        true
    }
}

impl<S: ValidatorStorage> SlotSeal<S> {
    fn check_slot(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        now: u64,
    ) -> Result<Slots, Refused<SlotSealError>> {
        let none = Refused::Invalid(SlotSealError::NoSlots);
        let own = self.slot(header.time).ok_or(none)?;
        let parent = self.slot(branch.tip().time).ok_or(none)?;
        if own > self.slot(now).ok_or(none)? {
            return Err(Refused::NotYet { at: own.saturating_mul(self.duration) });
        }
        if own <= parent {
            return Err(Refused::Invalid(SlotSealError::OldSlot { slot: own, parent }));
        }
        Ok(Slots { parent, own })
    }
}

/// Returns the stake of the attestations that a block claims to carry.
fn attested_in(header: &Header) -> u64 {
    header.claim.as_bytes().last_chunk().map_or(0, |stake| u64::from_be_bytes(*stake))
}

fn link_of_first(attestations: &[SignedStatement]) -> Option<[u64; 2]> {
    link_of(&attestations.first()?.statement)
}

/// Returns source and target of an attestation.
const fn link_of(statement: &Statement) -> Option<[u64; 2]> {
    match statement.kind {
        StatementKind::Attest { source } => Some([source, statement.slot]),
        _ => None,
    }
}
