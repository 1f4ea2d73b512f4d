//! A chain in a folder: `chain.txt` says what makes the chain, `blocks` holds each block behind its length.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use examples::cli::{self, Exit, failed, sentence, within};
use examples::rules::RuleError;
use examples::{progress, warning};
use ledger_core::ledger::Standard;
use ledger_core::{Account, Chain, ChainSpec, ChainVec, ReplayError, Rules};
use pow::{CompactTarget, Target, WorkSeal};

use crate::network::Network;
use crate::network::client::Client;
use crate::network::rule::Rule;
use crate::{hex, lock, wallet};

const VERSION: &str = "ledger-core chain 1";
/// Files of a chain.
const SPEC: &str = "chain.txt";
const BLOCKS: &str = "blocks";

pub type FolderChain = Chain<Rule, Standard, ChainVec>;

/// Create a chain in a folder
///
/// All coins belong to one wallet at first. Each block is sealed by work.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger create chain --wallet ann.key --coins 1000")]
pub struct Create {
    /// The folder, which must not exist
    folder: PathBuf,
    /// The key of the account that owns the coins
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// How many coins there are
    #[arg(long, value_name = "N", default_value_t = 1000)]
    coins: u64,
    /// A name, up to 64 bytes; chains with other names have other ids
    #[arg(long, value_name = "TEXT", default_value = "ledger")]
    name: String,
    /// The zero bits at the beginning of each block id, 0 to 40; each doubles the work
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = within(0..=40_u32))]
    bits: u32,
}

/// What makes the chain.
pub struct Spec {
    name: String,
    time: u64,
    bits: u32,
    allocation: Vec<(Account, u64)>,
}

/// A chain and the blocks it was built from.
pub struct Folder {
    pub chain: FolderChain,
    pub blocks: Vec<Vec<u8>>,
    pub source: Source,
}

/// Where the blocks of a chain are, and how one is added.
pub enum Source {
    /// In a file of this machine: this program seals it.
    File { path: PathBuf, bits: CompactTarget },
    /// Among the nodes of a network: they seal it.
    Network(Box<Client>),
}

pub fn create(args: &Create) -> cli::Result {
    let owner = wallet::load(&args.wallet)?.account();
    if args.name.contains('\n') {
        return cli::refuse("a name is one line");
    }
    let spec = Spec {
        name: args.name.clone(),
        time: unix_time(),
        bits: args.bits,
        allocation: vec![(owner, args.coins)],
    };
    let chain = spec.chain()?;
    fs::create_dir(&args.folder).map_err(failed("create", &args.folder))?;
    cli::write(&args.folder.join(SPEC), spec.to_text().as_bytes())?;
    cli::write(&args.folder.join(BLOCKS), &[])?;
    println!("chain {}", chain.genesis_id());
    Ok(Exit::Success)
}

/// Returns the clock.
pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Spec {
    fn read(folder: &Path) -> cli::Result<Self> {
        let path = folder.join(SPEC);
        let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
        let malformed = || format!("{} is not the description of a chain", path.display());
        let mut lines = text.lines();
        if lines.next() != Some(VERSION) {
            return Err(malformed());
        }
        let mut spec = Self { name: String::new(), time: 0, bits: 0, allocation: Vec::new() };
        for line in lines {
            let (key, value) = line.split_once(' ').ok_or_else(malformed)?;
            match key {
                "name" => value.clone_into(&mut spec.name),
                "time" => spec.time = value.parse().map_err(|_| malformed())?,
                "bits" => spec.bits = value.parse().map_err(|_| malformed())?,
                "owner" => {
                    let (account, coins) = value.split_once(' ').ok_or_else(malformed)?;
                    let account = Account::from_bytes(hex::decode32(account)?);
                    spec.allocation.push((account, coins.parse().map_err(|_| malformed())?));
                }
                _ => return Err(malformed()),
            }
        }
        Ok(spec)
    }

    fn to_text(&self) -> String {
        let owners =
            self.allocation.iter().map(|(account, coins)| format!("owner {account} {coins}\n"));
        let owners: String = owners.collect();
        format!("{VERSION}\nname {}\ntime {}\nbits {}\n{owners}", self.name, self.time, self.bits)
    }

    fn target(&self) -> CompactTarget {
        Target::from_zero_bits(self.bits).to_compact()
    }

    fn chain(&self) -> cli::Result<FolderChain> {
        let mut rules = Rules::DEFAULT;
        rules.max_writes = 256;
        let engine = WorkSeal::new(self.target()).map(Rule::Work).map_err(sentence)?;
        let allocation = &self.allocation;
        let spec = ChainSpec { name: &self.name, rules, time: self.time, allocation };
        Chain::new(&spec, engine, Standard, ChainVec::new(&rules)).map_err(sentence)
    }
}

