//! Any other processor has no kernel of its own.

use crate::kernel::headers::{EncodedHeaders, HeaderIds};
#[cfg(feature = "ledger")]
use crate::kernel::messages::{Blocks, States};
use crate::kernel::run::{LANES, Run};
use crate::target::DigestOrder;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Set {}

#[allow(unsafe_code)]
impl Set {
    pub(crate) const ALL: [Self; 0] = [];

    pub(crate) fn is_here(self) -> bool {
        match self {}
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {}
    }

    pub(crate) const fn is_widest(self) -> bool {
        match self {}
    }

    #[cfg(feature = "ledger")]
    pub(crate) const fn has_lanes(self) -> bool {
        match self {}
    }

    pub(crate) unsafe fn leading_words<R: DigestOrder>(
        self,
        _: &Run,
        _: &[u32; LANES],
        _: &mut [u32; LANES],
    ) {
        match self {}
    }

    pub(crate) unsafe fn header_ids(self, _: &EncodedHeaders, _: &mut HeaderIds) {
        match self {}
    }

    #[cfg(feature = "ledger")]
    pub(crate) unsafe fn compress(self, _: &mut States, _: &Blocks) {
        match self {}
    }
}
