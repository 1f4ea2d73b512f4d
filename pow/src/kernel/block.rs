//! SHA-256 of many nonces by the block function of `sha2`.

use sha2::block_api::compress256;

use super::run::{LANES, Run};
use crate::sha256::{BLOCK, INITIAL, second_block, write_words};
use crate::target::DigestOrder;

/// The number of messages hashed before the first digest is hashed once more. Independent hashes overlap in
/// the processor, and a block is written long before it is read.
const AHEAD: usize = 8;

/// Hashes the message once for each value of its varying word, and writes the most significant 32 bits of
/// the number that each digest is.
pub(crate) fn leading_words<R: DigestOrder>(
    run: &Run,
    words: &[u32; LANES],
    out: &mut [u32; LANES],
) {
    let fixed = run.block.get(run.at).copied().unwrap_or(0);
    let mut message = [[0; BLOCK]; 2];
    for (bytes, words) in message.iter_mut().zip([&run.block, &run.after]) {
        write_words(bytes, words);
    }
    let used = if run.shape.is_long() { 2 } else { 1 };
    let mut messages = [message; AHEAD];
    let mut seconds = [second_block(); AHEAD];
    let mut states = [run.midstate; AHEAD];
    let (words, _) = words.as_chunks::<AHEAD>();
    let (out, _) = out.as_chunks_mut::<AHEAD>();
    for (words, out) in words.iter().zip(out) {
        for ([block, _], word) in messages.iter_mut().zip(words) {
            let (places, _) = block.as_chunks_mut::<4>();
            if let Some(place) = places.get_mut(run.at) {
                *place = (fixed | word).to_be_bytes();
            }
        }
        for (state, message) in states.iter_mut().zip(&messages) {
            *state = run.midstate;
            compress256(state, message.get(..used).unwrap_or(message));
        }
        if run.shape.is_double() {
            for (second, state) in seconds.iter_mut().zip(&states) {
                write_words(second, state);
            }
            for (state, second) in states.iter_mut().zip(&seconds) {
                *state = INITIAL;
                compress256(state, core::slice::from_ref(second));
            }
        }
        for (out, state) in out.iter_mut().zip(&states) {
            *out = R::leading_word(state);
        }
    }
}
