//! Stake and authority as engines for the blocks of `ledger-core`.

use core::cmp::Ordering;

use ledger_core::{
    Ancestry, Claim, ClaimKind, Effects, Engine, GenesisId, Hash, Header, KeyPair, Refused,
    Signable, Tip, Weight,
};
use thiserror::Error;

use crate::authority::{Authorities, AuthorityError, AuthoritySlot};
use crate::digest::Digest;
use crate::error::take;
use crate::id::ValidatorId;
use crate::set::storage::ValidatorStorage;
use crate::set::validators::ValidatorSet;
use crate::vote::statement::{SignedStatement, Statement};

const SIGNATURE_LEN: usize = 64;
const STAKE_CLAIM_LEN: usize = 4 + 32; // round, validator
const AUTHORITY_CLAIM_LEN: usize = 32; // authority

/// A block weighs this much when it comes from the validator whose turn it is, as in EIP-225.
const FIRST_CHOICE: Weight = Weight(2);
/// A block weighs this much when another validator stepped in.
const STAND_IN: Weight = Weight(1);

/// The [effect](ledger_core::Effect) that takes the stake and the office of a validator: the subject is its key.
pub const SLASH: u8 = 1;

/// Requires every block to come from the validator that is drawn for its height and round.
///
/// The claim is the round (u32, big-endian) and the key of the validator; the proof is its signature of
/// [`statement_of`]. The id of the parent is the seed of the draw: simple, but its author can grind it, so use it among
/// few that know each other. Round r begins `patience` * r seconds after the parent, and a block may be less than
/// `patience` seconds ahead of the clock. A block of round 0 weighs 2, of any other round 1. The longest branch is the
/// best one, then the heaviest, then that with the lower id.
///
/// ```
/// use consensus::{StakeSeal, ValidatorArray, ValidatorSet, statement_of, validator_id};
/// use ledger_core::ledger::Standard;
/// use ledger_core::{
///     Account, Block, Body, Chain, ChainSlots, ChainSpec, JournalSlot, KeyPair, Rules, Slot,
/// };
///
/// let key = KeyPair::from_secret(&[1; 32]);
/// let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
/// validators.set_stake(validator_id(&key), 100)?;
/// let seal = StakeSeal::new(5, validators);
///
/// let spec = ChainSpec { name: "stake", rules: Rules::SMALL, time: 1000, allocation: &[] };
/// let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
/// let mut chain = Chain::new(&spec, seal, Standard, storage).expect("it fits");
/// let claim = StakeSeal::<ValidatorArray<4>>::claim(0, &validator_id(&key));
/// let header = chain.propose(1005, Account::default(), &Body::default(), claim).expect("empty");
/// let proof = key.sign(&statement_of(chain.genesis_id(), &header, 0));
/// let block = Block::new(header, proof.as_bytes(), Body::default()).expect("empty");
/// let mut bytes = vec![0; block.encoded_len()];
/// block.encode(&mut bytes).expect("encoded_len suffices");
/// assert_eq!(chain.append(1005, &bytes).expect("it was drawn").height.0, 1);
/// # Ok::<(), consensus::ValidatorError>(())
/// ```
#[derive(Debug, Clone)]
pub struct StakeSeal<S> {
    patience: u64,
    validators: ValidatorSet<S>,
    first_digest: Option<Hash>, // once the validators have changed
}

