//! Identifiers as strings of bits, which the sister geometries look at.

use super::identifier::Identifier;
use super::wide::Id;
use super::word::Word;

/// An identifier whose bits can be read. Chord itself needs numbers only.
///
/// ```
/// use chord_core::{Word, geometry::Bits};
///
/// let id = Word::<6>::new(0b10_11_00);
/// assert_eq!(id.digit(1, 2), 0b11);
/// assert_eq!(id.common_bits(Word::new(0b10_10_00)), 3);
/// ```
pub trait Bits: Identifier {
    /// Returns the bits in which the two differ: the distance of Kademlia.
    #[must_use]
    fn xor(self, other: Self) -> Self;

    /// Returns whether the bit that stands for `2^exponent` is set; none is from `exponent == m` on.
    #[must_use]
    fn bit(self, exponent: u32) -> bool;

    /// Returns how many of the most significant bits are the same in both.
    #[must_use]
    fn common_bits(self, other: Self) -> u32 {
        let below = self.xor(other).log2().map_or(0, |log| log.saturating_add(1));
        Self::BITS.saturating_sub(below)
    }

    /// Returns digit number `at`, counted from the most significant one, of digits of `width` bits each (at
    /// most 32): the base of Pastry's tables is `2^width`. What the identifier lacks at its end reads as
    /// zeros.
    #[must_use]
    fn digit(self, at: u32, width: u32) -> u32 {
        let first = at.saturating_mul(width);
        (0..width).fold(0, |digit, bit| {
            let below = first.saturating_add(bit).saturating_add(1);
            let set = Self::BITS.checked_sub(below).is_some_and(|exponent| self.bit(exponent));
            digit << 1 | u32::from(set)
        })
    }
}

macro_rules! native {
    ($($int:ty)*) => {$(
        impl Bits for $int {
            fn xor(self, other: Self) -> Self {
                self ^ other
            }

            fn bit(self, exponent: u32) -> bool {
                self.checked_shr(exponent).is_some_and(|rest| rest & 1 == 1)
            }
        }
    )*};
}

native!(u32 u64 u128);

impl<const BITS: u32> Bits for Word<BITS> {
    fn xor(self, other: Self) -> Self {
        Self::new(self.value() ^ other.value())
    }

    fn bit(self, exponent: u32) -> bool {
        self.value().bit(exponent)
    }
}

impl<const LIMBS: usize> Bits for Id<LIMBS> {
    fn xor(self, other: Self) -> Self {
        let mut limbs = self.limbs();
        for (limb, other) in limbs.iter_mut().zip(other.limbs()) {
            *limb ^= other;
        }
        Self::new(limbs)
    }

    fn bit(self, exponent: u32) -> bool {
        let limb = usize::try_from(exponent / u32::BITS).unwrap_or(usize::MAX);
        let limb = self.limbs().into_iter().rev().nth(limb);
        limb.is_some_and(|limb| limb.bit(exponent % u32::BITS))
    }
}
