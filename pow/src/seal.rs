//! Proof of work as an engine for the blocks of `ledger-core`.

use core::ops::RangeInclusive;

use ledger_core::{
    Ancestry, BlockId, Claim, ClaimKind, Effects, Engine, GenesisId, Hash, Header, Refused, Weight,
};
use thiserror::Error;

use crate::compact::{CompactError, CompactTarget};
use crate::difficulty::{Difficulty, DifficultyError, Fixed, HeaderInfo, History, Recent};
use crate::miner::Miner;
use crate::puzzle::{HashFunction, NonceField, NonceFormat, Puzzle, PuzzleError};
use crate::target::{BigEndian, Target};

/// Seconds that a block may be ahead of the clock under [`WorkSeal::new`], as in Bitcoin.
const MAX_FUTURE: u64 = 7200;

/// Requires the id of every block, read big-endian, not to exceed a target. A block weighs the hashes that this takes
/// on average.
///
/// The claim is the compact target (u32) and the nonce (u64), both big-endian; there is no proof besides it. The target
/// is one for ever ([`WorkSeal::new`]), or what a difficulty rule asks for ([`WorkSeal::with_rule`]). `S` is the storage
/// of [`Recent`].
///
/// ```
/// use ledger_core::ledger::Standard;
/// use ledger_core::{Chain, ChainSlots, ChainSpec, JournalSlot, Rules, Slot};
/// use pow::{CompactTarget, WorkSeal};
///
/// let engine = WorkSeal::new(CompactTarget(0x207f_ffff))?;
/// let spec = ChainSpec { name: "demo", rules: Rules::SMALL, time: 0, allocation: &[] };
/// let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
/// let chain = Chain::new(&spec, engine, Standard, storage)?;
/// assert_eq!(chain.tip().height.0, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct WorkSeal<D = Fixed, S = [HeaderInfo; 0]> {
    rule: D,
    first: CompactTarget,
    max_future: u64,
    parameters: Hash,
    recent: Recent<S>,
}

/// Why a header does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WorkError {
    /// It claims to count by another rule.
    #[error("a claim of kind {0}, but work is required")]
    WrongKind(ClaimKind),
    /// The claim has another length.
    #[error("a claim of {0} bytes, but work takes 12")]
    WrongLength(usize),
    /// There is a proof, though work needs none.
    #[error("{0} bytes of proof, but work needs none")]
    UnexpectedProof(usize),
    /// It claims another target.
    #[error("target {found}, but {expected} is required")]
    WrongTarget {
        /// The target that the chain requires.
        expected: CompactTarget,
        /// The one in the claim.
        found: CompactTarget,
    },
    /// The difficulty rule cannot tell the target.
    #[error(transparent)]
    Difficulty(#[from] DifficultyError),
    /// Its time is earlier than the difficulty rule allows.
    #[error("time {time} is earlier than {earliest}")]
    TooEarly {
        /// The time in the header.
        time: u64,
        /// The earliest time allowed.
        earliest: i64,
    },
    /// The id exceeds the target.
    #[error("id {0:.16} exceeds the target")]
    NotEnoughWork(BlockId),
}

impl WorkSeal {
    /// Requires this target of every block. A block may be two hours ahead of the clock.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if the 32 bits are not a target.
    pub fn new(bits: CompactTarget) -> Result<Self, CompactError> {
        let parameters = Hash::of(&bits.0.to_be_bytes());
        Self::begin(Fixed(bits), header_info(0, 0, bits), MAX_FUTURE, parameters, [])
    }
}

impl<D: Difficulty, S: AsRef<[HeaderInfo]> + AsMut<[HeaderInfo]>> WorkSeal<D, S> {
    /// Requires what a difficulty rule asks for.
    ///
    /// `first` is the target of block 0, `genesis_time` its time, `max_future` how many seconds a block may be ahead of
    /// the clock, as far as [the rule](Difficulty::future_limit) allows. `parameters` is a hash of the rule's name and
    /// parameters. All of them become part of the genesis id.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if `first` is not a target.
    pub fn with_rule(
        rule: D,
        first: CompactTarget,
        genesis_time: u64,
        max_future: u64,
        parameters: Hash,
        slots: S,
    ) -> Result<Self, CompactError> {
        let preimage = [*parameters.as_bytes(), *Hash::of(&genesis_time.to_be_bytes()).as_bytes()];
        let parameters = Hash::of(preimage.as_flattened());
        Self::begin(rule, header_info(0, genesis_time, first), max_future, parameters, slots)
    }

    fn begin(
        rule: D,
        block_0: HeaderInfo,
        max_future: u64,
        parameters: Hash,
        slots: S,
    ) -> Result<Self, CompactError> {
        let first = block_0.bits;
        first.to_target()?;
        let mut recent = Recent::new(slots);
        recent.push(&rule, block_0);
        Ok(Self { rule, first, max_future, parameters, recent })
    }

    /// Returns the target that a block after the last one, with this time, must claim.
    ///
    /// # Errors
    ///
    /// [`DifficultyError`] if the rule cannot tell.
    pub fn required(&self, time: u64) -> Result<CompactTarget, DifficultyError>
    where
        Recent<S>: History,
    {
        let parent = self.recent.newest().unwrap_or(header_info(0, 0, self.first));
        self.rule.required(&parent, i64::try_from(time).unwrap_or(i64::MAX), &self.recent)
    }
}

impl WorkSeal {
    /// The length of the claim in bytes.
    pub const CLAIM_LEN: usize = 12;