/// Requires every block to come from an authority that may sign at its height.
///
/// The claim is the key of the authority; the proof is its signature of [`statement_of`] with round 0. In turn a block
/// weighs 2, out of turn 1. Between two blocks pass at least `period` seconds, and a block may be less than `period`
/// seconds ahead of the clock. The longest branch is the best one, then the heaviest, then that with the lower id: an
/// authority that signs no height twice can always continue the longest.
///
/// ```
/// use consensus::{Authorities, AuthoritySeal, AuthoritySlot, ValidatorId};
/// use ledger_core::Engine;
///
/// let mut authorities = Authorities::new([AuthoritySlot::EMPTY; 4]);
/// authorities.insert(ValidatorId([1; 32]))?;
/// let seal = AuthoritySeal::new(5, authorities);
/// let mut others = Authorities::new([AuthoritySlot::EMPTY; 4]);
/// others.insert(ValidatorId([2; 32]))?;
/// let other = AuthoritySeal::new(5, others);
/// assert_ne!(seal.digest(), other.digest(), "other authorities, another chain");
/// # Ok::<(), consensus::Full>(())
/// ```
#[derive(Debug, Clone)]
pub struct AuthoritySeal<S> {
    period: u64,
    authorities: Authorities<S>,
    first_digest: Option<Hash>, // once the authorities have changed
}

/// Why a header does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// It claims to count by another rule.
    #[error("a claim of kind {found}, but {expected} is required")]
    WrongKind {
        /// What the chain requires.
        expected: ClaimKind,
        /// What the header claims.
        found: ClaimKind,
    },
    /// The claim or the proof has another length.
    #[error("{found} bytes, but {expected} are required")]
    WrongLength {
        /// The length required.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// Another validator was drawn.
    #[error("{found:.16} proposes, but {expected:.16} was drawn")]
    NotDrawn {
        /// The validator that was drawn.
        expected: ValidatorId,
        /// The validator that made the block.
        found: ValidatorId,
    },
    /// No validator has stake.
    #[error("no validator has stake")]
    NoValidators,
    /// The block is earlier than its round or the period allows.
    #[error("time {time} is earlier than {earliest}")]
    TooEarly {
        /// Its time.
        time: u64,
        /// The earliest time allowed.
        earliest: u64,
    },
    /// The authority may not sign at this height.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The validator did not sign it.
    #[error("{0:.16} did not sign it")]
    BadSignature(ValidatorId),
}

/// Returns what the author of a header signs. Two headers of one height and round are two statements, and so evidence:
/// a block id covers no signature. The statement names the genesis id, so it is worth nothing on another chain.
#[must_use]
pub fn statement_of(genesis: &GenesisId, header: &Header, round: u32) -> Statement {
    let digest = *header.id(genesis).as_bytes();
    Statement::propose(*genesis.as_bytes(), header.height.0, round, digest)
}

/// Returns the key pair's name as a validator.
#[must_use]
pub fn validator_id(key: &KeyPair) -> ValidatorId {
    ValidatorId(*key.public().as_bytes())
}

impl Signable for Statement {
    type Bytes = [u8; Self::LEN];

    fn signing_bytes(&self) -> Self::Bytes {
        self.to_bytes()
    }
}

impl<S: ValidatorStorage> StakeSeal<S> {
    /// Draws among `validators`. `patience` is in seconds and covers what a block needs to reach the others.
    pub const fn new(patience: u64, validators: ValidatorSet<S>) -> Self {
        Self { patience, validators, first_digest: None }
    }

    /// Returns the validator that makes the block after `parent` in this round.
    #[must_use]
    pub fn proposer(&self, parent: &Tip, round: u32) -> Option<ValidatorId> {
        let height = parent.height.0.saturating_add(1);
        self.validators.draw(parent.id.as_bytes(), height, round)
    }

    /// Returns when the round begins, in Unix seconds.
    #[must_use]
    pub fn earliest(&self, parent: &Tip, round: u32) -> u64 {
        parent.time.saturating_add(self.patience.saturating_mul(u64::from(round)))
    }

    /// Returns the claim of a validator in a round.
    #[must_use]
    pub fn claim(round: u32, validator: &ValidatorId) -> Claim {
        Claim::of_parts(ClaimKind::STAKE, &round.to_be_bytes(), &validator.0)
    }

