//! A node of a Chord ring over UDP, with a store. See `chord --help`.
//!
//! `member` is the node and its store, without sockets and clock; `drive` brings those, `churn` the simulator.

mod args;
#[cfg(test)]
mod churn;
mod drive;
mod errand;
#[cfg(test)]
mod laws;
mod member;
mod parcel;
mod shelf;

use std::process::ExitCode;

/// Runs the subcommand.
pub fn run(words: Vec<String>) -> ExitCode {
    examples::words::start(words, "chord node", args::HELP, args::Args::parse, |args| {
        drive::Driver::start(args)?.run()
    })
}
