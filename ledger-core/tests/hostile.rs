//! Situations that nobody plans for: things that come twice, late, in another order, or from another chain.

mod common;

use core::time::Duration;

use common::driver::{Driver, NOW, PEER, TestEvent, limits, node, node_of, regions};
use common::driver::{seal_with, snapshot_of, with_headers};
use common::{Checksum, World, foreign_block, key, ledgers, rules, spec, spec_with};
use ledger_core::gossip::{BlockVerdict, GossipConfig, Presync};
use ledger_core::node::{Accepted, Event, HeaderFollower, Node, NodeConfig, Progress};
use ledger_core::{
    Block, BlockError, BlockId, ConnId, Header, Height, Refused, ReplayError, StatelessChain,
};

/// A driver that knows the headers of `len` blocks and has executed them, but saved none.
fn unsaved(len: u64) -> (Driver, Vec<BlockId>) {
    let mut world = World::new();
    let mut driver = Driver::new(node(20));
    let ids: Vec<_> = (0..len).map(|n| driver.blocks.grow(&mut world, n + 1, 1)).collect();
    for id in &ids {
        let bytes = driver.blocks.0[id].clone();
        driver.node.handle_header(NOW, PEER, &bytes).expect("a good header");
    }
    loop {
        while driver.node.work(100) == Progress::Pending {}
        match driver.node.poll_event() {
            Some(Event::Need { id, .. }) => {
                let bytes = driver.blocks.0[&id].clone();
                driver.node.handle_block(NOW, PEER, &bytes).expect("it was asked for");
            }
            Some(_) => {}
            None => break,
        }
    }
    (driver, ids)
}

#[test]
fn saves_in_any_order_connect_what_is_saved_from_the_root_on() {
    for order in [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [1, 1, 1, 0, 0]] {
        let (mut driver, ids) = unsaved(5);
        let mut saved = [false; 5];
        for at in order {
            driver.node.handle_saved(NOW, &ids[at]);
            driver.node.handle_saved(NOW, &BlockId::default()); // nobody asked for that one
            saved[at] = true;
            let connected = saved.iter().take_while(|saved| **saved).count();
            assert_eq!(driver.node.tip().height, Height(connected as u64), "{order:?}, {at}");
        }
        driver.run();
        let (connected, disconnected) = driver.moves();
        assert_eq!(disconnected, 0);
        assert_eq!(connected as u64, driver.node.tip().height.0);
    }
}

#[test]
fn a_save_that_is_reported_before_the_body_counts_once_the_body_is_executed() {
    let mut world = World::new();
    let mut driver = Driver::new(node(20));
    let id = driver.blocks.grow(&mut world, 1, 1);
    let bytes = driver.blocks.0[&id].clone();
    driver.node.handle_saved(NOW, &id); // before the header: unknown, and forgotten
    driver.node.handle_header(NOW, PEER, &bytes).expect("a good header");
    driver.node.handle_saved(NOW, &id);
    assert_eq!(driver.node.tip().height, Height(0));
    driver.run();
    assert_eq!(driver.node.tip().id, id);
    assert!(driver.disk.is_empty(), "it need not be kept again");
}

#[test]
fn bodies_that_come_again_and_in_between_change_nothing() {
    let mut world = World::new();
    let mut driver = Driver::new(node(20));
    let ids: Vec<_> = (0..4).map(|n| driver.blocks.grow(&mut world, n + 1, 1)).collect();
    let bytes: Vec<_> = ids.iter().map(|id| driver.blocks.0[id].clone()).collect();
    for n in [3, 0, 0, 2, 1, 0, 3] {
        let _ = driver.node.handle_block(NOW, ConnId(n as u32), &bytes[n]);
        let _ = driver.node.work(1);
        let _ = driver.node.handle_block(NOW, PEER, &bytes[n]);
        driver.node.give_up();
        driver.node.give_up();
        let _ = driver.node.handle_block(NOW, PEER, &bytes[n]);
    }
    for bytes in bytes.iter().chain(&bytes) {
        driver.node.handle_block(NOW, PEER, bytes).expect("a good block");
        driver.run();
    }
    assert_eq!(driver.node.tip(), world.chain.tip());
    let (connected, disconnected) = driver.moves();
    assert_eq!(connected - disconnected, 4);
    let balance = |account| driver.node.state().balance(&account);
    assert_eq!(balance(key(1).account()), world.chain.state().balance(&key(1).account()));
}

