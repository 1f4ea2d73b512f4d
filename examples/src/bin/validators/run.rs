//! Runs an engine with a number of validators. See `validators run --help`.

use core::ops::Range;
use core::time::Duration;

use clap::ValueEnum;
use consensus::{Ed25519Key, Keys as _};
use examples::cli::{self, refuse, within};

use crate::{bft, slots, turns};

/// Run validators on a network in virtual time until they have made some blocks
///
/// `bft`: Tendermint, blocks are final at once. `slot`: a drawn proposer for each slot and finality by Casper FFG. `clique`:
/// authorities in turn, others step in (EIP-225). `aura`: one authority for each step of time, rolling finality.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: validators run --engine bft --validators 4 --kill 3 --explain")]
pub struct Args {
    /// The engine
    #[arg(long, value_enum, default_value_t = Engine::Bft)]
    engine: Engine,
    /// The number of validators
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = within(1..=50_usize))]
    pub validators: usize,
    /// The number of blocks; for `slot` the number of slots
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = within(1..=1000_u64))]
    pub blocks: u64,
    /// Validators that are silent from the beginning
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub kill: Vec<usize>,
    /// A validator that signs two different statements where it should sign one
    #[arg(long, value_name = "INDEX")]
    pub equivocate: Option<usize>,
    /// The seconds during which validators with even and odd indices do not reach each other
    #[arg(long, value_name = "FROM..TO", value_parser = parse_span)]
    pub partition: Option<Range<u64>>,
    /// Print why each proposer was chosen
    #[arg(long)]
    pub explain: bool,
    /// The seed of the delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Bft,
    Slot,
    Clique,
    Aura,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let faulty = args.kill.iter().chain(&args.equivocate);
    if let Some(index) = faulty.clone().find(|index| **index >= args.validators) {
        return refuse(&format!("validator {index} of {} does not exist", args.validators));
    }
    match args.engine {
        Engine::Bft => bft::run(args),
        Engine::Slot => slots::run(args),
        Engine::Clique => turns::clique(args),
        Engine::Aura => turns::aura(args),
    }
}

impl Args {
    /// Returns the keys of the validators in the order of their ids, which is that of their indices.
    pub fn keys(&self) -> Vec<Ed25519Key> {
        let secret = |n: usize| [n as u8 + 1; 32];
        let mut keys: Vec<_> =
            (0..self.validators).map(|n| Ed25519Key::from_secret(&secret(n))).collect();
        keys.sort_by_key(Ed25519Key::id);
        keys
    }

    /// Returns the time of the partition.
    pub fn partition(&self) -> Range<Duration> {
        let span = self.partition.clone().unwrap_or(0..0);
        Duration::from_secs(span.start)..Duration::from_secs(span.end)
    }
}

/// Returns the digest of the block that a validator makes at a height.
pub fn block(height: u64, author: usize, variant: u8) -> [u8; 32] {
    let mut digest = [variant; 32];
    digest[..8].copy_from_slice(&height.to_be_bytes());
    digest[8] = author as u8 + 1;
    digest
}

fn parse_span(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(from, to)| {
        let from = from.parse().ok()?;
        let to = to.parse().ok()?;
        (from < to && to <= 3600).then_some(from..to)
    });
    parsed.ok_or_else(|| "two numbers of seconds such as 2..8 are expected".into())
}
