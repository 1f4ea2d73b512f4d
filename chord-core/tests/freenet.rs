//! Freenet: hops in Kleinberg's small world, and what location swapping makes of a shuffled one. The expected figures are
//! those of an independent simulation of a ring of N nodes whose nodes draw round(log2(N) / 2) long links each.

use chord_core::geometry::{Freenet, HopsToLive, Visit};
use chord_core::{Peer, Route};
use sim::Rng;

type Node = Freenet<u32, Vec<Option<Peer<u64, u32>>>, Vec<Option<u64>>>;

/// Room for neighbours; the busiest of 4,000 nodes has fewer.
const SLOTS: usize = 64;

/// By which law long links are drawn.
#[derive(Clone, Copy)]
enum Links {
    /// A link over d nodes, at least 2, is as frequent as 1/d.
    Kleinberg,
    Uniform,
}

/// Returns a ring of nodes with equal gaps and long links.
fn small_world(size: u32, links: Links, rng: &mut Rng) -> Vec<Node> {
    let gap = u64::MAX / u64::from(size);
    let peer = |at: u32| Peer { id: u64::from(at) * gap, address: at };
    let mut nodes: Vec<Node> =
        (0..size).map(|at| Freenet::new(peer(at), vec![None; SLOTS], vec![])).collect();
    let mut link = |a: u32, b: u32| {
        assert!(nodes[a as usize].learn(peer(b)) && nodes[b as usize].learn(peer(a)), "room");
    };
    let long = (f64::from(size).log2() / 2.0).round() as u32;
    let mut sum = 0.0;
    let weights: Vec<f64> = (2..=size / 2)
        .map(|over| {
            sum += match links {
                Links::Kleinberg => 1.0 / f64::from(over),
                Links::Uniform => 1.0,
            };
            sum
        })
        .collect();
    for at in 0..size {
        link(at, (at + 1) % size);
        for _ in 0..long {
            let share = rng.below(1 << 32) as f64 / (1u64 << 32) as f64;
            let over = 2 + weights.partition_point(|weight| *weight <= share * sum) as u32;
            let clockwise = rng.below(2) == 0;
            link(at, (at + if clockwise { over } else { size - over }) % size);
        }
    }
    nodes
}

/// Returns the mean number of hops of greedy routing between nodes chosen by chance.
fn greedy_hops(nodes: &[Node], rng: &mut Rng) -> f64 {
    let pairs = 4000;
    let mut hops = 0;
    for _ in 0..pairs {
        let mut at = rng.below(nodes.len() as u64) as usize;
        let to = rng.below(nodes.len() as u64) as usize;
        let key = nodes[to].me().id;
        while let Route::Ask(next) = nodes[at].route(key) {
            at = next.address as usize;
            hops += 1;
        }
        assert_eq!(at, to, "neighbours on both sides leave no dead end");
    }
    f64::from(hops) / f64::from(pairs)
}

/// Searches depth first, each node once. Returns how many messages it takes to reach `to`, if that is within `limit`.
fn depth_first(nodes: &[Node], from: usize, to: usize, limit: u32) -> Option<u32> {
    let key = nodes[to].me().id;
    let mut seen = vec![false; nodes.len()];
    seen[from] = true;
    let mut way = vec![(from, Visit::new(None))];
    let mut messages = 0;
    while let Some((at, visit)) = way.last_mut() {
        if *at == to {
            return Some(messages);
        }
        let Some(next) = nodes[*at].next(key, visit) else {
            way.pop();
            continue;
        };
        if core::mem::replace(&mut seen[next.address as usize], true) {
            continue; // refused
        }
        messages += 1;
        if messages > limit {
            return None;
        }
        let from = nodes[*at].me().address;
        way.push((next.address as usize, Visit::new(Some(from))));
    }
    None
}

/// Lets each node attempt `attempts` swaps, with partners at the end of a random walk of six steps.
fn swap(nodes: &mut [Node], attempts: u32, rng: &mut Rng) {
    for _ in 0..attempts as usize * nodes.len() {
        let from = rng.below(nodes.len() as u64) as usize;
        let mut at = from;
        for _ in 0..6 {
            let near: Vec<_> = nodes[at].known().skip(1).collect();
            at = near[rng.below(near.len() as u64) as usize].address as usize;
        }
        let others: Vec<u64> = nodes[at].known().skip(1).map(|peer| peer.id).collect();
        let [here, there] = [nodes[from].me().id, nodes[at].me().id];
        if at != from && nodes[from].accepts_swap(there, others, rng.next_u64()) {
            move_to(nodes, from, there);
            move_to(nodes, at, here);
        }
    }
}

fn move_to(nodes: &mut [Node], at: usize, location: u64) {
    nodes[at].set_location(location);
    let me = nodes[at].me();
    for near in nodes[at].known().skip(1).collect::<Vec<_>>() {
        nodes[near.address as usize].learn(me);
    }
}

/// Gives the nodes of a small world their locations in random order.
fn shuffle(nodes: &mut [Node], rng: &mut Rng) {
    for at in (1..nodes.len()).rev() {
        let other = rng.below(at as u64 + 1) as usize;
        let [here, there] = [nodes[at].me().id, nodes[other].me().id];
        move_to(nodes, at, there);
        move_to(nodes, other, here);
    }
}

