//! The command lines of make, show, seed and get.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::{Path, PathBuf};

use bittorrent_pieces::encryption::EncryptionPolicy;
use bittorrent_pieces::metainfo::Version;
use clap::ValueEnum;
use examples::cli;

use super::selection::{self, Numbers};
use super::storage::Allocate;

/// Write a metainfo file for a file or a folder
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example: torrent make holiday.mp4 --tracker http://127.0.0.1:6969/announce"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Make {
    /// The file or folder
    pub path: PathBuf,
    /// The metainfo file; by default the name of PATH with .torrent
    #[arg(long, short, value_name = "FILE", alias = "out")]
    pub output: Option<PathBuf>,
    /// A tracker, http://, https:// or udp://; several are tiers, one behind the other
    #[arg(long = "tracker", value_name = "URL", value_parser = url)]
    pub trackers: Vec<String>,
    /// The length of a piece, a power of two from 16384 on; by default it depends on the size
    #[arg(long, value_name = "BYTES", value_parser = power_of_two)]
    pub piece_len: Option<u32>,
    /// Version 2 alone (BEP 52)
    #[arg(long, conflicts_with = "hybrid")]
    v2: bool,
    /// Both versions (BEP 52)
    #[arg(long)]
    hybrid: bool,
    /// Peers only from the trackers (BEP 27)
    #[arg(long)]
    pub private: bool,
    /// A text for those who open the metainfo file
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// The community for which the torrent is made; another source is another info-hash
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
    /// A URL from which the content can be fetched over HTTP (BEP 19); may be given several times
    #[arg(long = "web-seed", value_name = "URL", value_parser = url)]
    pub web_seeds: Vec<String>,
    /// Leave out files and folders whose name or path matches, with * and ?; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Write the time of creation into the file, which is otherwise the same for the same content
    #[arg(long)]
    pub date: bool,
    /// Print one line of JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Print what a metainfo file or a magnet link contains
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: torrent show holiday.mp4.torrent")]
pub struct Show {
    /// A metainfo file or a magnet link
    pub torrent: String,
    /// Print one line of JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Check files or folders and give them to others
///
/// TORRENT is a metainfo file, and PATH the file or folder of which it was made. If the last word ends in .torrent, all are
/// metainfo files, and the content of each is in the folder that --from names.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  torrent seed holiday.mp4.torrent holiday.mp4
  torrent seed holiday.mp4.torrent songs.torrent --from shared")]
pub struct Seed {
    /// A metainfo file and the path of its content, or several metainfo files
    #[arg(required = true, value_name = "TORRENT")]
    torrents: Vec<String>,
    /// The folder with the content of several torrents
    #[arg(long, value_name = "DIR", default_value = ".")]
    from: PathBuf,
    /// Announce one piece at a time to each peer, as the only seed of a new torrent (BEP 16)
    #[arg(long = "super-seed")]
    superseed: bool,
    #[command(flatten)]
    network: Network,
}

/// Fetch what metainfo files or magnet links name, and continue where an earlier run stopped
///
/// The blocks of pieces that are not yet complete are listed in INFO-HASH.parts beside the content. Success once every
/// piece of the selected files is there and verified.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Example, in two terminals:
  torrent make holiday.mp4 && torrent seed holiday.mp4.torrent holiday.mp4
  torrent get holiday.mp4.torrent --into copy --peer 127.0.0.1:6881 --listen 127.0.0.1:0")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Get {
    /// Metainfo files or magnet links
    #[arg(required = true, value_name = "TORRENT")]
    torrents: Vec<String>,
    /// The folder for the content
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// Fetch only these files of one torrent, by the numbers that `torrent show` prints, such as 0,2,4-6
    #[arg(long, value_name = "NUMBERS", value_parser = selection::parse)]
    files: Option<Numbers>,
    /// In order, as for a film that is watched meanwhile; otherwise rarest first
    #[arg(long)]
    sequential: bool,
    /// Stay and give to others when it is complete
    #[arg(long)]
    keep: bool,
    /// Give up when nothing arrived for this time
    #[arg(long, value_name = "SECONDS", value_parser = cli::within(1..=86_400_u64))]
    timeout: Option<u64>,
    /// Write over files of the same names that have nothing of this torrent
    #[arg(long)]
    overwrite: bool,
    /// Cut files that are longer than in the torrent
    #[arg(long)]
    truncate: bool,
    /// Give the files their length first
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Allocate::None)]
    allocate: Allocate,
    /// Check all that is there, also if no file changed since the last run
    #[arg(long)]
    check: bool,
    /// Fetch nothing from the web servers that the torrent or the link names (BEP 17, 19)
    #[arg(long)]
    no_web_seeds: bool,
    #[command(flatten)]
    network: Network,
}

