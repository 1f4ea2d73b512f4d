//! LWMA-1: an average over a window, in which later solve times weigh more.

use super::rule::{Difficulty, DifficultyError, HeaderInfo, History, lookup};
use crate::compact::CompactTarget;
use crate::u256::U256;

/// zawy12's rule LWMA-1: the average target of the window, times its linearly weighted average solve time,
/// divided by the spacing. The next target is at most 6 times that average.
#[expect(clippy::exhaustive_structs, reason = "the parameters of the rule")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lwma {
    /// The number of headers in the window: about 60 for a spacing of ten minutes, up to 288 for shorter
    /// ones. While the chain has fewer, and if this is 0, the limit is required.
    pub window: u16,
    /// The intended time between headers, in seconds.
    pub spacing: u32,
    /// The greatest target.
    pub limit: CompactTarget,
}

impl Lwma {
    /// Returns N (N + 1) T / 2: the weighted sum if every solve time is the spacing.
    fn weight(&self) -> u64 {
        let n = u64::from(self.window);
        let weights = n.saturating_mul(n.saturating_add(1)) >> 1;
        weights.saturating_mul(u64::from(self.spacing))
    }
}

impl Difficulty for Lwma {
    fn required(
        &self,
        parent: &HeaderInfo,
        _: i64,
        history: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        let limit = self.limit.to_target()?.number();
        let window = u64::from(self.window);
        let Some(start) = parent.height.checked_sub(window).filter(|_| self.weight() != 0) else {
            return Ok(self.limit);
        };
        let longest = i64::from(self.spacing).saturating_mul(6);
        let mut before = lookup(parent, start, history)?.time;
        let mut times = 0_u64;
        let mut average = U256::ZERO;
        for weight in 1..=window {
            let header = lookup(parent, start.saturating_add(weight), history)?;
            let time = header.time.max(before.saturating_add(1)); // time stamps may decrease
            let solve = time.saturating_sub(before).min(longest);
            before = time;
            let solve = u64::try_from(solve).unwrap_or(0);
            times = times.saturating_add(solve.saturating_mul(weight));
            // Two divisions that both round down, in this order.
            let share = header.bits.to_target()?.number().mul_div(1, window).unwrap_or(U256::ZERO);
            let share = share.mul_div(1, self.weight()).unwrap_or(U256::ZERO);
            average = average.saturating_add(share);
        }
        let next = average.mul_div(times, 1).unwrap_or(limit).min(limit);
        Ok(CompactTarget::encode(next, false))
    }

    /// Returns a twentieth of the window's intended time. With two hours, a miner with 5 % of the hash rate could
    /// slow a chain down to about a quarter of its headers if the spacing is one minute (window 60), to 0.4 if it
    /// is two minutes, and to 0.8 if it is ten: a false time costs most where it hides many solve times.
    fn future_limit(&self) -> u64 {
        u64::from(self.window).saturating_mul(u64::from(self.spacing)) / 20
    }
}
