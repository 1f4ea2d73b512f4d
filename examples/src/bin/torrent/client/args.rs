//! The command line.

use core::net::SocketAddr;
use std::path::PathBuf;

use bittorrent_pieces::metainfo::Version;
use examples::words::Words;

pub const HELP: &str = "\
Makes, shows, seeds and downloads torrents among real BitTorrent clients, every piece checked.

Usage: torrent COMMAND ..

  make PATH              write a metainfo file for a file or a folder
    --out FILE           where to (default: the name of PATH with .torrent)
    --tracker URL        a tracker, http:// or udp://; several are tiers, one behind the other
    --piece-len BYTES    how long a piece is, a power of two from 16384 on (default: by size)
    --v2, --hybrid       version 2 alone, or both versions (BEP 52), which are for one file
    --private            peers only from the trackers (BEP 27)

  show FILE              print what a metainfo file or a magnet link says

  seed FILE PATH         check PATH and give it to others; PATH is the file or folder that was made into FILE
    --super-seed         tell each peer of one piece at a time, as the only seed of a new torrent (BEP 16)
  download FILE          fetch what FILE says, and go on where an earlier run stopped: what there is of
                         pieces not yet complete is noted in INFO-HASH.parts beside the content
    --into DIR           the folder for it (default: the present one)
    --sequential         in order, as for a film that is watched meanwhile; otherwise rarest first
    --keep               stay and give to others when it is complete

  of both seed and download:
    --listen ADDR        where to accept connections (default 127.0.0.1:6881; port 0 picks one)
    --peer ADDR          connect to this peer; may be given several times
    --dht ADDR           run a node of the DHT too, and begin with this one; may be given several times
    --no-trackers        do not ask the trackers of FILE
    --trace              print every message as one line: <- received, -> sent

The exit status of download is 0 once every piece is there and checked.

Example, in two terminals:
  torrent make holiday.mp4 && torrent seed holiday.mp4.torrent holiday.mp4
  torrent download holiday.mp4.torrent --into copy --peer 127.0.0.1:6881 --listen 127.0.0.1:0";

/// What the command line asks for.
#[derive(Debug, Clone)]
pub enum Args {
    Make(Make),
    Show(String),
    Share(Share),
}

#[derive(Debug, Clone)]
pub struct Make {
    pub path: PathBuf,
    pub out: Option<PathBuf>,
    pub trackers: Vec<String>,
    pub piece_len: Option<u32>,
    pub private: bool,
    pub version: Version,
}

/// Of seed and download.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Share {
    pub torrent: String,
    pub seeds: bool,
    /// Of a seed the content itself, else the folder for it.
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

impl Args {
    pub fn parse(mut words: Words) -> Result<Self, String> {
        let command = words.next().ok_or("a command is needed: make, show, seed or download")?;
        match command.as_str() {
            "make" => make(words).map(Self::Make),
            "show" => {
                let torrent = words.next().ok_or("show takes a metainfo file or a magnet link")?;
                words.next().map_or(Ok(Self::Show(torrent)), |word| Err(unknown(&word)))
            }
            "seed" | "download" => share(words, command == "seed").map(Self::Share),
            other => Err(format!("there is no command {other}")),
        }
    }
}

fn unknown(word: &str) -> String {
    format!("there is no use for {word}")
}

fn make(mut words: Words) -> Result<Make, String> {
    let path = words.next().ok_or("make takes the path of a file or folder")?.into();
    let mut make = Make {
        path,
        out: None,
        trackers: Vec::new(),
        piece_len: None,
        private: false,
        version: Version::V1,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--out" => make.out = Some(words.value(&word)?.into()),
            "--tracker" => make.trackers.push(words.value(&word)?),
            "--piece-len" => {
                let len: u32 = words.number(&word, 16_384..=1 << 28)?;
                if !len.is_power_of_two() {
                    return Err(format!("--piece-len takes a power of two, not {len}"));
                }
                make.piece_len = Some(len);
            }
            "--private" => make.private = true,
            "--v2" => make.version = Version::V2,
            "--hybrid" => make.version = Version::Hybrid,
            other => return Err(unknown(other)),
        }
    }
    Ok(make)
}

fn share(mut words: Words, seeds: bool) -> Result<Share, String> {
    let torrent = words.next().ok_or("a metainfo file is needed")?;
    let path = if seeds {
        words.next().ok_or("seed takes the metainfo file and the path of the content")?.into()
    } else {
        PathBuf::from(".")
    };
    let mut share = Share {
        torrent,
        seeds,
        path,
        listen: SocketAddr::from(([127, 0, 0, 1], 6881)),
        peers: Vec::new(),
        nodes: Vec::new(),
        trackers: true,
        sequential: false,
        super_seed: false,
        keep: seeds,
        trace: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--listen" => share.listen = address(&word, &words.value(&word)?)?,
            "--peer" => share.peers.push(address(&word, &words.value(&word)?)?),
            "--dht" => share.nodes.push(address(&word, &words.value(&word)?)?),
            "--no-trackers" => share.trackers = false,
            "--trace" => share.trace = true,
            "--super-seed" if seeds => share.super_seed = true,
            "--into" if !seeds => share.path = words.value(&word)?.into(),
            "--sequential" if !seeds => share.sequential = true,
            "--keep" if !seeds => share.keep = true,
            other => return Err(unknown(other)),
        }
    }
    Ok(share)
}

fn address(flag: &str, value: &str) -> Result<SocketAddr, String> {
    let wrong = |_| format!("{flag} takes an address such as 127.0.0.1:6881, not {value}");
    value.parse().map_err(wrong)
}