    /// Returns the claim with this target and nonce.
    #[must_use]
    pub fn claim(bits: CompactTarget, nonce: u64) -> Claim {
        Claim::of_parts(ClaimKind::WORK, &bits.0.to_be_bytes(), &nonce.to_be_bytes())
    }

    /// Begins the search for the nonce of a header whose claim is [`Self::claim`] with the required target. The nonce
    /// that is found goes into the claim.
    ///
    /// # Errors
    ///
    /// [`PuzzleError`] if the header has another claim.
    pub fn miner(
        genesis: &GenesisId,
        header: &Header,
        nonces: RangeInclusive<u64>,
    ) -> Result<Miner, PuzzleError> {
        let preimage = header.preimage(genesis);
        let message = preimage.as_bytes();
        let wrong_claim = PuzzleError::OutsideOfMessage { end: 12, len: message.len() };
        let target = header
            .claim
            .as_bytes()
            .first_chunk()
            .and_then(|bits| CompactTarget(u32::from_be_bytes(*bits)).to_target().ok());
        let target = target.filter(|_| header.claim.as_bytes().len() == 12).ok_or(wrong_claim)?;
        let offset = message.len().saturating_sub(8);
        let nonce = NonceField { offset, format: NonceFormat::U64Be };
        let puzzle = Puzzle::new(HashFunction::Sha256, message, nonce)?;
        Ok(Miner::new(puzzle, target, nonces))
    }
}

impl<D, S> Engine for WorkSeal<D, S>
where
    D: Difficulty + Clone,
    S: AsRef<[HeaderInfo]> + AsMut<[HeaderInfo]> + Clone,
{
    type Error = WorkError;

    fn digest(&self) -> Hash {
        let mut preimage = [0; 16 + 4 + 8 + 32];
        let first = self.first.0.to_be_bytes();
        let future = self.max_future.to_be_bytes();
        let parts: [&[u8]; 4] = [b"pow/1 work seal\0", &first, &future, self.parameters.as_bytes()];
        for (byte, value) in preimage.iter_mut().zip(parts.into_iter().flatten()) {
            *byte = *value;
        }
        Hash::of(&preimage)
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<WorkError>> {
        let claimed = self.check_claim(header, proof);
        let target = claimed.as_ref().map_err(|error| self.refused(*error))?;
        let id = header.id(branch.genesis());
        let weight = check_work(target, &id)?;
        let ahead = self.max_future.min(self.rule.future_limit());
        if header.time > now.saturating_add(ahead) {
            return Err(Refused::NotYet { at: header.time.saturating_sub(ahead) });
        }
        Ok(weight)
    }

    fn apply(&mut self, header: &Header, _: &Effects) {
        let claim = header.claim.as_bytes();
        let bits = claim.first_chunk().map_or(self.first.0, |bits| u32::from_be_bytes(*bits));
        self.recent
            .push(&self.rule, header_info(header.height.0, header.time, CompactTarget(bits)));
    }
}

impl<D: Difficulty, S: AsRef<[HeaderInfo]> + AsMut<[HeaderInfo]>> WorkSeal<D, S> {
    /// Returns whose fault an error is: too few slots for the rule are this node's.
    fn refused(&self, error: WorkError) -> Refused<WorkError> {
        match error {
            WorkError::Difficulty(DifficultyError::Missing(_)) => {
                Refused::NoRoom { capacity: self.recent.capacity() }
            }
            error => Refused::Invalid(error),
        }
    }

    /// Checks everything but the hash, and returns the target.
    #[inline(never)] // what it needs does not stand on the stack while the header is hashed
    fn check_claim(&self, header: &Header, proof: &[u8]) -> Result<Target, WorkError> {
        let claim = header.claim.as_bytes();
        if header.claim.kind() != ClaimKind::WORK {
            return Err(WorkError::WrongKind(header.claim.kind()));
        }
        let (Some((bits, _)), 12) = (claim.split_first_chunk::<4>(), claim.len()) else {
            return Err(WorkError::WrongLength(claim.len()));
        };
        if !proof.is_empty() {
            return Err(WorkError::UnexpectedProof(proof.len()));
        }
        let found = CompactTarget(u32::from_be_bytes(*bits));
        let expected = self.required(header.time)?;
        let target = found.to_target().ok().filter(|_| found == expected);
        let target = target.ok_or(WorkError::WrongTarget { expected, found })?;
        let parent = self.recent.newest().unwrap_or(header_info(0, 0, self.first));
        let time = header.time;
        match self.rule.earliest_time(&parent) {
            Some(earliest) if i64::try_from(time).unwrap_or(i64::MAX) < earliest => {
                Err(WorkError::TooEarly { time, earliest })
            }
            _ => Ok(target),
        }
    }
}

/// Checks that an id meets the target, and returns the weight of its block.
#[inline(never)] // what it needs does not stand on the stack while the header is hashed
fn check_work(target: &Target, id: &BlockId) -> Result<Weight, Refused<WorkError>> {
    if !target.is_met_by::<BigEndian>(id.as_bytes()) {
        return Err(Refused::Invalid(WorkError::NotEnoughWork(*id)));
    }
    Ok(Weight(target.work().hashes().saturating_u128()))
}

fn header_info(height: u64, time: u64, bits: CompactTarget) -> HeaderInfo {
    HeaderInfo { height, time: i64::try_from(time).unwrap_or(i64::MAX), bits }
}
