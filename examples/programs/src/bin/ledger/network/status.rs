//! `ledger status`: how far each node of a network is.

use std::path::PathBuf;

use examples::cli::{self, Exit};

use super::Network;
use super::client::Client;

/// Show how far each node of a network is
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger status harbour")]
pub struct Args {
    /// The folder with chain.toml
    folder: PathBuf,
}

pub fn run(args: &Args) -> cli::Result {
    let network = Network::read(&args.folder)?;
    let genesis = *network.chain()?.genesis_id();
    println!("chain {genesis}");
    let mut found = false;
    for (number, address) in (1..).zip(&network.nodes) {
        match Client::connect(&network, *address, genesis) {
            Ok(client) => {
                found = true;
                let status = client.status;
                println!("node {number} {address} height {} tip {}", status.height, status.tip);
            }
            Err(error) => println!("node {number} {error}"),
        }
    }
    Ok(Exit::success_if(found))
}
