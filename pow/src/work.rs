//! Work: the hashes that a target costs on average, and the sum of them.

use core::fmt;

use crate::U256;

/// A number of hashes. `Display` is hexadecimal, as other tools print chain work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Work(U256);

impl Work {
    /// None.
    pub const ZERO: Self = Self(U256::ZERO);

    /// Takes a number of hashes.
    #[must_use]
    pub const fn new(hashes: U256) -> Self {
        Self(hashes)
    }

    /// Returns the number of hashes.
    #[must_use]
    pub const fn hashes(self) -> U256 {
        self.0
    }

    /// Adds, and stays at the greatest number rather than overflow.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
