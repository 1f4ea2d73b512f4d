//! Identifiers in limbs: 64, 128, 160 and 256 bits.

use core::fmt;
use core::hash::{Hash, Hasher};

use super::Identifier;
use crate::Wire;

/// An identifier of 32 bits per limb, the most significant limb first, so that the derived order
/// is the order of the numbers. Limbs of 32 bits are cheap on a Cortex-M0 and on a server.
///
/// Packed, so that a peer of 20 and 6 bytes takes 26: tables of peers are most of what a node holds.
#[derive(Debug, Clone, Copy, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(2))]
pub struct Id<const LIMBS: usize>([u32; LIMBS]);

/// An identifier of 64 bits that takes no room for alignment, unlike `u64`.
pub type Id64 = Id<2>;

/// An identifier as wide as an MD5 value.
pub type Id128 = Id<4>;

/// An identifier as wide as a SHA-1 value, the width that Chord was published with.
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
        let (mut out, other) = (self.0, other.0);
        let mut carry = 0;
        for (limb, more) in out.iter_mut().zip(&other).rev() {
            let sum = u64::from(*limb).wrapping_add(u64::from(*more)).wrapping_add(carry);
            (*limb, carry) = (low(sum), sum >> 32);
        }
        Self(out)
    }

    fn distance(self, to: Self) -> Self {
        let (mut out, other) = (to.0, self.0);
        let mut borrow = 0;
        for (limb, less) in out.iter_mut().zip(&other).rev() {
            let rest = u64::from(*limb).wrapping_sub(u64::from(*less)).wrapping_sub(borrow);
            (*limb, borrow) = (low(rest), rest >> 63);
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

/// Hexadecimal; with `{:.8}` only the first eight digits.
impl<const LIMBS: usize> fmt::Display for Id<LIMBS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = f.precision().unwrap_or(usize::MAX);
        for limb in self.0 {
            for nibble in (0..8u32).rev() {
                if left == 0 {
                    return Ok(());
                }
                left = left.saturating_sub(1);
                let digit = limb.wrapping_shr(nibble.saturating_mul(4)) & 0xF;
                write!(f, "{digit:x}")?;
            }
        }
        Ok(())
    }
}
