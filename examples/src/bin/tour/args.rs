//! The command line.

use std::path::PathBuf;

use clap::Parser;
use examples::cli::{Common, within};

/// One song, from search to settlement
///
/// Twelve nodes boot a Gnutella overlay, find a file by flooding and by a Chord ring, share it by BitTorrent, settle the
/// deliveries on a ledger, and audit all copies. Writes trace.jsonl, tour.pcap and report.html. Success if every check
/// holds.
#[derive(Debug, Clone, Parser)]
#[command(name = "tour", after_help = "Example: tour --sim --seed 7 --loss 10 song.mp3")]
pub struct Args {
    /// The file to share; by default the program shares its own executable
    pub file: Option<PathBuf>,
    /// How many nodes; 12 are 3 ultrapeers, 3 seeds, 8 leeches and 1 saboteur
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = within(8..=40_u16))]
    pub nodes: u16,
    /// The seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many of 100 datagrams of the network are lost
    #[arg(long = "loss", value_name = "PERCENT", default_value_t = 0, value_parser = within(0..=30_u8))]
    pub loss_percent: u8,
    /// Run over the simulated network in virtual time instead of sockets on 127.0.0.1; the same seed then gives the
    /// same trace, byte by byte
    #[arg(long)]
    pub sim: bool,
    /// Write files into this folder, which is created if needed
    #[arg(long, value_name = "DIR", default_value = "target/tour")]
    pub out: PathBuf,
    #[command(flatten)]
    pub common: Common,
}
