//! A node between branches: scripted trees of blocks in any order of arrival, and failures in the middle.

mod common;

use core::time::Duration;

use common::driver::{Blocks, Driver, LATER, NOW, PEER, TestEvent, limits, node, node_of};
use common::{World, key};
use ledger_core::node::{Accepted, Event, NodeConfig, Progress};
use ledger_core::{Action, Block, BlockError, ConnId, Header, Height, Refused, TransactionError};

#[test]
fn a_chain_in_order_connects_block_by_block() {
    let mut world = World::new();
    let mut driver = Driver::new(node(100));
    for n in 1..20 {
        let id = driver.blocks.grow(&mut world, n, 1);
        assert_eq!(driver.header(id), Ok(Accepted::Header { id }));
        assert_eq!(driver.moves(), (1, 0));
        assert_eq!(driver.node.tip(), world.chain.tip());
        assert_eq!(driver.header(id), Ok(Accepted::Header { id }), "again");
        assert_eq!(driver.moves(), (0, 0));
    }
    let account = key(1).account();
    assert_eq!(driver.node.state().balance(&account), world.chain.state().balance(&account));
}

#[test]
fn a_heavier_branch_of_any_depth_takes_over() {
    for depth in [1, 10, 100] {
        let mut world = World::new();
        let mut driver = Driver::new(node(101));
        driver.blocks.grow(&mut world, 1, 1);
        let mut other = world.clone();
        for _ in 0..depth {
            driver.blocks.grow(&mut world, 1, 1);
            driver.blocks.grow(&mut other, 2, 1);
        }
        driver.branch(world.chain.tip().id);
        assert_eq!(driver.node.tip(), world.chain.tip());
        driver.branch(other.chain.tip().id);
        assert_eq!(driver.node.tip(), world.chain.tip(), "equal weight: the first one stays");
        driver.moves();
        driver.blocks.grow(&mut other, 2, 1);
        driver.branch(other.chain.tip().id);
        assert_eq!(driver.node.tip(), other.chain.tip());
        assert_eq!(driver.moves(), (depth + 1, depth));
        let account = key(1).account();
        assert_eq!(driver.node.state().balance(&account), other.chain.state().balance(&account));
    }
}

#[test]
fn a_failed_change_leaves_every_byte_as_it_was() {
    let mut world = World::new();
    let mut driver = Driver::new(node(20));
    driver.blocks.grow(&mut world, 1, 1);
    let mut other = world.clone();
    for _ in 0..5 {
        driver.blocks.grow(&mut world, 1, 1);
    }
    driver.branch(world.chain.tip().id);
    let before = driver.node.clone();
    for _ in 0..5 {
        driver.blocks.grow(&mut other, 2, 1);
    }
    let bad = driver.blocks.grow_invalid(&mut other, 9);
    driver.moves();
    driver.branch(bad);
    let kept = driver.events.iter().filter(|event| matches!(event, Event::Keep { .. })).count();
    assert_eq!(kept, 5, "five good blocks, then the bad one");
    let why = driver.events.iter().find_map(|event| match event {
        Event::Invalid { id, conn: PEER, why } if *id == bad => Some(*why),
        _ => None,
    });
    let expected = matches!(
        why,
        Some(BlockError::Transaction { error: TransactionError::NotEnough { .. }, .. })
    );
    assert!(expected, "{why:?}");
    assert_eq!(driver.moves(), (0, 0));
    assert_eq!(driver.node.tip(), before.tip());
    let after = driver.node.clone().into_storage();
    let before = before.into_storage();
    assert_eq!(after.entries, before.entries);
    assert_eq!(after.journal, before.journal);
    // It is refused at once the second time, and so is what follows it.
    let again = driver.header(bad);
    assert_eq!(again, Err(Refused::Invalid(BlockError::InvalidAncestor)));
    let child = driver.blocks.follow(&other, bad, 9);
    assert_eq!(driver.header(child), Err(Refused::Invalid(BlockError::InvalidAncestor)));
    driver.blocks.grow(&mut world, 1, 1);
    driver.branch(world.chain.tip().id);
    assert_eq!(driver.node.tip(), world.chain.tip());
}

