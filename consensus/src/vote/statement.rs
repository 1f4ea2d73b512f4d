//! What a validator signs: a proposal or a vote for one round of one slot of one chain.

use core::fmt;

use thiserror::Error;

use super::verify::{Ed25519, Verify};
use crate::error::{BufferTooSmall, DecodeError, take};
use crate::hex::Hex;
use crate::id::ValidatorId;

const TAG: u8 = 0x53; // 'S'; other signed formats start with other bytes
const VERSION: u8 = 2;

const PROPOSE: u8 = 1;
const PREVOTE: u8 = 2;
const PRECOMMIT: u8 = 3;
const ATTEST: u8 = 4;

/// A proposal or a vote: "in this round of this slot of this chain I propose, or vote for, this block".
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 1 | tag 0x53 |
/// | 1 | 1 | version 2 |
/// | 2 | 1 | kind: 1 propose, 2 prevote, 3 precommit, 4 attest |
/// | 3 | 32 | genesis id |
/// | 35 | 8 | slot |
/// | 43 | 4 | round |
/// | 47 | 8 | propose: the valid round plus 1, or 0; attest: the source; otherwise 0 |
/// | 55 | 32 | digest of the block |
///
/// All integers are big-endian. A validator signs exactly these bytes, and other spellings are refused.
///
/// ```
/// use consensus::{Statement, StatementKind};
///
/// let vote = Statement::new([7; 32], StatementKind::Prevote, 12, 0, [0xAB; 32]);
/// assert_eq!(Statement::decode(&vote.to_bytes()), Ok((vote, &[][..])));
/// assert_eq!(
///     vote.to_string(),
///     "PREVOTE chain=07070707 slot=12 round=0 block=abababababababab"
/// );
/// ```
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Statement {
    /// The id of the first block. A statement for one chain is not valid on another.
    pub genesis: [u8; 32],
    /// What the author does.
    pub kind: StatementKind,
    /// The slot or height. The target of an attestation.
    pub slot: u64,
    /// The attempt at this slot, from 0.
    pub round: u32,
    /// The digest of the block, or [`Statement::NIL`] for a vote against all blocks.
    pub digest: [u8; 32],
}

/// What the author of a statement does.
#[expect(clippy::exhaustive_enums, reason = "the kinds are the format")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum StatementKind {
    /// Proposes a block.
    Propose {
        /// The earlier round in which the block had a quorum of prevotes. At most 2^32 - 2.
        valid_round: Option<u32>,
    },
    /// Votes in the first step of a round.
    Prevote,
    /// Votes in the second step of a round.
    Precommit,
    /// Votes for a link from a justified checkpoint to a later one (Casper FFG).
    Attest {
        /// The slot of the justified checkpoint.
        source: u64,
    },
}

