//! Contestants that run in turn.

use std::fmt::Write as _;
use std::time::Instant;

/// A way to do the work of a table: its name, and a function that does all of it once.
pub struct Contestant<'a> {
    name: String,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Contestant<'a> {
    pub fn new(name: impl Into<String>, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// A unit of time, and how many of it a second has.
pub type Unit = (&'static str, f64);

pub const NANOSECONDS: Unit = ("ns", 1e9);
pub const MICROSECONDS: Unit = ("us", 1e6);
pub const MILLISECONDS: Unit = ("ms", 1e3);

/// Runs all contestants `rounds` times in turn and returns a table: the least time for each of `items`, and how many times as
/// fast as the first contestant each is.
pub fn table(
    title: &str,
    items: usize,
    (unit, a_second): Unit,
    rounds: u32,
    mut contestants: Vec<Contestant<'_>>,
) -> String {
    let mut best = vec![f64::INFINITY; contestants.len()];
    for _ in 0..rounds {
        for (best, contestant) in best.iter_mut().zip(&mut contestants) {
            let start = cpu_seconds();
            (contestant.run)();
            *best = best.min(cpu_seconds() - start);
        }
    }
    let mut text = format!("| {title} | {unit} | times as fast as the first |\n|---|---|---|\n");
    for (seconds, contestant) in best.iter().zip(&contestants) {
        let each = seconds * a_second / items as f64;
        let ratio = best[0] / seconds;
        _ = writeln!(text, "| {} | {each:.1} | {ratio:.2} |", contestant.name); // a `String` takes all
    }
    text
}

/// Returns the CPU time of this thread, or the time of day where the system does not report it.
fn cpu_seconds() -> f64 {
    std::thread::yield_now(); // or the system reports what it was at the last tick
    thread_local!(static START: Instant = Instant::now());
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(|| START.with(|start| start.elapsed().as_secs_f64()), |ns| ns / 1e9)
}
