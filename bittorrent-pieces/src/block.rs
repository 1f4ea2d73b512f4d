//! Pieces and blocks by their numbers.

use core::fmt;

use crate::index::slot;

/// The length of a block in bytes: what a request asks for (BEP 3: 2^14). The last block of a piece
/// may be shorter.
pub const BLOCK_LEN: u32 = 1 << 14;

/// The number of a piece, from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct PieceIndex(pub u32);

impl PieceIndex {
    /// Returns the index of its slot.
    pub(crate) fn slot(self) -> usize {
        slot(self.0)
    }
}

impl fmt::Display for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of a run of bytes inside a piece.
///
/// ```
/// use bittorrent_pieces::{BLOCK_LEN, Block, PieceIndex};
///
/// let second = Block { piece: PieceIndex(7), begin: BLOCK_LEN, len: BLOCK_LEN };
/// assert_eq!(second.to_string(), "piece=7 begin=16384 len=16384");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the fields of a request in BEP 3")]
pub struct Block {
    /// The piece.
    pub piece: PieceIndex,
    /// Where the run begins, in bytes from the start of the piece.
    pub begin: u32,
    /// How many bytes it has.
    pub len: u32,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "piece={} begin={} len={}", self.piece, self.begin, self.len)
    }
}
