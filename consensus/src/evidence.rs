//! Evidence: two contradicting signatures of one key, which anybody can check.

use core::fmt;

use thiserror::Error;

use crate::error::{BufferTooSmall, DecodeError, take};
use crate::id::ValidatorId;
use crate::statement::{SignedStatement, Statement};

/// Proof that a validator signed two different proposals for one round.
///
/// Anybody can check it: it consists of two signatures. Its canonical bytes are chain, height and round once,
/// the lesser digest with its signature, the greater digest with its signature, and the author, so that there
/// is one encoding for any order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Equivocation {
    lesser: SignedStatement,
    greater: SignedStatement,
}

/// Why two statements are not evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EvidenceError {
    /// The statements have different authors.
    #[error("different authors {0:.16} and {1:.16}")]
    DifferentAuthors(ValidatorId, ValidatorId),
    /// The statements are about different rounds.
    #[error("the statements are about different rounds")]
    DifferentRounds,
    /// Both statements have the same digest.
    #[error("the statements do not contradict each other")]
    NoContradiction,
    /// The greater digest is first, which is not the canonical encoding.
    #[error("the greater digest is first")]
    WrongOrder,
    /// The bytes are malformed.
    #[error("malformed evidence: {0}")]
    Decode(DecodeError),
    /// The author is not a validator.
    #[error("{0:.16} is not a validator")]
    Stranger(ValidatorId),
    /// The author did not sign one of the statements.
    #[error("invalid signature of {0:.16}")]
    Forged(ValidatorId),
}

impl Equivocation {
    /// The encoded length in bytes.
    pub const LEN: usize = Statement::LEN + 32 + 64 + 32 + 64;

    /// Checks two signed statements, in any order.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] if they are not evidence.
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
        for signed in [one, two] {
            signed.verify().map_err(|bad| EvidenceError::Forged(bad.0))?;
        }
        if one.statement.digest < two.statement.digest {
            Ok(Self { lesser: *one, greater: *two })
        } else {
            Ok(Self { lesser: *two, greater: *one })
        }
    }

    /// Decodes evidence, checks it, and returns the rest of the bytes.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] if the bytes are malformed, or are not evidence.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), EvidenceError> {
        let ([lesser, greater], rest) = decode_pair(bytes).map_err(EvidenceError::Decode)?;
        if greater.statement.digest < lesser.statement.digest {
            return Err(EvidenceError::WrongOrder);
        }
        Ok((Self::prove(&lesser, &greater)?, rest))
    }

    /// Encodes the evidence and returns its length.
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

    /// Returns the validator that signed both.
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

fn decode_pair(bytes: &[u8]) -> Result<([SignedStatement; 2], &[u8]), DecodeError> {
    let (statement, rest) = Statement::decode(bytes)?;
    let (signature, rest) = take(rest)?;
    let (digest, rest) = take(rest)?;
    let (second, rest) = take(rest)?;
    let (author, rest) = take(rest)?;
    let author = ValidatorId(*author);
    let lesser = SignedStatement { statement, author, signature: *signature };
    let statement = Statement { digest: *digest, ..statement };
    let greater = SignedStatement { statement, author, signature: *second };
    Ok(([lesser, greater], rest))
}

impl fmt::Display for Equivocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statement { height, round, .. } = self.lesser.statement;
        write!(f, "EQUIVOCATION of {:.16} height={height} round={round}", self.offender())
    }
}
