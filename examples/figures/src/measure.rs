//! Contestants that run in turn.

use std::time::Instant;

/// A way to do the work of a table: its name, and a function that does all of it once.
pub struct Contestant<'a> {
    pub name: &'a str,
    pub run: Box<dyn FnMut() + 'a>,
}

impl<'a> Contestant<'a> {
    pub fn new(name: &'a str, run: impl FnMut() + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// Runs all contestants `rounds` times in turn and prints a table: nanoseconds for each of `items`, and the
/// ratio of the time of the first contestant to that of each. A ratio above 1 is faster than the first.
pub fn print(title: &str, items: usize, rounds: u32, mut contestants: Vec<Contestant<'_>>) {
    let mut best = vec![f64::INFINITY; contestants.len()];
    for _ in 0..rounds {
        for (best, contestant) in best.iter_mut().zip(&mut contestants) {
            let start = cpu_seconds();
            (contestant.run)();
            *best = best.min(cpu_seconds() - start);
        }
    }
    println!("\n{title}\n");
    println!("| | ns each | times as fast as the first |\n|---|---|---|");
    for (seconds, contestant) in best.iter().zip(&contestants) {
        let each = seconds * 1e9 / items as f64;
        println!("| {} | {each:.1} | {:.2} |", contestant.name, best[0] / seconds);
    }
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
