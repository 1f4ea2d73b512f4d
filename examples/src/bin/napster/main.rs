//! A central index over TCP, and clients of it: search by the index, transfer from peer to peer.
//!
//! Kill the index while files are on their way: the transfers end well, and nothing is found any more.

mod args;
mod client;
mod server;
mod transfer;

use std::process::ExitCode;

use args::{Args, HELP, Otherwise};

fn main() -> ExitCode {
    let done = match Args::parse(std::env::args().skip(1)) {
        Ok(Args::Serve { listen, trace }) => server::run(listen, trace),
        Ok(Args::Client(options)) => client::run(options),
        Err(Otherwise::Help) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(Otherwise::Complain(what)) => {
            eprintln!("napster: {what}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("napster: {error}");
            ExitCode::FAILURE
        }
    }
}
