//! Checkpoints (C2SP tlog-checkpoint): the text of a note that names a tree by origin, size and root.

use core::fmt;

use thiserror::Error;

use super::key::SignerKey;
use super::note::{MAX_TEXT_LEN, write_signature};
use super::text::{HashText, TextWriter, parse_decimal, parse_hash};
use crate::error::BufferTooSmall;
use crate::merkle::TreeHead;

/// What a checkpoint says. It is a claim: only a [`VerifiedCheckpoint`](super::VerifiedCheckpoint) is one that
/// the log and its witnesses signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Checkpoint<'n> {
    /// The name of the log.
    pub origin: &'n str,
    /// The tree.
    pub head: TreeHead,
    /// Further lines, each with its line feed; usually empty. Witnesses do not vouch for them.
    pub extension: &'n str,
}

/// The text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CheckpointError {
    /// The first line is missing or empty.
    #[error("no origin on line 1")]
    Origin,
    /// The second line is not a decimal number of 64 bits without leading zeros.
    #[error("invalid tree size on line 2")]
    Size,
    /// The third line is not a hash in base64.
    #[error("invalid root hash on line 3")]
    Root,
    /// An extension line is empty.
    #[error("an extension line is empty")]
    Extension,
    /// The tree is empty, and the root is not that of the empty tree.
    #[error("the root of an empty tree is wrong")]
    EmptyRoot,
}

impl<'n> Checkpoint<'n> {
    /// Parses the text of a note.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] names the line.
    pub fn parse(text: &'n str) -> Result<Self, CheckpointError> {
        let (origin, rest) = text.split_once('\n').ok_or(CheckpointError::Origin)?;
        if origin.is_empty() {
            return Err(CheckpointError::Origin);
        }
        let (size, rest) = rest.split_once('\n').ok_or(CheckpointError::Size)?;
        let size = parse_decimal(size).ok_or(CheckpointError::Size)?;
        let (root, extension) = rest.split_once('\n').ok_or(CheckpointError::Root)?;
        let root = parse_hash(root).ok_or(CheckpointError::Root)?;
        let whole = extension.is_empty() || extension.ends_with('\n');
        if !whole || extension.split_terminator(['\n']).any(str::is_empty) {
            return Err(CheckpointError::Extension);
        }
        let head = TreeHead { size, root };
        if size == 0 && head != TreeHead::EMPTY {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(Self { origin, head, extension })
    }

    /// Writes the note that the log signs: text, empty line and signature.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; or if the text is longer than [`MAX_TEXT_LEN`], whatever the buffer.
    pub fn sign(&self, signer: &SignerKey<'_>, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut text = [0; MAX_TEXT_LEN];
        let mut out = TextWriter::new(&mut text);
        out.put(format_args!("{self}"));
        let len = out.finish()?;
        let text = text.get(..len).unwrap_or_default();
        let text = core::str::from_utf8(text).unwrap_or_default();
        let mut out = TextWriter::new(buf);
        out.put(format_args!("{text}\n"));
        write_signature(&mut out, signer, text, 0)?;
        out.finish()
    }
}

/// The text, as it is signed.
impl fmt::Display for Checkpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, head, extension } = self;
        write!(f, "{origin}\n{}\n{}\n{extension}", head.size, HashText(&head.root))
    }
}
