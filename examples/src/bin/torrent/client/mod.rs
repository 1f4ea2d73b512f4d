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

use std::process::ExitCode;

use args::{Args, HELP};

/// Runs the subcommand.
pub fn run(command: &str, words: Vec<String>) -> ExitCode {
    let words = [vec![command.to_owned()], words].concat();
    examples::words::start(words, "torrent", HELP, Args::parse, |args| {
        let done = match args {
            Args::Make(make) => make::make(&make),
            Args::Show(torrent) => show::show(&torrent),
            Args::Share(share) => session::share(&share),
        };
        done.map(|()| ExitCode::SUCCESS)
    })
}
