//! A clock for benches.

use core::time::Duration;
use std::time::Instant;

/// The time of a thread: what it computed itself, where the system reports that, or else the time of day.
pub struct Clock(Option<Duration>, Instant);

impl Clock {
    pub fn start() -> Self {
        Self(cpu_time(), Instant::now())
    }

    /// Returns the nanoseconds since the start for each of `count`.
    pub fn nanos(&self, count: usize) -> f64 {
        let since = self.0.zip(cpu_time()).map(|(start, now)| now.saturating_sub(start));
        since.unwrap_or_else(|| self.1.elapsed()).as_nanos() as f64 / count.max(1) as f64
    }
}

fn cpu_time() -> Option<Duration> {
    std::thread::yield_now(); // else the system reports what it was at the last tick
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}
