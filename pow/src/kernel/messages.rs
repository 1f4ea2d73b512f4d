//! SHA-256 of a group of messages, a block of each at a time: the nodes and leaves of Merkle trees.

use sha2::block_api::compress256;

use super::headers::GROUP;
use super::lanes::compress;
use crate::sha256::{BLOCK, INITIAL, bytes_of};

/// A message of two blocks, padding included.
pub(crate) type Message = [[u8; BLOCK]; 2];
/// One block of each message of a group.
pub(crate) type Blocks = [[u8; BLOCK]; GROUP];
/// The states after some blocks: each word of all messages of a group.
pub(crate) type States = [Lanes; 8];

/// One word of each message of a group.
type Lanes = [u32; GROUP];

/// The states before the first block.
pub(crate) const START: States = {
    let [a, b, c, d, e, f, g, h] = INITIAL;
    [[a; GROUP], [b; GROUP], [c; GROUP], [d; GROUP], [e; GROUP], [f; GROUP], [g; GROUP], [h; GROUP]]
};

/// Hashes one message.
pub(crate) fn hash(message: &Message) -> [u8; 32] {
    let mut state = INITIAL;
    compress256(&mut state, message);
    bytes_of(state)
}

/// Returns the digest of a message of a group after its last block.
pub(crate) fn digest(states: &States, lane: usize) -> [u8; 32] {
    bytes_of(state_of(states, lane))
}

fn state_of(states: &States, lane: usize) -> [u32; 8] {
    states.each_ref().map(|lanes| lanes.get(lane).copied().unwrap_or(0))
}

/// Hashes the next block of each message by the block function of `sha2`.
pub(crate) fn one_by_one(states: &mut States, blocks: &Blocks) {
    for (lane, block) in blocks.iter().enumerate() {
        let mut state = state_of(states, lane);
        compress256(&mut state, core::slice::from_ref(block));
        for (lanes, word) in states.iter_mut().zip(state) {
            if let Some(place) = lanes.get_mut(lane) {
                *place = word;
            }
        }
    }
}

/// Hashes the next block of each message side by side, in the vectors that the build allows.
#[inline(never)]
pub(crate) fn in_portable_lanes(states: &mut States, blocks: &Blocks) {
    in_lanes(states, blocks);
}

/// Hashes the next block of each message side by side. Inlined into functions that are compiled for wider vectors.
#[expect(clippy::inline_always, reason = "what is not inlined is not compiled for the vectors")]
#[inline(always)]
pub(crate) fn in_lanes(states: &mut States, blocks: &Blocks) {
    let mut words = [[0; GROUP]; 16];
    for (lane, block) in blocks.iter().enumerate() {
        let (fields, _) = block.as_chunks::<4>();
        for (lanes, field) in words.iter_mut().zip(fields) {
            if let Some(word) = lanes.get_mut(lane) {
                *word = u32::from_be_bytes(*field);
            }
        }
    }
    compress_lanes(states, &words);
}

#[expect(clippy::inline_always, reason = "as above")]
#[expect(clippy::indexing_slicing, reason = "each index is below the length of its array")]
#[inline(always)]
fn compress_lanes(states: &mut [Lanes; 8], words: &[Lanes; 16]) {
    for lane in 0..GROUP {
        let w = |index: usize| words[index][lane];
        let block = [
            w(0),
            w(1),
            w(2),
            w(3),
            w(4),
            w(5),
            w(6),
            w(7),
            w(8),
            w(9),
            w(10),
            w(11),
            w(12),
            w(13),
            w(14),
            w(15),
        ];
        let s = |index: usize| states[index][lane];
        let state = compress([s(0), s(1), s(2), s(3), s(4), s(5), s(6), s(7)], block);
        for (lanes, word) in states.iter_mut().zip(state) {
            lanes[lane] = word;
        }
    }
}
