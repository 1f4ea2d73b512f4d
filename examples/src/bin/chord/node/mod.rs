//! A node of a Chord ring over UDP, with a store. See `chord node --help`.
//!
//! `member` is the node and its store, without sockets and clock; `drive` brings those, `churn` the simulator.

mod args;
#[cfg(test)]
mod churn;
mod command;
mod drive;
#[cfg(test)]
mod laws;
mod member;
mod pending;
mod store;
mod transfer;

use examples::cli;

pub use args::Args;

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    drive::Driver::start(args)?.run()
}
