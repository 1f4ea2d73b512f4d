//! Rate limits.

use core::time::Duration;

/// Bytes that may pass: they grow with time, up to those of a second.
#[derive(Debug)]
pub struct RateLimit {
    rate: Option<u64>,
    level: f64, // negative after a message that was longer than what was there
    at: Duration,
}

impl RateLimit {
    /// Creates the limit; `None` lets everything pass.
    pub fn new(rate: Option<u64>) -> Self {
        Self { rate, level: rate.unwrap_or_default() as f64, at: Duration::ZERO }
    }

    /// Returns whether something may pass now.
    pub fn allows(&mut self, now: Duration) -> bool {
        let Some(rate) = self.rate.map(|rate| rate as f64) else { return true };
        let since = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.level = (self.level + since * rate).min(rate);
        self.level > 0.0
    }

    /// Notes that bytes passed.
    pub fn pass(&mut self, bytes: usize) {
        self.level -= bytes as f64;
    }

    /// Returns when something may pass again; `None` if it may now.
    pub fn wait(&self) -> Option<Duration> {
        let rate = self.rate?;
        let missing = -self.level / rate as f64;
        (missing >= 0.0).then(|| Duration::from_secs_f64(missing + 0.001))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes blocks for ten seconds in steps of a millisecond, and returns their bytes.
    fn passed(rate: u64, block: usize) -> usize {
        let mut limit = RateLimit::new(Some(rate));
        let mut sum = 0;
        for now in (0..10_000).map(Duration::from_millis) {
            while limit.allows(now) {
                limit.pass(block);
                sum += block;
            }
        }
        sum
    }

    #[test]
    fn what_passes_is_the_rate_and_at_most_a_second_and_a_block_more() {
        for (rate, block) in [(100_000, 1_000), (100_000, 16_384), (5_000, 16_384), (1, 1)] {
            let sum = passed(rate, block);
            let most = 11 * rate as usize + block;
            assert!(sum <= most && sum >= 9 * rate as usize, "{rate} {block}: {sum}");
        }
    }

    #[test]
    fn the_wait_ends_when_something_may_pass() {
        let mut limit = RateLimit::new(Some(1_000));
        assert_eq!(limit.wait(), None);
        limit.pass(3_000);
        let wait = limit.wait().unwrap();
        assert!(!limit.allows(wait.saturating_sub(Duration::from_millis(10))));
        assert!(limit.allows(wait));
        assert_eq!(RateLimit::new(None).wait(), None);
    }
}
