//! The lectures checked line by line by the crates. See `learn --help`.

mod lab;
mod slides;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use examples::cli::{self, Common};

/// The lectures checked line by line by the crates.
#[derive(Parser)]
#[command(
    name = "learn",
    after_help = "Example: cargo run --release -p programs --bin learn -- slides chord"
)]
struct Program {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Slides(slides::Args),
    Lab(lab::Args),
}

fn main() -> ExitCode {
    cli::run(
        |program: &Program| program.common,
        |program| match program.command {
            Command::Slides(args) => Ok(slides::run(&args)),
            Command::Lab(args) => lab::run(&args),
        },
    )
}
