//! Validators of a chain: engines of consensus in virtual time and on emulated boards, an economy with nothing at stake,
//! and the interchange format of signing guards. See `validators --help`.

mod aura;
mod authorities;
mod bft;
mod chain;
mod clique;
mod devices;
mod interchange;
mod net;
mod run;
mod slots;
mod stake;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use examples::cli::{self, Common};

/// Validators of a chain: engines of consensus in virtual time and on emulated boards, an economy with nothing at stake,
/// and the interchange format of signing guards.
#[derive(Parser)]
#[command(
    name = "validators",
    after_help = "Example:\n  validators run --engine bft --kill 3 --explain\n  \
                  validators run --engine aura --kill 2@8 --partition 12..30\n  validators nothing-at-stake --slashing\n  \
                  validators import interchange.json --guard guard.txt"
)]
struct Program {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    NothingAtStake(stake::Args),
    Devices(devices::Args),
    Import(interchange::Import),
    Export(interchange::Export),
}

fn main() -> ExitCode {
    cli::run(
        |program: &Program| program.common,
        |program| match program.command {
            Command::Run(args) => run::run(&args),
            Command::NothingAtStake(args) => stake::run(&args),
            Command::Devices(args) => devices::run(&args),
            Command::Import(args) => interchange::import(&args),
            Command::Export(args) => interchange::export(&args),
        },
    )
}
