//! Gnutella over TCP, the central index that it replaced, and what a search costs.

mod flood;
mod napster;
mod servent;

use std::process::ExitCode;

fn main() -> ExitCode {
    examples::words::dispatch(
        "gnutella",
        &[("servent", servent::run), ("napster", napster::run), ("flood", flood::run)],
    )
}