    /// Returns round and validator of a header that claims to count by stake.
    #[must_use]
    pub fn read_claim(header: &Header) -> Option<(u32, ValidatorId)> {
        let claim = header.claim.as_bytes();
        let (round, validator) = claim.split_first_chunk()?;
        let validator = ValidatorId(validator.try_into().ok()?);
        let is_stake = header.claim.kind() == ClaimKind::STAKE;
        is_stake.then_some((u32::from_be_bytes(*round), validator))
    }

    /// Returns the validators.
    pub const fn validators(&self) -> &ValidatorSet<S> {
        &self.validators
    }
}

impl<S: ValidatorStorage + Clone> Engine for StakeSeal<S> {
    type Error = SealError;

    fn digest(&self) -> Hash {
        self.first_digest.unwrap_or_else(|| {
            let start = Digest::new(b"consensus/1 stake seal\0").and(&self.patience.to_be_bytes());
            start.and_stakes(&self.validators).into_hash()
        })
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<SealError>> {
        check_form(header, proof, ClaimKind::STAKE, STAKE_CLAIM_LEN).map_err(Refused::Invalid)?;
        let found = header.claim.as_bytes().len();
        let wrong_length = SealError::WrongLength { expected: STAKE_CLAIM_LEN, found };
        let (round, found) = Self::read_claim(header).ok_or(Refused::Invalid(wrong_length))?;
        match self.proposer(branch.tip(), round) {
            None => return Err(Refused::Invalid(SealError::NoValidators)),
            Some(expected) if expected != found => {
                return Err(Refused::Invalid(SealError::NotDrawn { expected, found }));
            }
            Some(_) => {}
        }
        check_time(header, self.earliest(branch.tip(), round), self.patience, now)?;
        check_signature(branch.genesis(), header, round, &found, proof)?;
        Ok(if round == 0 { FIRST_CHOICE } else { STAND_IN })
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

    fn prefer(&self, ours: &Tip, theirs: &Tip) -> Ordering {
        longer(ours, theirs)
    }
}

impl<S: AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]>> AuthoritySeal<S> {
    /// Lets `authorities` sign. `period` is in seconds.
    pub const fn new(period: u64, authorities: Authorities<S>) -> Self {
        Self { period, authorities, first_digest: None }
    }

    /// Returns the claim of an authority.
    #[must_use]
    pub fn claim(authority: &ValidatorId) -> Claim {
        Claim::of_parts(ClaimKind::AUTHORITY, &authority.0, &[])
    }

    /// Returns when a block after `parent` may be made, in Unix seconds.
    #[must_use]
    pub fn earliest(&self, parent: &Tip) -> u64 {
        parent.time.saturating_add(self.period)
    }

    /// Returns the authorities.
    pub const fn authorities(&self) -> &Authorities<S> {
        &self.authorities
    }
}

impl<S: AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]> + Clone> Engine for AuthoritySeal<S> {
    type Error = SealError;

