//! The compact form of a target, "nBits": a floating-point number in 32 bits, bit-exact with Bitcoin Core.

use core::fmt;

use thiserror::Error;

use crate::hex::Hex;
use crate::target::Target;
use crate::u256::U256;

const SIGN: u32 = 0x0080_0000;
const MANTISSA: u32 = 0x007f_ffff;

/// A target in 32 bits ("nBits"): the length in bytes, a sign that must be clear, and 23 bits of mantissa.
/// `Display` is hexadecimal.
///
/// ```
/// use pow::CompactTarget;
///
/// let target = CompactTarget::BITCOIN_LIMIT.to_target()?;
/// assert_eq!(target.to_compact(), CompactTarget(0x1d00_ffff));
/// assert_eq!(format!("{target:.12}"), "00000000ffff");
/// # Ok::<(), pow::compact::CompactError>(())
/// ```
#[expect(clippy::exhaustive_structs, reason = "the 32 bits of a header")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CompactTarget(pub u32);

/// The content of the 32 bits, valid or not (`arith_uint256::SetCompact` of Bitcoin Core).
#[expect(clippy::exhaustive_structs, reason = "the three outputs of `SetCompact`")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RawCompact {
    /// The magnitude, modulo 2^256 if it overflows.
    pub value: U256,
    /// Whether the sign bit counts: it is set and the mantissa is not zero.
    pub negative: bool,
    /// Whether the magnitude needs more than 256 bits.
    pub overflow: bool,
}

/// Why 32 bits are not a valid target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CompactError {
    /// The number is negative.
    #[error("compact target {0:#010x} is negative")]
    Negative(u32),
    /// The number needs more than 256 bits.
    #[error("compact target {0:#010x} exceeds 256 bits")]
    Overflow(u32),
    /// The number is zero, which no digest can be expected to meet.
    #[error("compact target {0:#010x} is zero")]
    Zero(u32),
}

impl CompactTarget {
    /// Bitcoin's greatest target.
    pub const BITCOIN_LIMIT: Self = Self(0x1d00_ffff);
    /// The greatest target of a regression test network: every second hash meets it.
    pub const REGTEST_LIMIT: Self = Self(0x207f_ffff);

    /// Returns the target.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if the 32 bits are negative, too large or zero.
    pub fn to_target(self) -> Result<Target, CompactError> {
        let raw = self.decode();
        if raw.negative {
            Err(CompactError::Negative(self.0))
        } else if raw.overflow {
            Err(CompactError::Overflow(self.0))
        } else if raw.value == U256::ZERO {
            Err(CompactError::Zero(self.0))
        } else {
            Ok(Target::new(raw.value))
        }
    }

    /// Returns the content of the 32 bits, valid or not.
    #[must_use]
    pub fn decode(self) -> RawCompact {
        let size = self.0 >> 24;
        // Both flags look at the mantissa after the shift of the small sizes: 0x01803456 is plain zero.
        let small = 3_u32.saturating_sub(size).saturating_mul(8);
        let word = (self.0 & MANTISSA).unbounded_shr(small);
        let large = size.saturating_sub(3).saturating_mul(8);
        RawCompact {
            value: U256::from(u64::from(word)).unbounded_shl(large),
            negative: word != 0 && self.0 & SIGN != 0,
            overflow: word != 0
                && (size > 34 || (word > 0xff && size > 33) || (word > 0xffff && size > 32)),
        }
    }

    /// Encodes a number, of which the three most significant bytes are kept (`arith_uint256::GetCompact`).
    #[must_use]
    pub fn encode(value: U256, negative: bool) -> Self {
        let mut size = value.bits().div_ceil(8);
        let small = 3_u32.saturating_sub(size).saturating_mul(8);
        let large = size.saturating_sub(3).saturating_mul(8);
        let mut mantissa = u32::try_from(value.unbounded_shr(large).low_u64())
            .unwrap_or(MANTISSA)
            .unbounded_shl(small);
        if mantissa & SIGN != 0 {
            mantissa >>= 8; // a positive number must not carry the sign bit
            size = size.saturating_add(1);
        }
        let sign = if negative && mantissa != 0 { SIGN } else { 0 };
        Self(mantissa | sign | size << 24)
    }
}

impl Target {
    /// Returns the compact form, which keeps the three most significant bytes.
    #[must_use]
    pub fn to_compact(self) -> CompactTarget {
        CompactTarget::encode(self.number(), false)
    }
}

impl fmt::Debug for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0.to_be_bytes()), f)
    }
}
