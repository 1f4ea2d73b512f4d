//! Contestants that run in turn.

use std::fmt::Write as _;

use crate::cpu;

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
            let start = cpu::seconds();
            (contestant.run)();
            *best = best.min(cpu::seconds() - start);
        }
    }
    let names = contestants.iter().map(|contestant| contestant.name.as_str());
    let each = best.iter().map(|seconds| seconds * a_second / items as f64);
    rows(title, unit, &names.zip(each).collect::<Vec<_>>())
}

/// Returns a table of names and times.
pub fn rows(title: &str, unit: &str, times: &[(&str, f64)]) -> String {
    let mut text = format!("| {title} | {unit} | times as fast as the first |\n|---|---|---|\n");
    for (name, time) in times {
        let ratio = times[0].1 / time;
        _ = writeln!(text, "| {name} | {time:.1} | {ratio:.2} |"); // a `String` takes all
    }
    text
}

/// Returns a number that depends on `n` in no simple way (the finaliser of `SplitMix64`).
pub fn scatter(n: u64) -> u64 {
    let z = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
