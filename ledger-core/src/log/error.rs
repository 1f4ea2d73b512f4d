//! Errors of checkpoints and of the issuer.

use thiserror::Error;

use super::note::MAX_TEXT_LEN;
use crate::error::BufferTooSmall;

/// The text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CheckpointError {
    /// The first line is missing, empty or has a control character.
    #[error("no origin on line 1, or a control character in it")]
    Origin,
    /// The second line is not a decimal number of 64 bits without leading zeros.
    #[error("invalid tree size on line 2")]
    Size,
    /// The third line is not a hash in base64.
    #[error("invalid root hash on line 3")]
    Root,
    /// An extension line is empty, has a control character or does not end.
    #[error("an extension line is empty, has a control character or lacks its line feed")]
    Extension,
    /// The tree is empty, and the root is not that of the empty tree.
    #[error("the root of an empty tree is wrong")]
    EmptyRoot,
}

/// An entry was not appended, or a checkpoint not signed. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum IssueError {
    /// A tile has to be saved first: poll [`Issuer::poll_write`](super::Issuer::poll_write).
    #[error("a tile waits to be written; call poll_write")]
    Unsaved,
    /// The slots hold no larger tree.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of level slots.
        capacity: usize,
    },
    /// The text of the checkpoint would not be parsed as the same checkpoint.
    #[error(transparent)]
    Malformed(#[from] CheckpointError),
    /// The text of the checkpoint is longer than [`MAX_TEXT_LEN`] bytes.
    #[error("a text of {0} bytes; at most {MAX_TEXT_LEN} can be signed")]
    TextTooLong(usize),
    /// The buffer is too small for the note.
    #[error("buffer too small: {needed} bytes needed")]
    BufferTooSmall {
        /// The length in bytes that suffices.
        needed: usize,
    },
}

impl From<BufferTooSmall> for IssueError {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall { needed: error.needed }
    }
}
