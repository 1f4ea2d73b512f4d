//! `request` and `cancel`: index, begin and length of a block (BEP 3).

use super::{DecodeError, field};
use crate::block::{Block, PieceIndex};

/// The id of `request`.
pub const REQUEST: u8 = 6;
/// The id of `cancel`.
pub const CANCEL: u8 = 8;

/// The length behind the prefix, in bytes.
pub(crate) const LEN: usize = 13;

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

/// Returns the block of a request that [`Message::decode`](super::Message::decode) refused, at the front of
/// `bytes`.
pub(crate) fn invalid(bytes: &[u8]) -> Option<Block> {
    let (head, rest) = bytes.split_first_chunk::<5>()?;
    let [i0, i1, i2, i3, b0, b1, b2, b3, l0, l1, l2, l3] = *rest.first_chunk()?;
    let [.., id] = *head;
    (id == REQUEST).then_some(Block {
        piece: PieceIndex(u32::from_be_bytes([i0, i1, i2, i3])),
        begin: u32::from_be_bytes([b0, b1, b2, b3]),
        len: u32::from_be_bytes([l0, l1, l2, l3]),
    })
}

pub(super) fn encode(id: u8, block: Block, out: &mut field::Out<'_>) {
    out.u8(id);
    out.u32(block.piece.0);
    out.u32(block.begin);
    out.u32(block.len);
}
