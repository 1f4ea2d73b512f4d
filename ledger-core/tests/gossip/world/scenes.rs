//! Networks of a few nodes in which one thing happens, and how long it takes.

use core::time::Duration;

use ledger_core::Weight;
use sim::Addr;

use super::World;
use crate::host::{Disk, Host, test_node};
use crate::hostile::{Hostile, Kind};
use crate::join::Joiner;

/// Returns how long a new node with one honest and these hostile peers takes for `blocks` blocks. It stores no header of a
/// branch with less than half of their weight. `check` looks at it now and then.
pub fn catch_up(kinds: &[Kind], blocks: usize, check: impl Fn(&Host)) -> Duration {
    let genesis = *test_node(0).genesis_id();
    let mut world = with_chain(blocks);
    let honest = world.hosts.get(&Addr(0)).expect("it is there");
    let tip = honest.tip();
    let disk = honest.disk.blocks.clone();
    for (n, kind) in kinds.iter().enumerate() {
        let addr = Addr(10 + n as u32);
        let mut hostile = Hostile::new(addr, *kind, genesis);
        hostile.blocks.clone_from(&disk);
        world.hostile.insert(addr, hostile);
    }
    let newcomer = Addr(1);
    let start = world.net.now();
    world.next_tick = start;
    let min_weight = Weight(50 * blocks as u128);
    let host = Host::with_min_weight(newcomer, 9, Disk::default(), start, min_weight);
    world.hosts.insert(newcomer, host);
    // The hostile ones come first.
    for n in 0..kinds.len() {
        world.net.connect(Addr(10 + n as u32), newcomer);
    }
    world.run(Duration::from_secs(1));
    let stream = world.net.connect(newcomer, Addr(0));
    world.dialled.insert(stream, newcomer);
    let start = world.net.now();
    while world.hosts[&newcomer].tip() != tip {
        world.run(Duration::from_millis(50));
        assert!(world.net.now() < start + Duration::from_secs(600), "{kinds:?}: stuck");
        world.hosts[&newcomer].assert_bounded();
        check(&world.hosts[&newcomer]);
    }
    assert!(world.hosts[&newcomer].peers().contains(&Addr(0)), "{kinds:?}: the honest one stays");
    world.net.now().saturating_sub(start)
}

/// A network of one honest node with a chain.
fn with_chain(blocks: usize) -> World {
    let mut world = World::new(9, 1, 0);
    world.is_quiet = true;
    // The chain has blocks of the past, so that no clock has to wait.
    world.net.next(Duration::from_secs(1000));
    world.next_tick = world.net.now();
    for n in 0..blocks {
        world.net.next(world.net.now() + Duration::from_secs(2));
        world.at_random(|host, net| {
            host.pay(net, (n % 3) as u8, 1);
            host.mine(net, 100);
        });
    }
    assert_eq!(world.hosts[&Addr(0)].tip().height.0, blocks as u64);
    world
}

/// Lets a node join by a snapshot, with these liars and one honest peer. Returns it and the honest one.
pub fn join(liars: u32) -> (Joiner, Host) {
    let mut world = with_chain(150);
    let honest = world.hosts.get_mut(&Addr(0)).expect("it is there");
    honest.offer_snapshot(&mut world.net);
    let genesis = *honest.node.genesis_id();
    let newcomer = Addr(1);
    for n in 0..liars {
        let addr = Addr(10 + n);
        let mut liar = Hostile::new(addr, Kind::Snapshots, genesis);
        liar.blocks.clone_from(&honest.disk.blocks);
        liar.chain.clone_from(&honest.chain);
        liar.source.clone_from(&honest.source);
        world.hostile.insert(addr, liar);
    }
    world.joiner = Some(Joiner::new(newcomer));
    for n in 0..liars {
        world.net.connect(newcomer, Addr(10 + n));
    }
    world.run(Duration::from_secs(1));
    world.net.connect(newcomer, Addr(0));
    let start = world.net.now();
    while world.joiner.as_ref().is_some_and(|joiner| joiner.node.is_none()) {
        world.run(Duration::from_millis(100));
        assert!(world.net.now() < start + Duration::from_secs(120), "stuck");
    }
    let joiner = world.joiner.take().expect("it is there");
    (joiner, world.hosts.remove(&Addr(0)).expect("it is there"))
}

/// Lets the first of these nodes in a row pay many times at once. Returns how many payments it has, and the last node.
pub fn burst(nodes: u32) -> (usize, usize) {
    let mut world = row(nodes);
    let first = world.hosts.get_mut(&Addr(0)).expect("it is there");
    for n in 0..60 {
        first.pay_silently(&world.net, n % 3, 1);
    }
    first.run(&mut world.net);
    world.after(Addr(0));
    world.run(Duration::from_secs(60));
    (world.hosts[&Addr(0)].mempool.len(), world.hosts[&Addr(nodes - 1)].mempool.len())
}

/// Nodes in a row, each connected to the next.
fn row(nodes: u32) -> World {
    let mut world = World::new(4, nodes, 0);
    world.is_quiet = true;
    world.next_tick = Duration::MAX; // nobody dials
    for n in 1..nodes {
        world.net.connect(Addr(n - 1), Addr(n));
    }
    world.run(Duration::from_secs(10));
    world
}

/// Returns how long a block takes from the first of these nodes in a row to the last.
pub fn propagation(nodes: u32) -> Duration {
    let mut world = row(nodes);
    let start = world.net.now();
    let first = world.hosts.get_mut(&Addr(0)).expect("it is there");
    first.mine(&mut world.net, 1);
    let tip = first.tip();
    world.after(Addr(0));
    while world.hosts[&Addr(nodes - 1)].tip() != tip {
        world.run(Duration::from_millis(1));
        assert!(world.net.now() < start + Duration::from_secs(60), "stuck");
    }
    world.net.now().saturating_sub(start)
}

/// Makers of blocks die at any moment after a block. Returns the longest time until the nodes that stay had one tip again.
pub fn longest_disagreement(seed: u64) -> Duration {
    let mut world = World::new(seed, 5, 0);
    world.is_quiet = true;
    let mut longest = Duration::ZERO;
    for _ in 0..10 {
        world.run(Duration::from_secs(90)); // who is away comes back
        let nth = world.rng.below(world.hosts.len() as u64) as usize;
        let (addr, maker) = world.hosts.iter_mut().nth(nth).expect("all are awake");
        let addr = *addr;
        maker.mine(&mut world.net, 100);
        world.after(addr);
        let lives = world.rng.below(700);
        world.run(Duration::from_millis(lives));
        let start = world.net.now();
        world.kill(addr, Duration::from_secs(60));
        while world.tips().len() > 1 {
            world.run(Duration::from_millis(10));
            let took = world.net.now().saturating_sub(start);
            assert!(took < Duration::from_secs(50), "seed {seed}: {:?}", world.tips());
            longest = longest.max(took);
        }
    }
    longest
}
