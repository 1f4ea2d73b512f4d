//! Blocks and ownership.

use ledger_core::{
    Action, Block, BlockError, Hash, MerkleTree, Refused, TransactionError, prove_inclusion,
};
use web::{Options, World as _, chain::Chain};

use super::lesson::{find, items, run};
use super::town::{Town, account};
use super::{Check, Fact, equal, fact, failed, holds};

/// A chain of five payments, and with a changed bit in a block; the height that an audit names.
fn changed(block: usize) -> Check {
    let mut town = Town::new()?;
    for amount in 1..=5 {
        town.pay(0, 1, amount)?;
    }
    let whole = town.audit(&town.blocks)?;
    let mut blocks = town.blocks.clone();
    let middle = blocks[block - 1].len() / 2;
    blocks[block - 1][middle] ^= 1;
    equal((whole, town.audit(&blocks)?), (None, Some(block as u64)))
}

/// Returns why a block of what waits is refused.
fn refusal(town: &mut Town) -> Option<TransactionError> {
    match town.block() {
        Err(Refused::Invalid(BlockError::Transaction { error, .. })) => Some(error),
        _ => None,
    }
}

pub const BLOCKS: &[Fact] = &[
    fact(
        "C-BLK-02",
        "data cannot be altered without altering all later blocks: five blocks, a word typed into the second",
        "ledger_core::Hash",
        "DT Blockchain",
        || {
            let view = run("chain", "", &[("data 2 word", 0)])?;
            let valid: Vec<String> = items(find(&view, &["blocks"])?)
                .iter()
                .filter_map(|block| find(block, &["valid"]).ok().map(ToString::to_string))
                .collect();
            equal(valid, ["true", "false", "false", "false", "false"].map(str::to_owned).to_vec())
        },
    ),
    fact(
        "C-BLK-03",
        "any manipulation stands out: a bit in block 3 of 5, and the block that the audit names",
        "ledger_core::ReplayError",
        "INTRO Technical Concepts (1)",
        || changed(3),
    )
    .but("E-35"),
    fact(
        "C-BLK-04",
        "a reference becomes invalid once the data change: the hash tree of five records",
        "ledger_core::MerkleTree",
        "INTRO Technical Concepts (1)",
        || {
            let records = ["a", "b", "c", "d", "e"];
            let root = |records: &[&str]| {
                let leaves: Vec<Hash> =
                    records.iter().map(|one| MerkleTree::leaf(one.as_bytes())).collect();
                MerkleTree::root_of(&leaves)
            };
            let other = |at: usize| {
                let mut records = records;
                records[at] = "x";
                root(&records) != root(&["a", "b", "c", "d", "e"])
            };
            equal((0..5).filter(|at| other(*at)).count(), 5)
        },
    ),
    fact(
        "C-BLK-06",
        "the cost of a proof of inclusion is logarithmic: hashes for 8, 1,024 and 2^20 records",
        "ledger_core::Inclusion",
        "INTRO Blockchain as a Data Structure",
        || {
            equal(
                [8, 1_024, 1 << 20].map(|size| ledger_core::Inclusion::path_len(0, size)),
                [Some(3), Some(10), Some(20)],
            )
        },
    ),
    fact(
        "C-BLK-08",
        "Bitcoin's link is the hash of the previous block: block 1 of Bitcoin upon block 0",
        "pow::Header",
        "DT Blockchain (Bitcoin)",
        super::work::first_blocks,
    ),
    fact(
        "C-BLK-11",
        "each node keeps a copy: two copies that were given the same blocks",
        "ledger_core::Chain",
        "DT Blockchain (Bitcoin)",
        || {
            let mut town = Town::new()?;
            town.pay(0, 1, 30)?;
            town.pay(1, 2, 10)?;
            let mut copy = Town::new()?;
            for block in &town.blocks {
                copy.chain.append(super::town::NOW, block).map_err(failed)?;
            }
            holds(
                copy.chain.tip() == town.chain.tip(),
                format!("state {:.8}", copy.chain.tip().state),
            )
        },
    )
    .but("E-33"),
    fact(
        "C-BLK-12",
        "a block is accepted only if all its transactions are valid",
        "ledger_core::BlockError",
        "ARCH wire transfer flow",
        || {
            let mut town = Town::new()?;
            let pay = |amount| Action::Pay { to: account(1), amount };
            town.sign(0, 0, pay(60), 0)?;
            town.sign(0, 1, pay(60), 0)?;
            equal(
                (refusal(&mut town), town.balance(1)),
                (Some(TransactionError::NotEnough { balance: 40, needed: 60 }), 0),
            )
        },
    ),
    fact(
        "C-BLK-13",
        "a wallet checks with headers and a proof: a payment among five in one block",
        "ledger_core::Inclusion",
        "ARCH Bitcoin node: main functions",
        || {
            let mut town = Town::new()?;
            for sequence in 0..5 {
                town.sign(0, sequence, Action::Pay { to: account(1), amount: 1 }, 0)?;
            }
            town.block().map_err(failed)?;
            let (block, _) = Block::decode(&town.blocks[0]).map_err(failed)?;
            let leaves: Vec<Hash> =
                block.body().iter().map(|one| MerkleTree::leaf(one.as_bytes())).collect();
            let mut path = [Hash::ZERO; 64];
            let proof = prove_inclusion(&leaves, 3, &mut path).map_err(failed)?;
            proof.verify(&block.header().body(), &leaves[3]).map_err(failed)?;
            equal(proof.path.len(), 3)
        },
    ),
    fact(
        "C-BLK-15",
        "the public demonstration of a chain: its five nonces, searched from 0",
        "ledger_core::Hash, pow::Target",
        "Anders Brownworth's demonstration",
        || {
            let chain = Chain::new(&Options::parse("")).map_err(failed)?;
            let nonces: Vec<u64> = chain.hashes().iter().map(|(nonce, _)| *nonce).collect();
            equal(nonces, vec![11_316, 35_230, 12_937, 35_990, 56_265])
        },
    ),
    fact(
        "C-BLK-16",
        "the public demonstration of a chain: its last hash",
        "ledger_core::Hash",
        "Anders Brownworth's demonstration",
        || {
            let mut chain = Chain::new(&Options::parse("")).map_err(failed)?;
            chain.command(&["mine", "5"]).map_err(failed)?;
            let last = chain.hashes().pop().map(|(_, hash)| hash);
            equal(
                last.as_deref(),
                Some("0000e4b9052fd8aae92a8afda42e2ea0f17972ea67cead67352e74dd6f7d217c"),
            )
        },
    ),
];

