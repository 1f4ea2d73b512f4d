//! BitTorrent: makes, shows, seeds and downloads torrents; a tracker, a node of the DHT, and swarms in memory.

mod client;
mod dht;
mod swarm;
mod tracker;

use std::process::ExitCode;

fn main() -> ExitCode {
    examples::words::dispatch(
        "torrent",
        &[
            ("make", |words| client::run("make", words)),
            ("show", |words| client::run("show", words)),
            ("seed", |words| client::run("seed", words)),
            ("download", |words| client::run("download", words)),
            ("tracker", tracker::run),
            ("dht", dht::run),
            ("swarm", swarm::run),
        ],
    )
}
