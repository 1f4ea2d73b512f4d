//! `ledger follow`: the transactions of a network as they come.

use core::time::Duration;
use std::path::PathBuf;

use examples::cli::{self, Exit, sentence};
use examples::interrupt::{self, interrupted};
use examples::report;
use ledger_core::Block;

use super::Network;
use super::client::Client;

/// Print the blocks of a network as they come, each of them checked
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger follow harbour --until 10")]
pub struct Args {
    /// The folder with chain.toml
    folder: PathBuf,
    /// Stop at this height
    #[arg(long, value_name = "HEIGHT")]
    until: Option<u64>,
}

pub fn run(args: &Args) -> cli::Result {
    interrupt::install();
    let network = Network::read(&args.folder)?;
    let mut chain = network.chain()?;
    let mut client = Client::connect_any(&network, *chain.genesis_id())?;
    let mut blocks = Vec::new();
    while !interrupted() {
        client.fetch(&mut chain, &mut blocks)?;
        for bytes in blocks.drain(..) {
            let (block, _) = Block::decode(&bytes).map_err(sentence)?;
            let height = block.header().height;
            report!("block {height} {}", block.id(chain.genesis_id()));
            for signed in block.body() {
                report!("{height} {signed}");
            }
        }
        if args.until.is_some_and(|until| chain.tip().height.0 >= until) {
            return Ok(Exit::Success);
        }
        client.wait(chain.tip().id, Duration::from_secs(1))?;
    }
    Ok(Exit::Stopped)
}
