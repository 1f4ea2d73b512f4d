//! The target: the largest number that a digest may be.

use core::fmt;

use crate::hex::Hex;
use crate::ratio::Ratio;
use crate::u256::U256;
use crate::work::Work;
use sealed::Sealed;

/// The largest number that a digest may be. The smaller the target, the harder the puzzle. `Display` is 64
/// hexadecimal digits.
///
/// ```
/// use pow::{BigEndian, Target};
///
/// let target = Target::from_zero_bits(16);
/// assert_eq!(target.work().hashes().saturating_u128(), 65_536);
/// assert_eq!(format!("{target:.8}"), "0000ffff");
///
/// let mut digest = [0xff; 32];
/// digest[..2].fill(0);
/// assert!(target.is_met_by::<BigEndian>(&digest));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Target(U256);

/// How the 32 bytes of a digest become a number. A type and not a flag, so that the two orders cannot be
/// mixed up. The only implementations are [`BigEndian`] and [`LittleEndian`].
pub trait DigestOrder: Copy + Sealed {
    /// The order as a value, as it is sent to others.
    const ORDER: ByteOrder;

    /// Returns the number that a digest is.
    fn number(digest: &[u8; 32]) -> U256;
}

mod sealed {
    #[expect(unnameable_types, reason = "seals `DigestOrder`")]
    pub trait Sealed {
        /// Returns the most significant 32 bits of the number, given the eight words of a digest, each of which
        /// is four bytes with the most significant first (FIPS 180-4).
        fn leading_word(words: &[u32; 8]) -> u32;
    }
}

/// The first byte of the digest is the most significant: hashcash, `ledger-core`, and every demonstration in
/// which a hash "begins with zeros".
#[expect(clippy::exhaustive_structs, reason = "a marker")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigEndian;

/// The last byte of the digest is the most significant: Bitcoin.
#[expect(clippy::exhaustive_structs, reason = "a marker")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LittleEndian;

/// A [`DigestOrder`] as a value.
#[expect(clippy::exhaustive_enums, reason = "bytes have two orders")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ByteOrder {
    /// [`BigEndian`].
    Big,
    /// [`LittleEndian`].
    Little,
}

impl Target {
    /// The target that every digest meets.
    pub const MAX: Self = Self(U256::MAX);

    /// Creates a target from any number.
    #[must_use]
    pub const fn new(number: U256) -> Self {
        Self(number)
    }

    /// Returns the target that requires `bits` leading zero bits. From 256 on it requires a digest of 0.
    #[must_use]
    pub fn from_zero_bits(bits: u32) -> Self {
        Self(U256::MAX.unbounded_shr(bits))
    }

    /// Returns the number.
    #[must_use]
    pub const fn number(self) -> U256 {
        self.0
    }

    /// Returns the most significant 32 bits.
    pub(crate) fn leading_word(self) -> u32 {
        u32::try_from(self.0.unbounded_shr(224).low_u64()).unwrap_or(u32::MAX)
    }

    /// Returns whether a digest does not exceed the target.
    #[must_use]
    pub fn is_met_by<R: DigestOrder>(self, digest: &[u8; 32]) -> bool {
        R::number(digest) <= self.0
    }

    /// Returns the number of hashes that it takes on average to meet the target:
    /// floor(2^256 / (target + 1)). A target of 0 is no work, as in Bitcoin Core.
    #[must_use]
    pub fn work(self) -> Work {
        if self.0 == U256::ZERO {
            return Work::ZERO;
        }
        let mut next = self.0;
        if next.increment() {
            return Work::new(U256::ONE); // every digest meets it
        }
        // 2^256 does not fit: (2^256 - next) / next + 1, and 2^256 - next is the complement of target.
        let mut hashes = self.0.not().divide(&next);
        hashes.increment();
        Work::new(hashes)
    }

    /// Returns the difficulty: how many times harder this target is than `one`. Bitcoin counts from the
    /// target of [`CompactTarget::BITCOIN_LIMIT`](crate::CompactTarget::BITCOIN_LIMIT). `None` for a target
    /// of 0.
    #[must_use]
    pub fn difficulty(self, one: Self) -> Option<Ratio> {
        Ratio::new(one.0, self.0)
    }
}

impl ByteOrder {
    /// Returns the number that a digest is in this order.
    #[must_use]
    pub fn number(self, digest: &[u8; 32]) -> U256 {
        match self {
            Self::Big => BigEndian::number(digest),
            Self::Little => LittleEndian::number(digest),
        }
    }
}

impl Sealed for BigEndian {
    #[inline]
    fn leading_word(&[first, ..]: &[u32; 8]) -> u32 {
        first
    }
}

impl Sealed for LittleEndian {
    #[inline]
    fn leading_word(&[.., last]: &[u32; 8]) -> u32 {
        last.swap_bytes()
    }
}

impl DigestOrder for BigEndian {
    const ORDER: ByteOrder = ByteOrder::Big;

    fn number(digest: &[u8; 32]) -> U256 {
        U256::from_be_bytes(digest)
    }
}

impl DigestOrder for LittleEndian {
    const ORDER: ByteOrder = ByteOrder::Little;

    fn number(digest: &[u8; 32]) -> U256 {
        U256::from_le_bytes(digest)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0.to_be_bytes()), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256::bytes_of;

    #[test]
    fn the_leading_word_is_the_front_of_the_number() {
        let words = [0x0102_0304, 5, 6, 7, 8, 9, 10, 0xa1a2_a3a4];
        let digest = bytes_of(words);
        assert_eq!(BigEndian::leading_word(&words), 0x0102_0304);
        assert_eq!(LittleEndian::leading_word(&words), 0xa4a3_a2a1);
        for (number, leading) in [
            (BigEndian::number(&digest), BigEndian::leading_word(&words)),
            (LittleEndian::number(&digest), LittleEndian::leading_word(&words)),
        ] {
            assert_eq!(number.unbounded_shr(224), U256::from(u64::from(leading)));
            assert_eq!(Target::new(number).leading_word(), leading);
        }
        assert_eq!((BigEndian::ORDER, LittleEndian::ORDER), (ByteOrder::Big, ByteOrder::Little));
    }
}
