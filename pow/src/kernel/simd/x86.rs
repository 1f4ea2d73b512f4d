//! AVX-512, SHA and AVX2 on 64-bit x86. The vector kernels are the portable lanes, compiled once more; only
//! the SHA instructions have code of their own.

// The letters are those of the standard.
#![allow(clippy::many_single_char_names)]

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_and_si128, _mm_extract_epi32, _mm_or_si128,
    _mm_set_epi32, _mm_set1_epi32, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32,
    _mm_sha256rnds2_epu32, _mm_shuffle_epi32, _mm_unpackhi_epi64, _mm_unpacklo_epi64,
};

use crate::kernel::headers::{self, EncodedHeaders, HeaderIds};
use crate::kernel::lanes::{ROUNDS, leading_words};
#[cfg(feature = "ledger")]
use crate::kernel::messages::{self, Blocks, States};
use crate::kernel::run::{LANES, Run, Shape, by_shape};
use crate::sha256::INITIAL;
use crate::target::DigestOrder;

// The macro holds the unsafe call of `cpuid`.
#[allow(unsafe_code)]
mod detect {
    cpufeatures::new!(avx512_cpu, "avx512f", "avx512bw", "avx512dq", "avx512vl");
    cpufeatures::new!(sha_cpu, "sha", "ssse3", "sse4.1");
    cpufeatures::new!(avx2_cpu, "avx2");

    pub(super) fn avx512() -> bool {
        avx512_cpu::get()
    }

    pub(super) fn sha() -> bool {
        sha_cpu::get()
    }

    pub(super) fn avx2() -> bool {
        avx2_cpu::get()
    }
}

/// How many hashes the SHA kernel makes at a time: one hides the latency of the other.
const WAYS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Set {
    Avx512,
    Sha,
    Avx2,
}

impl Set {
    pub(crate) const ALL: [Self; 3] = [Self::Avx512, Self::Sha, Self::Avx2];

    pub(crate) fn is_here(self) -> bool {
        match self {
            Self::Avx512 => detect::avx512(),
            Self::Sha => detect::sha(),
            Self::Avx2 => detect::avx2(),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx-512 lanes",
            Self::Sha => "sha instructions, two ways",
            Self::Avx2 => "avx2 lanes",
        }
    }

    pub(crate) const fn is_widest(self) -> bool {
        matches!(self, Self::Avx512)
    }

    #[cfg(feature = "ledger")]
    pub(crate) const fn has_lanes(self) -> bool {
        matches!(self, Self::Avx512 | Self::Avx2)
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
        // SAFETY: each function needs the instructions that `is_here` asked the processor for.
        unsafe {
            match self {
                Self::Avx512 => by_shape!(avx512::<R>(run, words, out)),
                Self::Sha => by_shape!(sha::<R>(run, words, out)),
                Self::Avx2 => by_shape!(avx2::<R>(run, words, out)),
            }
        }
    }

