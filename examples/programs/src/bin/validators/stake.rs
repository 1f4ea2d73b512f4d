//! Nothing at stake: what it costs to sign both branches of a fork. See `validators nothing-at-stake --help`.

use consensus::stake::{BondSlot, StakeBook, StakeConfig};
use consensus::{Offence, OffenceKind, ValidatorId};
use examples::cli::{self, Exit, sentence, within};
use sim::Rng;

/// Show why validators sign both branches of a fork if nothing is at stake, and stop if their bond is
///
/// In each slot a fork appears with some probability, and one branch survives by chance. A validator that signs one branch
/// is rewarded if that one survives. One that signs both is always rewarded; with `--slashing` any honest validator that
/// receives both signatures proves the offence, and the bond is lost.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: validators nothing-at-stake --slashing")]
pub struct Args {
    /// Take the bond of a validator that signed both branches
    #[arg(long)]
    slashing: bool,
    /// The number of slots
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = within(1..=1_000_000_u32))]
    slots: u32,
    /// How many of 100 slots have a fork
    #[arg(long, value_name = "PERCENT", default_value_t = 20, value_parser = within(0..=100_u64))]
    forks: u64,
    /// The bond of each validator
    #[arg(long, value_name = "COINS", default_value_t = 1000, value_parser = within(1..=1_000_000_000_u64))]
    bond: u64,
    /// The reward of each slot
    #[arg(long, value_name = "COINS", default_value_t = 1, value_parser = within(0..=1_000_000_u64))]
    reward: u64,
    /// The seed of the forks
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let one = ValidatorId([1; 32]);
    let both = ValidatorId([2; 32]);
    let mut config = StakeConfig::new();
    config.slash_per_mille = 1000;
    config.unbonding = u64::from(args.slots) + 1;
    let mut book = StakeBook::new(config, [BondSlot::EMPTY; 2]);
    for id in [one, both] {
        book.bond(id, args.bond).map_err(sentence)?;
    }
    book.advance(u64::from(args.slots) + 1);
    let epoch = u64::from(args.slots) + 1;
    let mut rng = Rng::new(args.seed);
    let mut rewards = [0_u64; 2];
    let mut forks = 0_u32;
    let mut lost = 0;
    for slot in 1..=u64::from(args.slots) {
        let is_forked = rng.below(100) < args.forks;
        let survives = rng.below(2) == 0;
        forks += u32::from(is_forked);
        if !is_forked || survives {
            rewards[0] += args.reward;
        }
        if lost == 0 {
            rewards[1] += args.reward;
        }
        if is_forked && args.slashing && lost == 0 {
            let offence = Offence { author: both, kind: OffenceKind::DoubleProposal, slot };
            lost = book.slash(&offence, epoch).map_err(sentence)?;
            println!("slot {slot}: signed both branches, the bond of {lost} is lost");
        }
    }
    println!("{} slots, {forks} forks", args.slots);
    println!("signs one branch:    {:>8} coins earned, {:>8} lost", rewards[0], 0);
    println!("signs both branches: {:>8} coins earned, {lost:>8} lost", rewards[1]);
    let gain = i128::from(rewards[1]) - i128::from(lost) - i128::from(rewards[0]);
    println!("signing both gains {gain} coins");
    Ok(Exit::Success)
}
