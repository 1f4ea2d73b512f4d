//! Makes, shows, seeds and downloads torrents over TCP.
//!
//! One thread owns the `Torrent`, all sockets and the files; another asks the trackers.

mod args;
mod fetch;
mod finder;
mod make;
mod net;
mod parts;
mod session;
mod show;
mod storage;
mod trackers;
mod trees;

use examples::cli::{self, Exit};
use examples::interrupt::interrupted;

pub use args::{Get, Make, Seed, Show};

/// Runs `torrent make`.
pub fn make(args: &Make) -> cli::Result {
    make::make(args)?;
    Ok(Exit::Success)
}

/// Runs `torrent show`.
pub fn show(args: &Show) -> cli::Result {
    show::show(&args.torrent)?;
    Ok(Exit::Success)
}

/// Runs `torrent seed`.
pub fn seed(args: Seed) -> cli::Result {
    session::share(&args.into())?;
    Ok(Exit::stopped_if(interrupted()))
}

/// Runs `torrent get`.
pub fn get(args: Get) -> cli::Result {
    session::share(&args.into())?;
    Ok(Exit::stopped_if(interrupted()))
}
