//! Checkpoints (C2SP tlog-checkpoint): the text of a note that names a tree by origin, size and root.

use core::fmt;

use super::error::{CheckpointError, IssueError};
use super::key::SignerKey;
use super::note::{MAX_TEXT_LEN, write_signature};
use super::text::{HashText, TextWriter, parse_decimal, parse_hash};
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

impl<'n> Checkpoint<'n> {
    /// Parses the text of a note.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] names the line.
    pub fn parse(text: &'n str) -> Result<Self, CheckpointError> {
        let (origin, rest) = text.split_once('\n').ok_or(CheckpointError::Origin)?;
        if !is_line(origin) {
            return Err(CheckpointError::Origin);
        }
        let (size, rest) = rest.split_once('\n').ok_or(CheckpointError::Size)?;
        let size = parse_decimal(size).ok_or(CheckpointError::Size)?;
        let (root, extension) = rest.split_once('\n').ok_or(CheckpointError::Root)?;
        let root = parse_hash(root).ok_or(CheckpointError::Root)?;
        let checkpoint = Self { origin, head: TreeHead { size, root }, extension };
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// Checks that the text is parsed as this checkpoint.
    fn check(&self) -> Result<(), CheckpointError> {
        if !is_line(self.origin) {
            return Err(CheckpointError::Origin);
        }
        let whole = self.extension.is_empty() || self.extension.ends_with('\n');
        if !whole || !self.extension.split_terminator(['\n']).all(is_line) {
            return Err(CheckpointError::Extension);
        }
        if self.head.size == 0 && self.head != TreeHead::EMPTY {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(())
    }

    /// Writes the note that the log signs: text, empty line and signature.
    ///
    /// # Errors
    ///
    /// [`IssueError::Malformed`] if the text would not read as this checkpoint; [`IssueError::TextTooLong`];
    /// [`IssueError::BufferTooSmall`].
    pub fn sign(&self, signer: &SignerKey<'_>, buf: &mut [u8]) -> Result<usize, IssueError> {
        self.check()?;
        let mut text = [0; MAX_TEXT_LEN];
        let mut out = TextWriter::new(&mut text);
        out.put(format_args!("{self}"));
        let len = out.finish().map_err(|error| IssueError::TextTooLong(error.needed))?;
        let text = text.get(..len).unwrap_or_default();
        let text = core::str::from_utf8(text).unwrap_or_default();
        let mut out = TextWriter::new(buf);
        out.put(format_args!("{text}\n"));
        write_signature(&mut out, signer, text, 0)?;
        Ok(out.finish()?)
    }
}

/// Returns whether a line is not empty and has no control character.
fn is_line(line: &str) -> bool {
    !line.is_empty() && !line.bytes().any(|byte| byte < b' ')
}

/// The text, as it is signed.
impl fmt::Display for Checkpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, head, extension } = self;
        write!(f, "{origin}\n{}\n{}\n{extension}", head.size, HashText(&head.root))
    }
}
