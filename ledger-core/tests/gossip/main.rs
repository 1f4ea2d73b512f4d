//! Gossip, chain and mempool of many nodes in virtual time: loss, partitions, restarts, hostile peers.

#[path = "../common/mod.rs"]
mod common;
mod host;
mod hostile;
mod machine;
mod world;

use core::time::Duration;

use hostile::Kind;
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

/// A new node with one honest peer among hostile ones of each kind catches up in less than twice the time.
#[test]
fn hostile_peers_slow_a_new_node_by_less_than_two() {
    let alone = world::catch_up(&[], 200);
    println!("alone: {alone:?}");
    for kind in Kind::ALL {
        let took = world::catch_up(&[kind; 3], 200);
        println!("with three of {kind:?}: {took:?}");
        assert!(took < 2 * alone, "{kind:?}: {took:?} instead of {alone:?}");
    }
    let took = world::catch_up(&Kind::ALL, 200);
    println!("with one of each: {took:?}");
    assert!(took < 2 * alone, "{took:?} instead of {alone:?}");
}
