//! The time of a processor.

use std::time::Instant;

/// Returns the CPU time of this thread, or the time of day where the system does not report it.
pub fn seconds() -> f64 {
    std::thread::yield_now(); // or the system reports what it was at the last tick
    thread_local!(static START: Instant = Instant::now());
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(|| START.with(|start| start.elapsed().as_secs_f64()), |ns| ns / 1e9)
}
