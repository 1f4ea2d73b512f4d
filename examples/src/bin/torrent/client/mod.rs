//! Makes, shows, seeds and downloads torrents over TCP and uTP.
//!
//! One thread owns the `Torrent`, all sockets and the files; another asks the trackers.

mod args;
mod fetch;
mod finder;
mod json;
mod limit;
mod make;
mod net;
mod open_files;
mod parts;
mod relays;
mod report;
mod selection;
mod session;
mod setup;
mod show;
mod start;
mod storage;
mod summary;
mod trace;
mod trackers;
mod trees;
mod utp;
mod web;
mod web_session;

use examples::cli::{self, Exit};

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
    start::share(&args.into(), quiet)
}

/// Runs `torrent get`.
pub fn get(args: Get, quiet: bool) -> cli::Result {
    start::share(&args.into(), quiet)
}
