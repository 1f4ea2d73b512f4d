//! Bitcoin's rule: a new target every 2,016 headers.

use super::rule::{Difficulty, DifficultyError, HeaderInfo, History, lookup};
use crate::compact::CompactTarget;
use crate::u256::U256;

/// The number of seconds that the first header of a period may be dated before its parent (BIP 94).
const TIME_WARP: i64 = 600;

/// Bitcoin's rule (`GetNextWorkRequired` and `CalculateNextWorkRequired` of Bitcoin Core) with the parameters
/// in which its networks differ.
///
/// At the first height of a period the target changes in proportion to the time that the previous period
/// took, by a factor of 4 at most. That time is measured from its first header to its last, which is one gap
/// fewer than the period has headers: an error that has become the rule.
#[expect(clippy::exhaustive_structs, reason = "the parameters of Bitcoin Core")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Retarget {
    /// The greatest target.
    pub limit: CompactTarget,
    /// The intended length of a period, in seconds.
    pub timespan: u32,
    /// The intended time between headers, in seconds. A period has `timespan / spacing` headers. With a
    /// spacing of 0 the first period never ends.
    pub spacing: u32,
    /// Whether a header in the middle of a period may claim the limit if its time stamp is more than two
    /// spacings after its parent's. A header that is not late must then claim the target of the latest
    /// header that did not claim the limit: the rule walks back, at most to the first of the period.
    pub minimum_difficulty: bool,
    /// Whether the target stays the same at the first header of a period too.
    pub no_retargeting: bool,
    /// Whether BIP 94 applies: the new target is computed from the target of the first header of the period,
    /// since the last one may have claimed the limit, and the first header of a period must not be dated
    /// more than 600 s before its parent.
    pub bip94: bool,
}

impl Retarget {
    /// The main network.
    pub const MAINNET: Self = Self {
        limit: CompactTarget::BITCOIN_LIMIT,
        timespan: 1_209_600,
        spacing: 600,
        minimum_difficulty: false,
        no_retargeting: false,
        bip94: false,
    };
    /// The third test network.
    pub const TESTNET3: Self = Self { minimum_difficulty: true, ..Self::MAINNET };
    /// The fourth test network.
    pub const TESTNET4: Self = Self { minimum_difficulty: true, bip94: true, ..Self::MAINNET };
    /// The signed test network.
    pub const SIGNET: Self = Self { limit: CompactTarget(0x1e03_77ae), ..Self::MAINNET };
    /// A regression test network.
    pub const REGTEST: Self = Self {
        limit: CompactTarget::REGTEST_LIMIT,
        minimum_difficulty: true,
        no_retargeting: true,
        ..Self::MAINNET
    };

    /// Returns the target after a period with target `old` that took `actual` seconds from its first header
    /// to its last. `actual` may be negative.
    ///
    /// # Errors
    ///
    /// [`DifficultyError::Compact`] if the old target or the limit is invalid.
    pub fn after(&self, old: CompactTarget, actual: i64) -> Result<CompactTarget, DifficultyError> {
        let (shortest, longest) = self.shortest_and_longest();
        let actual = u64::try_from(actual).unwrap_or(0).max(shortest).min(longest);
        Ok(self.scaled(old.to_target()?.number(), actual, self.limit.to_target()?.number()))
    }

    /// Returns whether a header at this height may claim `new` if its parent claims `old`, for any time
    /// stamps. This is the cheap check for header synchronisation (`PermittedDifficultyTransition` of
    /// Bitcoin Core). With `minimum_difficulty` every transition is permitted.
    #[must_use]
    pub fn permits(&self, height: u64, old: CompactTarget, new: CompactTarget) -> bool {
        if self.minimum_difficulty {
            return true;
        }
        if !self.is_first(height) {
            return old == new;
        }
        let (Ok(old), Ok(new), Ok(limit)) =
            (old.to_target(), new.to_target(), self.limit.to_target())
        else {
            return false;
        };
        let (shortest, longest) = self.shortest_and_longest();
        // Both ends are rounded as a header would have rounded them.
        let [hardest, easiest] = [shortest, longest]
            .map(|actual| self.scaled(old.number(), actual, limit.number()).decode().value);
        hardest <= new.number() && new.number() <= easiest
    }

    fn is_first(&self, height: u64) -> bool {
        let period = self.timespan.checked_div(self.spacing).unwrap_or(0);
        height == 0 || height.checked_rem(u64::from(period)) == Some(0)
    }

    fn shortest_and_longest(&self) -> (u64, u64) {
        let timespan = u64::from(self.timespan);
        (timespan >> 2, timespan << 2)
    }

    fn scaled(&self, old: U256, actual: u64, limit: U256) -> CompactTarget {
        let new = old.mul_div(actual, u64::from(self.timespan)).unwrap_or(old);
        CompactTarget::encode(new.min(limit), false)
    }

    fn ends_walk(&self, header: &HeaderInfo) -> bool {
        header.bits != self.limit || self.is_first(header.height)
    }

    fn within_period(
        &self,
        parent: &HeaderInfo,
        time: i64,
        history: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        if !self.minimum_difficulty {
            return Ok(parent.bits);
        }
        let late = i64::from(self.spacing).saturating_mul(2);
        if time > parent.time.saturating_add(late) {
            return Ok(self.limit);
        }
        if self.ends_walk(parent) {
            return Ok(parent.bits);
        }
        let below = parent.height.saturating_sub(1);
        let regular = history.latest(below, &|header| self.ends_walk(header));
        Ok(regular.ok_or(DifficultyError::Missing(below))?.bits)
    }
}

impl Difficulty for Retarget {
    fn required(
        &self,
        parent: &HeaderInfo,
        time: i64,
        history: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        let height = parent.height.saturating_add(1);
        if !self.is_first(height) {
            return self.within_period(parent, time, history);
        }
        if self.no_retargeting {
            return Ok(parent.bits);
        }
        let period = u64::from(self.timespan.checked_div(self.spacing).unwrap_or(0));
        let first = lookup(parent, height.saturating_sub(period), history)?;
        let old = if self.bip94 { first.bits } else { parent.bits };
        self.after(old, parent.time.saturating_sub(first.time))
    }

    fn marks(&self, header: &HeaderInfo) -> [bool; 2] {
        [self.is_first(header.height), self.ends_walk(header)]
    }

    fn earliest_time(&self, parent: &HeaderInfo) -> Option<i64> {
        let first = self.bip94 && self.is_first(parent.height.saturating_add(1));
        first.then(|| parent.time.saturating_sub(TIME_WARP))
    }
}
