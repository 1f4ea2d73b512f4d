//! One search shared among many over TCP. See `mine pool --help`.

mod serve;
mod work;

use core::num::NonZeroU64;

use clap::Subcommand;
use examples::cli::{self, within};

/// One nonce search shared among many over TCP: the pool leases out nonces, workers send shares as proof of effort
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Example:
  mine pool serve --bits 26 'one song'
and, as often as you like:
  mine pool work 127.0.0.1:7333")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    Serve(Serve),
    Work(Work),
}

/// Lease out nonces until one is found or all were tried, and split the reward
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: mine pool serve --bits 26 'one song'")]
struct Serve {
    /// What is hashed, with eight bytes of nonce after it
    text: String,
    /// How many zero bits the SHA-256 has to begin with
    #[arg(long, value_name = "N", default_value_t = 28, value_parser = within(0..=255_u32))]
    bits: u32,
    /// How many zero bits that of a share has to begin with
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = within(0..=255_u32))]
    share_bits: u32,
    /// How many nonces one lease has
    #[arg(long, value_name = "N", default_value = "4194304")]
    lease: NonZeroU64,
    /// After how many seconds of silence a lease goes to another worker
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = within(1..=86_400_u64))]
    patience: u64,
    /// The last nonce to try
    #[arg(long = "to", value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    last: u64,
    /// What is split among the workers in the end
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    reward: u64,
    /// Where the pool listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7333")]
    listen: String,
}

/// Work for a pool until it ends
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: mine pool work 127.0.0.1:7333")]
struct Work {
    /// The address of the pool
    address: String,
}

/// Runs the subcommand.
pub fn run(args: Args) -> cli::Result {
    match args.command {
        Command::Serve(args) => serve::serve(&args),
        Command::Work(args) => work::work(&args.address),
    }
}
