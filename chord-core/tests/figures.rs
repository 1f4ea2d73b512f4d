//! The figures of Stoica 2003 from the routing step of this crate. The full sizes are
//! `#[ignore]`d and run in release mode by `.ci/steps/84-chord-figures.sh`.

use chord_core::{Identifier, KeyRange, Peer, Route, RoutingTableVec};
use sim::Rng;

type At = Peer<u64, [u8; 0]>;

fn ring(nodes: usize, rng: &mut Rng) -> Vec<At> {
    let mut ring: Vec<_> = (0..nodes).map(|_| Peer { id: rng.next_u64(), address: [] }).collect();
    ring.sort_by_key(|peer| peer.id);
    ring
}

fn place(ring: &[At], id: u64) -> usize {
    ring.binary_search_by_key(&id, |peer| peer.id).unwrap()
}

/// Exact tables; only the nodes that can be fingers or successors are shown to each.
fn tables(ring: &[At], r: u8) -> Vec<RoutingTableVec<u64, [u8; 0]>> {
    let owner = |key: u64| ring[ring.partition_point(|peer| peer.id < key) % ring.len()];
    let table = |at: usize| {
        let mut table = RoutingTableVec::of_ring(ring[at], usize::from(r), 16, &[]);
        for i in (1..=64).rev() {
            table.fingers.set(i, owner(ring[at].id.finger_start(i)));
        }
        for step in 1..=usize::from(r).min(ring.len() - 1) {
            table.successors.learn(ring[(at + step) % ring.len()]);
        }
        table
    };
    (0..ring.len()).map(table).collect()
}

/// How often each number of forwardings occurs; none counts as 1, as the figure draws it.
fn lengths(nodes: usize, lookups: usize, seed: u64) -> Vec<usize> {
    let mut rng = Rng::new(seed);
    let ring = ring(nodes, &mut rng);
    let tables = tables(&ring, 1);
    let mut counts = vec![0; 64];
    for _ in 0..lookups {
        let mut at = rng.below(nodes as u64) as usize;
        let key = rng.next_u64();
        let mut hops = 0usize;
        while let Route::Ask(next) = tables[at].route(key) {
            at = place(&ring, next.id);
            hops += 1;
        }
        counts[hops.max(1)] += 1;
    }
    counts
}

fn mean(counts: &[usize]) -> f64 {
    let total: usize = counts.iter().sum();
    let sum: usize = counts.iter().enumerate().map(|(length, count)| length * count).sum();
    sum as f64 / total as f64
}

#[test]
#[ignore = "large: .ci/steps/84-chord-figures.sh"]
fn path_lengths_are_those_of_figure_10() {
    // (a), drawn: k, mean
    for (k, drawn) in [(7, 3.39), (8, 3.88), (10, 4.89), (11, 5.36), (12, 5.85), (14, 6.87)] {
        // One random ring moves the mean, a small one more.
        let nodes = 1usize << k;
        let rings = (16384u64 >> k).clamp(1, 40);
        let runs: Vec<f64> =
            (0..rings).map(|seed| mean(&lengths(nodes, 100 * nodes, seed))).collect();
        let ours = runs.iter().sum::<f64>() / rings as f64;
        println!("Fig. 10(a) 2^{k} nodes: {ours:.3}, drawn {drawn}");
        assert!((ours - drawn).abs() <= 0.05, "2^{k}: {ours}");
    }
    // (b), drawn: probability of lengths 1 to 12 at 2^12
    let drawn = [
        0.0033, 0.0180, 0.0571, 0.1288, 0.2124, 0.2254, 0.1938, 0.1094, 0.0412, 0.0092, 0.0012,
        0.0002,
    ];
    let counts = lengths(4096, 409_600, 42);
    for (length, drawn) in (1..).zip(drawn) {
        let ours = counts[length] as f64 / 409_600.0;
        println!("Fig. 10(b) length {length}: {ours:.4}, drawn {drawn}");
        assert!((ours - drawn).abs() <= 0.012, "length {length}: {ours}");
    }
}

/// Fails each node with probability `p` and looks keys up with stabilization stopped. Returns the means of the
/// path and of the timeouts; panics at a wrong answer. Each lookup remembers the nodes it found dead.
fn table_2(nodes: usize, p: f64, lookups: usize, seed: u64) -> (f64, f64) {
    let mut rng = Rng::new(seed);
    let ring = ring(nodes, &mut rng);
    let tables = tables(&ring, 20);
    let dead: Vec<bool> =
        ring.iter().map(|_| (rng.below(1 << 30) as f64) < p * f64::from(1 << 30)).collect();
    let alive = |peer: &At| !dead[place(&ring, peer.id)];
    let mut path = 0;
    let mut timeouts = 0;
    let mut done = 0;
    while done < lookups {
        let mut at = rng.below(nodes as u64) as usize;
        let key = rng.next_u64();
        if dead[at] {
            continue;
        }
        let mut avoid: Vec<u64> = vec![];
        loop {
            let usable = |peer: &At| !avoid.contains(&peer.id);
            let route = tables[at].route_around(key, usable).expect("20 successors survive");
            let (Route::Ask(peer) | Route::Owner(peer)) = route;
            if !alive(&peer) {
                avoid.push(peer.id);
                timeouts += 1;
            } else if let Route::Ask(next) = route {
                at = place(&ring, next.id);
                path += 1;
            } else {
                let from = ring.partition_point(|peer| peer.id < key);
                let right = (0..nodes).map(|step| ring[(from + step) % nodes]).find(alive);
                assert_eq!(Some(peer), right, "wrong answer");
                break;
            }
        }
        done += 1;
    }
    (f64::from(path) / lookups as f64, f64::from(timeouts) / lookups as f64)
}

