//! The bandwidth: bytes that may be sent, as time passes.

use core::time::Duration;

/// Bytes that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    rate: Option<u64>, // bytes per second
    capacity: u64,
    credit: u64,
    at: Duration, // when the credit was right
}

impl Bucket {
    pub(super) fn new(rate: Option<u64>, chunk: u32) -> Self {
        let capacity = rate.unwrap_or_default().max(chunk.into());
        Self { rate, capacity, credit: capacity, at: Duration::ZERO }
    }

    pub(super) fn refill(&mut self, now: Duration) {
        let Some(rate) = self.rate else { return };
        let elapsed = now.saturating_sub(self.at).as_micros();
        let bytes = elapsed.saturating_mul(u128::from(rate)) / 1_000_000;
        if bytes == 0 {
            return;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.credit = self.credit.saturating_add(bytes).min(self.capacity);
        self.at = now;
    }

    /// Returns when there is credit for `len` bytes; `None` if there is.
    pub(super) fn due(&self, len: u64) -> Option<Duration> {
        let rate = self.rate?;
        let missing = len.saturating_sub(self.credit);
        if missing == 0 {
            return None;
        }
        let micros =
            u128::from(missing).saturating_mul(1_000_000).div_ceil(u128::from(rate.max(1)));
        let wait = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        self.at.checked_add(wait)
    }

    pub(super) const fn can_send(&self, len: u64) -> bool {
        self.rate.is_none() || self.credit >= len
    }

    pub(super) fn spend(&mut self, len: u64) {
        if self.rate.is_some() {
            self.credit = self.credit.saturating_sub(len);
        }
    }
}
