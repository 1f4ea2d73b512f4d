//! Rules and sizes that one call of a crate shows.

use core::net::{Ipv4Addr, SocketAddr};

use bittorrent_pieces::dht::{Contact, NodeId, RouteSlot, RoutingTable};
use chord_core::{Id160, Identifier as _, Word};
use consensus::stake::{BondError, BondSlot, BondState, StakeBook, StakeConfig};
use consensus::{Offence, OffenceKind, ValidatorId};
use examples::overtake;
use gnutella_wire::qrp::{KeywordHash, QueryTable};
use ledger_core::{Action, Block};
use sha1::{Digest as _, Sha1};

use super::town::{Town, account};
use super::work::{puzzle, search};
use super::{Fact, equal, fact, failed, holds};

pub const NETWORKS: &[Fact] = &[
    fact(
        "C-HYB-05",
        "ultrapeers exchange their lists: a table that holds the words of two leaves, and no other",
        "gnutella_wire::qrp::QueryTable::merge",
        "BAUN Hybrid P2P: Gnutella Protocol Version 0.6",
        || {
            let table = |words: &[&str]| {
                let mut table =
                    QueryTable::new(16, vec![0; QueryTable::memory_len(16)]).map_err(failed)?;
                for word in words {
                    table.insert(KeywordHash::of(word));
                }
                Ok::<_, String>(table)
            };
            let mut all = table(&["jude"])?;
            all.merge(&table(&["debaser"])?).map_err(failed)?;
            equal(
                ["jude", "debaser", "heroes"].map(|word| all.contains(KeywordHash::of(word))),
                [true, true, false],
            )
        },
    ),
    fact(
        "C-DHT-04",
        "the id of a node is the hash of its address: SHA-1 of 10.0.0.1:4000",
        "chord_core::Id160",
        "BAUN Distributed Hash Table (DHT); Insert new Nodes (1/2)",
        || {
            let id = |address: &str| Id160::from(<[u8; 20]>::from(Sha1::digest(address)));
            let same = id("10.0.0.1:4000") == id("10.0.0.1:4000");
            holds(
                same && id("10.0.0.1:4000") != id("10.0.0.2:4000"),
                format!("{:.8}", id("10.0.0.1:4000")),
            )
        },
    ),
    fact(
        "C-CHD-01",
        "an id of m bits, at most 2^m nodes: what follows the last id of circles of 3, 5 and 6 bits, and that of 160",
        "chord_core::Identifier::finger_start",
        "BAUN Functioning of Chord",
        || {
            let next = [
                Word::<3>::new(7).finger_start(1).value(),
                Word::<5>::new(31).finger_start(1).value(),
                Word::<6>::new(63).finger_start(1).value(),
            ];
            let wraps = Id160::from([0xFF; 20]).finger_start(1) == Id160::from([0; 20]);
            equal((next, wraps), ([0, 0, 0], true))
        },
    ),
    fact(
        "C-DHT-07",
        "Kademlia is BitTorrent's: of ids 1 to 30 the eight nearest to 9 by XOR",
        "bittorrent_pieces::dht::RoutingTable",
        "BAUN Distributed Hash Table (DHT)",
        || {
            let id = |last: u8| {
                let mut bytes = [0; 20];
                bytes[19] = last;
                NodeId(bytes)
            };
            let mut table = RoutingTable::new(id(9), vec![RouteSlot::EMPTY; 128]);
            for n in (1..=30).filter(|n| *n != 9) {
                let addr = SocketAddr::from((Ipv4Addr::new(10, n, 0, 1), 6_881));
                table.responded(core::time::Duration::ZERO, Contact { id: id(n), addr });
            }
            let nearest: Vec<u8> = table.nearest(id(9)).map(|contact| contact.id.0[19]).collect();
            equal(nearest, vec![8, 11, 10, 13, 12, 15, 14, 1])
        },
    ),
];

