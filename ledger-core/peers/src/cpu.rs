//! The clock.

/// Returns the CPU time of the thread.
pub fn cpu_seconds() -> f64 {
    std::thread::yield_now(); // or the system reports the time of the last tick
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let nanos = text.split_whitespace().next().expect("three numbers");
    nanos.parse::<f64>().expect("a number") / 1e9
}
