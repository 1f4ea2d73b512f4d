//! Bounds that the documentation states, each at its last good and its first bad value.

mod common;

use core::time::Duration;

use common::driver::{Driver, NOW, PEER, TestNode, limits, node, node_of, regions, snapshot_of};
use common::{Checksum, KIND, World, key, ledgers, rules, spec, storage};
use ledger_core::mempool::{
    ChunkSlot, Insertion, Mempool, MempoolConfig, MempoolError, MempoolSlot, MempoolSlots,
};
use ledger_core::merkle::bitcoin::BitcoinTree;
use ledger_core::merkle::{
    Consistency, MerkleTree, ProofError, Subtree, SubtreeInclusion, TreeHead, prove_consistency,
};
use ledger_core::node::{Accepted, Node, NodeConfig, Progress, ResumeError};
use ledger_core::{
    Action, Block, BlockError, BlockId, Chain, Claim, ConfigError, ConnId, DecodeError, Hash,
    Header, Policy, Refused, SignedTransaction, StatelessChain, Transaction,
};

/// The tip and the nine blocks before it, then in steps that double, and the final block last.
#[test]
fn a_locator_lists_the_chain_in_growing_steps() {
    let mut world = World::new();
    let mut driver = Driver::new(node(100));
    for _ in 0..40 {
        driver.blocks.grow(&mut world, 1, 1);
    }
    driver.branch(world.chain.tip().id);
    let mut ids = vec![world.genesis().block_id()];
    ids.extend(driver.blocks.path(world.chain.tip().id));
    let heights = |room: usize| {
        let mut out = vec![BlockId::default(); room];
        let len = driver.node.locator(&mut out);
        let height = |id: &BlockId| ids.iter().position(|other| other == id).expect("on the chain");
        out[..len].iter().map(height).collect::<Vec<_>>()
    };
    let all = [40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 29, 25, 17, 1, 0];
    assert_eq!(heights(32), all);
    assert_eq!(heights(15), all);
    assert_eq!(heights(14), [40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 29, 25, 17, 0]);
    assert_eq!(heights(3), [40, 39, 0]);
    assert_eq!(heights(1), [0]);
    assert_eq!(heights(0), []);
}

/// The entries of a snapshot ascend: the last one does not come twice.
#[test]
fn a_snapshot_names_an_entry_once() {
    let config = NodeConfig::new(3, 5);
    let mut world = World::new();
    let mut driver = Driver::new(node_of(config, limits(&config, 8)));
    for n in 1..=6 {
        let id = driver.blocks.grow(&mut world, n, 1);
        driver.header(id).expect("a good header");
    }
    let trusted = driver.node.final_tip().id;
    let snapshot = snapshot_of(&mut driver.node);
    let resume = |bytes: &[u8]| -> Result<TestNode, ResumeError> {
        let storage = regions(limits(&config, 8));
        let spec = spec(3);
        Node::resume(&spec.spec(), config, Checksum, ledgers(), &trusted, bytes, storage)
    };
    assert!(resume(&snapshot).is_ok());
    // An entry is a key of 32 bytes, the length of the value, and the value.
    let is_entry = |entry: &&[u8]| usize::from(entry[32]) == entry.len() - 33;
    let ends = (33..100).map(|len| &snapshot[snapshot.len() - len..]).filter(is_entry);
    let mut count = 0;
    for end in ends {
        let twice = resume(&[&snapshot, end].concat()).map(|_| ());
        assert_eq!(twice, Err(ResumeError::Decode(DecodeError::MalformedProof)));
        count += 1;
    }
    assert!(count > 0);
}

/// A block is refused for its length above the limit of the rules only.
#[test]
fn a_block_may_be_as_long_as_the_rules_allow() {
    let mut world = World::new();
    let limit = rules().max_block_len as usize;
    let root = world.chain.tip().state;
    let spec = spec(3);
    let mut device =
        StatelessChain::new(&spec.spec(), Checksum, ledgers(), root).expect("a short name");
    let mut node = node(4);
    for (len, is_too_long) in [(limit - 1, false), (limit, false), (limit + 1, true)] {
        let bytes = vec![0xFF; len];
        let too_long = Refused::Invalid(BlockError::TooLong { len, limit });
        let refused = world.chain.append(world.now, &bytes).expect_err("not a block");
        assert_eq!(refused == too_long, is_too_long, "{len} bytes");
        let refused = device.append(world.now, &bytes, &[]).expect_err("not a block");
        assert_eq!(refused == too_long, is_too_long, "{len} bytes, without state");
        let refused = node.handle_block(NOW, PEER, &bytes).expect_err("not a block");
        assert_eq!(refused == too_long, is_too_long, "{len} bytes, at a node");
    }
}

