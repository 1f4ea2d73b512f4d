//! A node of the BitTorrent DHT: answers others, finds peers, announces.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::dht::DhtEvent;
use bittorrent_pieces::magnet::Magnet;
use examples::dht::{News, Node};
use examples::words::Words;

const HELP: &str = "\
A node of the BitTorrent DHT: answers others, finds peers, announces.

Usage: dht [OPTIONS]

  --listen ADDR       where to listen over UDP (default 127.0.0.1:6881; port 0 picks one)
  --node ADDR         a node to begin with; may be given several times
  --find TORRENT      look for the peers of a torrent, print them, and leave: 40 hexadecimal digits, or
                      a magnet link
  --announce PORT     and tell the nodes that we are one of them, at this TCP port
  --wait SECONDS      how long --find waits for the first node to answer (default 10)
  --trace             print every message as one line: <- received, -> sent
  --help              print this

Without --find it runs until it is stopped. The exit status of --find is 0 if there is a peer, or if it
was announced to a node.

Example, in two terminals:
  dht --listen 127.0.0.1:6881
  dht --listen 127.0.0.1:6882 --node 127.0.0.1:6881 --announce 7000 \\
      --find e4c9cc93f9679a5a513ea8d646821bb5eba48527";

/// What the command line asks for.
struct Args {
    listen: SocketAddr,
    nodes: Vec<SocketAddr>,
    find: Option<InfoHash>,
    announce: Option<u16>,
    wait: u64,
    trace: bool,
}

/// Runs the subcommand.
pub fn run(words: Vec<String>) -> ExitCode {
    examples::words::start(words, "torrent dht", HELP, parse, |args| {
        start(&args).map_err(|error| error.to_string())
    })
}

fn parse(mut words: Words) -> Result<Args, String> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 6881));
    let mut args =
        Args { listen, nodes: Vec::new(), find: None, announce: None, wait: 10, trace: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--listen" => args.listen = address(&word, &words.value(&word)?)?,
            "--node" => args.nodes.push(address(&word, &words.value(&word)?)?),
            "--find" => args.find = Some(torrent(&words.value(&word)?)?),
            "--announce" => args.announce = Some(words.number(&word, 1..=65_535)?),
            "--wait" => args.wait = words.number(&word, 1..=3_600)?,
            "--trace" => args.trace = true,
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(args)
}

fn address(flag: &str, value: &str) -> Result<SocketAddr, String> {
    let wrong = |_| format!("{flag} takes an address such as 127.0.0.1:6881, not {value}");
    value.parse().map_err(wrong)
}

fn torrent(value: &str) -> Result<InfoHash, String> {
    let link = if value.starts_with("magnet:") {
        value.to_owned()
    } else {
        format!("magnet:?xt=urn:btih:{value}")
    };
    let magnet = Magnet::parse(link.as_bytes()).map_err(|error| format!("--find: {error}"))?;
    let hash = magnet.v1().or(magnet.v2().map(|hash| hash.truncated()));
    hash.ok_or_else(|| "--find: no torrent".into())
}

fn start(args: &Args) -> std::io::Result<ExitCode> {
    let mut node = Node::open(args.listen, &args.nodes, args.trace)?;
    println!("node {} listening on {}", node.id(), node.address()?);
    let Some(torrent) = args.find else {
        let mut told = Instant::now();
        loop {
            node.turn(Duration::from_secs(1))?;
            if told.elapsed() > Duration::from_secs(60) {
                told = Instant::now();
                println!("{} nodes are known", node.known());
            }
        }
    };
    let patience = Instant::now() + Duration::from_secs(args.wait);
    while node.known() == 0 && Instant::now() < patience {
        node.turn(Duration::from_millis(100))?;
    }
    node.find(torrent, args.announce);
    let mut peers = BTreeSet::new();
    loop {
        for news in node.turn(Duration::from_secs(1))? {
            match news {
                News::Peers(_, found) => {
                    for peer in found {
                        if peers.insert(peer) {
                            println!("peer {peer}");
                        }
                    }
                }
                News::Event(DhtEvent::Finished { answers, announces, .. }) => {
                    println!(
                        "{} peers; {answers} nodes answered, {announces} know of us",
                        peers.len()
                    );
                    node.turn(Duration::from_millis(200))?; // the last answers
                    let found = !peers.is_empty() || announces > 0;
                    return Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE });
                }
                News::Event(_) => {}
            }
        }
    }
}
