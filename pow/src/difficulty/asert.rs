//! ASERT: the target doubles with every half-life that a chain is late, and halves if it is early.

use super::rule::{Difficulty, DifficultyError, HeaderInfo, History};
use crate::compact::CompactTarget;
use crate::u256::U256;

/// Bitcoin Cash's rule aserti3-2d (specification of 2020-11-15). The target depends only on an anchor and on
/// the parent's height and time, so that no earlier header is looked up.
///
/// ```
/// use pow::CompactTarget;
/// use pow::difficulty::{Asert, Difficulty, HeaderInfo, History};
///
/// let bits = CompactTarget(0x1c00_ffff);
/// let rule = Asert::new(100, 0, bits);
/// // One block after the anchor, two days late: twice the target.
/// let parent = HeaderInfo { height: 100, time: 600 + 172_800, bits };
/// let none: &[HeaderInfo] = &[];
/// assert_eq!(rule.required(&parent, 0, &none)?, CompactTarget(0x1c01_fffe));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[expect(clippy::exhaustive_structs, reason = "the parameters of the specification")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Asert {
    /// The height of the anchor.
    pub anchor_height: u64,
    /// The time stamp of the anchor's parent, in seconds.
    pub anchor_parent_time: i64,
    /// The target that the anchor claims.
    pub anchor_bits: CompactTarget,
    /// The delay in seconds after which the target has doubled. 0 counts as 1.
    pub half_life: u32,
    /// The intended time between headers, in seconds.
    pub spacing: u32,
    /// The greatest target.
    pub limit: CompactTarget,
}

impl Asert {
    /// Bitcoin Cash's half-life of two days, spacing of ten minutes and limit, with another anchor.
    #[must_use]
    pub const fn new(height: u64, parent_time: i64, bits: CompactTarget) -> Self {
        Self {
            anchor_height: height,
            anchor_parent_time: parent_time,
            anchor_bits: bits,
            half_life: 172_800,
            spacing: 600,
            limit: CompactTarget::BITCOIN_LIMIT,
        }
    }

    /// Returns the delay in half-lives, as a multiple of 2^-16, rounded toward zero. No intermediate result
    /// exceeds 2^115.
    fn exponent(&self, parent: &HeaderInfo) -> i128 {
        let elapsed = i128::from(parent.time).saturating_sub(i128::from(self.anchor_parent_time));
        let headers = i128::from(parent.height)
            .saturating_sub(i128::from(self.anchor_height))
            .saturating_add(1);
        let delay = elapsed.saturating_sub(headers.saturating_mul(i128::from(self.spacing)));
        let half_life = i128::from(self.half_life.max(1));
        delay.saturating_mul(1 << 16).checked_div(half_life).unwrap_or(0)
    }
}

impl Difficulty for Asert {
    fn required(
        &self,
        parent: &HeaderInfo,
        _: i64,
        _: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        let limit = self.limit.to_target()?.number();
        let anchor = self.anchor_bits.to_target()?.number();
        let exponent = self.exponent(parent);
        let (low, high) = anchor.widening_mul(power_of_two(exponent));
        let next = shifted(low, high, (exponent >> 16).saturating_sub(16)).unwrap_or(limit);
        Ok(CompactTarget::encode(next.max(U256::ONE).min(limit), false))
    }
}

/// Returns 2^16 * 2^f for the fraction f of the exponent: a polynomial of the third degree.
fn power_of_two(exponent: i128) -> u64 {
    let f = u128::try_from(exponent & 0xffff).unwrap_or(0);
    let polynomial = [195_766_423_245_049, 971_821_376, 5127]
        .iter()
        .rev()
        .fold(0_u128, |sum, factor| sum.saturating_add(*factor).saturating_mul(f));
    let rounded = polynomial.saturating_add(1 << 47) >> 48;
    u64::try_from(rounded).unwrap_or(0).saturating_add(1 << 16)
}

/// Shifts 320 bits left, or right by a negative number; `None` if more than 256 bits are left.
fn shifted(low: U256, high: u64, by: i128) -> Option<U256> {
    let bits = if high == 0 { low.bits() } else { U256::from(high).bits().saturating_add(256) };
    if i128::from(bits).saturating_add(by) > 256 {
        return None;
    }
    let left = u32::try_from(by).unwrap_or(0);
    let right = u32::try_from(by.saturating_neg()).unwrap_or(if by < 0 { u32::MAX } else { 0 });
    let from_high = if right <= 256 {
        U256::from(high).unbounded_shl(256_u32.saturating_sub(right))
    } else {
        U256::from(high).unbounded_shr(right.saturating_sub(256))
    };
    // One of the two numbers is 0, or both shift right by the same: nothing overlaps.
    let from_low = low.unbounded_shr(right).unbounded_shl(left);
    Some(if high == 0 { from_low } else { from_low.saturating_add(from_high) })
}