/// `docs/WIRE.md`: a claim has up to 40 bytes.
#[test]
fn a_claim_has_up_to_forty_bytes() {
    let mut world = World::new();
    let block = world.seal_block();
    let (header, _) = Header::decode(&block).expect("a header");
    let of_claim = |len: u8| {
        let mut bytes = vec![0; Header::MAX_LEN];
        let claim = Claim::new(KIND, &[]).expect("short");
        let used = Header { claim, ..header }.encode(&mut bytes).expect("long enough");
        bytes.truncate(used);
        bytes[used - 1] = len;
        bytes.extend(vec![7; len.into()]);
        bytes
    };
    for len in [0, 39, 40] {
        let bytes = of_claim(len);
        let (header, rest) = Header::decode(&bytes).expect("short enough");
        assert_eq!((header.claim.as_bytes().len(), rest.len()), (len.into(), 0));
    }
    for len in [41, 42, 255] {
        assert_eq!(Header::decode(&of_claim(len)), Err(DecodeError::ClaimTooLong(len)));
        let cut = &of_claim(len)[..183];
        assert_eq!(Header::decode(cut), Err(DecodeError::ClaimTooLong(len)), "known by its length");
    }
}

/// `docs/WIRE.md`: a policy has up to 16 keys.
#[test]
fn a_policy_has_up_to_sixteen_keys() {
    let world = World::new();
    let mut keys: Vec<_> = (0..16).map(|n| *key(n).public().as_bytes()).collect();
    keys.sort_unstable();
    let policy = Policy::threshold(1, &keys).expect("one of sixteen");
    let transaction = Transaction::new(policy.account(), 0, Action::Record(b"x"));
    let mut buf = [0; Transaction::MAX_THRESHOLD_LEN];
    let statement = transaction.statement(&world.genesis(), &mut buf).expect("short");
    let signatures = [(key(5).public(), key(5).sign(&statement))];
    let signed = transaction.assemble(&policy, &signatures, &mut buf).expect("its own key");
    assert_eq!(signed.verify(&world.genesis()), Ok(()));
    let bytes = signed.as_bytes().to_vec();
    assert!(SignedTransaction::decode(&bytes).is_ok());
    let counts = transaction.body_len()..transaction.body_len() + 3;
    assert_eq!(bytes[counts.clone()], [2, 1, 16], "the kind, and 1 of 16");
    for count in [17, 255] {
        let mut more = bytes[..counts.end].to_vec();
        more[counts.end - 1] = count;
        let refused = SignedTransaction::decode(&more).map(|_| ());
        assert_eq!(refused, Err(DecodeError::MalformedPolicy), "{count}, known before the keys");
    }
}

/// A full tree gives up the lightest header for a heavier one, of equal ones the first that came, and none for one that is
/// not heavier. A header that others follow stays.
#[test]
fn the_lightest_header_gives_way() {
    let config = NodeConfig::new(2, 1);
    let world = World::new();
    let mut driver = Driver::new(node_of(config, limits(&config, 2)));
    let capacity = 8;
    let heavy = driver.blocks.grow(&mut world.clone(), 9, 200);
    driver.header(heavy).expect("a good header");
    assert_eq!(driver.tip().id, heavy);
    let mut number = 100;
    let mut offer = |driver: &mut Driver, weight| {
        number += 1;
        let mut side = world.clone();
        let id = driver.blocks.grow(&mut side, number, weight);
        (id, driver.header(id), side)
    };
    let mut ids = Vec::new();
    let mut sides = Vec::new();
    for weight in [12, 10, 12, 11, 13, 14] {
        let (id, answer, side) = offer(&mut driver, weight);
        assert_eq!(answer, Ok(Accepted::Header { id }));
        ids.push(id);
        sides.push(side);
    }
    let child = driver.blocks.grow(&mut sides[1], 1, 5); // 15 together, on the header that weighs 10
    assert_eq!(driver.header(child), Ok(Accepted::Header { id: child }));
    let known = |driver: &Driver| {
        let known = ids.iter().map(|id| driver.node.tip_of(id).is_some());
        known.collect::<Vec<_>>()
    };
    assert_eq!(known(&driver), [true; 6], "the tree is full");
    for (weight, expected) in [
        (10, None),
        (11, None),
        (12, Some([true, true, true, false, true, true])),
        (12, None),
        (13, Some([false, true, true, false, true, true])),
        (13, Some([false, true, false, false, true, true])),
    ] {
        let before = known(&driver);
        let (id, answer, _) = offer(&mut driver, weight);
        let refused = Err(Refused::NoRoom { capacity });
        let stored = Ok(Accepted::Header { id });
        assert_eq!(answer, if expected.is_some() { stored } else { refused }, "weight {weight}");
        assert_eq!(known(&driver), expected.map_or(before, Vec::from), "weight {weight}");
    }
    assert!(driver.node.tip_of(&child).is_some());
}

