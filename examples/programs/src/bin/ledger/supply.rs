//! `ledger supply-chain`: the bulletin board of the lectures on four replicas.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, process, thread};

use consensus::validator_id;
use examples::cli::{self, Exit, Out, failed, sentence};
use ledger_core::{Action, Block, BlockId, Hash, KeyPair};

use crate::act::sign;
use crate::network::client::Client;
use crate::network::daemon::Daemon;
use crate::network::{Network, Seal};
use crate::proof;
use crate::store::{FolderChain, unix_time};

/// Who keeps a replica, and what it states.
const BOARD: [(&str, &str); 4] = [
    ("producer", "10432 barrels produced in Thasos on Dec 26, 2022"),
    ("carrier", "6327 barrels transported from Thasos to ELPE Refinery on Dec 26, 2022 at 2:30 pm"),
    ("refinery", "Received 6327 barrels on Dec 26, 2022 at 8:48 pm"),
    ("ministry", ""),
];
/// The number of records.
const RECORDS: u64 = 3;
/// How long the replicas may take to have the same blocks.
const PATIENCE: Duration = Duration::from_secs(30);
/// The copy that is edited, and how.
const EDITED: usize = 1;
const EDIT: (&[u8], &[u8]) = (b"6327 barrels transported", b"6027 barrels transported");

/// The bulletin board of the lectures: three records on four replicas, an edited copy, and an auditor
///
/// Four nodes on this machine gossip over TCP. Each party signs what it states and hands it to its own node, the parties
/// take turns to seal blocks, and all keep the chain. One of them changes its copy. The ministry counts the barrels, and an
/// auditor who stores one block id checks a proof of each record.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger supply-chain --out target/out")]
pub struct Args {
    #[command(flatten)]
    out: Out,
}

