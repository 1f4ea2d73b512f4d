//! The SHA instructions of 64-bit Arm. Its vectors need no kernel here: every build has them, and the
//! portable lanes use them.

// The letters are those of the standard.
#![allow(clippy::many_single_char_names)]

use core::arch::aarch64::{
    uint32x4_t, vaddq_u32, vandq_u32, vdupq_n_u32, vgetq_lane_u32, vorrq_u32, vsetq_lane_u32,
    vsha256h2q_u32, vsha256hq_u32, vsha256su0q_u32, vsha256su1q_u32,
};

use crate::kernel::headers::{self, EncodedHeaders, HeaderIds};
use crate::kernel::lanes::ROUNDS;
#[cfg(feature = "ledger")]
use crate::kernel::messages::{self, Blocks, States};
use crate::kernel::run::{LANES, Run, Shape, by_shape};
use crate::sha256::INITIAL;
use crate::target::DigestOrder;

/// How many hashes are made at a time: one hides the latency of the other.
const WAYS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Set {
    Sha2,
}

/// The detection of the processor's instructions, whose macro holds unsafe calls of the system.
#[allow(unsafe_code)]
mod detect {
    cpufeatures::new!(sha2_cpu, "sha2");

    pub(super) fn sha2() -> bool {
        sha2_cpu::get()
    }
}

impl Set {
    pub(crate) const ALL: [Self; 1] = [Self::Sha2];

    pub(crate) fn is_here(self) -> bool {
        match self {
            Self::Sha2 => detect::sha2(),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sha2 => "sha instructions, two ways",
        }
    }

    pub(crate) const fn is_widest(self) -> bool {
        true
    }

    #[cfg(feature = "ledger")]
    pub(crate) const fn has_lanes(self) -> bool {
        match self {
            Self::Sha2 => false,
        }
    }

    /// # Safety
    ///
    /// [`is_here`](Self::is_here) must be true.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn leading_words<R: DigestOrder>(
        self,
        run: &Run,
        words: &[u32; LANES],
        out: &mut [u32; LANES],
    ) {
        // SAFETY: the function needs the instructions that `is_here` asked the processor for.
        unsafe {
            match self {
                Self::Sha2 => by_shape!(sha::<R>(run, words, out)),
            }
        }
    }

    /// # Safety
    ///
    /// [`is_here`](Self::is_here) must be true.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn header_ids(self, headers: &EncodedHeaders, ids: &mut HeaderIds) {
        match self {
            Self::Sha2 => headers::one_by_one(headers, ids), // `sha2` uses the same instructions
        }
    }

    /// # Safety
    ///
    /// [`is_here`](Self::is_here) must be true.
    #[cfg(feature = "ledger")]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn compress(self, states: &mut States, blocks: &Blocks) {
        match self {
            Self::Sha2 => messages::one_by_one(states, blocks), // as above
        }
    }
}

/// a, b, c, d and e, f, g, h, the first one lowest.
type State = [uint32x4_t; 2];
type Block = [uint32x4_t; 4];

#[target_feature(enable = "neon,sha2")]
fn sha<R: DigestOrder, const VARY: u16, const LONG: bool, const DOUBLE: bool>(
    run: &Run,
    words: &[u32; LANES],
    out: &mut [u32; LANES],
) {
    let midstate = state(&run.midstate);
    let after = block(&run.after);
    let fixed = block(&run.block);
    let mask = block(&run.mask);
    let (words, _) = words.as_chunks::<WAYS>();
    let (out, _) = out.as_chunks_mut::<WAYS>();
    for (words, out) in words.iter().zip(out) {
        let mut blocks = [fixed; WAYS];
        for (block, word) in blocks.iter_mut().zip(words) {
            for (four, mask) in block.iter_mut().zip(mask) {
                *four = vorrq_u32(*four, vandq_u32(vdupq_n_u32(*word), mask));
            }
        }
        let mut states = compress([midstate; WAYS], blocks);
        if LONG {
            states = compress(states, [after; WAYS]);
        }
        if DOUBLE {
            for (block, [abcd, efgh]) in blocks.iter_mut().zip(states) {
                *block = [abcd, efgh, four(0x8000_0000, 0, 0, 0), four(0, 0, 0, 256)];
            }
            states = compress([state(&INITIAL); WAYS], blocks);
        }
        for (out, state) in out.iter_mut().zip(states) {
            *out = R::leading_word(&digest(state));
        }
    }
}

/// FIPS 180-4, section 6.2.2, for several messages at once.
#[target_feature(enable = "neon,sha2")]
#[inline]
fn compress(before: [State; WAYS], mut blocks: [Block; WAYS]) -> [State; WAYS] {
    let mut states = before;
    for constants in ROUNDS {
        for constants in block(&constants) {
            for ([abcd, efgh], block) in states.iter_mut().zip(&mut blocks) {
                let [w0, w1, w2, w3] = *block;
                let sum = vaddq_u32(w0, constants);
                let old = *abcd;
                *abcd = vsha256hq_u32(old, *efgh, sum);
                *efgh = vsha256h2q_u32(*efgh, old, sum);
                *block = [w1, w2, w3, vsha256su1q_u32(vsha256su0q_u32(w0, w1), w2, w3)];
            }
        }
    }
    for (state, before) in states.iter_mut().zip(before) {
        for (words, before) in state.iter_mut().zip(before) {
            *words = vaddq_u32(*words, before);
        }
    }
    states
}

#[target_feature(enable = "neon")]
#[inline]
fn four(first: u32, second: u32, third: u32, fourth: u32) -> uint32x4_t {
    let one = vdupq_n_u32(first);
    let two = vsetq_lane_u32(second, one, 1);
    let three = vsetq_lane_u32(third, two, 2);
    vsetq_lane_u32(fourth, three, 3)
}

#[target_feature(enable = "neon")]
#[inline]
fn block(words: &[u32; 16]) -> Block {
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, wa, wb, wc, wd, we, wf] = *words;
    [four(w0, w1, w2, w3), four(w4, w5, w6, w7), four(w8, w9, wa, wb), four(wc, wd, we, wf)]
}

#[target_feature(enable = "neon")]
#[inline]
fn state([a, b, c, d, e, f, g, h]: &[u32; 8]) -> State {
    [four(*a, *b, *c, *d), four(*e, *f, *g, *h)]
}

#[target_feature(enable = "neon")]
#[inline]
fn digest([abcd, efgh]: State) -> [u32; 8] {
    [
        vgetq_lane_u32(abcd, 0),
        vgetq_lane_u32(abcd, 1),
        vgetq_lane_u32(abcd, 2),
        vgetq_lane_u32(abcd, 3),
        vgetq_lane_u32(efgh, 0),
        vgetq_lane_u32(efgh, 1),
        vgetq_lane_u32(efgh, 2),
        vgetq_lane_u32(efgh, 3),
    ]
}
