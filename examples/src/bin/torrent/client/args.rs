//! The command lines of make, show, seed and get.

use core::net::SocketAddr;
use std::path::PathBuf;

use bittorrent_pieces::metainfo::Version;
use examples::cli;

/// Write a metainfo file for a file or a folder
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example: torrent make holiday.mp4 --tracker http://127.0.0.1:6969/announce"
)]
pub struct Make {
    /// The file or folder
    pub path: PathBuf,
    /// The metainfo file; by default the name of PATH with .torrent
    #[arg(long, short, value_name = "FILE", alias = "out")]
    pub output: Option<PathBuf>,
    /// A tracker, http:// or udp://; several are tiers, one behind the other
    #[arg(long = "tracker", value_name = "URL")]
    pub trackers: Vec<String>,
    /// The length of a piece, a power of two from 16384 on; by default it depends on the size
    #[arg(long, value_name = "BYTES", value_parser = power_of_two)]
    pub piece_len: Option<u32>,
    /// Version 2 alone (BEP 52)
    #[arg(long, conflicts_with = "hybrid")]
    v2: bool,
    /// Both versions (BEP 52), for one file
    #[arg(long)]
    hybrid: bool,
    /// Peers only from the trackers (BEP 27)
    #[arg(long)]
    pub private: bool,
}

/// Print what a metainfo file or a magnet link contains
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: torrent show holiday.mp4.torrent")]
pub struct Show {
    /// A metainfo file or a magnet link
    pub torrent: String,
}

/// Check a file or folder and give it to others
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: torrent seed holiday.mp4.torrent holiday.mp4")]
pub struct Seed {
    /// A metainfo file
    torrent: String,
    /// The file or folder of which it was made
    path: PathBuf,
    /// Announce one piece at a time to each peer, as the only seed of a new torrent (BEP 16)
    #[arg(long = "super-seed")]
    superseed: bool,
    #[command(flatten)]
    network: Network,
}

/// Fetch what a metainfo file or a magnet link names, and continue where an earlier run stopped
///
/// The blocks of pieces that are not yet complete are listed in INFO-HASH.parts beside the content. Success once every
/// piece is there and verified.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Example, in two terminals:
  torrent make holiday.mp4 && torrent seed holiday.mp4.torrent holiday.mp4
  torrent get holiday.mp4.torrent --into copy --peer 127.0.0.1:6881 --listen 127.0.0.1:0")]
pub struct Get {
    /// A metainfo file or a magnet link
    torrent: String,
    /// The folder for the content
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// In order, as for a film that is watched meanwhile; otherwise rarest first
    #[arg(long)]
    sequential: bool,
    /// Stay and give to others when it is complete
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    network: Network,
}

/// How peers are found and reached.
#[derive(Debug, Clone, clap::Args)]
struct Network {
    /// Accept connections at this address; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6881")]
    listen: SocketAddr,
    /// Connect to this peer; may be given several times
    #[arg(long = "peer", value_name = "ADDR")]
    peers: Vec<SocketAddr>,
    /// Run a node of the DHT too, and begin with this one; may be given several times
    #[arg(long = "dht", value_name = "ADDR")]
    nodes: Vec<SocketAddr>,
    /// Do not ask the trackers of the torrent
    #[arg(long)]
    no_trackers: bool,
    /// Print every message as one line: <- received, -> sent
    #[arg(long)]
    trace: bool,
}

/// Of seed and get.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Share {
    pub torrent: String,
    pub seeds: bool,
    /// The content itself for a seed, otherwise the folder for it.
    pub path: PathBuf,
    pub listen: SocketAddr,
    pub peers: Vec<SocketAddr>,
    /// Nodes of the DHT.
    pub nodes: Vec<SocketAddr>,
    pub trackers: bool,
    pub sequential: bool,
    pub super_seed: bool,
    pub keep: bool,
    pub trace: bool,
}

impl Make {
    pub fn version(&self) -> Version {
        match (self.v2, self.hybrid) {
            (true, _) => Version::V2,
            (_, true) => Version::Hybrid,
            _ => Version::V1,
        }
    }
}

impl Network {
    fn share(self, torrent: String, path: PathBuf) -> Share {
        Share {
            torrent,
            seeds: false,
            path,
            listen: self.listen,
            peers: self.peers,
            nodes: self.nodes,
            trackers: !self.no_trackers,
            sequential: false,
            super_seed: false,
            keep: false,
            trace: self.trace,
        }
    }
}

impl From<Seed> for Share {
    fn from(seed: Seed) -> Self {
        let share = seed.network.share(seed.torrent, seed.path);
        Self { seeds: true, keep: true, super_seed: seed.superseed, ..share }
    }
}

impl From<Get> for Share {
    fn from(get: Get) -> Self {
        let share = get.network.share(get.torrent, get.into);
        Self { sequential: get.sequential, keep: get.keep, ..share }
    }
}

fn power_of_two(text: &str) -> cli::Result<u32> {
    let len = cli::within(16_384..=1_u32 << 28)(text)?;
    if len.is_power_of_two() { Ok(len) } else { Err("a power of two is expected".into()) }
}
