//! A small generator for the identifiers of own messages, and for ties.

use crate::{Guid, ServentId};

/// What the state grows by with each number.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// `SplitMix64` (Steele, Lea, Flood 2014). Not secret.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Servents of one seed but different names still differ.
    pub(crate) const fn new(seed: u64, servent: ServentId) -> Self {
        match servent.0.first_chunk() {
            Some(name) => Self(seed ^ u64::from_le_bytes(*name)),
            None => Self(seed), // never: there are 16 bytes
        }
    }

    fn next(&mut self) -> u64 {
        let number = scatter(self.0, 1);
        self.0 = self.0.wrapping_add(STEP);
        number
    }

    /// Returns a number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        let number = self.next().checked_rem(bound).unwrap_or(0);
        usize::try_from(number).unwrap_or(0)
    }

    pub(crate) fn guid(&mut self) -> Guid {
        let halves = u128::from(self.next()) << 64 | u128::from(self.next());
        Guid::from_random(halves.to_be_bytes())
    }
}

/// Returns the `n`-th number that follows from a seed.
pub(crate) const fn scatter(seed: u64, n: u64) -> u64 {
    let z = seed.wrapping_add(n.wrapping_mul(STEP));
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
