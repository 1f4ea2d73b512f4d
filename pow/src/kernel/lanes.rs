//! SHA-256 of many nonces at once, in safe and portable code.
//!
//! The source is that of one lane, written without a branch and without a loop, and called in one plain loop
//! over the lanes: the shape that the compiler turns into vector code as wide as it is allowed to use. What
//! does not depend on the nonce – the first rounds, much of the schedule – it moves out of the loop by itself.

// The letters are those of the standard, and whatever is not inlined is not seen by the vectoriser.
#![allow(clippy::inline_always, clippy::many_single_char_names)]

use super::run::{LANES, Run};
use crate::sha256::INITIAL;
use crate::target::DigestOrder;

pub(super) type State = [u32; 8];
pub(super) type Block = [u32; 16];

/// The round constants of FIPS 180-4, section 4.2.2.
pub(crate) const ROUNDS: [Block; 4] = [
    [
        0x428a_2f98,
        0x7137_4491,
        0xb5c0_fbcf,
        0xe9b5_dba5,
        0x3956_c25b,
        0x59f1_11f1,
        0x923f_82a4,
        0xab1c_5ed5,
        0xd807_aa98,
        0x1283_5b01,
        0x2431_85be,
        0x550c_7dc3,
        0x72be_5d74,
        0x80de_b1fe,
        0x9bdc_06a7,
        0xc19b_f174,
    ],
    [
        0xe49b_69c1,
        0xefbe_4786,
        0x0fc1_9dc6,
        0x240c_a1cc,
        0x2de9_2c6f,
        0x4a74_84aa,
        0x5cb0_a9dc,
        0x76f9_88da,
        0x983e_5152,
        0xa831_c66d,
        0xb003_27c8,
        0xbf59_7fc7,
        0xc6e0_0bf3,
        0xd5a7_9147,
        0x06ca_6351,
        0x1429_2967,
    ],
    [
        0x27b7_0a85,
        0x2e1b_2138,
        0x4d2c_6dfc,
        0x5338_0d13,
        0x650a_7354,
        0x766a_0abb,
        0x81c2_c92e,
        0x9272_2c85,
        0xa2bf_e8a1,
        0xa81a_664b,
        0xc24b_8b70,
        0xc76c_51a3,
        0xd192_e819,
        0xd699_0624,
        0xf40e_3585,
        0x106a_a070,
    ],
    [
        0x19a4_c116,
        0x1e37_6c08,
        0x2748_774c,
        0x34b0_bcb5,
        0x391c_0cb3,
        0x4ed8_aa4a,
        0x5b9c_ca4f,
        0x682e_6ff3,
        0x748f_82ee,
        0x78a5_636f,
        0x84c8_7814,
        0x8cc7_0208,
        0x90be_fffa,
        0xa450_6ceb,
        0xbef9_a3f7,
        0xc671_78f2,
    ],
];

/// Hashes the message once for each value of its varying word, and writes the most significant 32 bits of
/// the number that each digest is.
///
/// VARY tells the compiler which words may vary, a bit each, LONG that there is a block after the
/// one that varies, DOUBLE that the digest is hashed once more. Called by [`by_shape`](super::by_shape),
/// which makes a function of each: all in one they would fight for registers.
#[inline(always)]
pub(crate) fn leading_words<
    R: DigestOrder,
    const VARY: u16,
    const LONG: bool,
    const DOUBLE: bool,
>(
    run: &Run,
    words: &[u32; LANES],
    out: &mut [u32; LANES],
) {
    // Copies: what lies behind a reference might change while `out` is written.
    let Run { midstate, block: fixed, mask, after, .. } = *run;
    for (word, out) in words.iter().zip(out) {
        let block = with::<VARY>(fixed, mask, *word);
        let mut state = compress(midstate, block);
        if LONG {
            state = compress(state, after);
        }
        if DOUBLE {
            state = again(state);
        }
        *out = R::leading_word(&state);
    }
}

/// Sets the varying word.
#[inline(always)]
fn with<const VARY: u16>(mut block: Block, mask: Block, word: u32) -> Block {
    for (at, (value, mask)) in block.iter_mut().zip(mask).enumerate() {
        if VARY == 1 << at {
            *value |= word;
        } else if VARY & 1 << at != 0 {
            *value |= word & mask;
        }
    }
    block
}

/// Hashes a digest once more.
#[inline(always)]
pub(super) fn again([a, b, c, d, e, f, g, h]: State) -> State {
    compress(INITIAL, [a, b, c, d, e, f, g, h, 0x8000_0000, 0, 0, 0, 0, 0, 0, 256])
}

