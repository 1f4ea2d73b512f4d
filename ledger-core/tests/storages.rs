//! A table or machine does the same over caller-provided slots, behind a reference to them, and on the heap; and what
//! small accessors report.

mod common;

use common::driver::{LATER, NOW, PEER, limits, regions};
use common::{Checksum, GENESIS_TIME, KIND, World, key, ledgers, spec, storage, stored_chain};
use ledger_core::mempool::{
    ChunkSlot, Insertion, Mempool, MempoolConfig, MempoolSlot, MempoolSlots, MempoolStorage,
};
use ledger_core::merkle::OneByOne;
use ledger_core::node::{Accepted, Event, Node, NodeConfig, NodeStorage, Progress};
use ledger_core::state::{Key, Slot, Store, Trie, Value};
use ledger_core::{
    Action, Chain, ChainStorage, Claim, Hash, MerkleTree, Rules, SignedTransaction, Transaction,
    WithHasher,
};

/// Appends three blocks and returns the root of the state, the number of its entries and the height.
fn run_chain<S: ChainStorage>(storage: S) -> (Hash, usize, u64) {
    let (spec, blocks) = stored_chain(3);
    let mut chain = Chain::new(&spec.spec(), Checksum, ledgers(), storage).expect("it fits");
    for block in &blocks {
        chain.append(LATER, block).expect("it is fine");
    }
    assert!(!chain.state().is_empty());
    (chain.tip().state, chain.state().len(), chain.tip().height.0)
}

/// As above, with a node; also returns the median of the times of the blocks.
fn run_node<S: NodeStorage>(storage: S) -> (Hash, usize, u64, u64) {
    let (spec, blocks) = stored_chain(3);
    let config = NodeConfig::new(8, 42);
    let mut node = Node::new(&spec.spec(), config, Checksum, ledgers(), storage).expect("it fits");
    assert_eq!(node.median_time(), GENESIS_TIME);
    for bytes in &blocks {
        node.handle_header(NOW, PEER, bytes).expect("its parent is known");
        loop {
            while node.work(100) == Progress::Pending {}
            match node.poll_event() {
                Some(Event::Need { id, .. }) => {
                    assert_eq!(node.handle_block(NOW, PEER, bytes), Ok(Accepted::Body { id }));
                }
                Some(Event::Keep { id, .. }) => node.handle_saved(NOW, &id),
                Some(_) => {}
                None => break,
            }
        }
    }
    let tip = *node.tip();
    (tip.state, node.state().len(), tip.height.0, node.median_time())
}

/// Inserts payments and returns the template of the next block.
fn run_mempool<S: MempoolStorage>(storage: S) -> Vec<u8> {
    let world = World::new();
    let config = MempoolConfig::new(world.genesis(), 9);
    let mut pool = Mempool::new(config, storage).expect("a good configuration");
    for fee in [3, 5, 4] {
        let from = key(fee as u8 - 3);
        let action = Action::Pay { to: key(7).account(), amount: 1 };
        let mut payment = Transaction::new(from.account(), 0, action);
        payment.fee = fee;
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = payment.sign(&world.genesis(), &from, &mut buf).expect("its own key");
        let (signed, _) = SignedTransaction::decode(signed.as_bytes()).expect("just signed");
        let inserted = pool.insert(&signed, &world.chain.state(), world.chain.tip().height);
        assert_eq!(inserted, Ok(Insertion::Added));
    }
    assert_eq!(pool.len(), 3);
    let mut out = vec![0; 4_096];
    let len = pool.template(&mut out);
    assert!(len > 3 * 64);
    out.truncate(len);
    out
}

fn mempool_slots() -> MempoolSlots<Vec<MempoolSlot>, Vec<ChunkSlot>> {
    MempoolSlots { slots: vec![MempoolSlot::EMPTY; 8], chunks: vec![ChunkSlot::EMPTY; 16] }
}

#[test]
fn storages_behind_a_reference_are_the_same() {
    let (spec, _) = stored_chain(1);
    let chain = run_chain(storage(&spec.rules));
    assert_eq!(chain, run_chain(&mut storage(&spec.rules)));
    assert_eq!(chain.2, 3);

    let config = NodeConfig::new(8, 42);
    let node = run_node(regions(limits(&config, 64)));
    assert_eq!(node, run_node(&mut regions(limits(&config, 64))));
    assert_eq!((node.0, node.1, node.2), chain);
    // Blocks are 6 seconds apart (`stored_chain`): of the genesis and three blocks the median is the second block.
    assert_eq!(node.3, GENESIS_TIME + 10 + 5 + 6);

    assert_eq!(run_mempool(mempool_slots()), run_mempool(&mut mempool_slots()));
}

