//! Copies of one ledger, contracts, and what a block pays.

use ledger_core::ledger::{Escrow, EscrowCall, Standard, Terms};
use ledger_core::{
    Action, Block, BlockError, ChainSpec, Hash, Height, Refused, Rules, SignedTransaction,
    StatelessChain, Transaction, TransactionError, TxId,
};
use pow::WorkSeal;

use super::replicas::Replicas;
use super::town::{NOW, Town, account, key};
use super::{Check, Fact, equal, fact, failed, holds};

const RECORDS: [&[u8]; 3] = [
    b"10432 barrels produced in Thasos on Dec 26, 2022",
    b"6327 barrels transported from Thasos to ELPE Refinery on Dec 26, 2022 at 2:30 pm",
    b"Received 6327 barrels on Dec 26, 2022 at 8:48 pm",
];

/// Four nodes on whose board three authors have put a record each, at three nodes.
fn board() -> Result<Replicas, String> {
    let mut nodes = Replicas::new(4)?;
    for (author, record) in (0..).zip(RECORDS) {
        nodes.act(usize::from(author), author, Action::Record(record))?;
        nodes.run(30);
        nodes.seal(3)?;
        nodes.run(60);
    }
    Ok(nodes)
}

pub const FACTS: &[Fact] = &[
    fact(
        "C-BLK-07",
        "not designed to store any data: bytes of the longest record, and one that is longer",
        "ledger_core::Transaction::sign",
        "INTRO The Myth Busters",
        || {
            let mut town = Town::new()?;
            let mut longest = 0;
            for len in (0..4_096).step_by(16) {
                if town.sign(0, 0, Action::Record(&vec![b'x'; len]), 0).is_ok() {
                    longest = len;
                }
            }
            let refused = town.sign(0, 0, Action::Record(&vec![b'x'; 4_096]), 0).is_err();
            holds(refused && longest > 0 && longest < 4_096, format!("{longest} or a few more; 4096 is refused"))
        },
    ),
    fact(
        "C-BLK-09",
        "eventually consistent: ends of the chains of four nodes while two halves are apart, and after they met",
        "ledger_core::node::Node, gossip::Gossip",
        "INTRO Properties of BlockChain",
        || {
            let mut nodes = Replicas::new(4)?;
            nodes.seal(0)?;
            nodes.run(60);
            let before = nodes.tips();
            nodes.split();
            nodes.run(1);
            nodes.seal(0)?;
            nodes.run(60);
            nodes.seal(1)?;
            nodes.run(60);
            nodes.seal(1)?;
            nodes.run(60);
            let apart = nodes.tips();
            nodes.heal();
            nodes.run(300);
            equal((before, apart, nodes.tips(), nodes.heights()), (1, 2, 1, vec![3; 4]))
        },
    )
    .but("E-33"),
    fact(
        "C-BLK-14",
        "validation without hosting a copy: five blocks are checked with witnesses by a node that stores none",
        "ledger_core::StatelessChain",
        "DT Blockchain (P2p substrate)",
        stateless,
    ),
    fact(
        "C-BRD-02",
        "everyone has a copy: bytes of the boards of four nodes over paths that lose a fifth of all segments",
        "ledger_core::gossip::Gossip",
        "INTRO What is this \"Blockchain\"?",
        || {
            let copies = board()?.copies();
            let same = copies.iter().all(|copy| *copy == copies[0]);
            let whole = RECORDS.iter().all(|record| {
                copies[0].windows(record.len()).any(|window| window == *record)
            });
            let lengths: Vec<usize> = copies.iter().map(Vec::len).collect();
            holds(same && whole, format!("{lengths:?}, all equal"))
        },
    ),
    fact(
        "C-BRD-04",
        "it cannot be denied later: of ten keys, those that can produce the refinery's record",
        "ledger_core::SignedTransaction::verify",
        "INTRO What is this \"Blockchain\"?",
        || {
            let town = Town::new()?;
            let genesis = town.chain.genesis_id();
            let record = Transaction::new(account(2), 0, Action::Record(RECORDS[2]));
            let verifies = |person: &u8| {
                let mut buf = [0; Transaction::MAX_LEN];
                record
                    .sign(genesis, &key(*person), &mut buf)
                    .is_ok_and(|signed| signed.verify(genesis).is_ok())
            };
            equal((0..10).filter(verifies).collect(), vec![2_u8])
        },
    ),
    fact(
        "C-OWN-10",
        "a transaction is broadcast so that all nodes know it: of eight mempools, those that have it after 30 s",
        "ledger_core::mempool::Mempool, gossip::Gossip",
        "DT Blockchain (P2p substrate)",
        || {
            let mut nodes = Replicas::new(8)?;
            let id = nodes.act(5, 0, Action::Pay { to: account(1), amount: 30 })?;
            let before = nodes.waiting(&id);
            nodes.run(30);
            equal((before, nodes.waiting(&id)), (1, 8))
        },
    ),
    fact(
        "C-OVL-08",
        "Bitcoin's overlay floods: bodies of one block that go between eight nodes of which all know each other",
        "ledger_core::gossip::Gossip",
        "ARCH P2P: Decentralized",
        || {
            let mut nodes = Replicas::new(8)?;
            nodes.seal(0)?;
            nodes.run(60);
            equal((nodes.tips(), nodes.bodies), (1, 7))
        },
    ),
    fact(
        "C-CON-15",
        "all nodes eventually receive all information: heights of eight nodes after four blocks of four of them",
        "ledger_core::gossip::Gossip",
        "INTRO Technical Concepts (2)",
        || {
            let mut nodes = Replicas::new(8)?;
            for author in 0..4 {
                nodes.seal(author)?;
                nodes.run(60);
            }
            equal((nodes.tips(), nodes.heights()), (1, vec![4; 8]))
        },
    ),
    fact(
        "C-SUP-08",
        "the reward is credited to the finder: coins after a block of 50, and a block that takes more",
        "ledger_core::Rules::subsidy, BlockError",
        "BAUN Create/Compute Bitcoins; PPN How PoW Works",
        reward,
    ),
    fact(
        "C-TOK-05",
        "a contract executes by its terms: coins of payer and payee after the receipt, and after the deadline",
        "ledger_core::ledger::Escrow",
        "DT Ethereum and smart contracts; ARCH Smart contracts are agents",
        escrow,
    ),
    fact(
        "C-TOK-06",
        "Bitcoin is limited to currency: a call of a contract on a chain of coins only, and on one with contracts",
        "ledger_core::ledger::Ledger",
        "ARCH Bitcoin vs Ethereum",
        || {
            let terms = terms(100);
            let mut payload = [0; EscrowCall::MAX_LEN];
            let len = EscrowCall::Open(terms).encode(&mut payload).map_err(failed)?;
            let call = Action::Call { ledger: EscrowCall::LEDGER, payload: &payload[..len] };
            let mut coins = Town::of(Rules::SMALL, Standard)?;
            coins.act(0, call)?;
            let refused = match coins.block() {
                Err(Refused::Invalid(BlockError::Transaction { error, .. })) => Some(error),
                _ => None,
            };
            let mut contracts = Town::of(Rules::SMALL, (Standard, Escrow))?;
            contracts.act(0, call)?;
            let accepted = contracts.block().is_ok();
            equal((refused, accepted), (Some(TransactionError::UnknownLedger), true))
        },
    ),
];

