//! SHA-256 of messages of two blocks each, a group at a time: the nodes of Merkle trees.

use sha2::block_api::compress256;

use super::headers::GROUP;
use super::lanes::compress;
use crate::sha256::{BLOCK, INITIAL, bytes_of};

/// A message of two blocks, padding included.
pub(crate) type Message = [[u8; BLOCK]; 2];
/// A group of messages.
pub(crate) type Messages = [Message; GROUP];
/// Their digests.
pub(crate) type Digests = [[u8; 32]; GROUP];

/// One word of each message of a group.
type Lanes = [u32; GROUP];

/// Hashes one message.
pub(crate) fn hash(message: &Message) -> [u8; 32] {
    let mut state = INITIAL;
    compress256(&mut state, message);
    bytes_of(state)
}

/// Hashes a group by the block function of `sha2`.
pub(crate) fn one_by_one(messages: &Messages, digests: &mut Digests) {
    for (message, digest) in messages.iter().zip(digests) {
        *digest = hash(message);
    }
}

/// Hashes a group side by side, in the vectors that the build allows.
#[inline(never)]
pub(crate) fn in_portable_lanes(messages: &Messages, digests: &mut Digests) {
    in_lanes(messages, digests);
}

/// Hashes a group side by side. Inlined into functions that are compiled for wider vectors.
#[expect(clippy::inline_always, reason = "what is not inlined is not compiled for the vectors")]
#[inline(always)]
pub(crate) fn in_lanes(messages: &Messages, digests: &mut Digests) {
    let mut words = [[0; GROUP]; 32];
    for (lane, message) in messages.iter().enumerate() {
        let (fields, _) = message.as_flattened().as_chunks::<4>();
        for (lanes, field) in words.iter_mut().zip(fields) {
            if let Some(word) = lanes.get_mut(lane) {
                *word = u32::from_be_bytes(*field);
            }
        }
    }
    let mut states = [[0; GROUP]; 8];
    let (blocks, _) = words.as_chunks::<16>();
    if let [first, second] = blocks {
        for (lanes, word) in states.iter_mut().zip(INITIAL) {
            *lanes = [word; GROUP];
        }
        compress_lanes(&mut states, first);
        compress_lanes(&mut states, second);
    }
    for (lane, digest) in digests.iter_mut().enumerate() {
        *digest = bytes_of(states.each_ref().map(|lanes| lanes.get(lane).copied().unwrap_or(0)));
    }
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
