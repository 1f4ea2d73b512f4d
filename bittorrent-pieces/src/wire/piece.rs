//! `piece`: index and begin of a block, and its data to the end of the message (BEP 3).

use core::fmt;

use super::{DecodeError, field};
use crate::block::{Block, PieceIndex};
use crate::error::BufferTooSmall;
use crate::index::count;

/// The id of `piece`.
pub const PIECE: u8 = 7;

/// The length behind the prefix without the data: id, index, begin.
pub(super) const FIXED_LEN: usize = 9;

/// The length of everything before the data, the length prefix included.
pub const HEADER_LEN: usize = 13;

/// A block with its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Piece<'a> {
    /// The piece.
    pub piece: PieceIndex,
    /// Where the data begin, in bytes from the start of the piece.
    pub begin: u32,
    /// The data, as they lie in the received bytes.
    pub data: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Returns where the data belong.
    #[must_use]
    pub fn block(&self) -> Block {
        Block { piece: self.piece, begin: self.begin, len: count(self.data.len()) }
    }

    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let short = DecodeError::Payload { id: PIECE, len: payload.len() };
        let (index, rest) = payload.split_first_chunk().ok_or(short)?;
        let (begin, data) = rest.split_first_chunk().ok_or(short)?;
        let piece = PieceIndex(u32::from_be_bytes(*index));
        Ok(Self { piece, begin: u32::from_be_bytes(*begin), data })
    }

    pub(super) fn encode(&self, out: &mut field::Out<'_>) {
        out.u8(PIECE);
        out.u32(self.piece.0);
        out.u32(self.begin);
        out.bytes(self.data);
    }
}

/// Writes what precedes the data of a block; the sender then sends `block.len` bytes from wherever
/// they lie. Returns 13.
///
/// # Errors
///
/// [`BufferTooSmall`]; nothing is written then.
pub fn encode_header(block: Block, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let mut out = field::Out::new(out, HEADER_LEN)?;
    out.u32(block.len.saturating_add(count(FIXED_LEN)));
    out.u8(PIECE);
    out.u32(block.piece.0);
    out.u32(block.begin);
    Ok(HEADER_LEN)
}

impl fmt::Display for Piece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PIECE {}", self.block())
    }
}
