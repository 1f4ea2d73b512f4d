//! Room: what a node and the other machines need, what they do with the least, and what more of it changes.

mod common;

use core::time::Duration;

use common::driver::{
    Blocks, Driver, NOW, PEER, Regions, TestNode, limits, node_of, regions, seal_with,
};
use common::{Checksum, World, foreign_block, ledgers, rules, spec, storage_of};
use ledger_core::gossip::{
    BlockRequest, Gossip, GossipConfig, GossipSlots, Message, PeerSlot, TransactionSlot,
};
use ledger_core::mempool::{
    ChunkSlot, Mempool, MempoolConfig, MempoolError, MempoolSlot, MempoolSlots,
};
use ledger_core::node::{Event, HeaderSlot, Node, NodeConfig, NodeSlots, OrphanSlot, Progress};
use ledger_core::state::{Key, Store as _, StoreError, Trie, Value};
use ledger_core::{BlockId, Chain, ConfigError, ConnId, Height, Refused, SignedTransaction, Slot};

#[test]
fn old_blocks_are_final_and_memory_is_bounded() {
    let config = NodeConfig::new(4, 1);
    let mut world = World::new();
    let mut driver = Driver::new(node_of(config, limits(&config, 2)));
    let mut early = world.clone();
    for n in 1..60 {
        let id = driver.blocks.grow(&mut world, n % 7 + 1, 1);
        driver.header(id).expect("a good header");
        assert_eq!(driver.node.tip(), world.chain.tip());
        let depth = driver.node.tip().height.0 - driver.node.final_tip().height.0;
        assert_eq!(depth, n.min(4));
    }
    let finals = driver.events.iter().filter_map(|event| match event {
        Event::Final { height, .. } => Some(height.0),
        _ => None,
    });
    assert_eq!(finals.collect::<Vec<_>>(), (1..=55).collect::<Vec<_>>());
    let late = driver.blocks.grow(&mut early, 3, 255);
    let parent = world.genesis().block_id();
    let refused = driver.header(late);
    assert_eq!(refused, Err(Refused::Orphan { parent }), "it forks below the final block");

    // A flood of headers that weigh less than the chain cannot push anything out.
    let mut tip = [BlockId::default(); 16];
    let len = driver.node.locator(&mut tip);
    assert_eq!(tip[0], world.chain.tip().id);
    assert_eq!(tip[len - 1], driver.node.final_tip().id);
    let mut full = 0;
    for n in 0..40 {
        let mut light = world.clone();
        light.pay(0, 1, 100 + n, 0);
        let bytes = seal_with(&mut light, 0);
        match driver.node.handle_header(NOW, PEER, &bytes) {
            Ok(_) => {}
            Err(Refused::NoRoom { capacity: 12 }) => full += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(full > 20);
    let id = driver.blocks.grow(&mut world, 1, 1);
    driver.header(id).expect("heavier than the flood");
    assert_eq!(driver.node.tip(), world.chain.tip());
}

/// A node whose events are not polled stops, and goes on as if nothing had been when they are.
#[test]
fn a_node_that_is_not_polled_stops() {
    let config = NodeConfig::new(2, 1);
    let mut world = World::new();
    let mut blocks = Blocks::default();
    let mut node = node_of(config, limits(&config, 20));
    for n in 1..=60 {
        let id = blocks.grow(&mut world, n % 5 + 1, 1);
        let _ = node.handle_header(NOW, PEER, &blocks.0[&id]);
        let _ = node.handle_block(NOW, PEER, &blocks.0[&id]);
        while node.work(100) == Progress::Pending {}
        node.handle_saved(NOW, &id);
    }
    assert!(node.tip().height.0 < 60, "there is no room for all");
    let mut driver = Driver { blocks, ..Driver::new(node) };
    driver.run();
    for id in driver.blocks.path(world.chain.tip().id) {
        let _ = driver.header(id);
    }
    assert_eq!(driver.node.tip(), world.chain.tip());
    let connected = driver.events.iter().filter_map(|event| match event {
        Event::Connected { height, .. } => Some(height.0),
        _ => None,
    });
    assert_eq!(connected.collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
}

#[test]
fn a_node_without_the_room_that_the_rules_ask_for_is_not_made() {
    let config = NodeConfig::new(3, 1);
    let good = limits(&config, 0);
    let make = |config, limits| {
        let spec = spec(3);
        Node::new(&spec.spec(), config, Checksum, ledgers(), regions(limits)).map(|_: TestNode| ())
    };
    assert_eq!(make(config, good), Ok(()));
    let mut small = good;
    small.journal -= 1;
    let needed = 7 * 65;
    let too_small = ConfigError::JournalTooSmall { needed, capacity: needed - 1 };
    assert_eq!(make(config, small), Err(too_small));
    let mut small = good;
    small.headers -= 1;
    assert_eq!(make(config, small), Err(ConfigError::TreeTooSmall { needed: 8, capacity: 7 }));
    let mut small = good;
    small.block -= 1;
    assert!(matches!(make(config, small), Err(ConfigError::BlockBufferTooSmall { .. })));
    let mut small = good;
    small.entries = 0;
    assert!(matches!(make(config, small), Err(ConfigError::TooFewSlots { .. })));
    let mut many = config;
    many.confirmations = 5;
    let wrong = ConfigError::WrongConfirmations { confirmations: 5, most: 4 };
    assert_eq!(make(many, good), Err(wrong));
    let mut never = config;
    never.body_timeout = Duration::ZERO;
    assert_eq!(make(never, good), Err(ConfigError::ZeroTimeout));
}

/// Two nodes, one with the least memory and one with much more, follow the same chain.
#[test]
fn more_memory_accepts_no_other_blocks() {
    let config = NodeConfig::new(3, 1);
    let mut large = limits(&config, 50);
    large.entries += 100;
    large.journal *= 3;
    large.block *= 2;
    large.orphans = 60;
    let mut small = limits(&config, 0);
    small.orphans = 0;
    let mut drivers = [small, large].map(|limits| Driver::new(node_of(config, limits)));
    let mut world = World::new();
    for n in 1..=30_u64 {
        let mut other = world.clone();
        for driver in &mut drivers {
            let mut world = world.clone();
            driver.blocks.grow(&mut world, n % 5 + 1, 1);
            driver.branch(world.chain.tip().id);
            let mut other = other.clone();
            driver.blocks.grow(&mut other, 7, 2);
            driver.branch(other.chain.tip().id);
            assert_eq!(driver.node.tip(), other.chain.tip());
        }
        Blocks::default().grow(&mut other, 7, 2);
        world = other;
    }
    assert_eq!(drivers[0].tip(), drivers[1].tip());
    assert_eq!(drivers[0].node.final_tip(), drivers[1].node.final_tip());
}

#[test]
fn sizes_are_as_documented() {
    type Bare = Node<Checksum, (), NodeSlots<(), (), (), (), ()>>;
    println!("HeaderSlot {}", size_of::<HeaderSlot>());
    println!("OrphanSlot {}", size_of::<OrphanSlot>());
    println!("Node {}", size_of::<Bare>());
    assert!(size_of::<HeaderSlot>() <= 640);
    assert!(size_of::<OrphanSlot>() <= 640);
    assert!(size_of::<Bare>() <= 6_144);
    assert_eq!(rules().max_entries, 64);
}

#[test]
fn machines_with_no_slots_or_one_refuse_and_go_on() {
    let mut world = World::new();
    world.pay(0, 1, 5, 1);
    let signed = world.body.clone();
    let block = world.append();
    let (transaction, _) = SignedTransaction::decode(&signed).expect("it was signed");
    for slots in 0..2 {
        for chunks in 0..2 {
            let storage = MempoolSlots {
                slots: vec![MempoolSlot::EMPTY; slots],
                chunks: vec![ChunkSlot::EMPTY; chunks],
            };
            let mut pool =
                Mempool::new(MempoolConfig::new(world.genesis(), 1), storage).expect("it can work");
            let fresh = World::new();
            let inserted = pool.insert(&transaction, &fresh.chain.state(), Height(0));
            assert_eq!(inserted.is_ok(), slots * chunks == 1, "{inserted:?}");
            assert!(
                slots * chunks == 1 || matches!(inserted, Err(MempoolError::Full { .. })),
                "{inserted:?}"
            );
            assert_eq!(pool.len(), slots * chunks);
            assert_eq!(pool.template(&mut [0; 1000]), signed.len() * slots * chunks);
            assert_eq!(pool.template(&mut []), 0);
            pool.update(&world.chain.state(), Height(1));
            assert!(pool.is_empty(), "it is in a block");
        }
    }
    for slots in 0..3 {
        let mut map = Trie::new(vec![Slot::EMPTY; slots]);
        let value = Value::new(b"x");
        for n in 0..4_u8 {
            let written = map.replace(&Key::new(64, &[n]), value.as_ref());
            let full = Err(StoreError::Full { capacity: slots });
            assert_eq!(written, if usize::from(n) < slots { Ok(None) } else { full });
        }
        let root = map.root();
        let mut buf = [0; 300];
        let key = Key::new(64, &[3]);
        let proof = map.prove(&key, &mut buf).expect("few entries");
        assert_eq!(proof.verify(&root, &key), Ok(None));
    }
    for (peers, blocks, transactions) in [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1)] {
        let storage = GossipSlots {
            peers: vec![PeerSlot::EMPTY; peers],
            blocks: vec![BlockRequest::EMPTY; blocks],
            transactions: vec![TransactionSlot::EMPTY; transactions],
        };
        let config = GossipConfig::new(world.genesis(), 600, 1);
        let Ok(mut gossip) = Gossip::new(config, storage) else { continue };
        let connected = gossip.handle_connected(NOW, PEER, true);
        assert_eq!(connected.is_ok(), peers == 1);
        gossip.want_blocks(NOW, &[(Height(1), world.chain.tip().id)]);
        let mut buf = vec![0; Message::MAX_CONTROL_LEN];
        for step in 0..200 {
            let now = NOW + Duration::from_secs(step);
            let _ = gossip.handle_bytes(now, PEER, &block);
            gossip.announce_transaction(now, &transaction.id(&world.genesis()));
            gossip.handle_timeout(now);
            while let Ok(Some(_)) = gossip.poll_transmit(&mut buf) {}
            while gossip.poll_event().is_some() {}
            assert!(gossip.poll_timeout().is_none_or(|at| at > now));
        }
    }
}

#[test]
fn a_node_with_the_least_room_follows_its_chain() {
    for orphans in [0, 1] {
        let config = NodeConfig::new(1, 1);
        let mut least = limits(&config, 0);
        least.orphans = orphans;
        let mut world = World::new();
        let mut driver = Driver::new(node_of(config, least));
        for n in 0..12 {
            let id = driver.blocks.grow(&mut world, n % 5 + 1, 1);
            let bytes = driver.blocks.0[&id].clone();
            // Something unknown first, which takes the only slot.
            let _ = driver.node.handle_header(NOW, ConnId(9), &foreign_block());
            driver.node.handle_block(NOW, PEER, &bytes).expect("a good block");
            driver.run();
            assert_eq!(driver.node.tip(), world.chain.tip());
        }
    }
    for change in 0..4 {
        let config = NodeConfig::new(1, 1);
        let mut less = limits(&config, 0);
        match change {
            0 => less.entries -= 1,
            1 => less.journal -= 1,
            2 => less.headers -= 1,
            _ => less.block -= 1,
        }
        let made: Result<TestNode, ConfigError> =
            Node::new(&spec(3).spec(), config, Checksum, ledgers(), regions(less));
        assert!(made.is_err());
    }
    let nothing = Regions::default();
    assert!(
        Node::new(&spec(3).spec(), NodeConfig::new(1, 1), Checksum, ledgers(), nothing).is_err()
    );
    let made = Chain::new(&spec(3).spec(), Checksum, ledgers(), storage_of(0, 0));
    assert!(matches!(made, Err(ConfigError::TooFewSlots { capacity: 0, .. })));
}