#[test]
fn a_resumed_node_takes_the_blocks_before_and_after_again() {
    let mut world = World::new();
    let config = NodeConfig::new(3, 5);
    let mut driver = Driver::new(node_of(config, limits(&config, 8)));
    let ids: Vec<_> = (0..9).map(|n| driver.blocks.grow(&mut world, n % 4 + 1, 1)).collect();
    for id in &ids {
        driver.header(*id).expect("a good header");
    }
    let root = *driver.node.final_tip();
    let snapshot = snapshot_of(&mut driver.node);
    let storage = regions(limits(&config, 8));
    let owned = spec(3);
    let resumed =
        Node::resume(&owned.spec(), config, Checksum, ledgers(), &root.id, &snapshot, storage);
    let mut again = Driver::new(resumed.expect("its own snapshot"));
    again.blocks = driver.blocks.clone();
    for _ in 0..2 {
        for id in &ids {
            let answer = again.header(*id);
            assert!(!matches!(answer, Err(Refused::Invalid(_))), "{answer:?}");
            again.node.handle_saved(NOW, id);
            let bytes = again.blocks.0[id].clone();
            let answer = again.node.handle_block(NOW, PEER, &bytes);
            assert!(!matches!(answer, Err(Refused::Invalid(_))), "{answer:?}");
            again.run();
        }
    }
    assert_eq!(again.node.tip(), driver.node.tip());
    assert_eq!(again.moves(), (9 - root.height.0 as usize, 0), "each block after the root once");
}

/// The id of a header does not cover its proof.
#[test]
fn a_waiting_header_with_a_forged_proof_does_not_keep_the_right_one_out() {
    for forged_again in [false, true] {
        let mut world = World::new();
        let mut driver = Driver::new(node(20));
        let parent = driver.blocks.grow(&mut world, 1, 1);
        let child = driver.blocks.grow(&mut world, 1, 1);
        let good = driver.blocks.0[&child].clone();
        let (block, _) = Block::decode(&good).expect("a block");
        let forged = Block::new(*block.header(), b"none", block.body()).expect("the same body");
        let mut bad = vec![0; forged.encoded_len()];
        forged.encode(&mut bad).expect("encoded_len suffices");
        let orphan = Ok(Accepted::Orphan { id: child, parent });
        assert_eq!(driver.node.handle_header(NOW, ConnId(66), &bad), orphan);
        assert_eq!(driver.node.handle_header(NOW, PEER, &good), orphan);
        if forged_again {
            assert_eq!(driver.node.handle_header(NOW, ConnId(67), &bad), orphan);
        }
        driver.header(parent).expect("a good header");
        assert_eq!(driver.node.tip(), world.chain.tip(), "nobody has to send it again");
        let is_invalid =
            |event: &&TestEvent| matches!(event, Event::Invalid { conn: ConnId(66), .. });
        assert_eq!(driver.events.iter().filter(is_invalid).count(), 1);
    }
}

#[test]
fn a_block_of_another_chain_is_an_orphan_and_no_fault() {
    let bytes = foreign_block();
    let (block, _) = Block::decode(&bytes).expect("a block");
    let parent = block.header().parent;
    let mut world = World::new();
    let refused = world.chain.append(world.now, &bytes);
    assert_eq!(refused, Err(Refused::Orphan { parent }));
    let mut node = node(5);
    let answer = node.handle_block(NOW, PEER, &bytes);
    assert!(matches!(answer, Ok(_) | Err(Refused::Orphan { .. })), "{answer:?}");
    // With the parent changed, its seal is of another id: somebody's fault.
    let header = Header { parent: node.genesis_id().block_id(), ..*block.header() };
    let forged = Block::new(header, block.proof(), block.body()).expect("the same body");
    let mut out = vec![0; forged.encoded_len()];
    forged.encode(&mut out).expect("encoded_len suffices");
    let before = format!("{node:?}");
    let answer = node.handle_block(NOW, PEER, &out);
    assert!(matches!(answer, Err(Refused::Invalid(_))), "{answer:?}");
    assert_eq!(format!("{node:?}"), before);
    let witness =
        StatelessChain::new(&spec(3).spec(), Checksum, ledgers(), world.chain.tip().state);
    let refused = witness.expect("a name").append(world.now, &bytes, &[]);
    assert_eq!(refused, Err(Refused::Orphan { parent }));
    let good = world.append();
    assert_eq!(world.chain.tip().height, Height(1));
    let again = world.chain.append(world.now, &good);
    let parent = world.genesis().block_id();
    assert_eq!(again, Err(Refused::Orphan { parent }), "a block twice");
}

