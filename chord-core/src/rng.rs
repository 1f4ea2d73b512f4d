//! A small seeded generator (splitmix64, Steele, Lea and Flood 2014).

use crate::time::Span;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX)
    }

    /// Returns nanoseconds from three to five quarters of `span`.
    pub(crate) fn around(&mut self, span: Span) -> u64 {
        let nanos = span.nanos();
        let part = if nanos == u64::MAX { 0 } else { nanos / 256 }; // for ever is for ever
        let share = part.saturating_mul(u64::from(self.next_u32() >> 25)); // 0 to 127 parts
        nanos.saturating_sub(part.saturating_mul(64)).saturating_add(share)
    }
}