/// How peers are found and reached.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
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
    /// Run a node of the DHT, keep the nodes that it knows in this file, and begin with those of an earlier run
    #[arg(long, value_name = "FILE")]
    dht_state: Option<PathBuf>,
    /// Do not ask the trackers of the torrent
    #[arg(long)]
    no_trackers: bool,
    /// Whether connections are encrypted, to pass filters; this is not security
    #[arg(long, value_enum, default_value_t)]
    encryption: Encryption,
    /// Dial over uTP first, which yields to other traffic, and accept it at the UDP port of the same number
    #[arg(long)]
    utp: bool,
    /// Receive at most this much per second, such as 500k or 2M
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    limit_down: Option<u64>,
    /// Send at most this much content per second
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    limit_up: Option<u64>,
    /// Stop when this many times the content was sent; implies --keep
    #[arg(long, value_name = "NUMBER", value_parser = positive)]
    ratio: Option<f64>,
    /// Stop after this time as a seed; implies --keep
    #[arg(long, value_name = "MINUTES", value_parser = positive)]
    seed_time: Option<f64>,
    /// Print every message as one line: <- received, -> sent
    #[arg(long, conflicts_with = "json")]
    trace: bool,
    /// Print each event as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Whether connections are encrypted.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Encryption {
    /// Plain connections only
    Off,
    /// Plain connections first
    #[default]
    Allow,
    /// Encrypted connections first
    Prefer,
    /// Encrypted connections only
    Require,
}

/// Of seed and get.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Share {
    pub items: Vec<Item>,
    pub seeds: bool,
    pub listen: SocketAddr,
    pub peers: Vec<SocketAddr>,
    /// Nodes of the DHT.
    pub nodes: Vec<SocketAddr>,
    /// Where those of earlier runs are kept.
    pub dht_state: Option<PathBuf>,
    pub trackers: bool,
    pub encryption: EncryptionPolicy,
    pub utp: bool,
    pub limit_down: Option<u64>,
    pub limit_up: Option<u64>,
    pub ratio: Option<f64>,
    pub seed_time: Option<Duration>,
    pub files: Option<Numbers>,
    pub sequential: bool,
    pub super_seed: bool,
    pub keep: bool,
    pub timeout: Option<Duration>,
    pub overwrite: bool,
    pub truncate: bool,
    pub allocate: Allocate,
    pub check: bool,
    pub web_seeds: bool,
    pub trace: bool,
    pub json: bool,
}

impl Share {
    /// Returns whether the user wants a node of the DHT.
    pub const fn runs_dht(&self) -> bool {
        !self.nodes.is_empty() || self.dht_state.is_some()
    }
}

/// A torrent of the command line.
#[derive(Debug, Clone)]
pub struct Item {
    /// A metainfo file or a magnet link.
    pub torrent: String,
    /// The content itself, or the folder in which it lies.
    pub path: PathBuf,
    pub in_folder: bool,
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
    fn share(self, items: Vec<Item>) -> Share {
        Share {
            items,
            seeds: false,
            listen: self.listen,
            peers: self.peers,
            nodes: self.nodes,
            dht_state: self.dht_state,
            trackers: !self.no_trackers,
            encryption: self.encryption.into(),
            utp: self.utp,
            limit_down: self.limit_down,
            limit_up: self.limit_up,
            ratio: self.ratio,
            seed_time: self.seed_time.map(|minutes| Duration::from_secs_f64(60.0 * minutes)),
            files: None,
            sequential: false,
            super_seed: false,
            keep: self.ratio.is_some() || self.seed_time.is_some(),
            timeout: None,
            overwrite: false,
            truncate: false,
            allocate: Allocate::None,
            check: false,
            web_seeds: false,
            trace: self.trace,
            json: self.json,
        }
    }
}

