//! Chord over UDP, and rings in memory that fail, heal and are compared with other overlays. See `chord --help`.

mod lab;
mod node;
mod overlays;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use examples::cli::{self, Common};

/// Chord over UDP, and rings in memory that fail, heal and are compared with other overlays.
#[derive(Parser)]
#[command(
    name = "chord",
    after_help = "Example: cargo run --release -p programs --bin chord -- lab"
)]
struct Program {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Node(node::Args),
    Lab(lab::Args),
    Overlays(overlays::Args),
}

fn main() -> ExitCode {
    cli::run(
        |program: &Program| program.common,
        |program| match program.command {
            Command::Node(args) => node::run(&args),
            Command::Lab(args) => lab::run(&args),
            Command::Overlays(args) => overlays::run(&args),
        },
    )
}
