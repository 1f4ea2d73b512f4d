//! Runs an engine with a number of validators. See `validators run --help`.

use core::ops::Range;
use core::time::Duration;

use clap::ValueEnum;
use consensus::{Ed25519Key, Keys as _, ValidatorId};
use examples::cli::{self, refuse, within};

use crate::{aura, bft, clique, slots};

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
    /// Validators that are silent, from the beginning or from a second on
    #[arg(long, value_name = "INDEX[@SECOND],..", value_delimiter = ',', value_parser = parse_kill)]
    kill: Vec<Kill>,
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

/// A validator that is silent from a time on.
#[derive(Debug, Clone, Copy)]
struct Kill {
    index: usize,
    at: Duration,
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
    let killed = args.kill.iter().map(|kill| kill.index);
    let mut faulty = killed.chain(args.equivocate);
    if let Some(index) = faulty.find(|index| *index >= args.validators) {
        return refuse(&format!("validator {index} of {} does not exist", args.validators));
    }
    match args.engine {
        Engine::Bft => bft::run(args),
        Engine::Slot => slots::run(args),
        Engine::Clique => clique::run(args, &args.ids()),
        Engine::Aura => aura::run(args, &args.ids()),
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

    /// Returns the ids of the validators.
    fn ids(&self) -> Vec<ValidatorId> {
        self.keys().iter().map(Ed25519Key::id).collect()
    }

    /// Returns whether a validator is silent at this time.
    pub fn is_dead(&self, index: usize, now: Duration) -> bool {
        self.kill.iter().any(|kill| kill.index == index && kill.at <= now)
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

fn parse_kill(text: &str) -> Result<Kill, String> {
    let (index, second) = text.split_once('@').unwrap_or((text, "0"));
    let parsed = index.parse().ok().zip(second.parse().ok().filter(|second| *second <= 3600));
    let kill = parsed.map(|(index, second)| Kill { index, at: Duration::from_secs(second) });
    kill.ok_or_else(|| "an index such as 3, or 3@8 from the eighth second on, is expected".into())
}

fn parse_span(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(from, to)| {
        let from = from.parse().ok()?;
        let to = to.parse().ok()?;
        (from < to && to <= 3600).then_some(from..to)
    });
    parsed.ok_or_else(|| "two numbers of seconds such as 2..8 are expected".into())
}