fn stateless() -> Check {
    let mut town = Town::new()?;
    let mut witnesses = Vec::new();
    for amount in 1..=5 {
        let mut copy = town.copy()?;
        town.pay(0, 1, amount)?;
        let block = town.blocks.last().ok_or("no block")?;
        let mut out = vec![0; 1 << 14];
        witnesses.push(copy.witness(block, &mut out).map_err(failed)?.to_vec());
    }
    let allocation = [(account(0), 100)];
    let spec = ChainSpec { name: "slides", rules: Rules::SMALL, time: 0, allocation: &allocation };
    let seal = WorkSeal::new(town.bits()).map_err(failed)?;
    let start = Town::new()?.chain.tip().state;
    let mut light = StatelessChain::new(&spec, seal, Standard, start).map_err(failed)?;
    for (block, witness) in town.blocks.iter().zip(&witnesses) {
        light.append(NOW, block, witness).map_err(failed)?;
    }
    let bytes: usize = witnesses.iter().map(Vec::len).sum();
    holds(
        light.tip() == town.chain.tip(),
        format!("height {}, {bytes} bytes of witnesses", light.tip().height),
    )
}

fn reward() -> Check {
    let mut rules = Rules::SMALL;
    rules.subsidy = 50;
    let mut town = Town::of(rules, Standard)?;
    let before = town.copy()?;
    town.pay(0, 1, 5)?;
    let credited = town.balance(9);
    let (block, _) = Block::decode(&town.blocks[0]).map_err(failed)?;
    let mut header = *block.header();
    header.state = Hash::of(b"the same, with 51 coins for the author");
    let greedy = Block::new(header, &[], block.body()).map_err(failed)?;
    let mut bytes = vec![0; greedy.encoded_len()];
    greedy.encode(&mut bytes).map_err(failed)?;
    let mut copy = before;
    let refused =
        matches!(copy.append(NOW, &bytes), Err(Refused::Invalid(BlockError::WrongState { .. })));
    equal((credited, refused), (50, true))
}

