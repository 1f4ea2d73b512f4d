//! A central index over TCP, and clients of it: search by the index, transfer from peer to peer.
//!
//! Kill the index while files are on their way: the transfers end well, and nothing is found any more.

mod args;
mod client;
mod server;
mod transfer;

use std::process::ExitCode;

use args::{Args, HELP};

/// Runs the subcommand.
pub fn run(words: Vec<String>) -> ExitCode {
    examples::words::start(words, "gnutella napster", HELP, Args::parse, |args| {
        let done = match args {
            Args::Serve { listen, trace } => server::run(listen, trace),
            Args::Client(options) => client::run(options),
        };
        done.map(|()| ExitCode::SUCCESS)
    })
}
