//! Stake and authority as seals for the blocks of `ledger-core`.

use ledger_core::{Block, Header, Seal, SealKind, Tip, Weight};
use thiserror::Error;

use crate::authority::{Authorities, AuthorityError, AuthoritySlot};
use crate::error::take;
use crate::id::ValidatorId;
use crate::statement::{SignedStatement, Statement};
use crate::validator::{ValidatorSet, ValidatorSlot};

const STAKE_LEN: u8 = 4 + 64; // round, signature
const AUTHORITY_LEN: u8 = 64; // signature

/// A block counts this much when it comes from whoever was to make it, as in EIP-225.
const FIRST_CHOICE: Weight = Weight(2);
/// And this much when somebody stepped in.
const STAND_IN: Weight = Weight(1);

/// Requires every block to come from the validator that is drawn for its height and round.
///
/// The seal is the round (u32, big-endian) and the author's signature of [`statement_of`]. The hash of the
/// previous block is the seed of the draw: simple, and to be ground by its author, so use it among few who
/// know each other. Round r may begin `patience` * r seconds after the previous block.
#[derive(Debug, Clone)]
pub struct StakeSeal<S: ?Sized> {
    patience: u64,
    validators: ValidatorSet<S>,
}

/// Requires every block to come from an authority that may sign at its height.
///
/// The seal is the author's signature of [`statement_of`] with round 0. In turn a block weighs 2, out of
/// turn 1; between two blocks at least `period` seconds pass.
#[derive(Debug, Clone)]
pub struct AuthoritySeal<S: ?Sized> {
    period: u64,
    authorities: Authorities<S>,
}

/// Why a seal does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The block is sealed by another rule.
    #[error("a seal of kind {found}, where {expected} is required")]
    WrongKind {
        /// What the chain requires.
        expected: SealKind,
        /// What the header says.
        found: SealKind,
    },
    /// The seal has another length.
    #[error("{found} bytes of seal, where {expected} are required")]
    WrongLength {
        /// The length of such a seal.
        expected: u8,
        /// The length of this one.
        found: usize,
    },
    /// Another validator was drawn.
    #[error("{found:.16} proposes, but {expected:.16} was drawn")]
    NotDrawn {
        /// Who was drawn.
        expected: ValidatorId,
        /// Who made the block.
        found: ValidatorId,
    },
    /// Nobody has stake.
    #[error("nobody has stake")]
    NoValidators,
    /// The block is earlier than its round or the period allows.
    #[error("time {time} is earlier than {earliest}")]
    TooEarly {
        /// Its time.
        time: u64,
        /// The earliest legal one.
        earliest: u64,
    },
    /// The author may not sign at this height.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The author did not sign it.
    #[error("{0:.16} did not sign it")]
    BadSignature(ValidatorId),
}

/// Returns what the author of a header signs. Two headers of one height and round are two statements, and so
/// evidence.
#[must_use]
pub fn statement_of(header: &Header, round: u32) -> Statement {
    Statement {
        chain: header.chain.0,
        height: header.height.0,
        round,
        digest: *header.hash(&[]).as_bytes(),
    }
}

impl<S: AsRef<[ValidatorSlot]>> StakeSeal<S> {
    /// The length of the seal in bytes.
    pub const LEN: u8 = STAKE_LEN;

    /// Draws among `validators`; `patience` is in seconds and covers what an author needs to be heard.
    pub const fn new(patience: u64, validators: ValidatorSet<S>) -> Self {
        Self { patience, validators }
    }
}

impl<S: AsRef<[ValidatorSlot]> + ?Sized> StakeSeal<S> {
    /// Returns who is to make the block after `parent` in this round.
    #[must_use]
    pub fn proposer(&self, parent: &Tip, round: u32) -> Option<ValidatorId> {
        let height = parent.height.0.saturating_add(1);
        self.validators.draw(parent.hash.as_bytes(), height, round)
    }

    /// Returns when the round may begin, in Unix seconds.
    #[must_use]
    pub fn earliest(&self, parent: &Tip, round: u32) -> u64 {
        parent.time.saturating_add(self.patience.saturating_mul(u64::from(round)))
    }