/// When there is no room, the peer that has sent most headers without a parent loses its oldest.
#[test]
fn a_peer_with_many_orphans_gives_way() {
    let world = World::new();
    let mut driver = Driver::new(node(20)); // with room for 8
    let mut sides = Vec::new();
    for n in 0..9 {
        let mut side = world.clone();
        let parent = driver.blocks.grow(&mut side, 100 + n, 1);
        sides.push((parent, driver.blocks.grow(&mut side, 1, 1)));
    }
    for (number, (parent, child)) in sides.iter().enumerate() {
        let conn = ConnId(if number < 6 { 1 } else { 2 });
        let answer = driver.node.handle_header(NOW, conn, &driver.blocks.0[child].clone());
        assert_eq!(answer, Ok(Accepted::Orphan { id: *child, parent: *parent }));
    }
    for (parent, _) in &sides {
        driver.header(*parent).expect("a good header");
    }
    let lost = sides.iter().map(|(_, child)| driver.node.tip_of(child).is_none());
    let lost: Vec<_> = lost.enumerate().filter(|(_, lost)| *lost).map(|(at, _)| at).collect();
    assert_eq!(lost, [0], "the first of six, when the other peer sends its third");
}

#[test]
fn lists_are_empty_before_the_first() {
    let mut world = World::new();
    let empty = world.seal_block();
    world.pay(0, 1, 5, 1);
    let paid = world.seal_block();
    for (block, count) in [(&empty, 0), (&paid, 1)] {
        let body = Block::decode(block).expect("a block").0.body();
        assert_eq!((body.len(), body.is_empty()), (count, count == 0));
    }
    let mut tree = BitcoinTree::new();
    assert!(tree.is_empty());
    assert_eq!(tree.len(), 0);
    tree.push(Hash::ZERO).expect("there is room");
    assert_eq!((tree.len(), tree.is_empty()), (1, false));
}

/// No timer of a node is zero, and a block is confirmed by at least one and at most all that can be taken back.
#[test]
fn the_configuration_of_a_node_has_bounds() {
    let good = NodeConfig::new(3, 1);
    let check = |change: fn(&mut NodeConfig)| {
        let mut config = good;
        change(&mut config);
        let spec = spec(3);
        let storage = regions(limits(&good, 0));
        let made = Node::new(&spec.spec(), config, Checksum, ledgers(), storage);
        made.map(|_: TestNode| ()).err()
    };
    assert_eq!(check(|_| {}), None);
    let zero = Some(ConfigError::ZeroTimeout);
    assert_eq!(check(|config| config.body_timeout = Duration::ZERO), zero);
    assert_eq!(check(|config| config.retry_interval = Duration::ZERO), zero);
    assert_eq!(check(|config| config.orphan_timeout = Duration::ZERO), zero);
    let wrong = |confirmations| Some(ConfigError::WrongConfirmations { confirmations, most: 4 });
    assert_eq!(check(|config| config.confirmations = 0), wrong(0));
    assert_eq!(check(|config| config.confirmations = 4), None);
    assert_eq!(check(|config| config.confirmations = 5), wrong(5));
}

