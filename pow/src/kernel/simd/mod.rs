//! Kernels for instructions that the build does not assume and the processor may have.
//!
//! The only unsafe code of the crate: each call of a function that is compiled for such instructions. A
//! [`Simd`] is made by nobody but [`Simd::found`], which asks the processor first.

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod none;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
use arm as machine;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use none as machine;
#[cfg(target_arch = "x86_64")]
use x86 as machine;

use crate::kernel::headers::{EncodedHeaders, HeaderIds};
#[cfg(feature = "ledger")]
use crate::kernel::messages::{Blocks, States};
use crate::kernel::run::{LANES, Run};
use crate::target::DigestOrder;

/// Proof that the processor has the instructions of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Simd(machine::Set);

impl Simd {
    /// Returns the kernels that the processor can run, the fastest first.
    pub(crate) fn found() -> impl Iterator<Item = Self> {
        machine::Set::ALL.into_iter().filter(|set| set.is_here()).map(Self)
    }

    pub(crate) const fn name(self) -> &'static str {
        self.0.name()
    }

    /// Returns whether no build makes wider vectors than this kernel.
    pub(crate) const fn is_widest(self) -> bool {
        self.0.is_widest()
    }

    #[cfg(feature = "ledger")]
    pub(crate) const fn has_lanes(self) -> bool {
        self.0.has_lanes()
    }

    pub(crate) fn leading_words<R: DigestOrder>(
        self,
        run: &Run,
        words: &[u32; LANES],
        out: &mut [u32; LANES],
    ) {
        // SAFETY: whoever made this value has asked `is_here`, and processors do not lose instructions.
        #[allow(unsafe_code)]
        unsafe {
            self.0.leading_words::<R>(run, words, out);
        }
    }

    pub(crate) fn header_ids(self, headers: &EncodedHeaders, ids: &mut HeaderIds) {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe {
            self.0.header_ids(headers, ids);
        }
    }

    #[cfg(feature = "ledger")]
    pub(crate) fn compress(self, states: &mut States, blocks: &Blocks) {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe {
            self.0.compress(states, blocks);
        }
    }
}