/// Until a better branch is whole and saved, the tip is the old one; nothing is connected before it is saved.
#[test]
fn nothing_is_connected_before_it_is_saved() {
    let mut world = World::new();
    let mut blocks = Blocks::default();
    let mut node = node(20);
    let first = blocks.grow(&mut world, 1, 1);
    let second = blocks.grow(&mut world, 2, 1);
    for id in [first, second] {
        node.handle_header(NOW, PEER, &blocks.0[&id]).expect("a good header");
        assert_eq!(node.handle_block(NOW, PEER, &blocks.0[&id]), Ok(Accepted::Body { id }));
        while node.work(1) == Progress::Pending {}
    }
    // Both are executed, in one go, while nothing is saved.
    let genesis = world.genesis().block_id();
    assert_eq!(node.tip().id, genesis);
    assert!(node.is_busy());
    assert_eq!(node.poll_event(), Some(Event::Keep { id: first, height: Height(1) }));
    assert_eq!(node.poll_event(), Some(Event::Keep { id: second, height: Height(2) }));
    assert_eq!(node.poll_event(), None);
    node.handle_saved(NOW, &second);
    assert_eq!(node.poll_event(), None, "the first one is missing");
    assert_eq!(node.tip().id, genesis);
    node.handle_saved(NOW, &first);
    assert_eq!(node.tip(), world.chain.tip());
    assert_eq!(node.poll_event(), Some(Event::Connected { id: first, height: Height(1) }));
    assert_eq!(node.poll_event(), Some(Event::Connected { id: second, height: Height(2) }));
    assert_eq!(node.poll_event(), None);
}

/// The first block is saved while the second one is executed in part.
#[test]
fn a_save_in_the_middle_of_an_execution_commits_what_is_complete() {
    let mut world = World::new();
    let mut blocks = Blocks::default();
    let mut node = node(20);
    let first = blocks.grow(&mut world, 1, 1);
    for n in 0..5 {
        world.act(1, 0, Action::Record(&[n]));
    }
    let second = blocks.grow(&mut world, 2, 1);
    for id in [first, second] {
        node.handle_header(NOW, PEER, &blocks.0[&id]).expect("a good header");
    }
    node.handle_block(NOW, PEER, &blocks.0[&first]).expect("needed");
    while node.work(1) == Progress::Pending {}
    node.handle_block(NOW, PEER, &blocks.0[&second]).expect("needed");
    for _ in 0..4 {
        assert_eq!(node.work(1), Progress::Pending);
    }
    node.handle_saved(NOW, &first);
    assert_eq!(node.tip().id, first);
    while node.work(1) == Progress::Pending {}
    node.handle_saved(NOW, &second);
    assert_eq!(node.tip(), world.chain.tip());
    assert_eq!(node.state().len(), world.chain.state().len());
}

/// Other bytes for a block, or another proof, condemn nobody but their sender.
#[test]
fn a_mutated_body_does_not_condemn_the_block() {
    let mut world = World::new();
    let mut driver = Driver::new(node(20));
    let id = driver.blocks.grow(&mut world, 1, 1);
    let good = core::mem::take(driver.blocks.0.get_mut(&id).expect("just made"));
    driver.blocks.0.clear();
    driver.node.handle_header(NOW, PEER, &good).expect("a good header");
    driver.run();
    let mut other = World::new();
    other.pay(0, 1, 2, 0);
    let (block, _) = Block::decode(&good).expect("a block");
    let front = good.len() - block.body().as_bytes().len();
    let swapped = [&good[..front], &other.body].concat();
    let longer = [&good[..], &[0]].concat();
    let mut proof = good.clone();
    proof[front - 1] ^= 1;
    for bad in [swapped, longer, proof, good[..good.len() - 1].to_vec()] {
        let liar = ConnId(99);
        assert_eq!(driver.node.handle_block(NOW, liar, &bad), Ok(Accepted::Body { id }));
        driver.events.clear();
        driver.run();
        let events = &driver.events;
        let blamed = matches!(events[0], Event::Invalid { conn, .. } if conn == liar);
        assert!(blamed, "{events:?}");
        assert_eq!(events[1], Event::Need { id, height: Height(1) }, "still wanted");
    }
    assert_eq!(driver.node.handle_block(NOW, PEER, &good), Ok(Accepted::Body { id }));
    driver.run();
    assert_eq!(driver.node.tip(), world.chain.tip());
}

#[test]
fn blocks_are_confirmed_once_and_again_after_a_change() {
    let mut config = NodeConfig::new(10, 1);
    config.confirmations = 2;
    let mut driver = Driver::new(node_of(config, limits(&config, 8)));
    let mut world = World::new();
    let mut other = world.clone();
    for n in 1..=3 {
        driver.blocks.grow(&mut world, n, 1);
    }
    driver.branch(world.chain.tip().id);
    for n in 1..=4 {
        driver.blocks.grow(&mut other, n + 10, 1);
    }
    driver.branch(other.chain.tip().id);
    let confirmed = driver.events.iter().filter_map(|event| match event {
        Event::Confirmed { height, depth: 2, .. } => Some(height.0),
        _ => None,
    });
    assert_eq!(confirmed.collect::<Vec<_>>(), [1, 2, 1, 2, 3]);
}

