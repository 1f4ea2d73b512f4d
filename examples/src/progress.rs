//! Progress on standard error: one line that is overwritten, on a terminal only, and not with `--quiet`.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

static QUIET: AtomicBool = AtomicBool::new(false);
/// When the line was last written, if there is one.
static SHOWN: Mutex<Option<Instant>> = Mutex::new(None);

/// A line is not overwritten more often than this.
const INTERVAL: Duration = Duration::from_millis(100);

/// Turns progress off, or on again.
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet || !std::io::stderr().is_terminal(), Ordering::Relaxed);
}

/// Overwrites the line with a text, which is made only if it is shown: at most ten times per second.
pub fn show(text: impl FnOnce() -> String) {
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if shown.is_none_or(|at| at.elapsed() >= INTERVAL) {
        *shown = Some(Instant::now());
        print(&text());
    }
}

/// Removes the line, so that other output can follow.
pub fn clear() {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if shown.take().is_some() {
        print("");
    }
}

/// Prints a line of results, as `println!` does, in place of the line of progress.
#[macro_export]
macro_rules! report {
    ($($part:tt)*) => {{
        $crate::progress::clear();
        println!($($part)*);
    }};
}

/// Prints a warning on standard error, as `eprintln!` does, in place of the line of progress.
#[macro_export]
macro_rules! warning {
    ($($part:tt)*) => {{
        $crate::progress::clear();
        eprintln!("warning: {}", format_args!($($part)*));
    }};
}

fn print(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r\x1b[K{text}"); // a closed terminal shows nothing
    let _ = out.flush();
}

/// How far a task of known size is, for instance `42 % of 1.5 MiB, 12.0 MiB/s, 7 s left`.
#[derive(Debug)]
pub struct Meter {
    total: u64,
    begun: u64,
    since: Instant,
}

impl Meter {
    /// Starts with `done` of `total` bytes.
    #[must_use]
    pub fn new(done: u64, total: u64) -> Self {
        Self { total, begun: done, since: Instant::now() }
    }

    /// Describes the state after `done` bytes.
    #[must_use]
    pub fn describe(&self, done: u64) -> String {
        let seconds = self.since.elapsed().as_secs_f64().max(0.001);
        let rate = done.saturating_sub(self.begun) as f64 / seconds;
        let percent = 100 * done / self.total.max(1);
        let left = self.total.saturating_sub(done);
        let eta = match (left, rate) {
            (0, _) => String::new(),
            (_, 0.0) => ", time left unknown".into(),
            _ => format!(", {} left", span(Duration::from_secs_f64((left as f64 / rate).min(1e9)))),
        };
        format!("{percent} % of {}, {}/s{eta}", size(self.total), size(rate as u64))
    }
}

/// Returns a number of bytes for people, such as `1.5 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// Returns a span of time for people, such as `1 h 5 min` or `42 s`.
#[must_use]
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let minutes = seconds / 60;
    let hours = minutes / 60;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_for_people() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(u64::MAX), "16.0 EiB");
        assert_eq!(span(Duration::from_secs(59)), "59 s");
        assert_eq!(span(Duration::from_secs(3_905)), "1 h 5 min");
        assert_eq!(span(Duration::from_secs(200_000)), "2 d 7 h");
    }

    #[test]
    fn a_meter_counts_from_where_it_began() {
        let meter = Meter::new(50, 100);
        assert!(meter.describe(50).starts_with("50 % of 100 bytes, 0 bytes/s, time left unknown"));
        assert!(meter.describe(100).starts_with("100 % of 100 bytes"));
        assert!(!meter.describe(100).contains("left"));
        assert!(Meter::new(0, 0).describe(0).starts_with("0 % of 0 bytes"));
    }
}