    fn digest(&self) -> Hash {
        self.first_digest.unwrap_or_else(|| {
            let start =
                Digest::new(b"consensus/1 authority seal\0").and(&self.period.to_be_bytes());
            self.authorities.iter().fold(start, |digest, id| digest.and(&id.0)).into_hash()
        })
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<SealError>> {
        let len = AUTHORITY_CLAIM_LEN;
        check_form(header, proof, ClaimKind::AUTHORITY, len).map_err(Refused::Invalid)?;
        let author = author_of(header);
        let turn = self.authorities.turn(&author, header.height.0);
        let turn = turn.map_err(|error| Refused::Invalid(error.into()))?;
        check_time(header, self.earliest(branch.tip()), self.period, now)?;
        check_signature(branch.genesis(), header, 0, &author, proof)?;
        Ok(Weight(u128::from(turn.difficulty())))
    }

    fn apply(&mut self, header: &Header, effects: &Effects) {
        if header.claim.kind() == ClaimKind::AUTHORITY {
            self.authorities.record_signature(&author_of(header), header.height.0);
        }
        for id in slashed(effects) {
            self.first_digest = Some(self.digest());
            let _ = self.authorities.remove(&id); // unknown: ignored
        }
    }

    fn depends_on_effects(&self) -> bool {
        true
    }

    fn prefer(&self, ours: &Tip, theirs: &Tip) -> Ordering {
        longer(ours, theirs)
    }
}

/// Compares by height, then by weight; then the lower id is better.
///
/// Nobody has signed above the longest branch, so every validator that is alive and may sign can continue it. If weight
/// came first, those who sign no height twice could be left with a heavier branch on which all of them have signed the next
/// height.
fn longer(ours: &Tip, theirs: &Tip) -> Ordering {
    ours.height.cmp(&theirs.height).then_with(|| heavier(ours, theirs))
}

/// Compares by weight; then the lower id is better.
pub(crate) fn heavier(ours: &Tip, theirs: &Tip) -> Ordering {
    ours.weight.cmp(&theirs.weight).then_with(|| theirs.id.cmp(&ours.id))
}

/// Returns the validator whose key is the claim, which was checked.
pub(crate) fn author_of(header: &Header) -> ValidatorId {
    ValidatorId(header.claim.as_bytes().first_chunk().copied().unwrap_or_default())
}

/// Checks the lengths of a claim and of a proof that is one signature.
pub(crate) fn check_form(
    header: &Header,
    proof: &[u8],
    kind: ClaimKind,
    claim_len: usize,
) -> Result<(), SealError> {
    check_claim(header, kind, claim_len)?;
    check_len(proof, SIGNATURE_LEN)
}

/// Checks the kind of a claim and its length.
pub(crate) fn check_claim(
    header: &Header,
    expected: ClaimKind,
    len: usize,
) -> Result<(), SealError> {
    let found = header.claim.kind();
    if found != expected {
        return Err(SealError::WrongKind { expected, found });
    }
    check_len(header.claim.as_bytes(), len)
}

const fn check_len(bytes: &[u8], expected: usize) -> Result<(), SealError> {
    let found = bytes.len();
    if found == expected { Ok(()) } else { Err(SealError::WrongLength { expected, found }) }
}

/// Takes the stake of all that a block slashes.
pub(crate) fn slash<S>(validators: &mut ValidatorSet<S>, effects: &Effects)
where
    S: ValidatorStorage,
{
    for id in slashed(effects) {
        let _ = validators.set_stake(id, 0); // unknown: ignored
    }
}

/// Returns the validators that a block slashes.
pub(crate) fn slashed(effects: &Effects) -> impl Iterator<Item = ValidatorId> + '_ {
    let effects = effects.as_slice().iter().filter(|effect| effect.kind == SLASH);
    effects.map(|effect| ValidatorId(effect.subject))
}

/// Checks that the time is not before `earliest`, and less than `span` seconds ahead of the clock.
pub(crate) fn check_time(
    header: &Header,
    earliest: u64,
    span: u64,
    now: u64,
) -> Result<(), Refused<SealError>> {
    let time = header.time;
    if time < earliest {
        return Err(Refused::Invalid(SealError::TooEarly { time, earliest }));
    }
    let ahead = span.saturating_sub(1);
    if time > now.saturating_add(ahead) {
        return Err(Refused::NotYet { at: time.saturating_sub(ahead) });
    }
    Ok(())
}

pub(crate) fn check_signature(
    genesis: &GenesisId,
    header: &Header,
    round: u32,
    author: &ValidatorId,
    signature: &[u8],
) -> Result<(), Refused<SealError>> {
    let statement = statement_of(genesis, header, round);
    check_signature_of(&statement, author, signature).map_err(Refused::Invalid)
}

pub(crate) fn check_signature_of(
    statement: &Statement,
    author: &ValidatorId,
    signature: &[u8],
) -> Result<(), SealError> {
    let bad = SealError::BadSignature(*author);
    let (signature, _) = take(signature).map_err(|_| bad)?;
    let signed = SignedStatement { statement: *statement, author: *author, signature: *signature };
    signed.verify().map_err(|_| bad)
}