/// Headers whose parent comes later are kept; one source cannot push out those of another.
#[test]
fn orphans_wait_for_their_parents() {
    let mut world = World::new();
    let mut driver = Driver::new(node(20));
    for n in 1..=5 {
        driver.blocks.grow(&mut world, n, 1);
    }
    let path = driver.blocks.path(world.chain.tip().id);
    for pair in path.windows(2).rev() {
        let [parent, id] = [pair[0], pair[1]];
        assert_eq!(driver.header(id), Ok(Accepted::Orphan { id, parent }));
    }
    assert_eq!(driver.node.poll_timeout(), Some(NOW + Duration::from_secs(60)));
    // Eight slots, four in use. A flood from elsewhere gets the other four, and replaces its own.
    let mut flood = World::new();
    for n in 0..30 {
        let id = driver.blocks.grow(&mut flood, n % 2 + 20, 1);
        if n == 0 {
            continue;
        }
        let bytes = driver.blocks.0[&id].clone();
        driver.node.handle_header(NOW, ConnId(66), &bytes).expect("its own are replaced");
    }
    driver.header(path[0]).expect("a good header");
    assert_eq!(driver.node.tip(), world.chain.tip());
    driver.node.handle_timeout(NOW + Duration::from_secs(60));
    assert_eq!(driver.node.poll_timeout(), None, "the flood is forgotten");
}

#[test]
fn a_waiting_header_that_proves_invalid_is_reported_once() {
    let mut world = World::new();
    let genesis = *world.chain.genesis_id();
    let mut driver = Driver::new(node(20));
    let parent = driver.blocks.grow(&mut world, 1, 1);
    let child = driver.blocks.grow(&mut world, 1, 1);
    let mut expected = Vec::new();
    for conn in [ConnId(7), ConnId(8)] {
        let bytes = driver.blocks.0[&child].clone();
        let (block, _) = Block::decode(&bytes).expect("a block");
        let header = Header { time: conn.0.into(), ..*block.header() };
        let id = header.id(&genesis);
        let bad = Block::new(header, block.proof(), block.body()).expect("the same body");
        let mut bytes = vec![0; bad.encoded_len()];
        bad.encode(&mut bytes).expect("its length");
        let answer = driver.node.handle_header(NOW, conn, &bytes);
        assert_eq!(answer, Ok(Accepted::Orphan { id, parent }));
        expected.push((id, conn));
    }
    driver.header(parent).expect("a good header");
    let is_invalid = |event: &TestEvent| match event {
        Event::Invalid { id, conn, .. } => Some((*id, *conn)),
        _ => None,
    };
    let reported: Vec<_> = driver.events.iter().filter_map(is_invalid).collect();
    assert_eq!(reported, expected);
    driver.header(child).expect("the good one is not affected");
    assert_eq!(driver.node.tip(), world.chain.tip());
}

#[test]
fn an_early_header_waits_for_its_time() {
    let mut world = World::new();
    world.now = LATER + 20;
    let mut driver = Driver::new(node(20));
    let id = driver.blocks.grow(&mut world, 1, 1);
    assert_eq!(driver.header(id), Ok(Accepted::Early { id, at: LATER + 20 }));
    let deadline = driver.node.poll_timeout().expect("it waits");
    assert_eq!(deadline, Duration::from_secs(LATER + 20));
    driver.node.handle_timeout(deadline);
    driver.run();
    assert_eq!(driver.node.tip(), world.chain.tip());
    world.now = LATER + 1000;
    let id = driver.blocks.grow(&mut world, 1, 1);
    assert_eq!(driver.header(id), Err(Refused::NotYet { at: LATER + 1000 }), "too far away");
}

/// A slice costs what was asked for, however many transactions a block has.
#[test]
fn validation_comes_in_slices() {
    let mut world = World::new();
    let mut blocks = Blocks::default();
    for n in 0..20 {
        world.act((n % 3) as usize, 0, Action::Record(&[n]));
    }
    let id = blocks.grow(&mut world, 1, 1);
    let mut node = node(20);
    node.handle_header(NOW, PEER, &blocks.0[&id]).expect("a good header");
    node.handle_block(NOW, PEER, &blocks.0[&id]).expect("needed");
    let mut slices = 0;
    while node.work(1) == Progress::Pending {
        slices += 1;
    }
    assert!((22..30).contains(&slices), "{slices} slices for 21 transactions");
    assert!(matches!(node.poll_event(), Some(Event::Keep { .. })));
}

#[test]
fn a_proposal_continues_the_best_branch() {
    let mut world = World::new();
    let mut driver = Driver::new(node(20));
    driver.blocks.grow(&mut world, 1, 1);
    driver.branch(world.chain.tip().id);
    world.act(2, 0, Action::Record(b"x"));
    let bytes = core::mem::take(&mut world.body);
    let body = ledger_core::Body::from_bytes(&bytes).expect("one record");
    let author = key(9).account();
    let claim = common::claim(1);
    let header = driver.node.propose(LATER, author, &body, claim).expect("it is fine");
    let same = world.chain.propose(LATER, author, &body, claim).expect("it is fine");
    assert_eq!(header, same);
    let block = common::seal(driver.node.genesis_id(), &header, &body);
    let id = driver.blocks.put(&world, block);
    driver.header(id).expect("its own block");
    assert_eq!(driver.node.tip().id, id);
}
