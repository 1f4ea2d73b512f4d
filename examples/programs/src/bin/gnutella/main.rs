//! Gnutella over TCP, the central index of Napster, and what a search costs on networks of each kind. See `gnutella --help`.

mod flood;
mod napster;
mod servent;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use examples::cli::{self, Common};

/// Gnutella over TCP, the central index of Napster, and what a search costs on networks of each kind.
#[derive(Parser)]
#[command(
    name = "gnutella",
    after_help = "Example: cargo run --release -p programs --bin gnutella -- flood"
)]
struct Program {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Servent(servent::Args),
    Napster(napster::Args),
    Flood(flood::Args),
}

fn main() -> ExitCode {
    cli::run(
        |program: &Program| program.common,
        |program| match program.command {
            Command::Servent(args) => servent::run(args),
            Command::Napster(args) => napster::run(args),
            Command::Flood(args) => flood::run(&args),
        },
    )
}
