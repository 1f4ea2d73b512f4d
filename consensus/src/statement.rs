//! What a validator signs: a proposal for one round of one height of one chain.

use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use thiserror::Error;

use crate::error::{BufferTooSmall, DecodeError, take};
use crate::hex::Hex;
use crate::id::ValidatorId;

const TAG: u8 = 0x53; // 'S'; other signed formats start with other bytes
const VERSION: u8 = 1;

/// A proposal: "at this height and round of this chain I propose what has this digest".
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
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Statement {
    /// The chain. A statement for one chain is not valid on another.
    pub chain: u32,
    /// The height.
    pub height: u64,
    /// The attempt at this height, from 0.
    pub round: u32,
    /// The digest of the proposal.
    pub digest: [u8; 32],
}

/// A statement with its author and signature: 146 bytes, the statement, the key, the signature.
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SignedStatement {
    /// The statement.
    pub statement: Statement,
    /// The validator that signed it.
    pub author: ValidatorId,
    /// The Ed25519 signature over [`Statement::to_bytes`].
    pub signature: [u8; 64],
}

/// The author did not sign the statement.
#[expect(clippy::exhaustive_structs, reason = "names the author")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("invalid signature of {0:.16}")]
pub struct BadSignature(pub ValidatorId);

impl Statement {
    /// The encoded length in bytes.
    pub const LEN: usize = 50;

    /// Decodes a statement and returns the rest of the bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are malformed.
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

    /// Returns the canonical bytes, which are signed.
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

    /// Returns whether both statements are about the same round of the same height of the same chain.
    #[must_use]
    pub fn same_round(&self, other: &Self) -> bool {
        self.chain == other.chain && self.height == other.height && self.round == other.round
    }
}

impl SignedStatement {
    /// The encoded length in bytes.
    pub const LEN: usize = Statement::LEN + 32 + 64;

    /// Decodes a signed statement and returns the rest of the bytes. The signature is not checked.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are malformed.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (statement, rest) = Statement::decode(bytes)?;
        let (author, rest) = take(rest)?;
        let (signature, rest) = take(rest)?;
        Ok((Self { statement, author: ValidatorId(*author), signature: *signature }, rest))
    }

    /// Encodes the signed statement and returns its length.
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

    /// Checks the signature by the strict rule (weak keys and torsion components are refused), so that every
    /// verifier gives the same answer.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if the author did not sign the statement.
    pub fn verify(&self) -> Result<(), BadSignature> {
        let bad = BadSignature(self.author);
        let signature = Signature::from_bytes(&self.signature);
        let key = VerifyingKey::from_bytes(&self.author.0).map_err(|_| bad)?;
        key.verify_strict(&self.statement.to_bytes(), &signature).map_err(|_| bad)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, height, round, digest } = self;
        let digest = Hex(digest);
        write!(f, "PROPOSE chain={chain} height={height} round={round} digest={digest:.16}")
    }
}

impl fmt::Debug for SignedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedStatement")
            .field("statement", &self.statement)
            .field("author", &self.author)
            .field("signature", &Hex(&self.signature))
            .finish()
    }
}

impl fmt::Display for SignedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {:.16}", self.statement, self.author)
    }
}
