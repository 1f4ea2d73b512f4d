//! The share of the route table that one neighbour may fill: a hostile neighbour must not evict the routes of the
//! others.

use core::time::Duration;

/// A neighbour may fill this fraction of the route table within the lifetime of a ping.
const FRACTION: usize = 4;
/// And at least this many slots, so that small tables work at all.
const LEAST: usize = 8;

/// How many new GUIDs a neighbour may still send: a bucket that refills with time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quota {
    used: u32,
    at: u32, // seconds: when it was last refilled
}

/// Returns how many new GUIDs one neighbour may send at once.
pub(super) fn share(routes: usize) -> u32 {
    let share = routes.checked_div(FRACTION).unwrap_or(0).max(LEAST);
    u32::try_from(share).unwrap_or(u32::MAX)
}

impl Quota {
    pub(super) const FULL: Self = Self { used: 0, at: 0 };

    /// Takes one GUID of `share`, which refills within `lifetime`. Returns whether there was one.
    pub(super) fn take(&mut self, now: u32, share: u32, lifetime: Duration) -> bool {
        let elapsed = u64::from(now.saturating_sub(self.at));
        let refill = elapsed.saturating_mul(share.into()).checked_div(lifetime.as_secs().max(1));
        let refill = refill.and_then(|refill| u32::try_from(refill).ok()).unwrap_or(u32::MAX);
        if refill > 0 {
            self.used = self.used.saturating_sub(refill);
            self.at = now;
        }
        let granted = self.used < share;
        self.used = self.used.saturating_add(u32::from(granted));
        granted
    }
}
