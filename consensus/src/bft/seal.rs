//! Decisions of a BFT engine as an engine for the blocks of `ledger-core`.

use ledger_core::{
    Ancestry, Claim, ClaimKind, Effects, Engine, Hash, Header, Height, Refused, Weight,
};
use thiserror::Error;

use crate::digest::Digest;
use crate::error::{BufferTooSmall, take};
use crate::id::ValidatorId;
use crate::proof_votes::{ProofVote, VOTE_LEN, VotesError, decode_votes, vote_bytes};
use crate::quorum::{OverTwoThirds, Tally};
use crate::seal::{slash, slashed};
use crate::set::storage::ValidatorStorage;
use crate::set::validators::ValidatorSet;
use crate::vote::statement::{SignedStatement, Statement, StatementKind};

/// Requires every block to be decided: the proof is the certificate of a [`Bft`](super::Bft) that decided on the id of
/// the block. Every block is final.
///
/// The claim has the kind of stake and no content. The proof is the round (u32), then for each precommit the index of the
/// validator in the order of ids (u16) and its signature, in ascending order; all integers are big-endian. A validator
/// that is slashed has no weight from the next block on.
///
/// ```
/// use consensus::bft::BftSeal;
/// use consensus::{Ed25519Key, Keys, SignedStatement, Statement, StatementKind};
/// use consensus::{ValidatorArray, ValidatorSet};
///
/// let key = Ed25519Key::from_secret(&[1; 32]);
/// let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
/// validators.set_stake(key.id(), 10)?;
/// let seal = BftSeal::new(validators);
/// let statement = Statement::new([0xC0; 32], StatementKind::Precommit, 1, 0, [0xAB; 32]);
/// let signature = key.sign(&statement.to_bytes());
/// let certificate = [SignedStatement { statement, author: key.id(), signature }];
/// let mut proof = [0; 128];
/// assert_eq!(seal.encode_proof(&certificate.into_iter(), &mut proof), Ok(4 + 66));
/// # Ok::<(), consensus::ValidatorError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BftSeal<S> {
    validators: ValidatorSet<S>,
    finalized: Option<Height>,
    first_digest: Option<Hash>, // once the validators have changed
}

/// Why a header does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BftSealError {
    /// It claims to count by another rule.
    #[error("not a claim of a decided block")]
    WrongClaim,
    /// The proof is not a round and a list of votes.
    #[error("malformed certificate")]
    Malformed,
    /// The votes are not in ascending order, or one validator votes twice.
    #[error("vote of validator {0} out of order")]
    OutOfOrder(u16),
    /// No validator has this index.
    #[error("no validator has index {0}")]
    UnknownValidator(u16),
    /// The validator did not sign the precommit.
    #[error("invalid signature of {0:.16}")]
    BadSignature(ValidatorId),
    /// The votes have not more than two thirds of the weight.
    #[error("{weight} of {total} is not more than two thirds")]
    NoQuorum {
        /// The weight of the votes.
        weight: u64,
        /// The weight of all validators.
        total: u64,
    },
    /// The time is not later than that of the parent.
    #[error("time {0} is not after that of the parent")]
    TooEarly(u64),
}

impl<S: ValidatorStorage> BftSeal<S> {
    /// Lets these validators decide.
    pub const fn new(validators: ValidatorSet<S>) -> Self {
        Self { validators, finalized: None, first_digest: None }
    }

    /// Returns the claim of a block.
    #[must_use]
    pub fn claim() -> Claim {
        Claim::of_parts(ClaimKind::STAKE, &[], &[])
    }

    /// Returns the validators.
    pub const fn validators(&self) -> &ValidatorSet<S> {
        &self.validators
    }

    /// Encodes a certificate as the proof of a block and returns its length: 4 bytes, and 66 for each precommit. The
    /// precommits have to be in ascending order of their authors, as [`Bft::certificate`](super::Bft::certificate) returns
    /// them. Those of strangers and those out of order are left out. Costs O(n).
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]
    pub fn encode_proof(
        &self,
        certificate: &(impl Iterator<Item = SignedStatement> + Clone),
        out: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let round = certificate.clone().next().map_or(0, |signed| signed.statement.round);
        let mut validators = self.validators.iter().enumerate().peekable();
        let votes = certificate.clone().filter_map(move |signed| {
            while validators.next_if(|(_, (id, _))| *id < signed.author).is_some() {}
            let (index, _) = validators.next_if(|(_, (id, _))| *id == signed.author)?;
            Some((u16::try_from(index).ok()?, signed.signature))
        });
        let needed = votes.clone().count().saturating_mul(VOTE_LEN).saturating_add(4);
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let bytes = round.to_be_bytes().into_iter().chain(vote_bytes(votes));
        for (byte, value) in out.iter_mut().zip(bytes) {
            *byte = value;
        }
        Ok(needed)
    }

    /// Checks a certificate: first whether the votes have the weight, then their signatures.
    fn check_proof(
        &self,
        genesis: [u8; 32],
        height: u64,
        id: [u8; 32],
        proof: &[u8],
    ) -> Result<(), BftSealError> {
        let (round, votes) = take(proof).map_err(|_| BftSealError::Malformed)?;
        let round = u32::from_be_bytes(*round);
        let statement = Statement::new(genesis, StatementKind::Precommit, height, round, id);
        let total = self.validators.total_stake();
        let mut tally = Tally::<OverTwoThirds>::new(total);
        for vote in decode_votes(votes, &self.validators)? {
            tally.add(vote?.stake);
        }
        if !tally.is_decided() {
            return Err(BftSealError::NoQuorum { weight: tally.weight(), total });
        }
        for vote in decode_votes(votes, &self.validators)? {
            let ProofVote { author, signature, .. } = vote?;
            let signed = SignedStatement { statement, author, signature: *signature };
            signed.verify().map_err(|bad| BftSealError::BadSignature(bad.0))?;
        }
        Ok(())
    }
}

impl From<VotesError> for BftSealError {
    fn from(error: VotesError) -> Self {
        match error {
            VotesError::Malformed => Self::Malformed,
            VotesError::OutOfOrder(index) => Self::OutOfOrder(index),
            VotesError::UnknownValidator(index) => Self::UnknownValidator(index),
        }
    }
}

impl<S: ValidatorStorage + Clone> Engine for BftSeal<S> {
    type Error = BftSealError;

    fn digest(&self) -> Hash {
        self.first_digest.unwrap_or_else(|| {
            Digest::new(b"consensus/1 bft seal\0").and_stakes(&self.validators).into_hash()
        })
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<BftSealError>> {
        let claim = header.claim;
        if claim.kind() != ClaimKind::STAKE || !claim.as_bytes().is_empty() {
            return Err(Refused::Invalid(BftSealError::WrongClaim));
        }
        if header.time <= branch.tip().time {
            return Err(Refused::Invalid(BftSealError::TooEarly(header.time)));
        }
        if header.time > now {
            return Err(Refused::NotYet { at: header.time });
        }
        let genesis = branch.genesis();
        let id = *header.id(genesis).as_bytes();
        self.check_proof(*genesis.as_bytes(), header.height.0, id, proof)
            .map_err(Refused::Invalid)?;
        Ok(Weight(1))
    }

    fn apply(&mut self, header: &Header, effects: &Effects) {
        self.finalized = Some(header.height);
        if slashed(effects).next().is_some() {
            self.first_digest = Some(self.digest());
            slash(&mut self.validators, effects);
        }
    }

    fn depends_on_effects(&self) -> bool {
        true
    }

    fn finalized(&self) -> Option<Height> {
        self.finalized
    }
}