/// Reads a chain without its blocks, and the blocks. Those of a network come from the first node that answers, and are
/// checked on the way.
pub fn read(folder: &Path) -> cli::Result<(FolderChain, Vec<Vec<u8>>, Source)> {
    if Network::is_in(folder) {
        let network = Network::read(folder)?;
        let mut chain = network.chain()?;
        let mut client = Client::connect_any(&network, *chain.genesis_id())?;
        let mut blocks = Vec::new();
        client.fetch(&mut chain, &mut blocks)?;
        return Ok((network.chain()?, blocks, Source::Network(Box::new(client))));
    }
    let spec = Spec::read(folder)?;
    let path = folder.join(BLOCKS);
    let bytes = fs::read(&path).map_err(failed("read", &path))?;
    let source = Source::File { path, bits: spec.target() };
    Ok((spec.chain()?, split(&bytes), source))
}

/// Waits until no other run adds to a chain in a folder, and keeps others from it until the result is dropped. What an
/// interrupted run left of a block is cut off. The nodes of a network need no lock.
pub fn lock(folder: &Path) -> cli::Result<Option<File>> {
    if Network::is_in(folder) {
        return Ok(None);
    }
    let path = folder.join(BLOCKS);
    let lock = lock::lock(&path)?;
    let bytes = fs::read(&path).map_err(failed("read", &path))?;
    let len = whole_len(&bytes);
    let left = bytes.len() - len;
    if left > 0 {
        cut(&path, len as u64).map_err(failed("write", &path))?;
        warning!("cut off {left} bytes that an interrupted run left in {}", path.display());
    }
    Ok(Some(lock))
}

/// Returns the length of the blocks that are there as a whole.
fn whole_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((len, block)) = rest.split_first_chunk::<4>() {
        let Some(after) = block.get(u32::from_be_bytes(*len) as usize..) else { break };
        rest = after;
    }
    bytes.len() - rest.len()
}

/// Returns the blocks of a file. What a cut left of the last one is a block that cannot be read.
fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let len = u32::from_be_bytes(*len) as usize;
        let (block, rest) = rest.split_at(len.min(rest.len()));
        blocks.push(block.to_vec());
        bytes = rest;
    }
    blocks
}

impl Folder {
    /// Opens a chain: every block is checked.
    pub fn open(path: &Path) -> cli::Result<Self> {
        let (mut chain, blocks, source) = read(path)?;
        let shown = blocks.iter().zip(1_u64..).map(|(block, height)| {
            progress::show(|| format!("checking block {height} of {}", blocks.len()));
            block
        });
        let replayed = chain.replay(unix_time().saturating_add(5), shown);
        progress::clear();
        replayed.map_err(|fault: ReplayError<RuleError>| sentence(fault))?;
        Ok(Self { chain, blocks, source })
    }

    /// Checks a block, and appends it to the file.
    pub fn append(&mut self, block: &[u8]) -> cli::Result<()> {
        self.chain.append(unix_time(), block).map_err(sentence)?;
        if let Source::File { path, .. } = &self.source {
            write(path, block).map_err(failed("write", path))?;
        }
        self.blocks.push(block.to_vec());
        Ok(())
    }
}

fn write(path: &Path, block: &[u8]) -> io::Result<()> {
    let len = u32::try_from(block.len()).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().append(true).open(path)?;
    let before = file.metadata()?.len();
    let written = file.write_all(&[&len.to_be_bytes()[..], block].concat());
    if written.is_err() {
        cut(path, before)?; // a full disk leaves no part of a block
    }
    written?;
    file.sync_all()
}

fn cut(path: &Path, len: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_len(len)
}
