//! Proof of work: a search on all cores, a pool, and what attackers and difficulty rules do.

mod attack;
mod pool;
mod retarget;
mod search;

use std::process::ExitCode;

fn main() -> ExitCode {
    examples::words::dispatch(
        "mine",
        &[
            ("search", search::run),
            ("pool", pool::run),
            ("attack", attack::run),
            ("retarget", retarget::run),
        ],
    )
}
