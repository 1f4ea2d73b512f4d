//! Bitcoin's rule: a new target every 2,016 headers, from the time they took.

use super::lookup;
use crate::{CompactTarget, Difficulty, DifficultyError, History, Past, U256};

/// How far before its parent the first header of a period may be dated (BIP 94), in seconds.
const TIME_WARP: i64 = 600;

/// Bitcoin's rule (`GetNextWorkRequired` and `CalculateNextWorkRequired` of Bitcoin Core), with the
/// parameters in which its networks differ.
///
/// At the first height of a period the target changes in proportion to the time that the period before took,
/// by a factor of 4 at most. That time is taken from its first header to its last: one gap less than the
/// period has headers, an error that has become the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Retarget {
    /// The greatest target.
    pub limit: CompactTarget,
    /// How long a period should take, in seconds.
    pub timespan: u32,
    /// How long one header should take, in seconds. A period has `timespan / spacing` headers; for a
    /// spacing of 0 there is one period that never ends.
    pub spacing: u32,
    /// Whether a header that comes later than two spacings after its parent may claim the limit, in the
    /// middle of a period. The header after it must claim what the last one did that claimed something else:
    /// one walks back, at most to the first of the period.
    pub minimum_difficulty: bool,
    /// Whether the target stays at the first header of a period too.
    pub no_retargeting: bool,
    /// BIP 94: a new target is computed from what the first header of the period claimed, since the last
    /// one may have claimed the limit; and the first header of a period must not be dated more than
    /// 600 s before its parent.
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

    /// Returns the target after a period that claimed `old` and took `actual` seconds from its first header
    /// to its last, which may be less than none.
    ///
    /// # Errors
    ///
    /// [`DifficultyError::Compact`] if the old target or the limit is none.
    pub fn after(&self, old: CompactTarget, actual: i64) -> Result<CompactTarget, DifficultyError> {
        let (shortest, longest) = self.shortest_and_longest();
        let actual = u64::try_from(actual).unwrap_or(0).clamp(shortest, longest);
        Ok(self.scaled(old.to_target()?.number(), actual, self.limit.to_target()?.number()))
    }

    /// Returns whether a header at this height may claim `new` where its parent claims `old`, whatever the
    /// time stamps: the cheap check of headers whose periods are not known
    /// (`PermittedDifficultyTransition` of Bitcoin Core). Where minimum difficulty is allowed, so is
    /// everything.
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

    fn stops_walk(&self, past: &Past) -> bool {
        past.bits != self.limit || self.is_first(past.height)
    }

    fn within_period(
        &self,
        parent: &Past,
        time: i64,
        history: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        if !self.minimum_difficulty {
            return Ok(parent.bits);
        }
        let patience = i64::from(self.spacing).saturating_mul(2);
        if time > parent.time.saturating_add(patience) {
            return Ok(self.limit);
        }
        if self.stops_walk(parent) {
            return Ok(parent.bits);
        }
        let below = parent.height.saturating_sub(1);
        let regular = history.latest(below, &|past| self.stops_walk(past));
        Ok(regular.ok_or(DifficultyError::Missing(below))?.bits)
    }
}

impl Difficulty for Retarget {
    fn required(
        &self,
        parent: &Past,
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

    fn marks(&self, past: &Past) -> [bool; 2] {
        [self.is_first(past.height), self.stops_walk(past)]
    }

    fn earliest_time(&self, parent: &Past) -> Option<i64> {
        let first = self.bip94 && self.is_first(parent.height.saturating_add(1));
        first.then(|| parent.time.saturating_sub(TIME_WARP))
    }
}
