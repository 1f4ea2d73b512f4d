//! A ledger in a folder or among a few machines: payments, unique assets and records in blocks, proofs for people who have
//! no chain, an audit, and a transparency log. See `ledger --help`.

mod act;
mod audit;
mod hex;
mod lock;
mod log;
mod network;
mod proof;
mod store;
mod supply;
mod wallet;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use examples::cli::{self, Common};

/// A ledger in a folder or among a few machines: payments, unique assets and records in blocks; proofs, an audit, and a
/// transparency log.
#[derive(Parser)]
#[command(
    name = "ledger",
    after_help = "Example:\n  ledger wallet ann.key\n  ledger create chain --wallet ann.key --coins 1000\n  \
                  ledger record chain --wallet ann.key '1,000 barrels left the harbour'\n  \
                  ledger prove chain --record 1 --output record.proof\n  ledger audit chain"
)]
struct Program {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Wallet(wallet::Args),
    Create(store::Create),
    Pay(act::Pay),
    Mint(act::Mint),
    Record(act::Record),
    Prove(proof::Prove),
    Verify(proof::Verify),
    Audit(audit::Args),
    Log(log::Args),
    Node(network::node::Args),
    Status(network::status::Args),
    Follow(network::follow::Args),
    SupplyChain(supply::Args),
}

fn main() -> ExitCode {
    cli::run(
        |program: &Program| program.common,
        |program| match program.command {
            Command::Wallet(args) => wallet::run(&args),
            Command::Create(args) => store::create(&args),
            Command::Pay(args) => act::pay(&args),
            Command::Mint(args) => act::mint(&args),
            Command::Record(args) => act::record(&args),
            Command::Prove(args) => proof::prove(&args),
            Command::Verify(args) => proof::verify(&args),
            Command::Audit(args) => audit::run(&args),
            Command::Log(args) => log::run(&args),
            Command::Node(args) => network::node::run(&args),
            Command::Status(args) => network::status::run(&args),
            Command::Follow(args) => network::follow::run(&args),
            Command::SupplyChain(args) => supply::run(&args),
        },
    )
}