pub const OWNERSHIP: &[Fact] = &[
    fact(
        "C-OWN-01",
        "the private key spends: a payment signed with another key",
        "ledger_core::Transaction::sign",
        "DT Blockchain (Wallet)",
        || {
            let mut town = Town::new()?;
            let forged = town.sign(0, 0, Action::Pay { to: account(1), amount: 1 }, 1);
            holds(forged.is_err(), forged.err().unwrap_or_default())
        },
    )
    .but("E-36"),
    fact(
        "C-OWN-02",
        "creating a key pair is creating an account: coins paid to a key nobody has registered",
        "ledger_core::KeyPair",
        "BAUN Wallet File",
        || {
            let mut town = Town::new()?;
            town.pay(0, 77, 25)?;
            equal(town.balance(77), 25)
        },
    )
    .but("E-38"),
    fact(
        "C-OWN-04",
        "source, destination, amount and signature: any changed byte of a payment",
        "ledger_core::SignedTransaction",
        "ARCH Implementing bitcoins: blockchain",
        || {
            let mut town = Town::new()?;
            town.pay(0, 1, 30)?;
            // The transaction is the end of the block: behind it there is nothing.
            let end = town.blocks[0].len();
            let (block, _) = Block::decode(&town.blocks[0]).map_err(failed)?;
            let len = block.body().as_bytes().len();
            let mut found = 0;
            for at in end - len..end {
                let mut blocks = town.blocks.clone();
                blocks[0][at] ^= 1;
                found += usize::from(town.audit(&blocks)?.is_some());
            }
            holds(found == len, format!("{found} of {len} bytes"))
        },
    ),
    fact(
        "C-OWN-05",
        "debits are credits and an implied fee: the coins of all people before and after a payment",
        "ledger_core::State",
        "ARCH wire transfer flow 3",
        || {
            let mut town = Town::new()?;
            town.pay(0, 1, 30)?;
            equal(
                (town.balance(0), town.balance(1), town.balance(0) + town.balance(1)),
                (70, 30, 100),
            )
        },
    )
    .but("E-40"),
    fact(
        "C-OWN-06",
        "the same coin is not spent twice",
        "ledger_core::TransactionError",
        "ARCH Bitcoins; BAUN Transactions",
        || {
            let mut town = Town::new()?;
            let pay = |to| Action::Pay { to: account(to), amount: 60 };
            town.sign(0, 0, pay(1), 0)?;
            town.sign(0, 0, pay(2), 0)?;
            equal(
                refusal(&mut town),
                Some(TransactionError::WrongSequence { expected: 1, found: 0 }),
            )
        },
    ),
    fact(
        "C-OWN-08",
        "clarifying and transferring ownership: the owner of an asset after two transfers",
        "ledger_core::State::owner_of",
        "INTRO Purpose of BlockChain",
        || {
            let mut town = Town::new()?;
            let asset = town.asset(0, 1);
            town.act(0, Action::Mint { salt: [1; 32] })?;
            town.block().map_err(failed)?;
            for (from, to) in [(0, 1), (1, 2)] {
                town.act(from, Action::Transfer { asset, to: account(to) })?;
                town.block().map_err(failed)?;
            }
            holds(town.chain.state().owner_of(&asset) == Some(account(2)), "the third")
        },
    ),
    fact(
        "C-OWN-09",
        "the history proves the present owner: a replay from the beginning",
        "ledger_core::Chain::replay",
        "INTRO Technical Concepts (1)",
        || {
            let mut town = Town::new()?;
            town.pay(0, 1, 30)?;
            town.pay(1, 2, 12)?;
            equal(town.audit(&town.blocks)?, None)
        },
    ),
    fact(
        "C-TOK-02",
        "an NFT is minted once",
        "ledger_core::Action::Mint",
        "DT Non-fungible token (NFT)",
        || {
            let mut town = Town::new()?;
            town.act(0, Action::Mint { salt: [1; 32] })?;
            town.block().map_err(failed)?;
            town.act(0, Action::Mint { salt: [1; 32] })?;
            equal(refusal(&mut town), Some(TransactionError::AlreadyExists))
        },
    ),
    fact(
        "C-TOK-03",
        "only its owner transfers it",
        "ledger_core::Action::Transfer",
        "DT Non-fungible token (second page)",
        || {
            let mut town = Town::new()?;
            town.pay(0, 1, 10)?;
            let asset = town.asset(0, 1);
            town.act(0, Action::Mint { salt: [1; 32] })?;
            town.block().map_err(failed)?;
            town.act(1, Action::Transfer { asset, to: account(1) })?;
            equal(refusal(&mut town), Some(TransactionError::NotOwner))
        },
    ),
    fact(
        "C-TOK-01",
        "fungible units: ten are two times five",
        "ledger_core::Action::Pay",
        "DT Non-fungible token (NFT)",
        || {
            let mut town = Town::new()?;
            town.pay(0, 1, 10)?;
            town.pay(0, 2, 5)?;
            town.pay(0, 2, 5)?;
            equal(town.balance(1), town.balance(2))
        },
    ),
    fact(
        "C-BRD-01",
        "three records of the supply chain, signed by their authors",
        "ledger_core::Action::Record",
        "INTRO What is this \"Blockchain\"?",
        || Ok(board()?.join("; ")),
    ),
    fact(
        "C-BRD-05",
        "one-step auditing: 6327 sent and received, left in Thasos",
        "ledger_core::Block",
        "INTRO Use a Public Bulletin Board",
        || {
            let amounts: Vec<u64> = board()?
                .iter()
                .filter_map(|text| text.split(' ').find_map(|word| word.parse().ok()))
                .collect();
            equal((amounts[1], amounts[2], amounts[0] - amounts[1]), (6_327, 6_327, 4_105))
        },
    ),
    fact(
        "C-BRD-03",
        "nobody changes a record without others noticing: 6327 made 6000 in one copy",
        "ledger_core::Chain::replay",
        "INTRO What is this \"Blockchain\"?",
        || {
            let town = board_town()?;
            let mut blocks = town.blocks.clone();
            let at = blocks[1].windows(4).position(|four| four == b"6327").ok_or("no record")?;
            blocks[1][at..at + 4].copy_from_slice(b"6000");
            equal(town.audit(&blocks)?, Some(2))
        },
    ),
];

const RECORDS: [&str; 3] = [
    "10432 barrels produced in Thasos on Dec 26, 2022",
    "6327 barrels transported from Thasos to ELPE Refinery on Dec 26, 2022 at 2:30 pm",
    "Received 6327 barrels on Dec 26, 2022 at 8:48 pm",
];

fn board_town() -> Result<Town, String> {
    let mut town = Town::new()?;
    for (author, record) in (0..).zip(RECORDS) {
        town.act(author, Action::Record(record.as_bytes()))?;
        town.block().map_err(failed)?;
    }
    Ok(town)
}

/// Returns the texts of the board, read back from its blocks.
fn board() -> Result<Vec<String>, String> {
    let town = board_town()?;
    let mut texts = Vec::new();
    for bytes in &town.blocks {
        let (block, _) = Block::decode(bytes).map_err(failed)?;
        for signed in &block.body() {
            signed.verify(town.chain.genesis_id()).map_err(failed)?;
            if let Action::Record(text) = signed.transaction().action {
                texts.push(String::from_utf8_lossy(text).into_owned());
            }
        }
    }
    holds(texts == RECORDS, "").map(|_| texts)
}