/// FIPS 180-4, section 6.2.2.
#[inline(always)]
pub(super) fn compress(before: State, block: Block) -> State {
    // Each part of the schedule is made where it is used, or more would be live than there are registers.
    let [k0, k1, k2, k3] = ROUNDS;
    let state = rounds(before, block, k0);
    let (state, block) = next_rounds(state, block, k1);
    let (state, block) = next_rounds(state, block, k2);
    let ([a, b, c, d, e, f, g, h], _) = next_rounds(state, block, k3);
    let [a0, b0, c0, d0, e0, f0, g0, h0] = before;
    [
        a.wrapping_add(a0),
        b.wrapping_add(b0),
        c.wrapping_add(c0),
        d.wrapping_add(d0),
        e.wrapping_add(e0),
        f.wrapping_add(f0),
        g.wrapping_add(g0),
        h.wrapping_add(h0),
    ]
}

/// Sixteen rounds, one by one: a loop would keep the compiler from seeing the lanes.
#[inline(always)]
fn rounds(state: State, w: Block, k: Block) -> State {
    let state = round(state, w[0], k[0]);
    let state = round(state, w[1], k[1]);
    let state = round(state, w[2], k[2]);
    let state = round(state, w[3], k[3]);
    let state = round(state, w[4], k[4]);
    let state = round(state, w[5], k[5]);
    let state = round(state, w[6], k[6]);
    let state = round(state, w[7], k[7]);
    let state = round(state, w[8], k[8]);
    let state = round(state, w[9], k[9]);
    let state = round(state, w[10], k[10]);
    let state = round(state, w[11], k[11]);
    let state = round(state, w[12], k[12]);
    let state = round(state, w[13], k[13]);
    let state = round(state, w[14], k[14]);
    round(state, w[15], k[15])
}

#[inline(always)]
fn round([a, b, c, d, e, f, g, h]: State, word: u32, constant: u32) -> State {
    let sigma_1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let choice = (e & (f ^ g)) ^ g;
    let t1 = h.wrapping_add(constant.wrapping_add(word)).wrapping_add(sigma_1).wrapping_add(choice);
    let new_e = d.wrapping_add(t1);
    let sigma_0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let majority = (a & b) | (c & (a | b));
    [t1.wrapping_add(sigma_0).wrapping_add(majority), a, b, c, new_e, e, f, g]
}

/// Sixteen rounds with the next sixteen words of the schedule.
#[inline(always)]
fn next_rounds(state: State, w: Block, k: Block) -> (State, Block) {
    let n0 = next(w[0], w[1], w[9], w[14]);
    let state = round(state, n0, k[0]);
    let n1 = next(w[1], w[2], w[10], w[15]);
    let state = round(state, n1, k[1]);
    let n2 = next(w[2], w[3], w[11], n0);
    let state = round(state, n2, k[2]);
    let n3 = next(w[3], w[4], w[12], n1);
    let state = round(state, n3, k[3]);
    let n4 = next(w[4], w[5], w[13], n2);
    let state = round(state, n4, k[4]);
    let n5 = next(w[5], w[6], w[14], n3);
    let state = round(state, n5, k[5]);
    let n6 = next(w[6], w[7], w[15], n4);
    let state = round(state, n6, k[6]);
    let n7 = next(w[7], w[8], n0, n5);
    let state = round(state, n7, k[7]);
    let n8 = next(w[8], w[9], n1, n6);
    let state = round(state, n8, k[8]);
    let n9 = next(w[9], w[10], n2, n7);
    let state = round(state, n9, k[9]);
    let n10 = next(w[10], w[11], n3, n8);
    let state = round(state, n10, k[10]);
    let n11 = next(w[11], w[12], n4, n9);
    let state = round(state, n11, k[11]);
    let n12 = next(w[12], w[13], n5, n10);
    let state = round(state, n12, k[12]);
    let n13 = next(w[13], w[14], n6, n11);
    let state = round(state, n13, k[13]);
    let n14 = next(w[14], w[15], n7, n12);
    let state = round(state, n14, k[14]);
    let n15 = next(w[15], n0, n8, n13);
    let state = round(state, n15, k[15]);
    (state, [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15])
}

/// Returns the word that comes 16, 15, 7 and 2 words after these.
#[inline(always)]
fn next(w16: u32, w15: u32, w7: u32, w2: u32) -> u32 {
    let sigma_0 = w15.rotate_right(7) ^ w15.rotate_right(18) ^ (w15 >> 3);
    let sigma_1 = w2.rotate_right(17) ^ w2.rotate_right(19) ^ (w2 >> 10);
    w16.wrapping_add(sigma_1).wrapping_add(w7).wrapping_add(sigma_0)
}