#[test]
fn an_audit_names_the_first_block_that_comes_twice_early_or_cut() {
    let (owned, blocks) = common::stored_chain(4);
    let audit = |blocks: &[&[u8]]| {
        let mut chain = owned.chain();
        let error = chain.replay(u64::MAX, blocks).err();
        (error.map(|error: ReplayError<_>| error.height.0), chain.tip().height.0)
    };
    let all: Vec<&[u8]> = blocks.iter().map(|block| &block[..]).collect();
    assert_eq!(audit(&[]), (None, 0));
    assert_eq!(audit(&all), (None, 4));
    assert_eq!(audit(&[all[0], all[1], all[1]]), (Some(3), 2));
    assert_eq!(audit(&[all[0], all[2]]), (Some(2), 1));
    assert_eq!(audit(&[all[1]]), (Some(1), 0));
    assert_eq!(audit(&[all[0], &all[1][..all[1].len() - 1]]), (Some(2), 1));
    assert_eq!(audit(&[all[0], &[all[1], &[0]].concat()]), (Some(2), 1));
    assert_eq!(audit(&[all[0], &[]]), (Some(2), 1));
    assert_eq!(audit(&[all[0], &foreign_block()]), (Some(2), 1));
}

#[test]
fn work_without_a_budget_does_nothing_and_work_without_a_bound_all() {
    let mut world = World::new();
    let mut driver = Driver::new(node(5));
    let id = driver.blocks.grow(&mut world, 1, 1);
    let bytes = driver.blocks.0[&id].clone();
    driver.node.handle_block(NOW, PEER, &bytes).expect("a good block");
    for _ in 0..100 {
        let _ = driver.node.work(0);
    }
    assert_eq!(driver.node.tip().height, Height(0));
    assert_eq!(driver.node.work(u32::MAX), Progress::Idle);
    driver.budget = u32::MAX;
    driver.run();
    assert_eq!(driver.node.tip().id, id);
}

#[test]
fn time_that_jumps_to_its_end_and_back_changes_no_chain() {
    let mut world = World::new();
    let mut driver = Driver::new(node(5));
    for n in 0..6 {
        let id = driver.blocks.grow(&mut world, n + 1, 1);
        let bytes = driver.blocks.0[&id].clone();
        let now = if n % 2 == 0 { Duration::MAX } else { Duration::ZERO };
        driver.node.handle_header(now, PEER, &bytes).expect("not of the future");
        driver.node.handle_timeout(now);
        assert!(driver.node.poll_timeout().is_none_or(|at| at > now || now == Duration::ZERO));
        driver.run();
        driver.node.handle_timeout(Duration::MAX);
    }
    assert_eq!(driver.node.tip(), world.chain.tip());
}

