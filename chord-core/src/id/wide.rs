//! Identifiers in limbs: 64, 128, 160 and 256 bits.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use super::identifier::Identifier;
use crate::hex::Hex;
use crate::wire::Wire;

/// An identifier of 32 bits per limb, the most significant limb first. Limbs of 32 bits are cheap on a Cortex-M0 and on a server.
///
/// Packed, so that a peer of 20 and 6 bytes takes 26: tables of peers are most of what a node holds.
///
/// ```
/// use chord_core::{Id160, Identifier};
///
/// let id = Id160::from([0xab; 20]); // the bytes of a SHA-1 value, most significant first
/// assert_eq!(format!("{id:.8}"), "abababab");
/// assert_eq!(id.plus(Id160::power_of_two(0)).distance(id).log2(), Some(159)); // once around, less 1
/// ```
#[derive(Clone, Copy, Eq)]
#[repr(Rust, packed(2))]
pub struct Id<const LIMBS: usize>([u32; LIMBS]);

/// An identifier of 64 bits that takes no room for alignment, unlike `u64`.
pub type Id64 = Id<2>;

/// An identifier as wide as an MD5 value.
pub type Id128 = Id<4>;

/// An identifier as wide as a SHA-1 value, the width that Chord was published with.
///
/// ```
/// use chord_core::{Id160, Identifier};
///
/// let id = Id160::from([0x80; 20]);
/// assert_eq!(Id160::BITS, 160);
/// assert!(id.between(Id160::from([0x7f; 20]), Id160::from([1; 20]))); // past zero
/// ```
pub type Id160 = Id<5>;

/// An identifier as wide as a SHA-256 value.
pub type Id256 = Id<8>;

impl<const LIMBS: usize> Id<LIMBS> {
    /// Creates an identifier from its limbs, the most significant one first.
    #[must_use]
    pub const fn new(limbs: [u32; LIMBS]) -> Self {
        Self(limbs)
    }

    /// Returns the limbs, the most significant one first.
    #[must_use]
    pub const fn limbs(self) -> [u32; LIMBS] {
        self.0
    }
}

/// Limb by limb: a comparison of the arrays is one of memory, which limbs in registers have to go through.
impl<const LIMBS: usize> PartialEq for Id<LIMBS> {
    fn eq(&self, other: &Self) -> bool {
        let limbs = self.limbs().into_iter().zip(other.limbs());
        limbs.fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

impl<const LIMBS: usize> Id<LIMBS> {
    /// Returns the most significant 64 bits. Random identifiers hardly ever agree in them.
    fn lead(self) -> u64 {
        self.limbs().into_iter().take(2).fold(0, |lead, limb| (lead << 32) | u64::from(limb))
    }

    /// Returns whether `self` is the smaller number. The order of random numbers is the toss of a coin, so no
    /// branch depends on it.
    fn is_below(self, other: Self) -> bool {
        let own = self.lead();
        let others = other.lead();
        if own == others { self.limbs() < other.limbs() } else { own < others }
    }
}

/// The order of the numbers.
impl<const LIMBS: usize> Ord for Id<LIMBS> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.limbs().cmp(&other.limbs())
    }
}

impl<const LIMBS: usize> PartialOrd for Id<LIMBS> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    fn lt(&self, other: &Self) -> bool {
        self.is_below(*other)
    }

    fn le(&self, other: &Self) -> bool {
        !other.is_below(*self)
    }

    fn gt(&self, other: &Self) -> bool {
        other.is_below(*self)
    }

    fn ge(&self, other: &Self) -> bool {
        !self.is_below(*other)
    }
}

impl<const LIMBS: usize> Hash for Id<LIMBS> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.limbs().hash(state);
    }
}

impl<const LIMBS: usize> Identifier for Id<LIMBS> {
    const BITS: u32 = {
        let mut bits: u32 = 0;
        let mut limbs = LIMBS;
        while limbs > 0 {
            bits = bits.saturating_add(u32::BITS);
            limbs = limbs.saturating_sub(1);
        }
        bits
    };

    fn plus(self, other: Self) -> Self {
        let mut out = self.0;
        let other = other.0;
        let mut carry = 0;
        for (limb, more) in out.iter_mut().zip(&other).rev() {
            let sum = u64::from(*limb).wrapping_add(u64::from(*more)).wrapping_add(carry);
            *limb = low(sum);
            carry = sum >> 32;
        }
        Self(out)
    }

