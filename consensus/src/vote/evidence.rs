//! Evidence: two contradicting statements signed by one key, which anybody can check.

use core::fmt;

use thiserror::Error;

use super::offence::{Offence, OffenceKind};
use super::statement::{SignedStatement, Statement};
use crate::error::{BufferTooSmall, DecodeError, take};
use crate::id::ValidatorId;

/// Proof that a validator signed two statements that contradict each other: a double proposal, a double vote or a
/// surrounding vote.
///
/// Anybody can check it: it consists of two signatures. Its canonical bytes are the lesser statement with its
/// signature, the greater statement with its signature, and the author, so that there is one encoding for any order
/// of arrival. Many pairs can prove one offence: punish each [`offence`](Self::offence) once.
///
/// ```
/// use consensus::{Ed25519Key, Equivocation, EvidenceError, Keys, SignedStatement, Statement};
///
/// let key = Ed25519Key::from_secret(&[1; 32]);
/// let sign = |slot, digest| {
///     let statement = Statement::propose([0xC0; 32], slot, 0, [digest; 32]);
///     let signature = key.sign(&statement.to_bytes());
///     SignedStatement { statement, author: key.id(), signature }
/// };
/// let evidence = Equivocation::prove(&sign(5, 1), &sign(5, 2))?;
/// assert_eq!(evidence.offender(), key.id());
/// assert_eq!(evidence, Equivocation::prove(&sign(5, 2), &sign(5, 1))?, "in any order");
/// let two_slots = Equivocation::prove(&sign(5, 1), &sign(6, 2));
/// assert_eq!(two_slots, Err(EvidenceError::NoContradiction));
/// # Ok::<(), EvidenceError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Equivocation {
    lesser: SignedStatement,
    greater: SignedStatement,
    kind: OffenceKind,
    slot: u64,
}

/// Why two statements are not evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EvidenceError {
    /// The statements have different authors.
    #[error("different authors {0:.16} and {1:.16}")]
    DifferentAuthors(ValidatorId, ValidatorId),
    /// An honest validator may sign both.
    #[error("the statements do not contradict each other")]
    NoContradiction,
    /// The greater statement is first, which is not the canonical encoding.
    #[error("the greater statement is first")]
    WrongOrder,
    /// The bytes are malformed.
    #[error("malformed evidence: {0}")]
    Decode(DecodeError),
    /// The statement belongs to another chain.
    #[error("a statement for another chain")]
    OtherChain,
    /// The slot is before the window of the detector: its offences are too old to be punished.
    #[error("slot {slot} has expired; the first is {first}")]
    Expired {
        /// The slot of the statement.
        slot: u64,
        /// The first slot of the window.
        first: u64,
    },
    /// The slot is after the window of the detector. The sender did nothing wrong.
    #[error("slot {slot} is later than {last}")]
    NotYet {
        /// The slot of the statement.
        slot: u64,
        /// The last slot of the window.
        last: u64,
    },
    /// The author is not a validator.
    #[error("{0:.16} is not a validator")]
    Stranger(ValidatorId),
    /// The author did not sign one of the statements.
    #[error("invalid signature of {0:.16}")]
    Forged(ValidatorId),
}

impl Equivocation {
    /// The encoded length in bytes.
    pub const LEN: usize = 2 * (Statement::LEN + 64) + 32;

    /// Checks two signed statements, in any order.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] if they are not evidence.
    pub fn prove(one: &SignedStatement, two: &SignedStatement) -> Result<Self, EvidenceError> {
        let contradiction = Self::check(one, two)?;
        Ok(Self::of_verified(one, two, contradiction))
    }

    /// Checks the contradiction, then the signatures.
    fn check(
        one: &SignedStatement,
        two: &SignedStatement,
    ) -> Result<(OffenceKind, u64), EvidenceError> {
        let contradiction = Self::contradiction(one, two)?;
        for signed in [one, two] {
            signed.verify().map_err(|bad| EvidenceError::Forged(bad.0))?;
        }
        Ok(contradiction)
    }

    /// Returns how two statements contradict each other, and in which slot.
    pub(crate) fn contradiction(
        one: &SignedStatement,
        two: &SignedStatement,
    ) -> Result<(OffenceKind, u64), EvidenceError> {
        if one.author != two.author {
            return Err(EvidenceError::DifferentAuthors(one.author, two.author));
        }
        let contradiction = one.statement.contradiction(&two.statement);
        contradiction.ok_or(EvidenceError::NoContradiction)
    }

    /// Orders two statements whose signatures were checked, and that contradict each other so.
    #[inline(never)] // builds the evidence where the caller wants it
    pub(crate) fn of_verified(
        one: &SignedStatement,
        two: &SignedStatement,
        contradiction: (OffenceKind, u64),
    ) -> Self {
        let (kind, slot) = contradiction;
        let one_is_lesser = one.statement.to_bytes() < two.statement.to_bytes();
        let (lesser, greater) = if one_is_lesser { (one, two) } else { (two, one) };
        Self { lesser: *lesser, greater: *greater, kind, slot }
    }

    /// Decodes evidence, checks it, and returns the rest of the bytes.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] if the bytes are malformed, or are not evidence.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), EvidenceError> {
        let decoded = decode_pair(bytes);
        let ([lesser, greater], rest) =
            decoded.as_ref().map_err(|error| EvidenceError::Decode(*error))?;
        if greater.statement.to_bytes() < lesser.statement.to_bytes() {
            return Err(EvidenceError::WrongOrder);
        }
        let contradiction = Self::check(lesser, greater)?;
        Ok((Self::of_verified(lesser, greater, contradiction), rest))
    }

    /// Encodes the evidence and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`Self::LEN`] bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = Self::LEN;
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let lesser = self.lesser.statement.to_bytes();
        let greater = self.greater.statement.to_bytes();
        let fields: [&[u8]; 5] = [
            &lesser,
            &self.lesser.signature,
            &greater,
            &self.greater.signature,
            &self.lesser.author.0,
        ];
        for (byte, value) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = *value;
        }
        Ok(needed)
    }

    /// Returns the validator that signed both.
    #[must_use]
    pub const fn offender(&self) -> ValidatorId {
        self.lesser.author
    }

    /// Returns the offence that this proves: the key by which to punish once.
    #[must_use]
    pub const fn offence(&self) -> Offence {
        Offence { author: self.lesser.author, kind: self.kind, slot: self.slot }
    }

    /// Returns the two statements, the lesser one by its bytes first.
    #[must_use]
    pub const fn statements(&self) -> [&SignedStatement; 2] {
        [&self.lesser, &self.greater]
    }
}

fn decode_pair(bytes: &[u8]) -> Result<([SignedStatement; 2], &[u8]), DecodeError> {
    let (lesser, rest) = Statement::decode(bytes)?;
    let (first, rest) = take(rest)?;
    let (greater, rest) = Statement::decode(rest)?;
    let (second, rest) = take(rest)?;
    let (author, rest) = take(rest)?;
    let author = ValidatorId(*author);
    let lesser = SignedStatement { statement: lesser, author, signature: *first };
    let greater = SignedStatement { statement: greater, author, signature: *second };
    Ok(([lesser, greater], rest))
}

impl fmt::Display for Equivocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, slot, .. } = self;
        let round = self.lesser.statement.round;
        write!(f, "EQUIVOCATION of {:.16} slot={slot} round={round}: {kind}", self.offender())
    }
}
