//! The hashes of a leaf and of an inner node.

use crate::hash::{Hash, TwoBlocks};

const LEAF: u8 = 0x00; // a node begins with 1, so neither can pass for the other
const NODE: u8 = 0x01;

/// The 65 bytes of a node and the padding behind them, without the two hashes.
const NODE_BLOCKS: TwoBlocks = {
    let mut blocks = [[0; 64]; 2];
    let [first, second] = &mut blocks;
    let [prefix, ..] = first;
    *prefix = NODE;
    let [_, end, .., length_high, length_low] = second;
    *end = 0x80;
    [*length_high, *length_low] = 520_u16.to_be_bytes(); // bits
    blocks
};

/// Returns `SHA-256(0x00 || content)`.
pub(super) fn leaf(content: &[u8]) -> Hash {
    Hash::of_parts(&[&[LEAF], content])
}

/// Returns `SHA-256(0x01 || left || right)`.
#[inline(never)] // the message stands on the stack once
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    let mut message = NODE_BLOCKS;
    put_children(left, right, &mut message);
    Hash::of_two_blocks(&message)
}

/// Returns the two blocks whose SHA-256 is a node. A hasher for any length would copy the hashes into its buffer first.
#[inline]
pub(super) fn node_message(left: &Hash, right: &Hash) -> TwoBlocks {
    let mut blocks = NODE_BLOCKS;
    put_children(left, right, &mut blocks);
    blocks
}

/// Writes the two hashes to their places.
#[inline]
fn put_children(left: &Hash, right: &Hash, blocks: &mut TwoBlocks) {
    let [first, second] = blocks;
    let [_, room @ ..] = first;
    let (left_room, right_room) = room.split_at_mut(left.as_bytes().len());
    left_room.copy_from_slice(left.as_bytes());
    let [start @ .., end] = right.as_bytes();
    right_room.copy_from_slice(start);
    let [place, ..] = second;
    *place = *end;
}
