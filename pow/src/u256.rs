//! The 256-bit arithmetic that targets and difficulty rules need.

use core::fmt;

const LIMBS: usize = 4;

/// An unsigned number of 256 bits. `Display` is hexadecimal without leading zeros.
///
/// ```
/// use pow::U256;
///
/// let mut bytes = [0; 32];
/// bytes[31] = 10;
/// assert_eq!(U256::from_be_bytes(&bytes).to_string(), "a");
/// assert!(U256::ZERO < U256::MAX);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct U256([u64; LIMBS]); // least significant limb first

impl U256 {
    /// 0.
    pub const ZERO: Self = Self([0; LIMBS]);
    /// 1.
    pub const ONE: Self = Self([1, 0, 0, 0]);
    /// 2^256 - 1.
    pub const MAX: Self = Self([u64::MAX; LIMBS]);

    /// Creates a number from 32 bytes, most significant first.
    #[must_use]
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Self {
        let mut limbs = [0; LIMBS];
        let (chunks, _) = bytes.as_chunks::<8>();
        for (limb, chunk) in limbs.iter_mut().rev().zip(chunks) {
            *limb = u64::from_be_bytes(*chunk);
        }
        Self(limbs)
    }

    /// Creates a number from 32 bytes, least significant first.
    #[must_use]
    pub fn from_le_bytes(bytes: &[u8; 32]) -> Self {
        let mut limbs = [0; LIMBS];
        let (chunks, _) = bytes.as_chunks::<8>();
        for (limb, chunk) in limbs.iter_mut().zip(chunks) {
            *limb = u64::from_le_bytes(*chunk);
        }
        Self(limbs)
    }

