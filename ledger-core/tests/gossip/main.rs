//! Gossip, chain and mempool of many nodes in virtual time: loss, partitions, restarts, hostile peers.

mod bounds;
#[path = "../common/mod.rs"]
mod common;
mod host;
mod hostile;
mod join;
mod machine;
mod requests;
mod transactions;
mod world;

use core::time::Duration;

use host::Host;
use hostile::Kind;
use ledger_core::ConnId;
use ledger_core::gossip::CloseReason;
use ledger_core::node::{Event, Progress};
use world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// 50 nodes, of which some are hostile: connections break, nodes restart, and the network is split for half an hour while
/// both sides make blocks. In the end there is one tip.
fn heals(seed: u64, hostile: usize) {
    let mut world = World::new(seed, 50, hostile);
    world.run(4 * MINUTE);
    world.split();
    world.run(30 * MINUTE);
    let tips = world.tips();
    assert!(tips.len() > 1, "seed {seed}: both sides made blocks");
    world.heal();
    world.run(4 * MINUTE);
    world.is_quiet = true;
    world.run(3 * MINUTE);
    let tips = world.tips();
    assert_eq!(tips.len(), 1, "seed {seed}: {tips:?}");
    assert!(world.height() >= 10, "seed {seed}: height {}", world.height());
    world.assert_honest_are_connected();
    world.hosts.values().for_each(Host::assert_bounded);
    world.assert_no_honest_peer_was_banned();
}

#[test]
fn one_tip_after_partitions_restarts_and_loss() {
    heals(1, 0);
}

#[test]
fn one_tip_with_a_tenth_of_hostile_nodes() {
    heals(2, 5);
}

/// The seeds from `SEED` on, `SEEDS` in number; 0 and 1,000 if unset.
#[test]
#[ignore = "takes hours in debug: .ci/nightly.d/ledger.sh"]
fn one_tip_for_a_thousand_seeds() {
    let number = |name, default| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number")),
        Err(_) => default,
    };
    let from = number("SEED", 0);
    for seed in from..from + number("SEEDS", 1000) {
        heals(seed, if seed % 2 == 0 { 5 } else { 0 });
    }
}

/// Blocks that a new node has to catch up on.
const BLOCKS: usize = 200;

/// A new node with one honest peer among three hostile ones of a kind catches up in less than twice the time. It stays
/// connected to the honest one, and its memory is what it was given.
fn withstands(kind: Kind, check: impl Fn(&Host)) {
    let alone = world::catch_up(&[], BLOCKS, |_| ());
    let took = world::catch_up(&[kind; 3], BLOCKS, check);
    println!("alone: {alone:?}, with three of {kind:?}: {took:?}");
    assert!(took < 2 * alone, "{kind:?}: {took:?} instead of {alone:?}");
}

/// None of the headers without weight is ever stored.
#[test]
fn a_node_withstands_floods_of_headers_without_work() {
    let genesis = *host::test_node(0).genesis_id();
    let light = hostile::light_ids(&genesis);
    withstands(Kind::LowWork, |host| {
        assert!(light.iter().all(|id| host.node.tip_of(id).is_none()));
    });
}

#[test]
fn a_node_withstands_floods_of_orphans() {
    withstands(Kind::Orphans, |_| ());
}

#[test]
fn a_node_withstands_peers_that_send_invalid_bodies() {
    withstands(Kind::InvalidBodies, |_| ());
}

#[test]
fn a_node_withstands_peers_that_withhold_bodies() {
    withstands(Kind::Withheld, |_| ());
}

#[test]
fn a_node_withstands_floods_of_one_sequence_number() {
    withstands(Kind::OneSequence, |host| assert!(host.mempool.len() <= 1));
}

#[test]
fn a_node_withstands_transactions_without_fees() {
    withstands(Kind::Spam, |host| assert!(host.mempool.is_empty()));
}

#[test]
fn one_hostile_peer_of_each_kind() {
    let alone = world::catch_up(&[], BLOCKS, |_| ());
    let took = world::catch_up(&Kind::ALL, BLOCKS, |_| ());
    assert!(took < 2 * alone, "{took:?} instead of {alone:?}");
}

/// A node that joins by a snapshot from liars and one honest peer has the honest state. Only the liars are disconnected.
#[test]
fn a_node_joins_by_a_snapshot_and_bans_the_liars_only() {
    for liars in [0, 2] {
        let (joiner, honest) = world::join(liars);
        let source = honest.source.as_ref().expect("it hands one out");
        assert_eq!(joiner.tip(), Some(source.id()));
        let mut closed: Vec<_> = joiner.closed.iter().map(|(peer, _)| peer.0).collect();
        closed.sort_unstable();
        assert_eq!(closed, (10..10 + liars).collect::<Vec<_>>(), "the liars");
        assert!(joiner.closed.iter().all(|(_, reason)| *reason == CloseReason::Invalid));
        let mut node = joiner.node.expect("it has joined");
        for id in honest.chain.iter().skip(source.header().height.0 as usize + 1) {
            let bytes = &honest.disk.blocks[id];
            let now = host::unix(Duration::from_secs(100_000));
            node.handle_block(now, ConnId(0), bytes).expect("a good block");
            while node.work(1000) == Progress::Pending {}
            while let Some(event) = node.poll_event() {
                if let Event::Keep { id, .. } = event {
                    node.handle_saved(now, &id);
                }
            }
        }
        assert_eq!(*node.tip(), honest.tip());
    }
}

/// A block crosses five hops, each of which takes five messages: status, the request for headers, these, the request for the
/// block, and the block.
#[test]
fn a_block_crosses_five_hops_in_the_time_of_its_messages() {
    let took = world::propagation(6);
    println!("five hops: {took:?}");
    let longest = Duration::from_millis(100); // of a message on its way
    assert!(took <= 2 * 5 * 5 * longest, "{took:?}: a few of them are lost and sent again");
    assert!(took >= 5 * 5 * Duration::from_millis(40), "{took:?}: no faster than the network");
}

/// A node that has the headers of a block and not its body asks, soon, the peers that turn out to have it.
#[test]
fn the_death_of_a_maker_of_blocks_does_not_keep_the_others_apart() {
    let longest = (0..20).map(world::longest_disagreement).max();
    println!("{longest:?}");
    assert!(longest < Some(Duration::from_secs(12)), "{longest:?}");
}

/// All of a burst of transactions reach the end of a row of nodes, though a message announces 32 at most.
#[test]
fn a_burst_of_transactions_is_gossiped_wholly() {
    let (sent, arrived) = world::burst(3);
    assert!(sent > 50, "{sent}");
    assert_eq!(arrived, sent);
}
