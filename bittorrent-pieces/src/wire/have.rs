//! `have` and `bitfield`: which pieces the sender has (BEP 3).

use super::{DecodeError, field};
use crate::block::PieceIndex;

/// The id of `have`.
pub const HAVE: u8 = 4;
/// The id of `bitfield`.
pub const BITFIELD: u8 = 5;

/// The length of `have` behind the prefix, in bytes.
pub(super) const LEN: usize = 5;

pub(super) fn decode(payload: &[u8]) -> Result<PieceIndex, DecodeError> {
    field::exactly(HAVE, payload).map(|index| PieceIndex(u32::from_be_bytes(*index)))
}

pub(super) fn encode(piece: PieceIndex, out: &mut field::Out<'_>) {
    out.u8(HAVE);
    out.u32(piece.0);
}
