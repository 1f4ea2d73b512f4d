//! A witness (C2SP tlog-witness): cosigns a checkpoint that continues the one it cosigned last.

use thiserror::Error;

use super::checkpoint::Checkpoint;
use super::key::{SignerKey, VerifierKey};
use super::note::{Note, sign_line};
use super::policy::{OpenError, Policy, VerifiedCheckpoint};
use super::text::{hashes_of_lines, parse_decimal, parse_hash};
use crate::error::BufferTooSmall;
use crate::merkle::{HashRows, ProofError, TreeHead};

/// The most hashes of a consistency proof in a request.
pub const MAX_PROOF_LINES: usize = 63;

/// The body of a request `add-checkpoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddCheckpoint<'r> {
    old: u64,
    proof: HashRows,
    proof_len: usize,
    note: &'r [u8],
}

/// A cosignature that may leave only after the tree was saved: save [`head`](Self::head), then
/// [`sign`](Self::sign). Otherwise two requests, or a crash between them, make the witness sign two trees.
#[derive(Debug)]
#[must_use = "save the head, then sign"]
pub struct Cosignature<'r> {
    checkpoint: VerifiedCheckpoint<'r>,
}

/// A request is refused. [`status`](Self::status) is the HTTP status that the specification asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WitnessError {
    /// The body is not a request: the first line, a proof line, or the separator.
    #[error("malformed request on line {0}")]
    Malformed(usize),
    /// The checkpoint does not count.
    #[error("{0}")]
    Open(OpenError),
    /// The old size is larger than that of the checkpoint.
    #[error("old size {old} is larger than {new}")]
    OldSize {
        /// The old size of the request.
        old: u64,
        /// The size of the checkpoint.
        new: u64,
    },
    /// The old size is not the one that was cosigned last.
    #[error("the size cosigned last is {known}")]
    Conflict {
        /// The size cosigned last; the body of the answer.
        known: u64,
    },
    /// The proof does not lead from the old tree to the new one.
    #[error("the tree does not continue the one cosigned last: {0}")]
    Inconsistent(ProofError),
}

impl<'r> AddCheckpoint<'r> {
    /// Parses `old <size>`, the lines of the proof, an empty line and the signed checkpoint.
    ///
    /// # Errors
    ///
    /// [`WitnessError::Malformed`] names the line, from 0.
    pub fn parse(body: &'r [u8]) -> Result<Self, WitnessError> {
        let (line, mut rest) = split_line(body).ok_or(WitnessError::Malformed(0))?;
        let old = line.strip_prefix("old ").and_then(parse_decimal);
        let old = old.ok_or(WitnessError::Malformed(0))?;
        let proof = rest;
        let mut proof_len = 0_usize;
        loop {
            let malformed = WitnessError::Malformed(proof_len.saturating_add(1));
            let (line, after) = split_line(rest).ok_or(malformed)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if proof_len >= MAX_PROOF_LINES || parse_hash(line).is_none() {
                return Err(malformed);
            }
            proof_len = proof_len.saturating_add(1);
        }
        Ok(Self { old, proof: hashes_of_lines(proof, proof_len), proof_len, note: rest })
    }

    /// Returns the checkpoint's origin, by which the log's key and the tree cosigned last are found.
    ///
    /// # Errors
    ///
    /// [`WitnessError::Open`] if the checkpoint is malformed.
    pub fn origin(&self) -> Result<&'r str, WitnessError> {
        let note =
            Note::parse(self.note).map_err(|error| WitnessError::Open(OpenError::Note(error)))?;
        let checkpoint = Checkpoint::parse(note.text());
        let malformed = |error| WitnessError::Open(OpenError::Checkpoint(error));
        Ok(checkpoint.map_err(malformed)?.origin)
    }

    /// Checks the request against the log's key and the tree cosigned last
    /// ([`TreeHead::EMPTY`] for a log that is new).
    ///
    /// # Errors
    ///
    /// [`WitnessError`], in the order of the specification.
    pub fn check(
        &self,
        log: VerifierKey<'_>,
        known: TreeHead,
    ) -> Result<Cosignature<'r>, WitnessError> {
        let checkpoint = Policy::log_only(log).open(self.note).map_err(WitnessError::Open)?;
        let new = checkpoint.head().size;
        if self.old > new {
            return Err(WitnessError::OldSize { old: self.old, new });
        }
        if self.old != known.size {
            return Err(WitnessError::Conflict { known: known.size });
        }
        let proof = self.proof.as_flattened().get(..self.proof_len).unwrap_or_default();
        checkpoint.verify_consistency(known, proof).map_err(WitnessError::Inconsistent)?;
        Ok(Cosignature { checkpoint })
    }
}

impl Cosignature<'_> {
    /// Returns the tree to be saved as the one cosigned last.
    #[must_use]
    pub const fn head(&self) -> TreeHead {
        self.checkpoint.head()
    }

    /// Writes the signature line: the body of the answer. `time` is now in Unix seconds and not 0.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`].
    pub fn sign(
        &self,
        witness: &SignerKey<'_>,
        time: u64,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        sign_line(witness, self.checkpoint.note().text(), time.max(1), buf)
    }
}

impl WitnessError {
    /// Returns the HTTP status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_)
            | Self::OldSize { .. }
            | Self::Open(OpenError::Note(_) | OpenError::Checkpoint(_)) => 400,
            Self::Open(OpenError::WrongOrigin) => 404,
            Self::Open(_) => 403,
            Self::Conflict { .. } => 409,
            Self::Inconsistent(_) => 422,
        }
    }
}

/// Splits off a line; it has to end with a line feed.
fn split_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((core::str::from_utf8(line).ok()?, rest.get(1..)?))
}