/// A party with its copy of the chain.
struct Replica {
    name: &'static str,
    chain: FolderChain,
    blocks: Vec<Vec<u8>>,
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn run(args: &Args) -> cli::Result {
    let folder = Folder(env::temp_dir().join(format!("ledger-board-{}", process::id())));
    fs::create_dir_all(&folder.0).map_err(failed("create", &folder.0))?;
    let network = network()?;
    let mut daemons = Vec::new();
    for (number, (name, _)) in BOARD.iter().enumerate() {
        let file = folder.0.join(format!("{name}.redb"));
        let address = network.nodes[number];
        let mut daemon = Daemon::open(network.clone(), &file, address, Some(key(name)))?;
        daemon.is_quiet = true;
        daemons.push(daemon);
    }
    let stop = AtomicBool::new(false);
    let mut replicas = thread::scope(|scope| {
        for daemon in daemons {
            let stop = &stop;
            scope.spawn(move || {
                if let Err(error) = daemon.run(stop) {
                    eprintln!("warning: {error}");
                }
            });
        }
        let replicas = state_all(&network).and_then(|()| replicate(&network));
        stop.store(true, Ordering::Relaxed);
        replicas
    })?;
    let equal = replicas.iter().all(|replica| replica.blocks == replicas[0].blocks);
    println!("four copies, equal byte for byte: {equal}");

    edit(&mut replicas[EDITED].blocks);
    let found = audit(&network, &replicas)?;
    let numbers = reconcile(&replicas[3].blocks)?;
    let checkpoint = replicas[3].chain.tip().id;
    let proofs = prove(&replicas[3], args)?;
    let proved = check(&proofs, &checkpoint, &args.out.out)?;
    Ok(Exit::success_if(equal && found == [2] && numbers == 4105 && proved == 3))
}

fn key(name: &str) -> KeyPair {
    KeyPair::from_secret(Hash::of(name.as_bytes()).as_bytes())
}

/// The four parties as authorities, on free ports of this machine.
fn network() -> cli::Result<Network> {
    let listen = |_| TcpListener::bind(("127.0.0.1", 0)).map_err(sentence);
    let listeners = (0..BOARD.len()).map(listen).collect::<Result<Vec<_>, _>>()?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(sentence);
    let nodes: Vec<SocketAddr> = listeners.iter().map(address).collect::<Result<_, _>>()?;
    let keys = BOARD.map(|(name, _)| validator_id(&key(name)));
    Ok(Network {
        name: "barrels".into(),
        time: unix_time(),
        seal: Seal::Authority { period: 1, keys: keys.to_vec() },
        owners: Vec::new(),
        nodes,
    })
}

/// Each party hands its statement to its own node, and waits until it is in a block.
fn state_all(network: &Network) -> cli::Result<()> {
    for ((name, text), address) in BOARD.into_iter().zip(&network.nodes).take(RECORDS as usize) {
        let key = key(name);
        let mut chain = network.chain()?;
        let genesis = *chain.genesis_id();
        let mut client = Client::connect(network, *address, genesis)?;
        let mut blocks = Vec::new();
        client.fetch(&mut chain, &mut blocks)?;
        let statement = Action::Record(text.as_bytes());
        let sign = |sequence| sign(&genesis, &key, sequence, 0, statement);
        client.submit(&mut chain, &mut blocks, &key.account(), sign)?;
        println!("block {}: the {name} states: {text}", chain.tip().height);
    }
    Ok(())
}

/// Fetches the copy of each party from its node, once it has all records.
fn replicate(network: &Network) -> cli::Result<Vec<Replica>> {
    let start = Instant::now();
    let copy = |((name, _), address): ((&'static str, _), &SocketAddr)| {
        let mut chain = network.chain()?;
        let mut client = Client::connect(network, *address, *chain.genesis_id())?;
        let mut blocks = Vec::new();
        while chain.tip().height.0 < RECORDS {
            client.fetch(&mut chain, &mut blocks)?;
            client.wait(chain.tip().id, Duration::from_millis(100))?;
            if start.elapsed() > PATIENCE {
                return Err(format!("the node of the {name} does not have all records"));
            }
        }
        Ok(Replica { name, chain, blocks })
    };
    BOARD.into_iter().zip(&network.nodes).map(copy).collect()
}

/// Changes a statement in a copy of the chain.
fn edit(blocks: &mut [Vec<u8>]) {
    let (from, to) = EDIT;
    for block in blocks {
        let place = block.windows(from.len()).position(|window| window == from);
        if let Some(place) = place {
            block[place..place + to.len()].copy_from_slice(to);
        }
    }
}

/// Checks all copies, and returns the heights at which one does not fit.
fn audit(network: &Network, replicas: &[Replica]) -> cli::Result<Vec<u64>> {
    let mut found = Vec::new();
    for replica in replicas {
        let mut chain = network.chain()?;
        match chain.replay(u64::MAX, &replica.blocks) {
            Ok(tip) => println!("copy of the {}: {} blocks fit", replica.name, tip.height),
            Err(fault) => {
                println!("copy of the {}: {fault}", replica.name);
                found.push(fault.height.0);
            }
        }
    }
    Ok(found)
}

/// Counts the barrels on the board, and returns how many remain in Thasos.
fn reconcile(blocks: &[Vec<u8>]) -> cli::Result<u64> {
    let mut produced = 0_u64;
    let mut sent = 0_u64;
    let mut received = 0_u64;
    for bytes in blocks {
        let (block, _) = Block::decode(bytes).map_err(sentence)?;
        for signed in block.body() {
            let Action::Record(text) = signed.transaction().action else { continue };
            let text = String::from_utf8_lossy(text);
            let number = text.split(' ').find_map(|word| word.parse::<u64>().ok()).unwrap_or(0);
            let place = match &*text {
                text if text.contains("produced") => &mut produced,
                text if text.contains("transported") => &mut sent,
                text if text.contains("Received") => &mut received,
                _ => continue,
            };
            *place += number;
        }
    }
    let left = produced.checked_sub(sent).ok_or("more was sent than produced")?;
    println!("the ministry counts: {produced} produced, {sent} sent, {received} received");
    println!("{} lost on the way, {left} barrels remain in Thasos", sent.abs_diff(received));
    Ok(left)
}

/// Writes a proof of each record, and returns the names of the files.
fn prove(replica: &Replica, args: &Args) -> cli::Result<Vec<String>> {
    let mut names = Vec::new();
    for height in 1..=3 {
        let text = proof::of_record(&replica.chain, &replica.blocks, height)?;
        let name = format!("record-{height}.proof");
        args.out.write(&name, text)?;
        names.push(name);
    }
    Ok(names)
}

/// What an auditor does who has no chain, but the id of its last block.
fn check(proofs: &[String], checkpoint: &BlockId, folder: &Path) -> cli::Result<usize> {
    println!("the auditor stores 32 bytes: {checkpoint}");
    let mut proved = 0;
    for name in proofs {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
        match proof::check(&text, checkpoint) {
            Ok(statement) => {
                println!("{name} proves {statement}");
                proved += 1;
            }
            Err(why) => println!("{name} proves nothing: {why}"),
        }
    }
    Ok(proved)
}
