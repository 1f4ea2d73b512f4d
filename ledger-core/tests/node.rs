//! A node between branches: scripted trees of blocks in any order of arrival, and failures in the middle.

mod common;

use std::collections::BTreeMap;

use common::{Checksum, Ledgers, World, WrongChecksum, key, ledgers, rules};
use ledger_core::node::{HeaderSlot, Node, NodeConfig, NodeSlots, Outcome};
use ledger_core::{
    Action, Block, BlockError, BlockId, JournalSlot, Refused, Slot, Tip, TransactionError,
};
use proptest::prelude::*;

type Storage = NodeSlots<Vec<Slot>, Vec<JournalSlot>, Vec<HeaderSlot>>;
type TestNode = Node<Checksum, Ledgers, Storage>;
type Answer = Result<Outcome, Refused<BlockError<WrongChecksum>>>;

fn node_with(headers: usize, journal: usize, max_depth: u32) -> TestNode {
    let storage = NodeSlots {
        entries: vec![Slot::EMPTY; 64],
        journal: vec![JournalSlot::EMPTY; journal],
        headers: vec![HeaderSlot::EMPTY; headers],
    };
    let config = NodeConfig::new(max_depth);
    Node::new(&common::spec(3).spec(), config, Checksum, ledgers(), storage).expect("it fits")
}

fn node() -> TestNode {
    node_with(256, 4096, 1000)
}

/// Blocks of any branch, as a node stores them before it handles them.
#[derive(Default)]
struct Store(BTreeMap<BlockId, Vec<u8>>);

impl Store {
    fn put(&mut self, world: &World, bytes: Vec<u8>) -> BlockId {
        let id = Block::decode(&bytes).expect("a block").0.id(world.chain.genesis_id());
        self.0.insert(id, bytes);
        id
    }

    /// Makes the next block of a branch: a payment of `amount`, so that branches differ, with this weight.
    fn grow(&mut self, world: &mut World, amount: u64, weight: u8) -> BlockId {
        world.pay(0, 1, amount, 0);
        let bytes = seal_with(world, weight);
        world.chain.append(world.now, &bytes).expect("it is fine");
        world.now += 1;
        self.put(world, bytes)
    }

    /// Makes a block whose payment fails, and blocks upon it that nobody can execute.
    fn grow_invalid(&mut self, world: &mut World, weight: u8) -> BlockId {
        world.pay(0, 1, 1_000_000, 0);
        let bytes = world.seal_anyway();
        let (block, _) = Block::decode(&bytes).expect("just made");
        let header = ledger_core::Header { claim: common::claim(weight), ..*block.header() };
        let bytes = common::seal(world.chain.genesis_id(), &header, &block.body());
        self.put(world, bytes)
    }

    /// Gives the node all bodies that it asks for.
    fn feed(&self, node: &mut TestNode, now: u64) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(id) = node.needed() {
            let Some(bytes) = self.0.get(&id) else { break };
            answers.push(node.handle_block(now, bytes));
        }
        answers
    }
}

fn seal_with(world: &mut World, weight: u8) -> Vec<u8> {
    let bytes = world.seal_block();
    let (block, _) = Block::decode(&bytes).expect("just made");
    let header = ledger_core::Header { claim: common::claim(weight), ..*block.header() };
    common::seal(world.chain.genesis_id(), &header, &block.body())
}

const LATER: u64 = common::GENESIS_TIME + 10_000;