    /// Returns the 32 bytes, most significant first.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (chunks, _) = bytes.as_chunks_mut::<8>();
        for (chunk, limb) in chunks.iter_mut().zip(self.0.iter().rev()) {
            *chunk = limb.to_be_bytes();
        }
        bytes
    }

    /// Returns the number as 128 bits, saturating at [`u128::MAX`].
    #[must_use]
    pub fn saturating_u128(self) -> u128 {
        let [low, high, 0, 0] = self.0 else { return u128::MAX };
        u128::from(high) << 64 | u128::from(low)
    }

    /// Returns the length of the number in bits, without leading zeros. 0 for 0.
    #[must_use]
    pub fn bits(self) -> u32 {
        let mut bits = 256_u32;
        for limb in self.0.iter().rev() {
            bits = bits.saturating_sub(limb.leading_zeros());
            if *limb != 0 {
                break;
            }
        }
        bits
    }

    /// Adds, saturating at [`Self::MAX`].
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        let (sum, overflow) = self.overflowing_add(other);
        if overflow { Self::MAX } else { sum }
    }

    /// Shifts left. Bits beyond the 256th are lost; a shift of 256 or more gives 0.
    #[must_use]
    pub fn unbounded_shl(self, by: u32) -> Self {
        let mut out = self;
        let mut left = by.min(256);
        while left > 0 {
            let step = left.min(63);
            out.shift_left(step);
            left = left.saturating_sub(step);
        }
        out
    }

    /// Shifts right. A shift of 256 or more gives 0.
    #[must_use]
    pub fn unbounded_shr(self, by: u32) -> Self {
        let mut out = self;
        let mut left = by.min(256);
        while left > 0 {
            let step = left.min(63);
            out.shift_right(step);
            left = left.saturating_sub(step);
        }
        out
    }

    /// Divides and rounds down. `None` for a divisor of 0. Shifts and subtracts, since small processors lack
    /// wide division.
    #[must_use]
    pub fn checked_div(self, divisor: Self) -> Option<Self> {
        (divisor != Self::ZERO).then(|| {
            let mut rest = self;
            rest.divide(&divisor)
        })
    }

    /// Returns the rest of a division by a number that is not 0.
    pub(crate) fn wrapping_rem(self, divisor: Self) -> Self {
        let mut rest = self;
        rest.divide(&divisor);
        rest
    }

    pub(crate) fn from_u128(number: u128) -> Self {
        let (high, low) = halves(number);
        Self([low, high, 0, 0])
    }

    /// Adds 1. Returns whether the number wrapped around to 0.
    pub(crate) fn increment(&mut self) -> bool {
        for limb in &mut self.0 {
            let (sum, overflow) = limb.overflowing_add(1);
            *limb = sum;
            if !overflow {
                return false;
            }
        }
        true
    }

    /// Divides in place: `self` becomes the remainder. Returns the quotient. The divisor is not 0.
    #[inline(never)] // what it needs does not stand on the stack of the caller
    pub(crate) fn divide(&mut self, divisor: &Self) -> Self {
        let mut quotient = Self::ZERO;
        let Some(shift) = self.bits().checked_sub(divisor.bits()) else { return quotient };
        let mut subtrahend = divisor.unbounded_shl(shift); // as long as self: no bit is lost
        for _ in 0..=shift {
            quotient.shift_left(1);
            if *self >= subtrahend {
                self.subtract(&subtrahend);
                quotient.set_low_bit();
            }
            subtrahend.shift_right(1);
        }
        quotient
    }

    /// Multiplies, and returns the low 256 bits and the 64 above them.
    pub(crate) fn widening_mul(self, by: u64) -> (Self, u64) {
        let mut out = self;
        let mut carry = 0;
        for limb in &mut out.0 {
            // (2^64 - 1)^2 + 2^64 - 1 fits 128 bits.
            let product = u128::from(*limb).saturating_mul(u128::from(by));
            let product = product.saturating_add(u128::from(carry));
            (carry, *limb) = halves(product);
        }
        (out, carry)
    }

    /// Returns self * factor / divisor from a product of 320 bits, rounded down and saturating. `None` for
    /// a divisor of 0.
    pub(crate) fn mul_div(self, factor: u64, divisor: u64) -> Option<Self> {
        let (mut out, high) = self.widening_mul(factor);
        let mut rest = high.checked_rem(divisor)?;
        if high >= divisor {
            return Some(Self::MAX);
        }
        let divisor = u128::from(divisor);
        for limb in out.0.iter_mut().rev() {
            let dividend = u128::from(rest) << 64 | u128::from(*limb);
            (_, *limb) = halves(dividend.checked_div(divisor)?);
            (_, rest) = halves(dividend.checked_rem(divisor)?);
        }
        Some(out)
    }

    /// Returns 2^256 - 1 - self.
    pub(crate) fn not(self) -> Self {
        Self(self.0.map(|limb| !limb))
    }

    pub(crate) fn overflowing_add(self, other: Self) -> (Self, bool) {
        let mut out = self;
        let mut carry = false;
        for (limb, add) in out.0.iter_mut().zip(other.0) {
            let (sum, over) = limb.overflowing_add(add);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || over_again;
        }
        (out, carry)
    }

    pub(crate) fn low_u64(self) -> u64 {
        let [low, ..] = self.0;
        low
    }

    pub(crate) fn wrapping_sub(self, other: Self) -> Self {
        let mut out = self;
        out.subtract(&other);
        out
    }

    // These change the number in its place: a division has few numbers on the stack.

    /// Subtracts, modulo 2^256.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (limb, by) in self.0.iter_mut().zip(&other.0) {
            let (difference, under) = limb.overflowing_sub(*by);
            let (difference, under_again) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = under || under_again;
        }
    }

    /// Shifts left by 1 to 63 bits.
    fn shift_left(&mut self, by: u32) {
        let mut carry = 0;
        for limb in &mut self.0 {
            let next = limb.unbounded_shr(64_u32.saturating_sub(by));
            *limb = limb.unbounded_shl(by) | carry;
            carry = next;
        }
    }

    /// Shifts right by 1 to 63 bits.
    fn shift_right(&mut self, by: u32) {
        let mut carry = 0;
        for limb in self.0.iter_mut().rev() {
            let next = limb.unbounded_shl(64_u32.saturating_sub(by));
            *limb = limb.unbounded_shr(by) | carry;
            carry = next;
        }
    }

    fn set_low_bit(&mut self) {
        let [low, ..] = &mut self.0;
        *low |= 1;
    }
}

/// Splits into the high and the low 64 bits.
fn halves(number: u128) -> (u64, u64) {
    let [high, low] = [number >> 64, number & u128::from(u64::MAX)];
    (u64::try_from(high).unwrap_or(u64::MAX), u64::try_from(low).unwrap_or(u64::MAX))
}

impl From<u64> for U256 {
    fn from(low: u64) -> Self {
        Self([low, 0, 0, 0])
    }
}

impl Ord for U256 {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for U256 {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::LowerHex for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut leading = true;
        for limb in self.0.iter().rev() {
            match (leading, *limb) {
                (true, 0) => continue,
                (true, limb) => write!(f, "{limb:x}")?,
                (false, limb) => write!(f, "{limb:016x}")?,
            }
            leading = false;
        }
        if leading { f.write_str("0") } else { Ok(()) }
    }
}

impl fmt::Display for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(self, f)
    }
}

impl fmt::Debug for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:x}")
    }
}
