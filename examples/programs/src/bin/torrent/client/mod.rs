//! Makes, shows, seeds and downloads torrents over TCP and uTP.
//!
//! One thread owns each `Torrent`, all sockets and the files; others ask the trackers and the DHT.

mod args;
mod dht;
mod fetch;
mod finder;
mod incoming;
pub mod json;
mod limit;
mod mailbox;
mod make;
mod net;
mod open_files;
mod parts;
mod relays;
mod report;
mod selection;
mod session;
mod setup;
mod shared;
mod show;
mod start;
mod storage;
mod summary;
mod torrents;
mod trace;
mod trackers;
mod transfer;
mod trees;
mod utp;
mod web;
mod web_session;

use examples::cli::{self, Exit};

use args::Share;
pub use args::{Get, Make, Seed, Show};

/// Runs `torrent make`.
pub fn make(args: &Make) -> cli::Result {
    make::make(args)?;
    Ok(Exit::Success)
}

/// Runs `torrent show`.
pub fn show(args: &Show) -> cli::Result {
    show::show(&args.torrent, args.json)?;
    Ok(Exit::Success)
}

/// Runs `torrent seed`.
pub fn seed(args: Seed, quiet: bool) -> cli::Result {
    share(args.try_into(), quiet)
}

/// Runs `torrent get`.
pub fn get(args: Get, quiet: bool) -> cli::Result {
    share(args.try_into(), quiet)
}

fn share(args: Result<Share, String>, quiet: bool) -> cli::Result {
    match args {
        Ok(args) => start::share(&args, quiet),
        Err(error) => {
            eprintln!("error: {error}\n\nFor more information, try '--help'.");
            Ok(Exit::Usage)
        }
    }
}