fn connected(answer: &Answer) -> (u32, u32) {
    match answer {
        Ok(Outcome::Connected { disconnected, connected, .. }) => (*disconnected, *connected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chain_in_order_connects_block_by_block() {
    let (mut world, mut store, mut node) = (World::new(), Store::default(), node());
    for n in 1..20 {
        let id = store.grow(&mut world, n, 1);
        let answer = node.handle_block(LATER, &store.0[&id]);
        assert_eq!(connected(&answer), (0, 1));
        assert_eq!(node.tip(), world.chain.tip());
        assert_eq!(node.handle_block(LATER, &store.0[&id]), Ok(Outcome::NotNeeded));
    }
    let account = key(1).account();
    assert_eq!(node.state().balance(&account), world.chain.state().balance(&account));
}

#[test]
fn a_heavier_branch_of_any_depth_takes_over() {
    for depth in [1, 10, 100] {
        let (mut world, mut store, mut first) = (World::new(), Store::default(), node());
        store.grow(&mut world, 1, 1);
        let mut other = world.clone();
        for _ in 0..depth {
            store.grow(&mut world, 1, 1);
            store.grow(&mut other, 2, 1);
        }
        deliver_branch(&mut first, &store, world.chain.tip());
        assert_eq!(first.tip(), world.chain.tip());
        deliver_branch(&mut first, &store, other.chain.tip());
        assert_eq!(first.tip(), world.chain.tip(), "equal weight: the first one stays");
        store.grow(&mut other, 2, 1);
        deliver_branch(&mut first, &store, other.chain.tip());
        assert_eq!(first.tip(), other.chain.tip());
        let account = key(1).account();
        assert_eq!(first.state().balance(&account), other.chain.state().balance(&account));
    }
}

/// Hands over all headers on the way to a tip, then the bodies that are asked for.
fn deliver_branch(node: &mut TestNode, store: &Store, tip: &Tip) {
    let mut path = vec![tip.id];
    while let Some(bytes) = store.0.get(path.last().expect("not empty")) {
        path.push(Block::decode(bytes).expect("a block").0.header().parent);
    }
    for id in path.iter().rev().filter_map(|id| store.0.get(id)) {
        node.handle_header(LATER, id).expect("its parent is known");
    }
    store.feed(node, LATER);
}

#[test]
fn a_failed_change_leaves_every_byte_as_it_was() {
    let (mut world, mut store, mut node) = (World::new(), Store::default(), node());
    store.grow(&mut world, 1, 1);
    let mut other = world.clone();
    for _ in 0..5 {
        store.grow(&mut world, 1, 1);
    }
    deliver_branch(&mut node, &store, world.chain.tip());
    let before = (*node.tip(), node.clone().into_storage());
    for _ in 0..5 {
        store.grow(&mut other, 2, 1);
    }
    let bad = store.grow_invalid(&mut other, 9);
    let bad_tip = Tip { id: bad, ..*other.chain.tip() };
    let mut path = vec![bad_tip.id];
    while let Some(bytes) = store.0.get(path.last().expect("not empty")) {
        path.push(Block::decode(bytes).expect("a block").0.header().parent);
    }
    for id in path.iter().rev().filter_map(|id| store.0.get(id)) {
        node.handle_header(LATER, id).expect("its parent is known");
    }
    let mut answers = Vec::new();
    while let Some(id) = node.needed() {
        let answer = node.handle_block(LATER, &store.0[&id]);
        let failed = answer.is_err();
        answers.push(answer);
        if failed {
            break;
        }
    }
    assert_eq!(answers.len(), 6, "five good blocks, then the bad one");
    let last = answers.last().expect("six");
    let expected = matches!(
        last,
        Err(Refused::Invalid(BlockError::Transaction {
            error: TransactionError::NotEnough { .. },
            ..
        }))
    );
    assert!(expected, "{last:?}");
    let after = (*node.tip(), node.clone().into_storage());
    assert_eq!(after.0, before.0);
    assert_eq!(after.1.entries, before.1.entries);
    assert_eq!(after.1.journal, before.1.journal);
    // It is refused at once the second time, and so is what follows it.
    let again = node.handle_header(LATER, &store.0[&bad]);
    assert_eq!(again, Err(Refused::Invalid(BlockError::InvalidAncestor)));
    // The good part of that branch is as heavy as ours and came second.
    store.feed(&mut node, LATER);
    assert_eq!(node.tip(), &before.0);
    store.grow(&mut world, 1, 1);
    deliver_branch(&mut node, &store, world.chain.tip());
    assert_eq!(node.tip(), world.chain.tip());
}

/// Other bytes for a block, or another proof, condemn nobody but their sender.
#[test]
fn a_mutated_body_does_not_condemn_the_block() {
    let (mut world, mut store, mut node) = (World::new(), Store::default(), node());
    let id = store.grow(&mut world, 1, 1);
    let good = store.0[&id].clone();
    node.handle_header(LATER, &good).expect("a good header");
    let mut other = World::new();
    other.pay(0, 1, 2, 0);
    let (block, _) = Block::decode(&good).expect("a block");
    let front = good.len() - block.body().as_bytes().len();
    let swapped = [&good[..front], &other.body].concat();
    let wrong = node.handle_block(LATER, &swapped);
    assert_eq!(wrong, Err(Refused::Invalid(BlockError::WrongBody)));
    let mut cut = good.clone();
    cut.push(0);
    assert!(matches!(node.handle_block(LATER, &cut), Err(Refused::Invalid(_))));
    let mut proof = good.clone();
    proof[front - 1] ^= 1;
    assert!(matches!(node.handle_block(LATER, &proof), Err(Refused::Invalid(_))));
    assert_eq!(node.needed(), Some(id), "still wanted");
    assert_eq!(connected(&node.handle_block(LATER, &good)), (0, 1));
}

#[test]
fn old_blocks_are_final_and_memory_is_bounded() {
    let (mut world, mut store) = (World::new(), Store::default());
    let mut node = node_with(12, 256, 4);
    let mut early = world.clone();
    for n in 1..60 {
        store.grow(&mut world, n % 7 + 1, 1);
        let id = world.chain.tip().id;
        assert_eq!(connected(&node.handle_block(LATER, &store.0[&id])), (0, 1));
        assert!(node.tip().height.0 - node.final_tip().height.0 <= 4);
    }
    let late = store.grow(&mut early, 3, 255);
    let refused = node.handle_header(LATER, &store.0[&late]);
    let parent = world.genesis().block_id();
    assert_eq!(refused, Err(Refused::Orphan { parent }), "it forks below the final block");

    // A flood of headers that weigh less than the chain cannot push anything out.
    let mut tip = [BlockId::default(); 16];
    let len = node.locator(&mut tip);
    assert_eq!(tip[0], world.chain.tip().id);
    assert_eq!(tip[len - 1], node.final_tip().id);
    let mut full = 0;
    for n in 0..40 {
        let mut light = world.clone();
        light.pay(0, 1, 100 + n, 0);
        let bytes = seal_with(&mut light, 0);
        match node.handle_header(LATER, &bytes) {
            Ok(_) => {}
            Err(Refused::NoRoom { capacity: 12 }) => full += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(full > 20);
    let id = store.grow(&mut world, 1, 1);
    assert_eq!(connected(&node.handle_block(LATER, &store.0[&id])), (0, 1));
}

/// A body that cannot be had is given up; the old branch goes on.
#[test]
fn a_branch_without_bodies_is_given_up() {
    let (mut world, mut store, mut node) = (World::new(), Store::default(), node());
    let mut other = world.clone();
    store.grow(&mut world, 1, 1);
    deliver_branch(&mut node, &store, world.chain.tip());
    let first = store.grow(&mut other, 2, 1);
    let second = store.grow(&mut other, 2, 1);
    for id in [first, second] {
        node.handle_header(LATER, &store.0[&id]).expect("its parent is known");
    }
    assert_eq!(node.handle_block(LATER, &store.0[&first]), Ok(Outcome::Pending));
    assert!(node.is_switching());
    assert_eq!(node.tip(), world.chain.tip(), "not before all of it is executed");
    node.give_up();
    assert_eq!(node.needed(), None);
    let id = store.grow(&mut world, 1, 1);
    assert_eq!(connected(&node.handle_block(LATER, &store.0[&id])), (0, 1));
    assert_eq!(node.tip(), world.chain.tip());
}

/// Blocks that were stored before a crash, at any point, bring a new node to the same tip.
#[test]
fn a_node_resumes_from_its_stored_blocks() {
    let (mut world, mut store) = (World::new(), Store::default());
    let mut other = world.clone();
    let mut order = Vec::new();
    for n in 1..6 {
        order.push(store.grow(&mut world, n, 1));
        order.push(store.grow(&mut other, n + 10, 1));
        if n == 3 {
            order.push(store.grow(&mut other, 1, 2));
        }
    }
    for stop in 0..order.len() {
        let mut saved: Vec<Vec<u8>> = Vec::new();
        let mut running = node();
        for id in &order[..stop] {
            saved.push(store.0[id].clone());
            running.handle_header(LATER, &store.0[id]).expect("in order");
            store.feed(&mut running, LATER);
        }
        let mut resumed = node();
        for bytes in &saved {
            resumed.handle_header(LATER, bytes).expect("in order");
            store.feed(&mut resumed, LATER);
        }
        assert_eq!(resumed.tip(), running.tip());
        for id in &order[stop..] {
            resumed.handle_header(LATER, &store.0[id]).expect("in order");
            store.feed(&mut resumed, LATER);
        }
        assert_eq!(resumed.tip(), other.chain.tip());
    }
}

#[test]
fn a_proposal_continues_the_best_branch() {
    let (mut world, mut store, mut node) = (World::new(), Store::default(), node());
    store.grow(&mut world, 1, 1);
    deliver_branch(&mut node, &store, world.chain.tip());
    world.act(2, 0, Action::Record(b"x"));
    let bytes = core::mem::take(&mut world.body);
    let body = ledger_core::Body::from_bytes(&bytes).expect("one record");
    let author = key(9).account();
    let header = node.propose(LATER, author, &body, common::claim(1)).expect("it is fine");
    let same = world.chain.propose(LATER, author, &body, common::claim(1)).expect("it is fine");
    assert_eq!(header, same);
    let block = common::seal(node.genesis_id(), &header, &body);
    assert_eq!(connected(&node.handle_block(LATER, &block)), (0, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A random tree of blocks, some invalid, in any order of arrival: the same tip and the same state root, which are
    /// those of the heaviest branch without an invalid block.
    #[test]
    fn any_order_of_arrival_gives_the_same_tip(
        steps in proptest::collection::vec((any::<u16>(), 1_u8..20, 0_u8..6), 2..18),
        orders in proptest::collection::vec(any::<u64>(), 3),
    ) {
        let mut store = Store::default();
        let mut worlds = vec![World::new()];
        let mut ids = Vec::new();
        for (n, (from, weight, kind)) in steps.iter().enumerate() {
            let mut world = worlds[usize::from(*from) % worlds.len()].clone();
            // The weights of two branches are never equal: what came first would decide.
            if *kind == 0 {
                ids.push(store.grow_invalid(&mut world, 200));
            } else {
                ids.push(store.grow(&mut world, n as u64 + 1, *weight));
                worlds.push(world);
            }
        }
        let best = worlds.iter().map(|world| *world.chain.tip()).max_by_key(|tip| tip.weight);
        let best = best.expect("at least block 0");
        let same = worlds.iter().filter(|world| world.chain.tip().weight == best.weight).count();
        prop_assume!(same == 1);
        for order in orders {
            let mut node = node();
            let mut waiting = ids.clone();
            let mut state = order;
            while !waiting.is_empty() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let id = waiting[(state >> 33) as usize % waiting.len()];
                match node.handle_header(LATER, &store.0[&id]) {
                    Ok(_) | Err(Refused::Invalid(BlockError::InvalidAncestor)) => {
                        waiting.retain(|other| *other != id);
                    }
                    Err(Refused::Orphan { .. }) => continue,
                    Err(other) => panic!("{other:?}"),
                }
                if state & (1 << 20) == 0 {
                    store.feed(&mut node, LATER);
                }
            }
            store.feed(&mut node, LATER);
            prop_assert_eq!(node.tip(), &best);
            prop_assert!(!node.is_switching());
        }
    }
}

#[test]
fn sizes_are_as_documented() {
    println!("HeaderSlot {}", size_of::<HeaderSlot>());
    println!("Node {}", size_of::<Node<Checksum, (), NodeSlots<(), (), ()>>>());
    assert!(size_of::<HeaderSlot>() <= 560);
    assert!(size_of::<Node<Checksum, (), NodeSlots<(), (), ()>>>() <= 8192);
    assert_eq!(rules().max_entries, 64);
}
