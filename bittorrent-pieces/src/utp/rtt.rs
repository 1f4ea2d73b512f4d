//! The round-trip time and the retransmission timeout, computed as libutp does.

use core::time::Duration;

/// The least timeout in milliseconds.
const LEAST: u32 = 1_000;
/// The largest timeout in milliseconds.
const MOST: u32 = 60_000;
/// The timeout before the first sample in milliseconds (BEP 29).
const FIRST: u32 = 1_000;

/// All times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rtt {
    sampled: bool,
    mean: u32,
    variance: u32,
    timeout: u32,
}

impl Rtt {
    pub(super) const fn new() -> Self {
        Self { sampled: false, mean: 0, variance: 0, timeout: FIRST }
    }

    /// Returns how long to wait for an acknowledgement.
    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms())
    }

    const fn timeout_ms(&self) -> u64 {
        #[expect(clippy::as_conversions, reason = "from 32 to 64 bits, in a const fn")]
        let wide = self.timeout as u64;
        wide
    }

    /// Handles the time until a packet was acknowledged that was sent once.
    pub(super) fn sample(&mut self, sample: u32) {
        let sample = sample.min(MOST);
        if self.sampled {
            let delta = i64::from(self.mean.abs_diff(sample));
            let variance = i64::from(self.variance);
            let step = delta.saturating_sub(variance) / 4;
            self.variance = u32::try_from(variance.saturating_add(step)).unwrap_or(0);
            self.mean = self.mean.saturating_sub(self.mean / 8).saturating_add(sample / 8);
        } else {
            self.sampled = true;
            self.mean = sample;
            self.variance = sample / 2;
        }
        let timeout = self.mean.saturating_add(self.variance.saturating_mul(4));
        self.timeout = timeout.clamp(LEAST, MOST);
    }

    /// Nothing was acknowledged in time: doubles the timeout.
    pub(super) fn back_off(&mut self) {
        self.timeout = self.timeout.saturating_mul(2).min(MOST);
    }
}

#[cfg(test)]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a malformed table fails the test"
)]
mod tests {
    use super::*;
    use crate::utp::vectors::rows;

    #[test]
    fn round_trips_are_averaged_as_libutp_does() {
        let mut rtt = Rtt::new();
        let mut samples = 0;
        for row in rows("rtt") {
            let numbers: std::vec::Vec<u32> =
                row[1..].iter().map(|number| number.parse().expect("a number")).collect();
            rtt.sample(numbers[0]);
            assert_eq!([rtt.mean, rtt.variance, rtt.timeout], numbers[1..]);
            samples += 1;
        }
        assert_eq!(samples, 7);
    }

    #[test]
    fn the_timeout_doubles_up_to_a_minute() {
        let mut rtt = Rtt::new();
        let timeouts: [u64; 8] = core::array::from_fn(|_| {
            rtt.back_off();
            rtt.timeout().as_secs()
        });
        assert_eq!(timeouts, [2, 4, 8, 16, 32, 60, 60, 60]);
    }

    /// The mean and four deviations, from 1 s to a minute; a sample that is longer counts as a minute.
    #[test]
    fn the_timeout_is_one_second_to_a_minute() {
        for (sample, timeout) in
            [(333, 1_000), (340, 1_020), (10_000, 30_000), (20_000, 60_000), (90_000, 60_000)]
        {
            let mut rtt = Rtt::new();
            rtt.sample(sample);
            assert_eq!(rtt.timeout(), Duration::from_millis(timeout), "{sample}");
        }
        let mut rtt = Rtt::new();
        rtt.sample(1_000_000);
        assert_eq!((rtt.mean, rtt.variance), (60_000, 30_000));
    }
}