    /// # Safety
    ///
    /// [`is_here`](Self::is_here) must be true.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn header_ids(self, headers: &EncodedHeaders, ids: &mut HeaderIds) {
        // SAFETY: each function needs the instructions that `is_here` asked the processor for.
        unsafe {
            match self {
                Self::Avx512 => headers_avx512(headers, ids),
                Self::Sha => headers::one_by_one(headers, ids), // `sha2` uses the same instructions
                Self::Avx2 => headers_avx2(headers, ids),
            }
        }
    }

    /// # Safety
    ///
    /// [`is_here`](Self::is_here) must be true.
    #[cfg(feature = "ledger")]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn compress(self, states: &mut States, blocks: &Blocks) {
        // SAFETY: each function needs the instructions that `is_here` asked the processor for.
        unsafe {
            match self {
                Self::Avx512 => messages_avx512(states, blocks),
                Self::Sha => messages::one_by_one(states, blocks), // as above
                Self::Avx2 => messages_avx2(states, blocks),
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<R: DigestOrder, const VARY: u16, const LONG: bool, const DOUBLE: bool>(
    run: &Run,
    words: &[u32; LANES],
    out: &mut [u32; LANES],
) {
    leading_words::<R, VARY, LONG, DOUBLE>(run, words, out);
}

#[target_feature(enable = "avx2")]
fn avx2<R: DigestOrder, const VARY: u16, const LONG: bool, const DOUBLE: bool>(
    run: &Run,
    words: &[u32; LANES],
    out: &mut [u32; LANES],
) {
    leading_words::<R, VARY, LONG, DOUBLE>(run, words, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn headers_avx512(headers: &EncodedHeaders, ids: &mut HeaderIds) {
    headers::in_lanes(headers, ids);
}

#[target_feature(enable = "avx2")]
fn headers_avx2(headers: &EncodedHeaders, ids: &mut HeaderIds) {
    headers::in_lanes(headers, ids);
}

#[cfg(feature = "ledger")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn messages_avx512(states: &mut States, blocks: &Blocks) {
    messages::in_lanes(states, blocks);
}

#[cfg(feature = "ledger")]
#[target_feature(enable = "avx2")]
fn messages_avx2(states: &mut States, blocks: &Blocks) {
    messages::in_lanes(states, blocks);
}

/// The state as the instructions want it: a, b, e, f and c, d, g, h, the first one highest.
type State = [__m128i; 2];
type Block = [__m128i; 4];

#[target_feature(enable = "sha,ssse3,sse4.1")]
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
            let word = _mm_set1_epi32(word.cast_signed());
            for (four, mask) in block.iter_mut().zip(mask) {
                *four = _mm_or_si128(*four, _mm_and_si128(word, mask));
            }
        }
        let mut states = compress([midstate; WAYS], blocks);
        if LONG {
            states = compress(states, [after; WAYS]);
        }
        if DOUBLE {
            let mut blocks = [fixed; WAYS];
            for (block, state) in blocks.iter_mut().zip(states) {
                *block = second(state);
            }
            states = compress([state(&INITIAL); WAYS], blocks);
        }
        for (out, state) in out.iter_mut().zip(states) {
            *out = R::leading_word(&digest(state));
        }
    }
}

/// FIPS 180-4, section 6.2.2, for several messages at once.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn compress(before: [State; WAYS], mut blocks: [Block; WAYS]) -> [State; WAYS] {
    let mut states = before;
    for constants in ROUNDS {
        for constants in block(&constants) {
            for ([abef, cdgh], block) in states.iter_mut().zip(&mut blocks) {
                let [w0, w1, w2, w3] = *block;
                let sum = _mm_add_epi32(w0, constants);
                *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
                *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0e));
                let next = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
                *block = [w1, w2, w3, _mm_sha256msg2_epu32(next, w3)];
            }
        }
    }
    for (state, before) in states.iter_mut().zip(before) {
        for (words, before) in state.iter_mut().zip(before) {
            *words = _mm_add_epi32(*words, before);
        }
    }
    states
}

#[target_feature(enable = "sse2")]
#[inline]
fn four(first: u32, second: u32, third: u32, fourth: u32) -> __m128i {
    let [a, b, c, d] = [first, second, third, fourth].map(u32::cast_signed);
    _mm_set_epi32(d, c, b, a)
}

#[target_feature(enable = "sse2")]
#[inline]
fn block(words: &[u32; 16]) -> Block {
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, wa, wb, wc, wd, we, wf] = *words;
    [four(w0, w1, w2, w3), four(w4, w5, w6, w7), four(w8, w9, wa, wb), four(wc, wd, we, wf)]
}

#[target_feature(enable = "sse2")]
#[inline]
fn state([a, b, c, d, e, f, g, h]: &[u32; 8]) -> State {
    [four(*f, *e, *b, *a), four(*h, *g, *d, *c)]
}

/// Returns the block that hashes a digest once more.
#[target_feature(enable = "sse2")]
#[inline]
fn second([abef, cdgh]: State) -> Block {
    let abcd = _mm_shuffle_epi32(_mm_unpackhi_epi64(abef, cdgh), 0xb1);
    let efgh = _mm_shuffle_epi32(_mm_unpacklo_epi64(abef, cdgh), 0xb1);
    [abcd, efgh, four(0x8000_0000, 0, 0, 0), four(0, 0, 0, 256)]
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn digest([abef, cdgh]: State) -> [u32; 8] {
    [
        _mm_extract_epi32(abef, 3),
        _mm_extract_epi32(abef, 2),
        _mm_extract_epi32(cdgh, 3),
        _mm_extract_epi32(cdgh, 2),
        _mm_extract_epi32(abef, 1),
        _mm_extract_epi32(abef, 0),
        _mm_extract_epi32(cdgh, 1),
        _mm_extract_epi32(cdgh, 0),
    ]
    .map(i32::cast_unsigned)
}
