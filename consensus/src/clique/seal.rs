//! Clique as an engine for the blocks of `ledger-core`.

use core::cmp::Ordering;

use ledger_core::{
    Ancestry, Claim, ClaimKind, Effects, Engine, Hash, Header, Refused, Tip, Weight,
};
use thiserror::Error;

use super::block::{CliqueBlock, CliqueError, CliqueVote};
use super::head::CliqueHead;
use super::storage::CliqueStorage;
use super::voting::Clique;
use crate::digest::Digest;
use crate::id::ValidatorId;
use crate::seal::{SealError, check_form, check_signature, check_time, heavier};

const CLAIM_LEN: usize = 35; // target, index of the signer, vote
const NO_VOTE: u8 = 0;
const DROP: u8 = 1;
const ADD: u8 = 2;

/// Requires every block to come from an authority that may sign it, and lets authorities vote on each other (EIP-225).
/// The head is chosen by EIP-3436.
///
/// The claim is the target of the vote (32 bytes), the index of the signer among the authorities before the block (u16,
/// big-endian) and the vote (0 none, 1 drop, 2 add); without a vote the target is zero. The proof is the signature of
/// [`statement_of`](crate::statement_of) with round 0. Between two blocks pass at least `period` seconds, and a block may
/// be less than `period` seconds ahead of the clock.
///
/// ```
/// use consensus::clique::*;
/// use consensus::ValidatorId;
///
/// let storage = CliqueSlots {
///     signers: [SignerSlot::EMPTY; 4],
///     recents: [RecentSlot::EMPTY; 3],
///     votes: [CandidateSlot::EMPTY; 16],
/// };
/// let [ann, ben] = [1, 2].map(|n| ValidatorId([n; 32]));
/// let seal = CliqueSeal::new(15, Clique::new(CliqueConfig::new(), &[ann], storage)?);
/// let vote = CliqueVote { target: ben, authorize: true };
/// assert!(seal.claim(&ann, Some(vote)).is_some());
/// assert!(seal.claim(&ben, None).is_none(), "not an authority yet");
/// # Ok::<(), CliqueSetupError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CliqueSeal<S> {
    period: u64,
    clique: Clique<S>,
    first_digest: Option<Hash>, // once the authorities may have changed
}

/// Why a header does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CliqueSealError {
    /// The form, the time or the signature is wrong.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The authority may not sign, or may not vote so.
    #[error(transparent)]
    Clique(#[from] CliqueError),
    /// No authority has this index.
    #[error("no authority has index {0}")]
    UnknownSigner(u16),
    /// The claim has an unknown vote, or a target without a vote.
    #[error("malformed vote")]
    MalformedVote,
}

impl<S: CliqueStorage> CliqueSeal<S> {
    /// Lets `clique` sign. `period` is in seconds.
    pub const fn new(period: u64, clique: Clique<S>) -> Self {
        Self { period, clique, first_digest: None }
    }

    /// Returns the claim of an authority for the next block, or `None` if it is not one.
    pub fn claim(&self, signer: &ValidatorId, vote: Option<CliqueVote>) -> Option<Claim> {
        let index = self.clique.index_of(signer).ok()?;
        let [high, low] = u16::try_from(index).ok()?.to_be_bytes();
        let target = vote.map_or([0; 32], |vote| vote.target.0);
        let vote = vote.map_or(NO_VOTE, |vote| if vote.authorize { ADD } else { DROP });
        Some(Claim::of_parts(ClaimKind::AUTHORITY, &target, &[high, low, vote]))
    }

    /// Returns when a block after `parent` may be made, in Unix seconds.
    pub fn earliest(&self, parent: &Tip) -> u64 {
        parent.time.saturating_add(self.period)
    }

    /// Returns the authorities and their votes.
    pub const fn clique(&self) -> &Clique<S> {
        &self.clique
    }

    /// Returns the content of a header, given the authorities before it.
    fn read(&self, header: &Header) -> Result<CliqueBlock, CliqueSealError> {
        let claim = header.claim.as_bytes();
        let malformed = CliqueSealError::MalformedVote;
        let (target, rest) = claim.split_first_chunk::<32>().ok_or(malformed)?;
        let &[high, low, vote] = rest else { return Err(malformed) };
        let index = u16::from_be_bytes([high, low]);
        let signer = self.clique.signers().nth(usize::from(index));
        let signer = signer.ok_or(CliqueSealError::UnknownSigner(index))?;
        let target = ValidatorId(*target);
        let vote = match vote {
            NO_VOTE if target.0 == [0; 32] => None,
            DROP => Some(CliqueVote { target, authorize: false }),
            ADD => Some(CliqueVote { target, authorize: true }),
            _ => return Err(malformed),
        };
        Ok(CliqueBlock { number: header.height.0, signer, vote })
    }
}

impl<S: CliqueStorage + Clone> Engine for CliqueSeal<S> {
    type Error = CliqueSealError;

    fn digest(&self) -> Hash {
        self.first_digest.unwrap_or_else(|| {
            let config = self.clique.config();
            let votes = u64::try_from(config.votes_per_signer).unwrap_or(u64::MAX);
            let start = Digest::new(b"consensus/1 clique seal\0")
                .and(&self.period.to_be_bytes())
                .and(&config.epoch.to_be_bytes())
                .and(&votes.to_be_bytes());
            self.clique.signers().fold(start, |digest, id| digest.and(&id.0)).into_hash()
        })
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<CliqueSealError>> {
        check_form(header, proof, ClaimKind::AUTHORITY, CLAIM_LEN)
            .map_err(|error| Refused::Invalid(error.into()))?;
        let block = self.read(header).map_err(Refused::Invalid)?;
        let turn = self.clique.check(&block).map_err(|error| match error {
            CliqueError::Full { capacity } => Refused::NoRoom { capacity },
            error => Refused::Invalid(error.into()),
        })?;
        let earliest = self.earliest(branch.tip());
        let seal = |refused: Refused<SealError>| refused.map(CliqueSealError::from);
        check_time(header, earliest, self.period, now).map_err(seal)?;
        check_signature(branch.genesis(), header, 0, &block.signer, proof).map_err(seal)?;
        // The weight of the chain with this block says rules 1 to 3 of EIP-3436; this block adds what is missing.
        let parent = branch.tip().weight.0;
        let difficulty =
            CliqueHead::total_difficulty_of(parent).saturating_add(u64::from(turn.difficulty()));
        let head = self.clique.head(&block.signer, difficulty, [0; 32]);
        Ok(Weight(head.map_or(0, |head| head.weight().saturating_sub(parent))))
    }

    fn apply(&mut self, header: &Header, _: &Effects) {
        if let Ok(block) = self.read(header) {
            if block.vote.is_some() {
                self.first_digest = Some(self.digest());
            }
            let _ = self.clique.apply(&block); // it was checked
        }
    }

    fn prefer(&self, ours: &Tip, theirs: &Tip) -> Ordering {
        heavier(ours, theirs)
    }
}
