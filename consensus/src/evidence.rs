//! Evidence: two contradicting signatures of one key, which anybody can check.

use core::fmt;

use thiserror::Error;

use crate::statement::take;
use crate::{BufferTooSmall, DecodeError, SignedStatement, Statement, ValidatorId};

/// Proof that a validator proposed two different things for one round: nothing was at stake for it, or so
/// it thought.
///
/// It stands for itself: whoever gets it checks two signatures and needs to trust nobody. Canonical bytes:
/// chain, height and round once, the lesser digest with its signature, the greater one with its own, the
/// author; so there is one spelling, whoever saw which statement first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Equivocation {
    lesser: SignedStatement,
    greater: SignedStatement,
}

/// Why two statements prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Two validators may well differ.
    #[error("two authors, {0:.16} and {1:.16}, may differ")]
    DifferentAuthors(ValidatorId, ValidatorId),
    /// The statements are about different rounds.
    #[error("the statements are about different rounds")]
    DifferentRounds,
    /// Saying the same twice is no offence.
    #[error("the statements agree")]
    NoContradiction,
    /// The greater digest stands first: not the canonical spelling.
    #[error("the greater digest stands first")]
    WrongOrder,
    /// The bytes are not two statements.
    #[error("not evidence: {0}")]
    Decode(#[from] DecodeError),
    /// A signature does not fit: somebody tries to frame the author.
    #[error("a signature of {0:.16} does not fit")]
    Forged(ValidatorId),
}

impl Equivocation {
    /// The encoded length in bytes.
    pub const LEN: usize = Statement::LEN + 32 + 64 + 32 + 64;

    /// Judges two signed statements, in any order.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] if they prove nothing.
    pub fn prove(one: &SignedStatement, two: &SignedStatement) -> Result<Self, EvidenceError> {
        if one.author != two.author {
            return Err(EvidenceError::DifferentAuthors(one.author, two.author));
        }
        if !one.statement.same_round(&two.statement) {
            return Err(EvidenceError::DifferentRounds);
        }
        if one.statement.digest == two.statement.digest {
            return Err(EvidenceError::NoContradiction);
        }
        if !one.is_genuine() || !two.is_genuine() {
            return Err(EvidenceError::Forged(one.author));
        }
        let in_order = one.statement.digest < two.statement.digest;
        let (lesser, greater) = if in_order { (*one, *two) } else { (*two, *one) };
        Ok(Self { lesser, greater })
    }

    /// Reads evidence from the front of `bytes`, judges it, and returns the rest.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] if the bytes are not two statements, or prove nothing.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), EvidenceError> {
        let (statement, rest) = Statement::decode(bytes)?;
        let (signature, rest) = take(rest)?;
        let (digest, rest) = take(rest)?;
        let (second, rest) = take(rest)?;
        let (author, rest) = take(rest)?;
        let author = ValidatorId(*author);
        let lesser = SignedStatement { statement, author, signature: *signature };
        let statement = Statement { digest: *digest, ..statement };
        let greater = SignedStatement { statement, author, signature: *second };
        if statement.digest < lesser.statement.digest {
            return Err(EvidenceError::WrongOrder);
        }
        Ok((Self::prove(&lesser, &greater)?, rest))
    }

    /// Writes the evidence and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`Self::LEN`] bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = Self::LEN;
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let statement = self.lesser.statement.to_bytes();
        let fields: [&[u8]; 5] = [
            &statement,
            &self.lesser.signature,
            &self.greater.statement.digest,
            &self.greater.signature,
            &self.lesser.author.0,
        ];
        for (byte, value) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = *value;
        }
        Ok(needed)
    }

    /// Returns who is guilty.
    #[must_use]
    pub const fn offender(&self) -> ValidatorId {
        self.lesser.author
    }

    /// Returns the two statements, the one with the lesser digest first.
    #[must_use]
    pub const fn statements(&self) -> [&SignedStatement; 2] {
        [&self.lesser, &self.greater]
    }
}

impl fmt::Display for Equivocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statement { height, round, .. } = self.lesser.statement;
        write!(f, "EQUIVOCATION of {:.16} height={height} round={round}", self.offender())
    }
}
