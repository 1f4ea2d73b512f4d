//! How many stabilizations it takes until rings are one, compared with an independent simulation of the same steps: r = 8, each
//! node knows four nodes of other rings. There steps are atomic and in rounds; here datagrams take up to 180 ms and clocks
//! drift, and probes follow each other once a ring has found another one.

mod network;

use core::time::Duration;

use chord_core::Peer;
use network::{Net, SECOND};

/// The time between two stabilizations.
const ROUND: Duration = Duration::from_secs(5);

/// Returns a network of `parts` rings of as many nodes each, every node of which is told to merge with four others.
fn rings(seed: u64, nodes: u32, parts: u32) -> Net {
    let mut net = Net::new(seed, 8);
    let all: Vec<Peer<_, u32>> =
        (1..=nodes).map(|address| Peer { id: net.id(), address }).collect();
    for part in 0..parts {
        let ring: Vec<_> =
            all.iter().filter(|peer| peer.address % parts == part).copied().collect();
        for me in &ring {
            let node = net.add(*me);
            if ring.len() > 8 {
                node.create_base(Duration::ZERO, &ring).unwrap();
            } else {
                assert_eq!(ring.len(), 1, "a ring of one, or one with a base");
                node.create(Duration::ZERO).unwrap();
            }
        }
    }
    for me in &all {
        for _ in 0..4 {
            let other = loop {
                let other = all[net.rng.below(all.len() as u64) as usize].address;
                if other % parts != me.address % parts {
                    break other;
                }
            };
            let node = &mut net.members.get_mut(&me.address).unwrap().node;
            node.merge(Duration::ZERO, other).unwrap();
        }
        net.look_at(me.address);
    }
    net
}

/// Returns the rounds until the ring of all is ideal, the mean of three runs.
fn rounds(nodes: u32, parts: u32) -> f64 {
    let runs = (0..3).map(|seed| {
        let mut net = rings(seed, nodes, parts);
        net.heal(SECOND * 600, "one ring");
        net.now.as_secs_f64() / ROUND.as_secs_f64()
    });
    runs.sum::<f64>() / 3.0
}

#[test]
fn rings_merge_in_as_few_rounds_as_in_the_reference() {
    // Probes of one in six rounds, of each round, and of each round.
    for (nodes, parts, expected) in [(64, 2, 11.3), (16, 16, 7.0), (128, 128, 9.7)] {
        let found = rounds(nodes, parts);
        println!(
            "{nodes} nodes, {parts} rings: ideal after {found:.1} rounds, reference {expected}"
        );
        assert!(found < 2.0 * expected, "{nodes} nodes, {parts} rings: {found} rounds");
    }
}