#[test]
fn a_follower_whose_snapshot_is_older_than_its_start_never_trusts_it() {
    let mut world = World::new();
    let config = NodeConfig::new(2, 5);
    let mut driver = Driver::new(node_of(config, limits(&config, 8)));
    let mut bytes = Vec::new();
    for n in 0..8 {
        let id = driver.blocks.grow(&mut world, n % 4 + 1, 1);
        driver.header(id).expect("a good header");
        bytes.push(driver.blocks.0[&id].clone());
    }
    let start = driver.node.final_tip().height.0;
    for target in 0..=start {
        let mut follower = HeaderFollower::new(&driver.node, Height(target));
        let verdict = with_headers(&bytes, false, |headers| follower.handle_headers(NOW, headers));
        assert_eq!(verdict, None);
        assert_eq!(follower.tip(), driver.node.tip());
        assert!(follower.base(0).is_none(), "height {target} is not after {start}");
    }
    // Headers of before, of another branch, and none at all.
    let mut follower = HeaderFollower::new(&driver.node, Height(start + 1));
    let old = with_headers(&bytes[..2], true, |headers| follower.handle_headers(NOW, headers));
    assert_eq!(old, None, "they lead nowhere");
    let none = with_headers(&[], true, |headers| follower.handle_headers(NOW, headers));
    assert_eq!(none, None);
    let gap = with_headers(&bytes[7..], true, |headers| follower.handle_headers(NOW, headers));
    assert_eq!(gap, Some(BlockVerdict::Orphan));
}

#[test]
fn a_witness_of_another_block_or_twice_the_same_is_refused() {
    let mut world = World::new();
    let state = world.chain.tip().state;
    let mut device =
        StatelessChain::new(&spec(3).spec(), Checksum, ledgers(), state).expect("a name");
    world.pay(0, 1, 5, 1);
    let first = world.seal_block();
    let mut other = World::new();
    other.pay(1, 2, 7, 1);
    let second = other.seal_block();
    let mut buf = [0; 4000];
    let good = world.chain.witness(&first, &mut buf).expect("a good block").to_vec();
    let mut buf = [0; 4000];
    let wrong = other.chain.witness(&second, &mut buf).expect("a good block").to_vec();
    let twice = [&good[..], &good].concat();
    for witness in [&wrong[..], &twice, &good[..good.len() - 1], &[]] {
        let refused = device.append(world.now, &first, witness);
        assert!(matches!(refused, Err(Refused::Invalid(_))), "{refused:?}");
        assert_eq!(device.tip().height, Height(0));
    }
    device.append(world.now, &first, &good).expect("its own");
    world.chain.append(world.now, &first).expect("a good block");
    assert_eq!(device.tip(), world.chain.tip());
}

#[test]
fn a_proposal_that_writes_too_often_leaves_the_chain_as_it_was() {
    let mut rules = rules();
    rules.max_writes = 8;
    let mut world = World::with_rules(rules);
    for _ in 0..6 {
        world.pay(0, 1, 1, 0);
    }
    let before = format!("{:?}", world.chain);
    let refused = world.try_seal().expect_err("more writes than the rules allow");
    assert!(matches!(refused, Refused::Invalid(BlockError::Transaction { .. })), "{refused:?}");
    assert_eq!(format!("{:?}", world.chain), before);
    world.pay(0, 1, 1, 0);
    world.append();
    assert_eq!(spec_with(3, rules).chain().tip().height, Height(0));
}

/// A peer that sends the same light headers again and again is counted, not followed for ever.
#[test]
fn a_peer_that_repeats_light_headers_is_given_up() {
    let mut world = World::new();
    let mut driver = Driver::new(node(8));
    let id = driver.blocks.grow(&mut world, 1, 200);
    driver.header(id).expect("a good header");
    let mut light = World::new();
    let blocks: Vec<Vec<u8>> = (0..6)
        .map(|_| {
            let bytes = seal_with(&mut light, 1);
            light.chain.append(light.now, &bytes).expect("it is fine");
            light.now += 1;
            bytes
        })
        .collect();
    let mut config = GossipConfig::new(world.genesis(), 1 << 16, 7);
    config.max_presync_headers = 20;
    let mut presync = Presync::new(&config);
    let mut gave_up = false;
    for round in 0..12 {
        let part = &blocks[(round % 2) * 3..][..3];
        let verdict = with_headers(part, true, |headers| {
            presync.handle_headers(&mut driver.node, NOW, headers)
        });
        gave_up |= matches!(verdict, Some(BlockVerdict::Light { .. }));
    }
    assert!(gave_up, "after 20 headers");
    assert_eq!(driver.node.tip().id, id);
}