#[test]
#[ignore = "large: .ci/steps/84-chord-figures.sh"]
fn timeouts_after_failures_agree_with_table_ii() {
    for (p, path, timeouts) in [
        (0.0, 3.84, 0.0),
        (0.1, 4.03, 0.60),
        (0.2, 4.22, 1.17),
        (0.3, 4.44, 2.02),
        (0.5, 5.09, 5.10),
    ] {
        let runs: Vec<_> = (0..20).map(|seed| table_2(1000, p, 10_000, seed)).collect();
        let ours = runs.iter().map(|run| run.0).sum::<f64>() / 20.0;
        let late = runs.iter().map(|run| run.1).sum::<f64>() / 20.0;
        println!(
            "Table II p = {p}: path {ours:.2} (paper {path}), timeouts {late:.2} ({timeouts})"
        );
        assert!((ours / path - 1.0).abs() <= 0.05, "p = {p}: path {ours}");
        assert!((late - timeouts).abs() <= 0.25 * timeouts, "p = {p}: timeouts {late}");
    }
}

#[test]
fn lookups_are_right_with_half_of_the_nodes_dead() {
    let (path, timeouts) = table_2(500, 0.5, 1000, 3);
    assert!(path < 7.0 && timeouts > 1.0, "{path} {timeouts}");
}

/// The 1st and the 99th percentile of keys per host over the mean, with `v` virtual nodes each.
fn load(hosts: usize, keys: usize, v: usize, seed: u64) -> (f64, f64) {
    let mut rng = Rng::new(seed);
    let ring = ring(hosts * v, &mut rng);
    let mut host: Vec<usize> = (0..hosts * v).map(|node| node / v).collect();
    for at in (1..host.len()).rev() {
        host.swap(at, rng.below(at as u64 + 1) as usize);
    }
    let mut all: Vec<u64> = (0..keys).map(|_| rng.next_u64()).collect();
    all.sort_unstable();
    let mut load = vec![0usize; hosts];
    for (at, node) in ring.iter().enumerate() {
        let before = ring[(at + ring.len() - 1) % ring.len()];
        let range = KeyRange { after: before.id, through: node.id };
        let from = all.partition_point(|key| *key <= range.after);
        let mine = all[from..].iter().take_while(|key| range.contains(**key)).count();
        let wrapped =
            if at == 0 { all.iter().take_while(|key| range.contains(**key)).count() } else { 0 };
        load[host[at]] += mine + wrapped;
    }
    assert_eq!(load.iter().sum::<usize>(), keys, "each key has one owner");
    load.sort_unstable();
    let mean = keys as f64 / hosts as f64;
    (load[hosts / 100] as f64 / mean, load[hosts * 99 / 100] as f64 / mean)
}

#[test]
#[ignore = "large: .ci/steps/84-chord-figures.sh"]
fn keys_a_node_are_those_of_figure_9() {
    // 10^4 nodes, 10^6 keys, one ring, drawn over the mean of 100. A percentile of one ring is a whole number of keys,
    // and the small ones differ by a key from ring to ring: the mean is allowed that where 8 % is less, and the
    // ring of the paper has to be one of ours.
    const RINGS: u32 = 16;
    const KEY: f64 = 0.01;
    for (v, p1, p99) in [(1, 0.0, 4.77), (2, 0.07, 3.47), (10, 0.38, 1.86), (20, 0.50, 1.61)] {
        let runs: Vec<_> = (0..RINGS).map(|seed| load(10_000, 1_000_000, v, seed.into())).collect();
        let within = |ours: f64, paper: f64, keys: f64| {
            (ours - paper).abs() <= (0.08 * paper).max(keys * KEY)
        };
        let mean =
            |one: fn(&(f64, f64)) -> f64| runs.iter().map(one).sum::<f64>() / f64::from(RINGS);
        let ours1 = mean(|run| run.0);
        let ours99 = mean(|run| run.1);
        println!("Fig. 9 {v} virtual nodes: p1 {ours1:.3} ({p1}), p99 {ours99:.2} ({p99})");
        assert!(within(ours1, p1, 1.0) && within(ours99, p99, 0.0), "{v}: {ours1} {ours99}");
        assert!(
            runs.iter().any(|run| within(run.0, p1, 0.0) && within(run.1, p99, 0.0)),
            "{v}: {runs:?}"
        );
    }
}