/// A statement with its author and signature: the statement, the key, the signature.
///
/// ```
/// use consensus::{Ed25519Key, Keys, SignedStatement, Statement};
///
/// let key = Ed25519Key::from_secret(&[1; 32]);
/// let statement = Statement::propose([0xC0; 32], 5, 0, [0xAB; 32]);
/// let signature = key.sign(&statement.to_bytes());
/// let mut signed = SignedStatement { statement, author: key.id(), signature };
/// assert!(signed.verify().is_ok());
/// signed.statement.slot = 6;
/// assert!(signed.verify().is_err());
/// ```
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SignedStatement {
    /// The statement.
    pub statement: Statement,
    /// The validator that signed it.
    pub author: ValidatorId,
    /// The signature over [`Statement::to_bytes`].
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
    pub const LEN: usize = 87;
    /// The digest of a vote for no block.
    pub const NIL: [u8; 32] = [0; 32];

    /// Creates a statement.
    #[must_use]
    pub const fn new(
        genesis: [u8; 32],
        kind: StatementKind,
        slot: u64,
        round: u32,
        digest: [u8; 32],
    ) -> Self {
        Self { genesis, kind, slot, round, digest }
    }

    /// Creates a proposal that no earlier round supports.
    #[must_use]
    pub const fn propose(genesis: [u8; 32], slot: u64, round: u32, digest: [u8; 32]) -> Self {
        Self::new(genesis, StatementKind::Propose { valid_round: None }, slot, round, digest)
    }

    /// Decodes a statement and returns the rest of the bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are malformed.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (head, rest) = take::<{ Self::LEN }>(bytes)?;
        let (start, fields) = take::<3>(head)?;
        let kind = match *start {
            [TAG, VERSION, kind] => kind,
            [TAG, version, _] => return Err(DecodeError::UnknownVersion(version)),
            [tag, ..] => return Err(DecodeError::WrongTag(tag)),
        };
        let (genesis, fields) = take(fields)?;
        let (slot, fields) = take(fields)?;
        let (round, fields) = take(fields)?;
        let (support, fields) = take(fields)?;
        let (digest, _) = take(fields)?;
        let kind = StatementKind::from_parts(kind, u64::from_be_bytes(*support))?;
        let statement = Self {
            genesis: *genesis,
            kind,
            slot: u64::from_be_bytes(*slot),
            round: u32::from_be_bytes(*round),
            digest: *digest,
        };
        Ok((statement, rest))
    }

    /// Returns the canonical bytes, which are signed.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let (kind, support) = self.kind.to_parts();
        let mut out = [0; Self::LEN];
        let fields: [&[u8]; 6] = [
            &[TAG, VERSION, kind],
            &self.genesis,
            &self.slot.to_be_bytes(),
            &self.round.to_be_bytes(),
            &support.to_be_bytes(),
            &self.digest,
        ];
        for (byte, value) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = *value;
        }
        out
    }

    /// Returns whether this is a vote for no block.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.digest == Self::NIL
    }
}

impl StatementKind {
    fn from_parts(kind: u8, support: u64) -> Result<Self, DecodeError> {
        match (kind, support) {
            (PROPOSE, 0) => Ok(Self::Propose { valid_round: None }),
            (PROPOSE, after) => {
                let round = u32::try_from(after.saturating_sub(1));
                let valid_round = round.ok().filter(|round| *round < u32::MAX);
                let valid_round = valid_round.ok_or(DecodeError::Noncanonical)?;
                Ok(Self::Propose { valid_round: Some(valid_round) })
            }
            (PREVOTE, 0) => Ok(Self::Prevote),
            (PRECOMMIT, 0) => Ok(Self::Precommit),
            (ATTEST, source) => Ok(Self::Attest { source }),
            (PREVOTE | PRECOMMIT, _) => Err(DecodeError::Noncanonical),
            (kind, _) => Err(DecodeError::UnknownKind(kind)),
        }
    }

    fn to_parts(self) -> (u8, u64) {
        match self {
            Self::Propose { valid_round: None } => (PROPOSE, 0),
            Self::Propose { valid_round: Some(round) } => {
                (PROPOSE, u64::from(round).saturating_add(1))
            }
            Self::Prevote => (PREVOTE, 0),
            Self::Precommit => (PRECOMMIT, 0),
            Self::Attest { source } => (ATTEST, source),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Propose { .. } => "PROPOSE",
            Self::Prevote => "PREVOTE",
            Self::Precommit => "PRECOMMIT",
            Self::Attest { .. } => "ATTEST",
        }
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

    /// Checks the Ed25519 signature by the strict rule of `ed25519-dalek`: keys and commitments of small order and
    /// unreduced scalars are refused. Keys with a torsion component of mixed order are accepted.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if the author did not sign the statement.
    pub fn verify(&self) -> Result<(), BadSignature> {
        self.verify_with(&Ed25519)
    }

    /// Checks the signature by another scheme.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if the author did not sign the statement.
    pub fn verify_with(&self, scheme: &impl Verify) -> Result<(), BadSignature> {
        let message = self.statement.to_bytes();
        if scheme.verify(&self.author, &message, &self.signature) {
            Ok(())
        } else {
            Err(BadSignature(self.author))
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { genesis, kind, slot, round, digest } = self;
        write!(f, "{} chain={:.8} slot={slot} round={round}", kind.name(), Hex(genesis))?;
        match kind {
            StatementKind::Propose { valid_round: Some(round) } => write!(f, " valid={round}")?,
            StatementKind::Attest { source } => write!(f, " source={source}")?,
            _ => {}
        }
        if self.is_nil() { f.write_str(" nil") } else { write!(f, " block={:.16}", Hex(digest)) }
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
