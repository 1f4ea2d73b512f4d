//! `request` and `cancel`: index, begin and length of a block (BEP 3).

use super::{DecodeError, field};
use crate::geometry::{Block, PieceIndex};

/// The id of `request`.
pub const REQUEST: u8 = 6;
/// The id of `cancel`.
pub const CANCEL: u8 = 8;

/// The length behind the prefix, in bytes.
pub(super) const LEN: usize = 13;

pub(super) fn decode(id: u8, payload: &[u8]) -> Result<Block, DecodeError> {
    let [i0, i1, i2, i3, b0, b1, b2, b3, l0, l1, l2, l3] = *field::exactly(id, payload)?;
    let piece = PieceIndex(u32::from_be_bytes([i0, i1, i2, i3]));
    let begin = u32::from_be_bytes([b0, b1, b2, b3]);
    let len = u32::from_be_bytes([l0, l1, l2, l3]);
    if len == 0 || begin.checked_add(len).is_none() {
        return Err(DecodeError::Block { begin, len });
    }
    Ok(Block { piece, begin, len })
}

pub(super) fn encode(id: u8, block: Block, out: &mut field::Out<'_>) {
    out.u8(id);
    out.u32(block.piece.0);
    out.u32(block.begin);
    out.u32(block.len);
}