    fn distance(self, to: Self) -> Self {
        let mut out = to.0;
        let other = self.0;
        let mut borrow = 0;
        for (limb, less) in out.iter_mut().zip(&other).rev() {
            let rest = u64::from(*limb).wrapping_sub(u64::from(*less)).wrapping_sub(borrow);
            *limb = low(rest);
            borrow = rest >> 63;
        }
        Self(out)
    }

    fn power_of_two(exponent: u32) -> Self {
        let mut out = [0; LIMBS];
        let limb = usize::try_from(exponent / u32::BITS).unwrap_or(usize::MAX);
        if let Some(limb) = out.iter_mut().rev().nth(limb) {
            *limb = 1u32.wrapping_shl(exponent);
        }
        Self(out)
    }

    fn log2(self) -> Option<u32> {
        let mut above = Self::BITS;
        for limb in self.0 {
            above = above.saturating_sub(u32::BITS);
            if let Some(log) = limb.checked_ilog2() {
                return Some(above.saturating_add(log));
            }
        }
        None
    }
}

/// Returns the lower half.
fn low(wide: u64) -> u32 {
    u32::try_from(wide & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

impl<const LIMBS: usize> Wire for Id<LIMBS> {
    const LEN: usize = size_of::<Self>();
    const ZERO: Self = Self([0; LIMBS]);

    fn write(&self, out: &mut [u8]) {
        for (out, limb) in out.chunks_exact_mut(4).zip(self.0) {
            limb.write(out);
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut out = [0; LIMBS];
        if bytes.len() != Self::LEN {
            return None;
        }
        for (limb, bytes) in out.iter_mut().zip(bytes.chunks_exact(4)) {
            *limb = u32::read(bytes)?;
        }
        Some(Self(out))
    }
}

macro_rules! from_bytes {
    ($($limbs:literal $bytes:literal)*) => {$(
        /// The number that the bytes spell, most significant byte first.
        impl From<[u8; $bytes]> for Id<$limbs> {
            fn from(bytes: [u8; $bytes]) -> Self {
                Self::read(&bytes).unwrap_or(Self([0; $limbs]))
            }
        }

        /// The bytes of the number, most significant byte first.
        impl From<Id<$limbs>> for [u8; $bytes] {
            fn from(id: Id<$limbs>) -> Self {
                let mut out = [0; $bytes];
                id.write(&mut out);
                out
            }
        }
    )*};
}

from_bytes!(2 8 4 16 5 20 8 32);

/// Hexadecimal; `{:.8}` prints the first eight digits.
impl<const LIMBS: usize> fmt::Display for Id<LIMBS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = f.precision().unwrap_or(usize::MAX);
        for limb in self.0 {
            let digits = left.min(8);
            write!(f, "{:.digits$}", Hex(&limb.to_be_bytes()))?;
            left = left.saturating_sub(digits);
        }
        Ok(())
    }
}

impl<const LIMBS: usize> fmt::Debug for Id<LIMBS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl<const LIMBS: usize> defmt::Format for Id<LIMBS> {
    fn format(&self, f: defmt::Formatter<'_>) {
        for limb in self.0 {
            defmt::write!(f, "{=u32:08x}", limb);
        }
    }
}

/// A tuple of the limbs, the most significant one first.
#[cfg(feature = "serde")]
impl<const LIMBS: usize> serde::Serialize for Id<LIMBS> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple;
        let mut tuple = serializer.serialize_tuple(LIMBS)?;
        for limb in self.0 {
            tuple.serialize_element(&limb)?;
        }
        tuple.end()
    }
}

#[cfg(feature = "serde")]
impl<'de, const LIMBS: usize> serde::Deserialize<'de> for Id<LIMBS> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Limbs<const LIMBS: usize>;

        impl<'de, const LIMBS: usize> serde::de::Visitor<'de> for Limbs<LIMBS> {
            type Value = Id<LIMBS>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{LIMBS} numbers of 32 bits")
            }

            fn visit_seq<S: serde::de::SeqAccess<'de>>(
                self,
                mut seq: S,
            ) -> Result<Id<LIMBS>, S::Error> {
                let mut limbs = [0; LIMBS];
                for (at, limb) in limbs.iter_mut().enumerate() {
                    let next = seq.next_element()?;
                    *limb = next.ok_or_else(|| serde::de::Error::invalid_length(at, &self))?;
                }
                Ok(Id(limbs))
            }
        }

        deserializer.deserialize_tuple(LIMBS, Limbs)
    }
}
