//! BitTorrent among real clients: makes, shows, seeds and gets torrents; a tracker, a node of the DHT, and swarms in memory. See `torrent --help`.

mod client;
mod dht;
mod swarm;
mod tracker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use examples::cli::{self, Common};

/// BitTorrent among real clients: makes, shows, seeds and gets torrents; a tracker, a node of the DHT, and swarms in memory.
#[derive(Parser)]
#[command(
    name = "torrent",
    version,
    after_help = "Example: cargo run --release -p programs --bin torrent -- swarm fleet"
)]
struct Program {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Make(client::Make),
    Show(client::Show),
    Seed(client::Seed),
    #[command(visible_alias = "download")]
    Get(client::Get),
    Tracker(tracker::Args),
    Dht(dht::Args),
    Swarm(swarm::Args),
}

fn main() -> ExitCode {
    cli::run(
        |program: &Program| program.common,
        |program| match program.command {
            Command::Make(args) => client::make(&args),
            Command::Show(args) => client::show(&args),
            Command::Seed(args) => client::seed(args, program.common.quiet),
            Command::Get(args) => client::get(args, program.common.quiet),
            Command::Tracker(args) => tracker::run(&args),
            Command::Dht(args) => dht::run(&args),
            Command::Swarm(args) => swarm::run(&args),
        },
    )
}
