//! Which code hashes: all kernels find the same nonces, at different speeds.

mod block;
mod lanes;
mod run;

use core::fmt;

use crate::Reading;
#[cfg(feature = "simd")]
use crate::simd::Simd;

#[cfg(feature = "simd")]
pub(crate) use lanes::ROUNDS;
pub(crate) use lanes::tops;
pub(crate) use run::{Place, Run, Shape};

/// How many nonces a kernel takes at once. Fewer than that are hashed one by one.
pub(crate) const LANES: usize = 64;
/// The same as a number of nonces.
pub(crate) const BATCH: u32 = 64;

/// Whether it pays to hash many nonces at once: on processors of 64 bits, which begin a hash before the one
/// before it is done, and on those with vectors. Others hash one by one, and have no code for more.
pub(crate) const BATCHES: bool = cfg!(any(
    target_pointer_width = "64",
    target_arch = "x86",
    target_feature = "neon",
    target_feature = "simd128",
));

/// The state before the first block: FIPS 180-4, section 5.3.3.
pub(crate) const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Calls a function of three constants – which words may vary, a bit each, whether the message is long, whether
/// it is hashed twice – for the shape of a run.
macro_rules! by_shape {
    ($tops:ident::<$reading:ident>($run:ident, $words:ident, $out:ident)) => {
        match $run.shape {
            Shape::Header => $tops::<$reading, 0x0008, false, true>($run, $words, $out),
            Shape::Double => $tops::<$reading, 0xffff, false, true>($run, $words, $out),
            Shape::LateDouble => $tops::<$reading, 0xff00, false, true>($run, $words, $out),
            Shape::LongDouble => $tops::<$reading, 0xffff, true, true>($run, $words, $out),
            Shape::Single => $tops::<$reading, 0xffff, false, false>($run, $words, $out),
            Shape::LateSingle => $tops::<$reading, 0xff00, false, false>($run, $words, $out),
            Shape::LongSingle => $tops::<$reading, 0xffff, true, false>($run, $words, $out),
        }
    };
}
#[cfg(feature = "simd")]
pub(crate) use by_shape;

/// The code that a [`Miner`](crate::Miner) hashes with. `Display` is its name.
///
/// Whatever the kernel, the same nonces are found, and each that is reported was checked by the block
/// function of `sha2`. A miner takes the [best](Self::best) unless it is told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    Lanes,
    #[cfg(feature = "simd")]
    Simd(Simd),
}

impl Kernel {
    /// The block function of `sha2`, which uses the SHA instructions of the processor where there are any.
    pub const BLOCK: Self = Self(Kind::Block);
    /// Many nonces side by side in portable code, from which the compiler makes vectors as wide as the build
    /// allows: compile with `-C target-cpu=native`, or name the processor. On processors of 32 bits without
    /// vectors the same as [`BLOCK`](Self::BLOCK), so that a microcontroller carries no code that it cannot
    /// use.
    pub const LANES: Self = Self(Kind::Lanes);

    /// Returns the fastest kernel of this build; with the feature `simd`, of those that the processor can
    /// run too.
    #[must_use]
    pub fn best() -> Self {
        let portable = if WIDE { Self::LANES } else { Self::BLOCK };
        #[cfg(feature = "simd")]
        if let Some(simd) = Simd::found().next() {
            // A build for a processor with wide vectors has nothing to gain from narrower ones.
            return if WIDE && !simd.is_widest() { portable } else { Self(Kind::Simd(simd)) };
        }
        portable
    }

    /// Returns all kernels that this processor can run, to compare them.
    pub fn available() -> impl Iterator<Item = Self> {
        let portable = [Self::BLOCK, Self::LANES].into_iter();
        #[cfg(feature = "simd")]
        let portable = portable.chain(Simd::found().map(|simd| Self(Kind::Simd(simd))));
        portable
    }

    /// Hashes the message with each value of its varying word, and writes the 32 bits that weigh most in the
    /// number that the digest is.
    pub(crate) fn tops<R: Reading>(self, run: &Run, words: &[u32; LANES], out: &mut [u32; LANES]) {
        match self.0 {
            Kind::Block => block::tops::<R>(run, words, out),
            Kind::Lanes => by_shape!(portable::<R>(run, words, out)),
            #[cfg(feature = "simd")]
            Kind::Simd(simd) => simd.tops::<R>(run, words, out),
        }
    }
}

#[inline(never)]
fn portable<R: Reading, const VARY: u16, const LONG: bool, const DOUBLE: bool>(
    run: &Run,
    words: &[u32; LANES],
    out: &mut [u32; LANES],
) {
    tops::<R, VARY, LONG, DOUBLE>(run, words, out);
}

/// Whether the build allows vectors with which the lanes beat the block function of `sha2`, which uses SHA
/// instructions even if the build does not name them.
const WIDE: bool = cfg!(any(
    all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "avx2"),
    target_feature = "simd128",
));

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Block => f.write_str("block function of sha2"),
            Kind::Lanes => f.write_str("portable lanes"),
            #[cfg(feature = "simd")]
            Kind::Simd(simd) => f.write_str(simd.name()),
        }
    }
}
