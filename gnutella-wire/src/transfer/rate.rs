//! How fast a transfer is.

use core::time::Duration;

const SAMPLE: Duration = Duration::from_secs(1);

/// A moving average of the bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rate {
    per_second: u64,
    bytes: u64, // since `since`
    since: Duration,
}

impl Rate {
    pub(super) const NEW: Self = Self { per_second: 0, bytes: 0, since: Duration::ZERO };

    /// Begins a request: the time that the answer takes counts, the time before does not.
    pub(super) fn begin(&mut self, now: Duration) {
        if self.bytes == 0 || now.saturating_sub(self.since) >= SAMPLE {
            self.restart(now);
        }
    }

    const fn restart(&mut self, now: Duration) {
        self.since = now;
        self.bytes = 0;
    }

    pub(super) fn add(&mut self, now: Duration, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let elapsed = now.saturating_sub(self.since);
        if elapsed < SAMPLE {
            return;
        }
        let sample = per_second(self.bytes, elapsed);
        self.per_second = match self.per_second {
            0 => sample,
            old => old.saturating_mul(3).saturating_add(sample) / 4,
        };
        self.restart(now);
    }

    /// Returns when the last sample began.
    pub(super) const fn since(&self) -> Duration {
        self.since
    }

    /// Returns the bytes per second, or 0 if nothing was measured.
    pub(super) const fn get(&self) -> u64 {
        self.per_second
    }
}

fn per_second(bytes: u64, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    let sample = u128::from(bytes).saturating_mul(1_000_000).checked_div(micros);
    sample.and_then(|sample| u64::try_from(sample).ok()).unwrap_or(u64::MAX)
}
