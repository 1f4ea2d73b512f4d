//! A node of the BitTorrent DHT: answers others, finds peers, announces, stores and finds items.

mod items;
mod known;
pub mod node;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::dht::DhtEvent;
use bittorrent_pieces::magnet::Magnet;
use examples::cli::{self, Exit, within};
use examples::interrupt;
use node::{Node, NodeEvent};

/// A node of the DHT: answers others, finds peers, announces, puts and gets values
///
/// Without --find it runs until it is stopped. The result of --find is success if there is a peer, or if it was
/// announced to a node.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Example, in two terminals:
  torrent dht --listen 127.0.0.1:6881
  torrent dht --listen 127.0.0.1:6882 --node 127.0.0.1:6881 --announce 7000 \\
      --find e4c9cc93f9679a5a513ea8d646821bb5eba48527
  torrent dht --listen 127.0.0.1:6882 --node 127.0.0.1:6881 put 'a text'")]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Listen at this address over UDP; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6881")]
    listen: SocketAddr,
    /// A node to begin with; may be given several times
    #[arg(long = "node", value_name = "ADDR")]
    nodes: Vec<SocketAddr>,
    /// Keep the known nodes in this file, and begin with those of an earlier run
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Print the peers of a torrent and exit: 40 hexadecimal digits, or a magnet link
    #[arg(long, value_name = "TORRENT", value_parser = torrent)]
    find: Option<InfoHash>,
    /// And announce to the nodes that we are one of them, at this TCP port
    #[arg(long, value_name = "PORT", value_parser = within(1..=u16::MAX))]
    announce: Option<u16>,
    /// How many seconds --find, put and get wait for the first node to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = within(1..=3_600_u64))]
    wait: u64,
    /// Print every message as one line: <- received, -> sent
    #[arg(long)]
    trace: bool,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Command {
    Put(items::Put),
    Get(items::Get),
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    start(args)
}

fn torrent(value: &str) -> cli::Result<InfoHash> {
    let link = if value.starts_with("magnet:") {
        value.to_owned()
    } else {
        format!("magnet:?xt=urn:btih:{value}")
    };
    let magnet = Magnet::parse(link.as_bytes()).map_err(|error| error.to_string())?;
    let hash = magnet.v1().or(magnet.v2().map(|hash| hash.truncated()));
    hash.ok_or_else(|| "a torrent is expected".into())
}

fn start(args: &Args) -> cli::Result {
    interrupt::install();
    let mut node = Node::open(args.listen, &args.nodes, args.state.as_deref(), args.trace)?;
    println!("node {} listening on {}", node.id(), node.address()?);
    if let Some(command) = &args.command {
        wait_for_nodes(&mut node, args.wait)?;
        return match command {
            Command::Put(args) => items::put(&mut node, args),
            Command::Get(args) => items::get(&mut node, args),
        };
    }
    let Some(torrent) = args.find else {
        let mut told = Instant::now();
        while !interrupt::interrupted() {
            node.turn(Duration::from_secs(1))?;
            if told.elapsed() > Duration::from_secs(60) {
                told = Instant::now();
                println!("{} nodes are known", node.known());
            }
        }
        return Ok(Exit::Stopped);
    };
    wait_for_nodes(&mut node, args.wait)?;
    node.find(torrent, args.announce);
    let mut peers = BTreeSet::new();
    while !interrupt::interrupted() {
        for event in node.turn(Duration::from_secs(1))? {
            match event {
                NodeEvent::Peers(_, found) => {
                    for peer in found {
                        if peers.insert(peer) {
                            println!("peer {peer}");
                        }
                    }
                }
                NodeEvent::Dht(DhtEvent::Finished { answers, announces, .. }) => {
                    println!(
                        "{} peers; {answers} nodes answered, {announces} know of us",
                        peers.len()
                    );
                    node.turn(Duration::from_millis(200))?; // the last answers
                    let found = !peers.is_empty() || announces > 0;
                    return Ok(Exit::success_if(found));
                }
                NodeEvent::Dht(_) | NodeEvent::Item(..) => {}
            }
        }
    }
    Ok(Exit::Stopped)
}

/// Waits until a node has answered.
fn wait_for_nodes(node: &mut Node, secs: u64) -> Result<(), String> {
    let patience = Instant::now() + Duration::from_secs(secs);
    while node.known() == 0 && Instant::now() < patience && !interrupt::interrupted() {
        node.turn(Duration::from_millis(100))?;
    }
    Ok(())
}