    /// Puts the seal together.
    #[must_use]
    pub fn seal(round: u32, signature: &[u8; 64]) -> [u8; 68] {
        let mut seal = [0; 68];
        let (head, tail) = seal.split_at_mut(4);
        head.copy_from_slice(&round.to_be_bytes());
        tail.copy_from_slice(signature);
        seal
    }

    /// Returns the validators.
    pub const fn validators(&self) -> &ValidatorSet<S> {
        &self.validators
    }

    /// Returns the validators, to change stakes or to punish.
    pub const fn validators_mut(&mut self) -> &mut ValidatorSet<S> {
        &mut self.validators
    }
}

impl<S: AsRef<[ValidatorSlot]> + ?Sized> Seal for StakeSeal<S> {
    type Error = SealError;

    fn weigh(&self, parent: &Tip, header: &Header, seal: &[u8]) -> Result<Weight, SealError> {
        check_form(header, seal, SealKind::STAKE, STAKE_LEN)?;
        let wrong_length = SealError::WrongLength { expected: STAKE_LEN, found: seal.len() };
        let (round, signature) = take::<4>(seal).map_err(|_| wrong_length)?;
        let round = u32::from_be_bytes(*round);
        let found = ValidatorId(*header.author.as_bytes());
        match self.proposer(parent, round) {
            None => return Err(SealError::NoValidators),
            Some(expected) if expected != found => {
                return Err(SealError::NotDrawn { expected, found });
            }
            Some(_) => {}
        }
        let (time, earliest) = (header.time, self.earliest(parent, round));
        if time < earliest {
            return Err(SealError::TooEarly { time, earliest });
        }
        check_signature(header, round, signature)?;
        Ok(if round == 0 { FIRST_CHOICE } else { STAND_IN })
    }
}

impl<S: AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]>> AuthoritySeal<S> {
    /// The length of the seal in bytes.
    pub const LEN: u8 = AUTHORITY_LEN;

    /// Lets `authorities` sign; `period` is in seconds.
    pub const fn new(period: u64, authorities: Authorities<S>) -> Self {
        Self { period, authorities }
    }
}

impl<S: AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]> + ?Sized> AuthoritySeal<S> {
    /// Returns the authorities.
    pub const fn authorities(&self) -> &Authorities<S> {
        &self.authorities
    }

    /// Returns the authorities, to admit or to expel.
    pub const fn authorities_mut(&mut self) -> &mut Authorities<S> {
        &mut self.authorities
    }
}

impl<S: AsRef<[AuthoritySlot]> + AsMut<[AuthoritySlot]> + ?Sized> Seal for AuthoritySeal<S> {
    type Error = SealError;

    fn weigh(&self, parent: &Tip, header: &Header, seal: &[u8]) -> Result<Weight, SealError> {
        check_form(header, seal, SealKind::AUTHORITY, AUTHORITY_LEN)?;
        let author = ValidatorId(*header.author.as_bytes());
        let turn = self.authorities.turn(&author, header.height.0)?;
        let (time, earliest) = (header.time, parent.time.saturating_add(self.period));
        if time < earliest {
            return Err(SealError::TooEarly { time, earliest });
        }
        check_signature(header, 0, seal)?;
        Ok(Weight(u128::from(turn.difficulty())))
    }

    fn appended(&mut self, block: &Block<'_>) {
        let header = block.header();
        self.authorities.record_signature(&ValidatorId(*header.author.as_bytes()), header.height.0);
    }
}

fn check_form(header: &Header, seal: &[u8], expected: SealKind, len: u8) -> Result<(), SealError> {
    let found = header.seal_kind;
    if found != expected {
        Err(SealError::WrongKind { expected, found })
    } else if seal.len() != usize::from(len) {
        Err(SealError::WrongLength { expected: len, found: seal.len() })
    } else {
        Ok(())
    }
}

fn check_signature(header: &Header, round: u32, signature: &[u8]) -> Result<(), SealError> {
    let author = ValidatorId(*header.author.as_bytes());
    let statement = statement_of(header, round);
    let (signature, _) = take(signature).map_err(|_| SealError::BadSignature(author))?;
    let signed = SignedStatement { statement, author, signature: *signature };
    signed.verify().map_err(|bad| SealError::BadSignature(bad.0))
}
