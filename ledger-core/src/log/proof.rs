//! Proof files (C2SP tlog-proof): an inclusion proof and the checkpoint that it is for, in one text.

use core::fmt;

use thiserror::Error;

use super::policy::{OpenError, Policy, VerifiedCheckpoint};
use super::text::{HashText, TextWriter, hashes_of_lines, parse_decimal, parse_hash};
use crate::error::BufferTooSmall;
use crate::hash::Hash;
use crate::merkle::{HashRows, ProofError};

const TITLE: &str = "c2sp.org/tlog-proof@v1";
const MAX_PATH: usize = 64;

/// A proof file. Nothing in it is trusted before [`verify`](Self::verify).
///
/// The file that `ledger log prove` writes is verified so, with nothing stored but the keys:
///
/// ```
/// use ledger_core::{MerkleTree, log::{Policy, ProofFile, VerifierKey}};
///
/// let file = include_bytes!("../../tests/data/made.tlog-proof");
/// let key = "example.com/ledger+3481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
/// let policy = Policy::log_only(VerifierKey::parse(key)?);
/// let proof = ProofFile::parse(file)?;
/// let checkpoint = proof.verify(&policy, &MerkleTree::leaf(&[0x10]))?;
/// assert_eq!((proof.index(), checkpoint.head().size), (2, 8));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofFile<'p> {
    extra: Option<&'p str>,
    index: u64,
    path: HashRows,
    path_len: usize,
    note: &'p [u8],
}

/// A proof file is malformed or proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofFileError {
    /// A line is malformed, counted from 0.
    #[error("malformed proof file on line {0}")]
    Line(usize),
    /// The checkpoint does not count.
    #[error("{0}")]
    Open(OpenError),
    /// The leaf is not proved.
    #[error("{0}")]
    Proof(ProofError),
}

impl<'p> ProofFile<'p> {
    /// Parses a file.
    ///
    /// # Errors
    ///
    /// [`ProofFileError::Line`].
    pub fn parse(bytes: &'p [u8]) -> Result<Self, ProofFileError> {
        let mut lines = LineReader { bytes, number: 0 };
        if lines.next()? != TITLE {
            return Err(ProofFileError::Line(0));
        }
        let mut line = lines.next()?;
        let extra = line.strip_prefix("extra ");
        if extra.is_some() {
            line = lines.next()?;
        }
        let index = line.strip_prefix("index ").and_then(parse_decimal).ok_or(lines.malformed())?;
        let path = lines.bytes;
        let mut path_len = 0_usize;
        loop {
            let line = lines.next()?;
            if line.is_empty() {
                break;
            }
            if path_len >= MAX_PATH || parse_hash(line).is_none() {
                return Err(lines.malformed());
            }
            path_len = path_len.saturating_add(1);
        }
        let path = hashes_of_lines(path, path_len);
        Ok(Self { extra, index, path, path_len, note: lines.bytes })
    }

    /// Checks the checkpoint by `policy`, then that the leaf with this hash stands in its tree.
    ///
    /// # Errors
    ///
    /// [`ProofFileError::Open`] or [`ProofFileError::Proof`].
    pub fn verify(
        &self,
        policy: &Policy<'_>,
        leaf: &Hash,
    ) -> Result<VerifiedCheckpoint<'p>, ProofFileError> {
        let checkpoint = policy.open(self.note).map_err(ProofFileError::Open)?;
        checkpoint
            .verify_inclusion(self.index, leaf, self.path())
            .map_err(ProofFileError::Proof)?;
        Ok(checkpoint)
    }

    /// Returns the position of the leaf.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Returns the siblings from the leaf to the root.
    #[must_use]
    pub fn path(&self) -> &[Hash] {
        self.path.as_flattened().get(..self.path_len).unwrap_or_default()
    }

    /// Returns the base64 text of the line `extra`, which no signature covers.
    #[must_use]
    pub const fn extra(&self) -> Option<&'p str> {
        self.extra
    }
}

/// Writes a proof file into `buf`.
///
/// # Errors
///
/// [`BufferTooSmall`].
pub fn write_proof_file(
    index: u64,
    path: &[Hash],
    note: &[u8],
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let mut out = TextWriter::new(buf);
    out.put(format_args!("{TITLE}\nindex {index}\n"));
    for hash in path {
        out.put(format_args!("{}\n", HashText(hash)));
    }
    out.put(format_args!("\n"));
    out.put_bytes(note);
    out.finish()
}

/// Reads line by line; each has to end with a line feed.
struct LineReader<'p> {
    bytes: &'p [u8],
    number: usize,
}

impl<'p> LineReader<'p> {
    fn next(&mut self) -> Result<&'p str, ProofFileError> {
        let malformed = self.malformed();
        let end = self.bytes.iter().position(|byte| *byte == b'\n').ok_or(malformed)?;
        let (line, rest) = self.bytes.split_at_checked(end).ok_or(malformed)?;
        self.bytes = rest.get(1..).unwrap_or_default();
        self.number = self.number.saturating_add(1);
        core::str::from_utf8(line).map_err(|_| malformed)
    }

    /// Returns the error of the line that was read last, or of the first.
    fn malformed(&self) -> ProofFileError {
        ProofFileError::Line(self.number.saturating_sub(1))
    }
}

impl fmt::Display for ProofFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proof of leaf {} by {} hashes", self.index, self.path_len)
    }
}
