//! The audit of a chain: every block is checked again.

use std::path::PathBuf;

use examples::cli::{self, Exit};
use examples::{progress, report};
use ledger_core::{Block, BlockId};

use crate::{hex, store};

/// Check every block of a chain, and say which one is the first that does not fit
///
/// That the chain is the one you know is shown by the id of its last block, which you have from elsewhere: --tip.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger audit chain --tip 00003f0c..77")]
pub struct Args {
    /// The folder of the chain
    folder: PathBuf,
    /// The id that the last block must have, 64 digits
    #[arg(long, value_name = "ID", value_parser = tip_of)]
    tip: Option<BlockId>,
}

/// Returns a block id, written as 64 hexadecimal digits.
pub fn tip_of(text: &str) -> Result<BlockId, String> {
    hex::decode32(text).map(BlockId::from_bytes)
}

pub fn run(args: &Args) -> cli::Result {
    let (mut chain, blocks, _) = store::read(&args.folder)?;
    for (height, bytes) in (1_u64..).zip(&blocks) {
        progress::show(|| format!("checking block {height} of {}", blocks.len()));
        if let Err(refused) = chain.append(store::unix_time().saturating_add(5), bytes) {
            report!("block {height} is invalid: {refused}");
            return Ok(Exit::Failure);
        }
        if let Ok((block, _)) = Block::decode(bytes) {
            for signed in block.body() {
                report!("{height} {signed}");
            }
        }
    }
    let tip = chain.tip();
    report!("chain {}", chain.genesis_id());
    println!("tip {} {}", tip.height, tip.id);
    println!(
        "{} entries, {} coins, state {}",
        chain.state().len(),
        chain.state().issued(),
        tip.state
    );
    if let Some(expected) = args.tip.filter(|expected| *expected != tip.id) {
        println!("this is not the chain that ends in {expected}");
        return Ok(Exit::Failure);
    }
    Ok(Exit::Success)
}
