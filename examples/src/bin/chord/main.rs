//! Chord over UDP, and rings in memory that fail, heal and are compared.

mod lab;
mod node;
mod overlays;

use std::process::ExitCode;

fn main() -> ExitCode {
    examples::words::dispatch(
        "chord",
        &[("node", node::run), ("lab", lab::run), ("overlays", overlays::run)],
    )
}
