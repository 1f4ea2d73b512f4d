//! The code that hashes. All kernels find the same nonces, at different speeds.

mod block;
pub(crate) mod headers;
pub(crate) mod lanes;
#[cfg(feature = "ledger")]
pub(crate) mod messages;
pub(crate) mod run;
#[cfg(feature = "simd")]
mod simd;
#[cfg(test)]
mod tests;

use core::fmt;

use crate::target::DigestOrder;

use headers::{EncodedHeaders, HeaderIds};
use lanes::leading_words;
use run::by_shape;
use run::{LANES, Run, Shape};
#[cfg(feature = "simd")]
use simd::Simd;

/// Whether hashing many nonces at once is faster: on 64-bit processors, which overlap hashes, and on those with
/// vectors. Others hash one by one and carry no code for more.
pub(crate) const BATCHES: bool = cfg!(any(
    target_pointer_width = "64",
    target_arch = "x86",
    target_feature = "neon",
    target_feature = "simd128",
));

/// The code that a [`Miner`](crate::Miner) hashes with. `Display` is its name.
///
/// Every kernel finds the same nonces, and each nonce that is reported was checked by the block function of
/// `sha2`. A miner uses the [fastest](Self::best) unless another is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kernel(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Block,
    Lanes,
    #[cfg(feature = "simd")]
    Simd(Simd),
}

impl Kernel {
    /// The block function of `sha2`, which uses the SHA instructions of the processor if it has them.
    pub const BLOCK: Self = Self(Kind::Block);
    /// Many nonces side by side in portable code, from which the compiler makes vectors as wide as the build
    /// allows: compile with `-C target-cpu=native`, or name the processor. On 32-bit processors without
    /// vectors the same as [`BLOCK`](Self::BLOCK).
    pub const LANES: Self = Self(Kind::Lanes);

    /// Returns the fastest kernel of this build. The feature `simd` adds those that the processor can run.
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
    #[must_use]
    pub fn available() -> Kernels {
        Kernels { next: 0 }
    }

    fn nth(index: usize) -> Option<Self> {
        match index {
            0 => Some(Self::BLOCK),
            1 => Some(Self::LANES),
            #[cfg(feature = "simd")]
            index => Some(Self(Kind::Simd(Simd::found().nth(index.checked_sub(2)?)?))),
            #[cfg(not(feature = "simd"))]
            _ => None,
        }
    }

    /// Hashes a group of headers.
    pub(crate) fn header_ids(self, headers: &EncodedHeaders, ids: &mut HeaderIds) {
        match self.0 {
            Kind::Block => headers::one_by_one(headers, ids),
            Kind::Lanes => headers::in_portable_lanes(headers, ids),
            #[cfg(feature = "simd")]
            Kind::Simd(simd) => simd.header_ids(headers, ids),
        }
    }

    /// Hashes the next block of each message of a group.
    #[cfg(feature = "ledger")]
    pub(crate) fn compress(self, states: &mut messages::States, blocks: &messages::Blocks) {
        match self.0 {
            Kind::Block => messages::one_by_one(states, blocks),
            Kind::Lanes => messages::in_portable_lanes(states, blocks),
            #[cfg(feature = "simd")]
            Kind::Simd(simd) => simd.compress(states, blocks),
        }
    }

    /// Returns whether messages of a group are hashed side by side. Others are faster one after the other.
    #[cfg(feature = "ledger")]
    pub(crate) const fn has_lanes(self) -> bool {
        match self.0 {
            Kind::Block => false,
            Kind::Lanes => BATCHES,
            #[cfg(feature = "simd")]
            Kind::Simd(simd) => simd.has_lanes(),
        }
    }

    /// Hashes the message with each value of its varying word, and writes the most significant 32 bits of the
    /// number that each digest is.
    pub(crate) fn leading_words<R: DigestOrder>(
        self,
        run: &Run,
        words: &[u32; LANES],
        out: &mut [u32; LANES],
    ) {
        match self.0 {
            Kind::Block => block::leading_words::<R>(run, words, out),
            Kind::Lanes => by_shape!(portable::<R>(run, words, out)),
            #[cfg(feature = "simd")]
            Kind::Simd(simd) => simd.leading_words::<R>(run, words, out),
        }
    }
}

/// All kernels that this processor can run. Created by [`Kernel::available`].
///
/// ```
/// use pow::kernel::Kernel;
///
/// for kernel in Kernel::available() {
///     println!("{kernel}");
/// }
/// assert_eq!(Kernel::available().next(), Some(Kernel::BLOCK));
/// ```
#[derive(Debug, Clone)]
pub struct Kernels {
    next: usize,
}

#[inline(never)]
fn portable<R: DigestOrder, const VARY: u16, const LONG: bool, const DOUBLE: bool>(
    run: &Run,
    words: &[u32; LANES],
    out: &mut [u32; LANES],
) {
    leading_words::<R, VARY, LONG, DOUBLE>(run, words, out);
}

/// Whether the build allows vectors with which the lanes beat the block function of `sha2`, which uses SHA
/// instructions even if the build does not name them.
const WIDE: bool = cfg!(any(
    all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "avx2"),
    target_feature = "simd128",
));

impl Iterator for Kernels {
    type Item = Kernel;

    fn next(&mut self) -> Option<Kernel> {
        let kernel = Kernel::nth(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(kernel)
    }
}

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
