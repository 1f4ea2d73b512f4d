//! `ledger node`: one node of a network, or a whole network on this machine.

use core::net::SocketAddr;
use core::sync::atomic::AtomicBool;
use std::fs;
use std::path::PathBuf;
use std::thread;

use clap::ValueEnum;
use consensus::validator_id;
use examples::cli::{self, Exit, failed, within};
use examples::interrupt;

use super::daemon::Daemon;
use super::trace::Trace;
use super::{FILE, Network, Seal, join};
use crate::store::unix_time;
use crate::wallet;

/// Run a node of a chain among a few machines
///
/// The folder has `chain.toml`, which all nodes share, and for each node N the key `node-N.key` and the file
/// `node-N.redb` with its blocks. With --local all nodes run here; the folder is created if needed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  ledger node harbour --local 4\n  ledger node harbour --number 2"
)]
pub struct Args {
    /// The folder of the network
    folder: PathBuf,
    /// Which node of chain.toml to run, beginning with 1
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "local")]
    number: usize,
    /// Run this number of nodes on this machine
    #[arg(long, value_name = "N", value_parser = within(1..=16_usize))]
    local: Option<usize>,
    /// The port of the first node of a new local network; the others follow
    #[arg(long, value_name = "PORT", default_value_t = 4200)]
    port: u16,
    /// Who makes the blocks of a new local network
    #[arg(long, value_enum, default_value_t = Kind::Authority)]
    seal: Kind,
    /// Join by the state of a block that is deep enough, instead of all blocks; only if the node has none yet
    #[arg(long, conflicts_with = "local")]
    snapshot: bool,
    /// Append a line for each message, block and connection to a file
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The nodes, in turn
    Authority,
    /// The node that finds a nonce first
    Work,
    /// The node that is drawn by its stake: 1 for the first node, 2 for the second and so on
    Stake,
}

pub fn run(args: &Args) -> cli::Result {
    interrupt::install();
    let Some(count) = args.local else {
        let network = Network::read(&args.folder)?;
        let daemon = open(&network, args, args.number)?;
        println!("node {} {}", args.number, daemon.describe());
        daemon.run(&AtomicBool::new(false))?;
        return Ok(Exit::Stopped);
    };
    if !Network::is_in(&args.folder) {
        create(args, count)?;
    }
    let network = Network::read(&args.folder)?;
    let mut daemons = Vec::new();
    for number in 1..=count.min(network.nodes.len()) {
        let daemon = open(&network, args, number)?;
        println!("node {number} {}", daemon.describe());
        daemons.push(daemon);
    }
    for (account, coins) in &network.owners {
        println!("owner {account} {coins}");
    }
    let run = |daemon: Daemon| thread::spawn(move || daemon.run(&AtomicBool::new(false)));
    for running in daemons.into_iter().map(run).collect::<Vec<_>>() {
        running.join().map_err(|_| "a node has failed")??;
    }
    Ok(Exit::Stopped)
}

/// Opens a node.
fn open(network: &Network, args: &Args, number: usize) -> cli::Result<Daemon> {
    let folder = &args.folder;
    let address = number.checked_sub(1).and_then(|at| network.nodes.get(at));
    let address = *address.ok_or_else(|| format!("{FILE} lists no node {number}"))?;
    let key = folder.join(format!("node-{number}.key"));
    let key = if key.exists() { Some(wallet::load(&key)?) } else { None };
    let file = folder.join(format!("node-{number}.redb"));
    if args.snapshot {
        join::join(network, &file, address)?;
    }
    let mut daemon = Daemon::open(network.clone(), &file, address, key)?;
    if let Some(path) = &args.trace {
        daemon.trace = Trace::open(path, number)?;
    }
    Ok(daemon)
}

/// Creates a network on this machine: a key for each node, and one that owns all coins.
fn create(args: &Args, count: usize) -> cli::Result<()> {
    let folder = &args.folder;
    fs::create_dir_all(folder).map_err(failed("create", folder))?;
    let owner = wallet::load_or_create(&folder.join("owner.key"))?.account();
    let mut keys = Vec::new();
    let mut nodes = Vec::new();
    for number in 0..count {
        let path = folder.join(format!("node-{}.key", number + 1));
        keys.push(validator_id(&wallet::load_or_create(&path)?));
        let port = args.port.checked_add(number as u16).ok_or("the port is too high")?;
        nodes.push(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let seal = match args.seal {
        Kind::Authority => Seal::Authority { period: 1, keys },
        Kind::Work => Seal::Work { bits: 16 },
        Kind::Stake => Seal::Stake { patience: 2, validators: keys.into_iter().zip(1..).collect() },
    };
    let name = folder.file_name().map_or("local".into(), |name| name.to_string_lossy());
    let network = Network {
        name: name.chars().take(32).filter(char::is_ascii).collect(),
        time: unix_time(),
        seal,
        owners: vec![(owner, 1000)],
        nodes,
    };
    cli::write(&folder.join(FILE), network.to_text().as_bytes())
}