/// RFC 6962, 2.1.2: 0 < m <= n.
#[test]
fn an_earlier_tree_has_a_leaf_and_no_more_than_the_later() {
    let leaves: Vec<_> = (0..5_u8).map(|n| MerkleTree::leaf(&[n])).collect();
    for first in 0..8 {
        let mut out = [Hash::ZERO; 8];
        let proved = prove_consistency(&leaves, first, &mut out).map(|_| ());
        let wrong = ProofError::WrongSizes { first: first as u64, second: 5 };
        let expected = if (1..=5).contains(&first) { Ok(()) } else { Err(wrong) };
        assert_eq!(proved, expected, "{first}");
        let head = |size| TreeHead { size, root: MerkleTree::root_of(&leaves) };
        let verified = Consistency { path: &[] }.verify(&head(first as u64), &head(5));
        let is_wrong = verified == Err(wrong);
        assert_eq!(is_wrong, expected.is_err(), "{first}");
    }
}

/// A leaf of a subtree stands before its end.
#[test]
fn a_leaf_of_a_subtree_stands_before_its_end() {
    let subtree = Subtree::new(4, 6).expect("it is aligned");
    let root = MerkleTree::root_of(&[]);
    let verify = |index| SubtreeInclusion { subtree, index, path: &[] }.verify(&root, &root);
    for index in [0, 3, 6, 7] {
        assert_eq!(verify(index), Err(ProofError::OutOfRange { index, size: 6 }), "{index}");
    }
    for index in [4, 5] {
        let found = verify(index).expect_err("a path of one hash is missing");
        assert!(!matches!(found, ProofError::OutOfRange { .. }), "{index}: {found}");
    }
}

/// A transaction takes a chunk for each 252 bytes, the last of which need not be full.
#[test]
fn a_transaction_takes_a_chunk_per_252_bytes() {
    let world = World::new();
    let storage =
        MempoolSlots { slots: vec![MempoolSlot::EMPTY; 4], chunks: vec![ChunkSlot::EMPTY; 3] };
    let config = MempoolConfig::new(world.genesis(), 9);
    let mut pool = Mempool::new(config, storage).expect("a good configuration");
    let mut insert = |signer: u8, fee: u64, payload: &[u8]| {
        let mut record = Transaction::new(key(signer).account(), 0, Action::Record(payload));
        record.fee = fee;
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = record.sign(&world.genesis(), &key(signer), &mut buf).expect("its own key");
        let tip = world.chain.tip().height;
        let inserted = pool.insert(&signed, &world.chain.state(), tip);
        (signed.as_bytes().len(), inserted, signed.id(&world.genesis()))
    };
    let (empty, inserted, small) = insert(0, 10, b"");
    assert!(empty <= 252);
    assert_eq!(inserted, Ok(Insertion::Added));
    let (len, inserted, _) = insert(1, 50, &vec![7; 504 - empty]);
    assert_eq!(len, 504, "the other two chunks, to the last byte");
    assert_eq!(inserted, Ok(Insertion::Added));
    // One more byte than a chunk: the only chunk that can be freed is not enough.
    let (len, inserted, _) = insert(2, 60, &vec![7; 253 - empty]);
    assert_eq!(len, 253);
    assert_eq!(inserted, Err(MempoolError::Full { capacity: 4 }));
    let (len, inserted, _) = insert(2, 60, &vec![7; 252 - empty]);
    assert_eq!(len, 252);
    assert_eq!(inserted, Ok(Insertion::PushedOut(small)));
}

/// Storage that is borrowed serves as well as storage that is owned.
#[test]
fn a_machine_works_in_borrowed_storage() {
    let mut world = World::new();
    let spec = spec(3);
    let mut storage = storage(&rules());
    let mut chain = Chain::new(&spec.spec(), Checksum, ledgers(), &mut storage).expect("it fits");
    world.pay(0, 1, 5, 1);
    let block = world.seal_block();
    let tip = world.chain.append(world.now, &block);
    assert_eq!(chain.append(world.now, &block), tip);
    let config = NodeConfig::new(3, 1);
    let mut storage = regions(limits(&config, 4));
    let made = Node::new(&spec.spec(), config, Checksum, ledgers(), &mut storage);
    let mut node = made.expect("it fits");
    let accepted = node.handle_block(NOW, PEER, &block).expect("a good block");
    while node.work(100) == Progress::Pending {}
    let Accepted::Body { id } = accepted else { panic!("{accepted:?}") };
    node.handle_saved(NOW, &id);
    assert_eq!(Ok(*node.tip()), tip);
    assert_eq!(node.tip_of(&id), tip.ok());
}

#[test]
fn a_connection_prints_its_number() {
    assert_eq!(ConnId(7).to_string(), "conn 7");
}
