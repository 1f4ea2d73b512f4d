//! The ratio of two numbers of 256 bits, written out to any number of decimals.

use core::fmt;

use crate::u256::U256;

const DECIMALS: usize = 8; // as block explorers show a difficulty
const DIGITS: usize = 78; // of the greatest number of 256 bits

/// An exact ratio, such as a [difficulty](crate::Target::difficulty). `Display` is decimal, truncated to 8
/// digits after the point, or to the precision (`{:.2}`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ratio {
    numerator: U256,
    denominator: U256, // not 0
}

impl Ratio {
    /// Creates a ratio. `None` for a denominator of 0.
    #[must_use]
    pub fn new(numerator: U256, denominator: U256) -> Option<Self> {
        (denominator != U256::ZERO).then_some(Self { numerator, denominator })
    }

    /// Returns the whole part.
    #[must_use]
    pub fn floor(self) -> U256 {
        self.numerator.checked_div(self.denominator).unwrap_or(U256::MAX)
    }

    /// Returns the ratio as a fixed-point number: ratio * scale rounded down, saturating at
    /// [`U256::MAX`].
    #[must_use]
    pub fn scaled(self, scale: u64) -> U256 {
        let (low, high) = self.numerator.widening_mul(scale);
        if high == 0 {
            return low.checked_div(self.denominator).unwrap_or(U256::MAX);
        }
        // scale * (whole + rest / denominator), the second product one bit of the scale after the other.
        let mut sum = U256::ZERO;
        let mut rest = U256::ZERO;
        let fraction = self.numerator.wrapping_rem(self.denominator);
        for bit in (0..64).rev() {
            let carry;
            (rest, carry) = self.add(rest, rest);
            sum = sum.saturating_add(sum).saturating_add(U256::from(u64::from(carry)));
            if scale >> bit & 1 == 1 {
                let carry;
                (rest, carry) = self.add(rest, fraction);
                sum = sum.saturating_add(U256::from(u64::from(carry)));
            }
        }
        let whole = self.floor().mul_div(scale, 1).unwrap_or(U256::MAX);
        whole.saturating_add(sum)
    }

    /// Adds two rests modulo the denominator, and returns whether it was reached.
    fn add(self, a: U256, b: U256) -> (U256, bool) {
        let (sum, overflow) = a.overflowing_add(b);
        if overflow || sum >= self.denominator {
            (sum.wrapping_sub(self.denominator), true)
        } else {
            (sum, false)
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.floor())?;
        let decimals = f.precision().unwrap_or(DECIMALS);
        if decimals > 0 {
            f.write_str(".")?;
        }
        let mut rest = self.numerator.wrapping_rem(self.denominator);
        for _ in 0..decimals {
            // Ten times the rest may not fit: it is added up, and each carry counts.
            let mut digit = 0_u8;
            let mut next = U256::ZERO;
            for _ in 0..10 {
                let carry;
                (next, carry) = self.add(next, rest);
                digit = digit.saturating_add(u8::from(carry));
            }
            write!(f, "{digit}")?;
            rest = next;
        }
        Ok(())
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, number: U256) -> fmt::Result {
    let mut digits = [0_u8; DIGITS];
    let mut rest = number;
    let mut used = 0_usize;
    for digit in digits.iter_mut().rev() {
        let tenth = rest.mul_div(1, 10).unwrap_or(U256::ZERO);
        let last = rest.wrapping_rem(U256::from(10)).low_u64();
        *digit = u8::try_from(last).unwrap_or(0);
        used = used.saturating_add(1);
        rest = tenth;
        if rest == U256::ZERO {
            break;
        }
    }
    let unused = DIGITS.saturating_sub(used);
    digits.iter().skip(unused).try_for_each(|digit| write!(f, "{digit}"))
}
