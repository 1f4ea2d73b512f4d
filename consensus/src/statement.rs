//! What a validator signs: one proposal for one round of one height of one chain.

use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use thiserror::Error;

use crate::ValidatorId;

const TAG: u8 = 0x53; // 'S'; what else these keys sign begins differently
const VERSION: u8 = 1;

/// "At this height and round of this chain I propose what has this digest."
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 1 | tag 0x53 |
/// | 1 | 1 | version 1 |
/// | 2 | 4 | chain |
/// | 6 | 8 | height |
/// | 14 | 4 | round |
/// | 18 | 32 | digest |
///
/// All integers are big-endian. A validator signs exactly these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The chain; a statement for one is worth nothing on another.
    pub chain: u32,
    /// The height.
    pub height: u64,
    /// The attempt at this height, from 0.
    pub round: u32,
    /// What is proposed.
    pub digest: [u8; 32],
}

/// A statement with its author and signature: 146 bytes, the statement, the key, the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedStatement {
    /// What is stated.
    pub statement: Statement,
    /// By whom.
    pub author: ValidatorId,
    /// The Ed25519 signature over [`Statement::to_bytes`].
    pub signature: [u8; 64],
}

/// Bytes that are not what they should be: their author's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end too early; the only error that more bytes can cure.
    #[error("{needed} more bytes are needed")]
    Incomplete {
        /// At least this many.
        needed: usize,
    },
    /// The first byte announces something else.
    #[error("{0:#04x} is not the tag of a statement")]
    WrongTag(u8),
    /// The version is not known.
    #[error("version {0} is not known")]
    UnknownVersion(u8),
}

/// The caller's buffer is too small. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the buffer is too small: {needed} bytes are needed")]
pub struct BufferTooSmall {
    /// How many bytes would do.
    pub needed: usize,
}

impl Statement {
    /// The encoded length in bytes.
    pub const LEN: usize = 50;

    /// Reads a statement from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (head, rest) = take::<{ Self::LEN }>(bytes)?;
        let (tag, fields) = take::<2>(head)?;
        match *tag {
            [TAG, VERSION] => {}
            [TAG, version] => return Err(DecodeError::UnknownVersion(version)),
            [tag, _] => return Err(DecodeError::WrongTag(tag)),
        }
        let (chain, fields) = take(fields)?;
        let (height, fields) = take(fields)?;
        let (round, fields) = take(fields)?;
        let (digest, _) = take(fields)?;
        let statement = Self {
            chain: u32::from_be_bytes(*chain),
            height: u64::from_be_bytes(*height),
            round: u32::from_be_bytes(*round),
            digest: *digest,
        };
        Ok((statement, rest))
    }

    /// Returns the canonical bytes: what is signed.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        let fields: [&[u8]; 5] = [
            &[TAG, VERSION],
            &self.chain.to_be_bytes(),
            &self.height.to_be_bytes(),
            &self.round.to_be_bytes(),
            &self.digest,
        ];
        for (byte, value) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = *value;
        }
        out
    }

    /// Returns whether both speak about the same round of the same height of the same chain.
    #[must_use]
    pub fn same_round(&self, other: &Self) -> bool {
        (self.chain, self.height, self.round) == (other.chain, other.height, other.round)
    }
}

impl SignedStatement {
    /// The encoded length in bytes.
    pub const LEN: usize = Statement::LEN + 32 + 64;

    /// Reads a signed statement from the front of `bytes` and returns the rest. The signature is not
    /// checked.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (statement, rest) = Statement::decode(bytes)?;
        let (author, rest) = take(rest)?;
        let (signature, rest) = take(rest)?;
        Ok((Self { statement, author: ValidatorId(*author), signature: *signature }, rest))
    }

    /// Writes the signed statement and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`Self::LEN`] bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = Self::LEN;
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let statement = self.statement.to_bytes();
        let fields: [&[u8]; 3] = [&statement, &self.author.0, &self.signature];
        for (byte, value) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = *value;
        }
        Ok(needed)
    }

    /// Returns whether the author signed the statement, by the strict rule (weak keys and torsion
    /// components are refused), so that every verifier gives the same answer.
    #[must_use]
    pub fn is_genuine(&self) -> bool {
        let signature = Signature::from_bytes(&self.signature);
        VerifyingKey::from_bytes(&self.author.0)
            .is_ok_and(|key| key.verify_strict(&self.statement.to_bytes(), &signature).is_ok())
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, height, round, digest } = self;
        let digest = ValidatorId(*digest);
        write!(f, "PROPOSE chain={chain} height={height} round={round} digest={digest:.16}")
    }
}

impl fmt::Display for SignedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {:.16}", self.statement, self.author)
    }
}

pub(crate) fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), DecodeError> {
    let needed = N.saturating_sub(bytes.len());
    bytes.split_first_chunk().ok_or(DecodeError::Incomplete { needed })
}
