//! A central index over TCP, and clients of it: search by the index, transfer from peer to peer.
//!
//! Kill the index while files are on their way: the transfers end well, and nothing is found any more.

mod args;
mod client;
mod server;
mod transfer;

use examples::cli::{self, Exit};
use examples::interrupt::interrupted;

pub use args::Args;

/// Runs the subcommand.
pub fn run(args: Args) -> cli::Result {
    match (args.serve, args.connect) {
        (Some(address), _) => server::run(address, args.trace)?,
        (None, Some(index)) => client::run(index, args.client, args.trace)?,
        (None, None) => return Err("give either --serve or --connect".into()),
    }
    Ok(Exit::stopped_if(interrupted()))
}