/// A hasher may stand around storage that has one already.
#[test]
fn storages_with_two_hashers_are_the_same() {
    let (spec, _) = stored_chain(1);
    let hasher = OneByOne;
    let inner = WithHasher { storage: storage(&spec.rules), hasher };
    let chain = run_chain(WithHasher { storage: inner, hasher });
    assert_eq!(chain, run_chain(storage(&spec.rules)));

    let config = NodeConfig::new(8, 42);
    let inner = WithHasher { storage: regions(limits(&config, 64)), hasher };
    let node = run_node(WithHasher { storage: inner, hasher });
    assert_eq!(node, run_node(regions(limits(&config, 64))));
}

#[cfg(feature = "alloc")]
#[test]
fn storages_on_the_heap_are_the_same() {
    use ledger_core::ChainVec;
    use ledger_core::mempool::{MempoolLimits, MempoolVec};
    use ledger_core::node::{NodeLimits, NodeVec};

    let (spec, _) = stored_chain(1);
    assert_eq!(run_chain(ChainVec::new(&spec.rules)), run_chain(storage(&spec.rules)));
    let config = NodeConfig::new(8, 42);
    let heap = NodeVec::new(NodeLimits::new(&spec.rules, &config));
    assert_eq!(run_node(heap), run_node(regions(limits(&config, 64))));
    let heap = MempoolVec::new(MempoolLimits { slots: 8, chunks: 16 });
    assert_eq!(run_mempool(heap), run_mempool(mempool_slots()));
}

/// The numbers that the documentation of the presets states.
#[test]
fn presets_are_as_documented() {
    let Rules {
        subsidy, halving_interval, deposit, max_entries, max_writes, max_block_len, ..
    } = Rules::SMALL;
    assert_eq!((subsidy, halving_interval, deposit), (0, 0, 0));
    assert_eq!((max_entries, max_writes, max_block_len), (16, 64, 4_096));
    let Rules { subsidy, halving_interval, max_entries, max_writes, max_block_len, .. } =
        Rules::BITCOIN_SUPPLY;
    assert_eq!((subsidy, halving_interval), (5_000_000_000, 210_000));
    assert_eq!((max_entries, max_writes, max_block_len), (65_536, 16_384, 1_048_576));
}

/// A claim of two parts is the claim of both in a row.
#[test]
fn a_claim_of_parts_is_that_of_their_bytes() {
    let claim = Claim::of_parts(KIND, b"abc", &[7; 37]);
    assert_eq!(Ok(claim), Claim::new(KIND, &[&b"abc"[..], &[7; 37]].concat()));
    assert_eq!(Ok(Claim::of_parts(KIND, &[], b"x")), Claim::new(KIND, b"x"));
    assert_eq!(claim.as_bytes().len(), 40);
}

#[test]
fn what_is_empty_has_no_entry() {
    let mut tree = MerkleTree::new();
    assert_eq!((tree.is_empty(), tree.len()), (true, 0));
    tree.push(MerkleTree::leaf(b"a"));
    assert_eq!((tree.is_empty(), tree.len()), (false, 1));

    let mut map = Trie::new([Slot::EMPTY; 3]);
    let key = Key::new(64, b"a");
    let value = Value::new(b"21 C").expect("four bytes");
    assert_eq!((map.is_empty(), map.len()), (true, 0));
    assert_eq!(Store::get(&mut map, &key), Ok(None));
    assert_eq!(Store::replace(&mut map, &key, Some(&value)), Ok(None));
    assert_eq!((map.is_empty(), map.len()), (false, 1));
    assert_eq!(Store::get(&mut map, &key), Ok(Some(value)));
    assert_eq!(Store::replace(&mut map, &key, None), Ok(Some(value)));
    assert_eq!((map.is_empty(), Store::get(&mut map, &key)), (true, Ok(None)));

    let chain = spec(3).chain();
    assert!(!chain.state().is_empty(), "one entry is for bookkeeping");
}
