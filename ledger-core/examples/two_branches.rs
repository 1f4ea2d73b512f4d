//! Two miners find blocks at the same time; a node follows the branch that grows first, and loses nothing.
//!
//! `cargo run -p ledger-core --example two_branches --features alloc`

use core::convert::Infallible;
use core::error::Error;
use core::time::Duration;
use std::collections::BTreeMap;

use ledger_core::ledger::Standard;
use ledger_core::node::{Event, Node, NodeConfig, NodeLimits, NodeVec, Progress};
use ledger_core::{
    Account, Ancestry, Block, BlockId, Body, Chain, ChainSpec, ChainVec, Claim, ConnId, Engine,
    Hash, Header, Refused, Rules, Weight,
};

/// Accepts every block. `pow` and `consensus` bring engines for work, stake and authority.
#[derive(Debug, Clone)]
struct Open;

impl Engine for Open {
    type Error = Infallible;

    fn digest(&self) -> Hash {
        Hash::of(b"open")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        _: &Header,
        _: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<Infallible>> {
        Ok(Weight(1))
    }
}

const SPEC: ChainSpec<'_> =
    ChainSpec { name: "two branches", rules: Rules::SMALL, time: 0, allocation: &[] };
const NOW: Duration = Duration::from_secs(1000);

/// Returns the blocks of a miner, which differ from those of others by the author.
fn mine(author: u8, count: u64) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut chain = Chain::new(&SPEC, Open, Standard, ChainVec::new(&SPEC.rules))?;
    let mut blocks = Vec::new();
    for time in 1..=count {
        let author = Account::from_bytes([author; 32]);
        let header = chain.propose(time, author, &Body::default(), Claim::NONE)?;
        let block = Block::new(header, &[], Body::default())?;
        let mut bytes = vec![0; block.encoded_len()];
        block.encode(&mut bytes)?;
        chain.append(time, &bytes)?;
        blocks.push(bytes);
    }
    Ok(blocks)
}

fn main() -> Result<(), Box<dyn Error>> {
    let config = NodeConfig::new(6, 0x5EED); // a real seed is random
    let storage = NodeVec::new(NodeLimits::new(&SPEC.rules, &config));
    let mut node = Node::new(&SPEC, config, Open, Standard, storage)?;
    let mut disk: BTreeMap<BlockId, Vec<u8>> = BTreeMap::new();

    for (miner, blocks) in [("Ann", mine(1, 2)?), ("Ben", mine(2, 3)?)] {
        for block in &blocks {
            let id = Block::decode(block)?.0.id(node.genesis_id());
            println!("{miner} sends block {id:.8}");
            disk.insert(id, block.clone());
            node.handle_block(NOW, ConnId(0), block)?;
            serve(&mut node, &disk);
        }
    }
    println!("the chain ends in block {} {:.8}", node.tip().height, node.tip().id);
    Ok(())
}

/// Lets the node work, and does what it asks for.
fn serve(node: &mut Node<Open, Standard, NodeVec>, disk: &BTreeMap<BlockId, Vec<u8>>) {
    loop {
        while node.work(100) == Progress::Pending {}
        let Some(event) = node.poll_event() else { return };
        match event {
            Event::Keep { id, .. } => node.handle_saved(NOW, &id), // here, all blocks are stored
            Event::Need { id, .. } => {
                let block = disk.get(&id).map(Vec::as_slice).unwrap_or_default();
                if let Err(refused) = node.handle_block(NOW, ConnId(0), block) {
                    println!("  {refused}");
                }
            }
            Event::Connected { id, height } => println!("  connected {height} {id:.8}"),
            Event::Disconnected { id, height } => println!("  disconnected {height} {id:.8}"),
            _ => {}
        }
    }
}