fn terms(deadline: u64) -> Terms {
    Terms {
        payer: account(0),
        payee: account(1),
        arbiter: account(2),
        amount: 40,
        deadline: Height(deadline),
    }
}

/// Calls the contract as a person, in a block of its own.
fn call(town: &mut Town<(Standard, Escrow)>, by: u8, call: EscrowCall) -> Result<TxId, String> {
    let mut payload = [0; EscrowCall::MAX_LEN];
    let len = call.encode(&mut payload).map_err(failed)?;
    let action = Action::Call { ledger: EscrowCall::LEDGER, payload: &payload[..len] };
    town.act(by, action)?;
    town.block().map_err(failed)?;
    let (block, _) =
        town.blocks.last().map(|bytes| Block::decode(bytes)).ok_or("no block")?.map_err(failed)?;
    let signed: SignedTransaction<'_> = block.body().iter().next().ok_or("no transaction")?;
    Ok(signed.id(town.chain.genesis_id()))
}

/// The arbiter releases the coins on the receipt; or the payer takes them back, and not before the deadline.
fn escrow() -> Check {
    let mut town = Town::of(Rules::SMALL, (Standard, Escrow))?;
    let id = call(&mut town, 0, EscrowCall::Open(terms(100)))?;
    let held = town.balance(0);
    town.act(1, Action::Record(RECORDS[2]))?;
    town.block().map_err(failed)?;
    call(&mut town, 2, EscrowCall::Release(id, terms(100)))?;
    let paid = (town.balance(0), town.balance(1));
    let mut town = Town::of(Rules::SMALL, (Standard, Escrow))?;
    let id = call(&mut town, 0, EscrowCall::Open(terms(4)))?;
    let early = call(&mut town, 0, EscrowCall::Refund(id, terms(4))).is_err();
    while town.chain.tip().height.0 < 4 {
        town.block().map_err(failed)?;
    }
    call(&mut town, 0, EscrowCall::Refund(id, terms(4)))?;
    let back = (town.balance(0), town.balance(1));
    let right = held == 60 && paid == (60, 40) && early && back == (100, 0);
    holds(right, format!("{paid:?} and {back:?}"))
}