pub const LEDGER: &[Fact] = &[
    fact(
        "C-BLK-01",
        "a hash pointer, a time and data: the second of two blocks names the first, and is later",
        "ledger_core::Header",
        "DT Blockchain; BAUN Create/Compute Bitcoins",
        || {
            let mut town = Town::new()?;
            town.pay(0, 1, 5)?;
            town.pay(0, 1, 6)?;
            let decode =
                |at: usize| Block::decode(&town.blocks[at]).map(|(block, _)| block).map_err(failed);
            let first = decode(0)?;
            let second = decode(1)?;
            let links = second.header().parent == first.id(town.chain.genesis_id());
            let later = second.header().time > first.header().time;
            equal((links, later, second.body().iter().count()), (true, true, 1))
        },
    ),
    fact(
        "C-BLK-10",
        "a starting node loads all blocks: the balances of a copy after a replay",
        "ledger_core::Chain::replay",
        "BAUN Bitcoins - Transactions",
        || {
            let mut town = Town::new()?;
            town.pay(0, 1, 30)?;
            town.pay(1, 2, 12)?;
            let copy = town.copy()?;
            let own = [0, 1, 2].map(|person| town.balance(person));
            let loaded = [0, 1, 2].map(|person| copy.state().balance(&account(person)));
            holds(own == loaded && own == [70, 18, 12], format!("{loaded:?}"))
        },
    ),
    fact(
        "C-OWN-03",
        "a new address for each transfer: the coins of a wallet with three keys are their sum",
        "ledger_core::State::balance",
        "BAUN Anonymity of Transactions",
        || {
            let mut town = Town::new()?;
            for (key, amount) in [(11, 5), (12, 7), (13, 9)] {
                town.pay(0, key, amount)?;
            }
            equal((11..=13).map(|key| town.balance(key)).sum(), 21_u64)
        },
    ),
    fact(
        "C-OWN-12",
        "amounts are whole units and never overflow: a payment of 2^64 - 1 units",
        "ledger_core::TransactionError",
        "BAUN Bitcoin - P2P-based Money",
        || {
            let mut town = Town::new()?;
            town.act(0, Action::Pay { to: account(1), amount: u64::MAX })?;
            let refused = town.block().is_err();
            equal((refused, town.balance(0), town.balance(1)), (true, 100, 0))
        },
    ),
];

pub const WORK: &[Fact] = &[
    fact(
        "C-POW-07",
        "clients work together and share the credit: accepted shares of two, and their parts of 1,001 coins",
        "pow::pool::Pool::split",
        "BAUN Create/Compute Bitcoins",
        super::general::pool_mining,
    ),
    fact(
        "C-POW-08",
        "an attack needs a majority: chance to overtake six confirmations with 10, 30 and 50 % of the power",
        "examples::overtake::exact",
        "PPN PoW (Continue); INTRO Bitcoin Performance",
        || {
            let chances = [0.1, 0.3, 0.5].map(|q| format!("{:.7}", overtake::exact(q, 6)));
            equal(chances, ["0.0005914", "0.1564496", "1.0000000"].map(str::to_owned))
        },
    ),
    fact(
        "C-POW-10",
        "nobody knows which miner finds the block: blocks of 400 that four equal miners find",
        "pow::Miner",
        "DT Blockchain (Bitcoin)",
        || {
            // The miners try every fourth nonce each, so they are equally fast.
            let mut found = [0_u32; 4];
            for number in 0..400 {
                let (nonce, _) = search(puzzle(&format!("block {number}"))?, 8).ok_or("none")?;
                found[(nonce % 4) as usize] += 1;
            }
            // Within five standard deviations of 100.
            holds(found.iter().all(|count| count.abs_diff(100) < 44), format!("{found:?}"))
        },
    ),
];

pub const STAKE: &[Fact] = &[
    fact(
        "C-CON-03",
        "stake is collateral: it waits, validates, leaves, and comes back after 256 epochs only",
        "consensus::stake::StakeBook",
        "PPN How PoS Works",
        || {
            let ann = ValidatorId([1; 32]);
            let mut book = StakeBook::new(StakeConfig::new(), [BondSlot::EMPTY; 4]);
            book.bond(ann, 1_000).map_err(failed)?;
            let waits = matches!(book.bond_of(&ann), Some((BondState::Waiting, 1_000)));
            book.advance(1);
            let active = book.active().count() == 1;
            book.unbond(&ann).map_err(failed)?;
            let early = book.withdraw(&ann);
            book.advance(257);
            let back = book.withdraw(&ann).map_err(failed)?;
            let refused = early == Err(BondError::Unbonding { at: 257 });
            holds(
                waits && active && refused && back == 1_000,
                format!("{back} coins, and before: {early:?}"),
            )
        },
    ),
    fact(
        "C-CON-14",
        "an incentive for integrity: what a double proposal takes from 1,000 coins, and what is left",
        "consensus::stake::StakeBook::slash",
        "INTRO Technical Concepts (2)",
        || {
            let ann = ValidatorId([1; 32]);
            let mut book = StakeBook::new(StakeConfig::new(), [BondSlot::EMPTY; 4]);
            book.bond(ann, 1_000).map_err(failed)?;
            book.advance(1);
            let offence = Offence { author: ann, kind: OffenceKind::DoubleProposal, slot: 7 };
            let taken = book.slash(&offence, 1).map_err(failed)?;
            let again = book.slash(&offence, 1).is_err();
            equal((taken, book.total(), again), (50, 950, true))
        },
    ),
];
