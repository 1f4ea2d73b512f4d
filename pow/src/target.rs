//! The target: a digest counts if, read as a number, it does not exceed it.

use core::fmt;

use crate::{CompactTarget, Ratio, U256, Work};
use sealed::Sealed;

/// The greatest number that a digest may be. The smaller, the harder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(U256);

/// How the 32 bytes of a digest become a number. A type, not a flag: the two must never be mixed up. There
/// are no others than [`BigEndian`] and [`LittleEndian`].
pub trait Reading: Copy + Sealed {
    /// The same as a value, to be sent to others.
    const ORDER: ByteOrder;

    /// Reads a digest.
    fn number(digest: &[u8; 32]) -> U256;

    /// Returns the 32 bits that weigh most in the number, given the eight words of a digest, each of which is
    /// four bytes with the first most significant (FIPS 180-4).
    fn top(words: &[u32; 8]) -> u32;
}

mod sealed {
    #[expect(unnameable_types, reason = "so that nobody else implements it")]
    pub trait Sealed {}
}

/// First byte most significant: hashcash, `ledger-core`, and the demos where a hash "begins with zeros".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigEndian;

/// Last byte most significant: Bitcoin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LittleEndian;

/// A [`Reading`] as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// [`BigEndian`].
    Big,
    /// [`LittleEndian`].
    Little,
}

impl Target {
    /// Every digest meets it.
    pub const MAX: Self = Self(U256::MAX);

    /// Takes any number.
    #[must_use]
    pub const fn new(number: U256) -> Self {
        Self(number)
    }

    /// Returns the target that asks for this many leading zero bits; 256 and more ask for a digest of 0.
    #[must_use]
    pub fn from_zero_bits(bits: u32) -> Self {
        Self(U256::MAX.unbounded_shr(bits))
    }

    /// Returns the number.
    #[must_use]
    pub const fn number(self) -> U256 {
        self.0
    }

    /// Returns the 32 bits that weigh most.
    pub(crate) fn top(self) -> u32 {
        u32::try_from(self.0.unbounded_shr(224).low_u64()).unwrap_or(u32::MAX)
    }

    /// Returns whether a digest does not exceed the target.
    #[must_use]
    pub fn is_met_by<R: Reading>(self, digest: &[u8; 32]) -> bool {
        R::number(digest) <= self.0
    }

    /// Returns the compact form, which keeps the three highest bytes.
    #[must_use]
    pub fn to_compact(self) -> CompactTarget {
        CompactTarget::encode(self.0, false)
    }

    /// Returns the number of hashes that it takes on average to meet the target:
    /// floor(2^256 / (target + 1)).
    #[must_use]
    pub fn work(self) -> Work {
        let (next, overflow) = self.0.overflowing_add(U256::ONE);
        if overflow {
            return Work::new(U256::ONE); // every digest meets it
        }
        // 2^256 does not fit: (2^256 - next) / next + 1, and 2^256 - next is the complement of target.
        let quotient = self.0.not().checked_div(next).unwrap_or(U256::ZERO);
        Work::new(quotient.saturating_add(U256::ONE))
    }
}

impl Target {
    /// Returns the difficulty: how many times harder than `one` this target is, as Bitcoin counts it from
    /// the target of [`CompactTarget::BITCOIN_LIMIT`]. `None` for a target of 0.
    #[must_use]
    pub fn difficulty(self, one: Self) -> Option<Ratio> {
        Ratio::new(one.0, self.0)
    }
}

impl Sealed for BigEndian {}

impl Sealed for LittleEndian {}

impl Reading for BigEndian {
    const ORDER: ByteOrder = ByteOrder::Big;

    fn number(digest: &[u8; 32]) -> U256 {
        U256::from_be_bytes(digest)
    }

    #[inline]
    fn top(&[top, ..]: &[u32; 8]) -> u32 {
        top
    }
}

impl Reading for LittleEndian {
    const ORDER: ByteOrder = ByteOrder::Little;

    fn number(digest: &[u8; 32]) -> U256 {
        U256::from_le_bytes(digest)
    }

    #[inline]
    fn top(&[.., top]: &[u32; 8]) -> u32 {
        top.swap_bytes()
    }
}

impl fmt::Display for Target {
    /// All 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_be_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
