//! Proof of work: a nonce search on all cores or in a pool; what attackers and difficulty rules do. See `mine --help`.

mod attack;
mod pool;
mod retarget;
mod search;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use examples::cli::{self, Common};

/// Proof of work: a nonce search on all cores or in a pool; what attackers and difficulty rules do.
#[derive(Parser)]
#[command(
    name = "mine",
    after_help = "Example: cargo run --release -p programs --bin mine -- search --bits 24 'one song'"
)]
struct Program {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    #[command(visible_alias = "mine")]
    Search(search::Args),
    Pool(pool::Args),
    Attack(attack::Args),
    Retarget(retarget::Args),
}

fn main() -> ExitCode {
    cli::run(
        |program: &Program| program.common,
        |program| match program.command {
            Command::Search(args) => search::run(&args),
            Command::Pool(args) => pool::run(args),
            Command::Attack(args) => attack::run(&args),
            Command::Retarget(args) => retarget::run(&args),
        },
    )
}
