//! Work: the hashes that a target costs on average, and the sum of them.

use core::fmt;
use core::time::Duration;

use crate::u256::U256;

/// A number of hashes. `Display` is hexadecimal, as other tools print chain work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Work(U256);

impl Work {
    /// No hashes.
    pub const ZERO: Self = Self(U256::ZERO);

    /// Creates an amount of work from a number of hashes.
    #[must_use]
    pub const fn new(hashes: U256) -> Self {
        Self(hashes)
    }

    /// Returns the number of hashes.
    #[must_use]
    pub const fn hashes(self) -> U256 {
        self.0
    }

    /// Adds, saturating at 2^256 - 1.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns how long the work takes on average at this rate, to the nanosecond. [`Duration::MAX`] for a
    /// rate of 0, and if the time does not fit.
    #[must_use]
    pub fn expected_time(self, hashes_per_second: u64) -> Duration {
        const SECOND: u64 = 1_000_000_000;
        let seconds = self.0.mul_div(1, hashes_per_second).map(U256::saturating_u128);
        let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) else {
            return Duration::MAX;
        };
        // The hashes left over are fewer than the rate: the product has at most 94 bits.
        let left = self.0.wrapping_rem(U256::from(hashes_per_second));
        let nanoseconds = left.mul_div(SECOND, hashes_per_second).unwrap_or(U256::ZERO).low_u64();
        Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanoseconds))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
