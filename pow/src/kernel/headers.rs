//! The double SHA-256 of whole headers, one or a group at a time.

use sha2::block_api::compress256;

use super::lanes::{Block, again, compress};
use crate::header::Header;
use crate::sha256::{INITIAL, bytes_of, padded_header, second_block, write_words};

/// The number of headers that are hashed at once: the lanes of the widest vectors.
pub(crate) const GROUP: usize = 16;
/// A group of headers as they are sent.
pub(crate) type EncodedHeaders = [[u8; Header::LEN]; GROUP];
/// Their digests.
pub(crate) type HeaderIds = [[u8; 32]; GROUP];

/// The number of words of a header.
const WORDS: usize = Header::LEN / 4;
/// The number of headers whose first digests are made before one of them is hashed again: independent
/// hashes overlap in the processor.
const AHEAD: usize = 8;

/// One word of each header of a group.
type Lanes = [u32; GROUP];

/// Hashes a group by the block function of `sha2`.
pub(crate) fn one_by_one(headers: &EncodedHeaders, ids: &mut HeaderIds) {
    let (headers, _) = headers.as_chunks::<AHEAD>();
    let (ids, _) = ids.as_chunks_mut::<AHEAD>();
    for (headers, ids) in headers.iter().zip(ids) {
        let blocks = headers.each_ref().map(padded_header);
        let mut states = [INITIAL; AHEAD];
        for (state, blocks) in states.iter_mut().zip(&blocks) {
            compress256(state, blocks);
        }
        let mut seconds = [second_block(); AHEAD];
        for (second, state) in seconds.iter_mut().zip(&states) {
            write_words(second, state);
        }
        for ((id, state), second) in ids.iter_mut().zip(&mut states).zip(&seconds) {
            *state = INITIAL;
            compress256(state, core::slice::from_ref(second));
            *id = bytes_of(*state);
        }
    }
}

/// Hashes a group side by side, in the vectors that the build allows.
#[inline(never)]
pub(crate) fn in_portable_lanes(headers: &EncodedHeaders, ids: &mut HeaderIds) {
    in_lanes(headers, ids);
}

/// Hashes a group side by side. Inlined into functions that are compiled for wider vectors.
#[expect(clippy::inline_always, reason = "what is not inlined is not compiled for the vectors")]
#[inline(always)]
pub(crate) fn in_lanes(headers: &EncodedHeaders, ids: &mut HeaderIds) {
    let mut words = [[0; GROUP]; WORDS];
    for (lane, header) in headers.iter().enumerate() {
        let (fields, _) = header.as_chunks::<4>();
        for (lanes, field) in words.iter_mut().zip(fields) {
            if let Some(word) = lanes.get_mut(lane) {
                *word = u32::from_be_bytes(*field);
            }
        }
    }
    let mut digests = [[0; GROUP]; 8];
    hash_lanes(&words, &mut digests);
    for (lane, id) in ids.iter_mut().enumerate() {
        *id = bytes_of(digests.each_ref().map(|lanes| lanes.get(lane).copied().unwrap_or(0)));
    }
}

#[expect(clippy::inline_always, reason = "as above")]
#[expect(clippy::indexing_slicing, reason = "each index is below the length of its array")]
#[inline(always)]
fn hash_lanes(words: &[Lanes; WORDS], digests: &mut [Lanes; 8]) {
    for lane in 0..GROUP {
        let w = |index: usize| words[index][lane];
        let first: Block = [
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
        let last = [w(16), w(17), w(18), w(19), 0x8000_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 640];
        let state = again(compress(compress(INITIAL, first), last));
        for (digest, word) in digests.iter_mut().zip(state) {
            digest[lane] = word;
        }
    }
}