/// Returns the share of searches that succeed within `limit` messages, and the mean number of these.
fn searches(nodes: &[Node], limit: u32, rng: &mut Rng) -> (f64, f64) {
    let pairs = 2000;
    let found: Vec<u32> = (0..pairs)
        .filter_map(|_| {
            let from = rng.below(nodes.len() as u64) as usize;
            let to = rng.below(nodes.len() as u64) as usize;
            depth_first(nodes, from, to, limit)
        })
        .collect();
    let messages = found.iter().sum::<u32>();
    (found.len() as f64 / f64::from(pairs), f64::from(messages) / found.len() as f64)
}

fn assert_near(found: f64, expected: f64, share: f64, what: &str) {
    println!("{what}: {found:.3}, expected {expected}");
    assert!((found / expected - 1.0).abs() < share, "{what}: {found}, expected {expected}");
}

#[test]
fn greedy_routing_in_a_small_world_takes_few_hops() {
    for (size, kleinberg, uniform) in [(250, 4.05, 5.23), (1000, 5.28, 9.72), (4000, 6.47, 16.70)] {
        for (links, expected) in [(Links::Kleinberg, kleinberg), (Links::Uniform, uniform)] {
            let mut rng = Rng::new(u64::from(size));
            // The mean of three graphs.
            let mut hops = || greedy_hops(&small_world(size, links, &mut rng), &mut Rng::new(1));
            let mean = (hops() + hops() + hops()) / 3.0;
            assert_near(mean, expected, 0.08, &format!("{size} nodes"));
        }
    }
}

#[test]
fn swapping_finds_locations_that_searches_profit_from() {
    let mut rng = Rng::new(4);
    let mut nodes = small_world(250, Links::Kleinberg, &mut rng);
    shuffle(&mut nodes, &mut rng);
    let (found, messages) = searches(&nodes, 63, &mut rng);
    assert_near(found, 0.923, 0.06, "shuffled, success");
    assert_near(messages, 20.76, 0.15, "shuffled, messages");
    swap(&mut nodes, 100, &mut rng);
    let (found, messages) = searches(&nodes, 63, &mut rng);
    assert!(found > 0.99, "{found}");
    assert_near(messages, 6.21, 0.15, "100 attempts, messages");
    let (found, _) = searches(&nodes, 18, &mut rng);
    assert_near(found, 0.985, 0.06, "100 attempts, hops to live of 18, success");
    let mut locations: Vec<_> = nodes.iter().map(|node| node.me().id).collect();
    locations.sort_unstable();
    locations.dedup();
    assert_eq!(locations.len(), 250, "locations are exchanged and never lost");
}

#[test]
#[ignore = "half a minute, optimised"]
fn a_thousand_nodes_swap_locations_as_in_the_reference() {
    let mut rng = Rng::new(5);
    let mut nodes = small_world(1000, Links::Kleinberg, &mut rng);
    shuffle(&mut nodes, &mut rng);
    let mut done = 0;
    for (attempts, success, messages, short) in
        [(100, 0.984, 15.34, 0.751), (1000, 0.999, 10.22, 0.881), (4000, 1.0, 8.66, 0.919)]
    {
        swap(&mut nodes, attempts - done, &mut rng);
        done = attempts;
        let (found, mean) = searches(&nodes, 99, &mut rng);
        assert_near(found, success, 0.03, "success");
        assert_near(mean, messages, 0.15, "messages");
        assert_near(searches(&nodes, 18, &mut rng).0, short, 0.06, "success within 18");
    }
}

#[test]
fn data_stay_on_the_way_back_and_the_least_used_give_way() {
    let me = Peer { id: 0, address: 0 };
    let mut node: Node = Freenet::new(me, vec![], vec![None; 2]);
    assert_eq!(node.store(1), None);
    assert_eq!(node.store(2), None);
    assert!(node.holds(1));
    assert_eq!(node.store(3), Some(2)); // 1 was used later
    assert!(node.holds(1) && node.holds(3) && !node.holds(2));
    let mut none: Node = Freenet::new(me, vec![], vec![]);
    assert_eq!(none.store(9), Some(9));
    assert_eq!(none.route(5), Route::Owner(none.me()));
    assert!(!none.learn(Peer { id: 1, address: 1 }));
}

#[test]
fn hops_to_live_end() {
    let mut left = Some(HopsToLive::MAX);
    let mut hops = 0;
    while let Some(more) = left {
        left = more.lowered(true);
        hops += 1;
    }
    assert_eq!(hops, 18);
    assert_eq!(HopsToLive::new(200), HopsToLive::MAX);
    assert_eq!(HopsToLive::new(1).lowered(false), Some(HopsToLive::new(1)));
    assert_eq!(HopsToLive::new(0).lowered(false), None);
}

#[test]
fn a_neighbour_that_has_failed_is_forgotten() {
    let [me, near, far] = [(0, 0), (10, 1), (90, 2)].map(|(id, address)| Peer { id, address });
    let mut node: Node = Freenet::new(me, vec![None; 3], vec![]);
    assert!(node.learn(near) && node.learn(far) && !node.learn(Peer { id: 5, ..me }));
    node.forget(1);
    assert_eq!(node.known().collect::<Vec<_>>(), [me, far]);
    assert!(node.learn(Peer { id: 80, ..far }), "it has moved");
    assert_eq!(node.known().nth(1).map(|peer| peer.id), Some(80));
    assert_eq!(node.known().count(), 2);
}