impl From<Encryption> for EncryptionPolicy {
    fn from(encryption: Encryption) -> Self {
        match encryption {
            Encryption::Off => Self::Off,
            Encryption::Allow => Self::Allow,
            Encryption::Prefer => Self::Prefer,
            Encryption::Require => Self::Require,
        }
    }
}

impl TryFrom<Seed> for Share {
    type Error = String;

    fn try_from(seed: Seed) -> Result<Self, String> {
        let is_metainfo = |name: &String| name.to_ascii_lowercase().ends_with(".torrent");
        let items = match &seed.torrents[..] {
            [torrent, path] if !is_metainfo(path) => {
                vec![Item { torrent: torrent.clone(), path: path.into(), in_folder: false }]
            }
            torrents if torrents.last().is_some_and(is_metainfo) => {
                in_folder(seed.torrents, &seed.from)
            }
            _ => return Err("a metainfo file and the path of its content are expected".into()),
        };
        let share = seed.network.share(items);
        Ok(Self { seeds: true, keep: true, super_seed: seed.superseed, ..share })
    }
}

fn in_folder(torrents: Vec<String>, folder: &Path) -> Vec<Item> {
    let item = |torrent| Item { torrent, path: folder.to_path_buf(), in_folder: true };
    torrents.into_iter().map(item).collect()
}

impl TryFrom<Get> for Share {
    type Error = String;

    fn try_from(get: Get) -> Result<Self, String> {
        if get.files.is_some() && get.torrents.len() > 1 {
            return Err("--files is for one torrent".into());
        }
        let share = get.network.share(in_folder(get.torrents, &get.into));
        Ok(Self {
            files: get.files,
            sequential: get.sequential,
            keep: get.keep || share.keep,
            timeout: get.timeout.map(Duration::from_secs),
            overwrite: get.overwrite,
            truncate: get.truncate,
            allocate: get.allocate,
            check: get.check,
            web_seeds: !get.no_web_seeds,
            ..share
        })
    }
}

fn power_of_two(text: &str) -> cli::Result<u32> {
    let len = cli::within(16_384..=1_u32 << 28)(text)?;
    if len.is_power_of_two() { Ok(len) } else { Err("a power of two is expected".into()) }
}

/// Returns a URL. Its scheme is a matter of those who use it.
fn url(text: &str) -> cli::Result<String> {
    let parts =
        text.split_once("://").filter(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    if parts.is_some() {
        return Ok(text.to_owned());
    }
    Err("a URL such as http://host.example/path is expected".into())
}

/// Reads bytes per second: a number, with k, M or G for powers of 1,024.
fn rate(text: &str) -> cli::Result<u64> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'M')) => (&text[..at], 1 << 20),
        Some((at, 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1_u64),
    };
    let number = digits.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    number.filter(|rate| *rate > 0).ok_or_else(|| "a number such as 500k or 2M is expected".into())
}

fn positive(text: &str) -> cli::Result<f64> {
    let number = text.parse().ok().filter(|number| (0.0..=1e6).contains(number));
    number.ok_or_else(|| "a number from 0 to 1000000 is expected".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units_of_1024() {
        assert_eq!(rate("1"), Ok(1));
        assert_eq!(rate("500k"), Ok(512_000));
        assert_eq!(rate("2M"), Ok(2 << 20));
        assert_eq!(rate("1G"), Ok(1 << 30));
        for wrong in ["", "0", "k", "-1", "1.5M", "1T", "99999999999999999999", "é"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
