//! What is asked of an identifier, and ranges of keys.

use core::fmt;
use core::hash::Hash;

use crate::wire::Wire;

/// A number modulo 2^m, with m bits (Stoica 2003, IV-A); nodes and keys share it.
///
/// The whole crate is written against this trait, so that a classroom ring of [`Word<3>`](crate::Word),
/// a simulation over `u32` and a network over [`Id160`](crate::Id160) run the same code.
pub trait Identifier: Wire + Ord + Hash + fmt::Debug + fmt::Display {
    /// m: how many bits an identifier has.
    const BITS: u32;

    /// Returns `(self + other) mod 2^m`.
    #[must_use]
    fn plus(self, other: Self) -> Self;

    /// Returns the clockwise distance `(to - self) mod 2^m`.
    #[must_use]
    fn distance(self, to: Self) -> Self;

    /// Returns `2^exponent mod 2^m`, which is 0 from `exponent == m` on.
    #[must_use]
    fn power_of_two(exponent: u32) -> Self;

    /// Returns the exponent of the highest power of two that is not above `self`; `None` for 0.
    #[must_use]
    fn log2(self) -> Option<u32>;

    /// Returns whether `self` lies in the open interval `(after, before)`, clockwise.
    ///
    /// If both ends are equal, the interval is the whole ring except that point.
    #[must_use]
    fn between(self, after: Self, before: Self) -> bool {
        if after < before { after < self && self < before } else { after < self || self < before }
    }

    /// Returns where the finger number `i` starts: `(self + 2^(i-1)) mod 2^m` for `1 <= i <= m`
    /// (Stoica 2003, Table I). A number outside that range counts as the nearest one inside.
    #[must_use]
    fn finger_start(self, i: u32) -> Self {
        let exponent = i.saturating_sub(1).min(Self::BITS.saturating_sub(1));
        self.plus(Self::power_of_two(exponent))
    }
}

/// The half-open interval `(after, through]`, clockwise: the keys of node `through` whose
/// predecessor is `after`.
///
/// If both ends are equal, it is the whole ring: a lone node owns every key.
///
/// ```
/// use chord_core::{KeyRange, Word};
///
/// let range = KeyRange { after: Word::<3>::new(6), through: Word::new(1) };
/// assert!(range.contains(Word::new(0))); // 7, 0 and 1
/// assert!(!range.contains(Word::new(6)));
/// assert_eq!(range.to_string(), "(6, 1]");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a range has two ends")]
pub struct KeyRange<I> {
    /// The predecessor, which owns its own identifier and does not belong to the range.
    pub after: I,
    /// The owner, which belongs to the range.
    pub through: I,
}

impl<I: Identifier> KeyRange<I> {
    /// Returns whether `key` lies in the range.
    #[must_use]
    pub fn contains(&self, key: I) -> bool {
        key == self.through || key.between(self.after, self.through)
    }
}

impl<I: fmt::Display> fmt::Display for KeyRange<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}]", self.after, self.through)
    }
}

macro_rules! native {
    ($($int:ty)*) => {$(
        impl Identifier for $int {
            const BITS: u32 = <$int>::BITS;

            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            fn distance(self, to: Self) -> Self {
                to.wrapping_sub(self)
            }

            fn power_of_two(exponent: u32) -> Self {
                Self::from(1u8).checked_shl(exponent).unwrap_or(0)
            }

            fn log2(self) -> Option<u32> {
                self.checked_ilog2()
            }
        }

        impl Wire for $int {
            const LEN: usize = size_of::<$int>();
            const ZERO: Self = 0;

            fn write(&self, out: &mut [u8]) {
                if let Some(out) = out.first_chunk_mut() {
                    *out = self.to_be_bytes();
                }
            }

            fn read(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::from_be_bytes)
            }
        }
    )*};
}

native!(u32 u64 u128);
