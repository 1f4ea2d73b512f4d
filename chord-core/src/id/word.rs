//! Identifiers of up to 64 bits, for classrooms and small rings.

use core::fmt;

use super::identifier::Identifier;
use crate::wire::Wire;

/// An identifier of `BITS` bits, at most 64: `Word<3>` for the ring of SIGCOMM, `Word<5>` for the
/// ring of Tanenbaum and van Steen. It prints itself in decimal, as on the board.
///
/// ```
/// use chord_core::{Identifier, Word};
///
/// let id = Word::<3>::new(6);
/// assert_eq!(id.plus(Word::new(3)), Word::new(1)); // modulo 8
/// assert_eq!(id.distance(Word::new(1)).value(), 3);
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word<const BITS: u32>(u64);

impl<const BITS: u32> Word<BITS> {
    const MASK: u64 = match 1u64.checked_shl(BITS) {
        Some(power) => power.wrapping_sub(1),
        None => u64::MAX,
    };

    /// Returns `value mod 2^BITS`.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value & Self::MASK)
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl<const BITS: u32> Identifier for Word<BITS> {
    const BITS: u32 = if BITS < u64::BITS { BITS } else { u64::BITS };

    fn plus(self, other: Self) -> Self {
        Self::new(self.0.wrapping_add(other.0))
    }

    fn distance(self, to: Self) -> Self {
        Self::new(to.0.wrapping_sub(self.0))
    }

    fn power_of_two(exponent: u32) -> Self {
        Self::new(1u64.checked_shl(exponent).unwrap_or(0))
    }

    fn log2(self) -> Option<u32> {
        self.0.checked_ilog2()
    }
}

impl<const BITS: u32> Wire for Word<BITS> {
    const LEN: usize = 8;
    const ZERO: Self = Self(0);

    fn write(&self, out: &mut [u8]) {
        self.0.write(out);
    }

    /// Refuses a number of 2^BITS or more.
    fn read(bytes: &[u8]) -> Option<Self> {
        u64::read(bytes).filter(|value| value & !Self::MASK == 0).map(Self)
    }
}

impl<const BITS: u32> From<u64> for Word<BITS> {
    fn from(value: u64) -> Self {
        Self::new(value)
    }
}

impl<const BITS: u32> fmt::Display for Word<BITS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
