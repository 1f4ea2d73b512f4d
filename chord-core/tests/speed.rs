//! Lookups right after many nodes have failed.

mod network;

use chord_core::Event;
use core::time::Duration;
use network::{Id, Net, SECOND};

const MILLISECOND: Duration = Duration::from_millis(1);

type Peer = chord_core::Peer<Id, u32>;

/// Lets 40 of 100 nodes fail at once, but never `r` successive ones: no protocol knows the owner of a key while a living node
/// has no living successor in its list (Zave 2017 assumes that this does not happen).
fn fail(net: &mut Net, r: usize) {
    let mut living = net.ideal();
    let all = living.clone();
    while living.len() > 60 {
        let at = net.rng.below(living.len() as u64) as usize;
        let dies = living.remove(at);
        let is_dead = |at: usize| !living.contains(&all[at % all.len()]);
        let too_many = |from: usize| (from..from.saturating_add(r)).all(is_dead);
        if (0..all.len()).any(too_many) {
            living.insert(at, dies);
        }
    }
    net.members.retain(|address, _| living.iter().any(|peer| peer.address == *address));
}

/// What 180 lookups came to.
struct Outcome {
    /// How long each that named the owner took, ascending.
    times: Vec<Duration>,
    wrong: usize,
    failed: usize,
}

/// Looks 180 keys up at the nodes that are left, three at each second.
fn lookups(net: &mut Net) -> Outcome {
    let ring = net.ideal();
    net.events.clear();
    let mut asked = vec![];
    for _ in 0..180 {
        let from = ring[net.rng.below(ring.len() as u64) as usize].address;
        let key = net.id();
        let now = net.clock(from);
        net.members.get_mut(&from).unwrap().node.lookup(now, key).unwrap();
        asked.push((from, key, net.now));
        net.look_at(from);
        net.run_for(MILLISECOND * 333);
    }
    net.run_for(SECOND * 40);
    let mut outcome = Outcome { times: vec![], wrong: 0, failed: 0 };
    for (from, key, start) in asked {
        let right = ring[ring.partition_point(|peer| peer.id < key) % ring.len()];
        match end(net, from, key) {
            Some((at, owner)) if owner == right => outcome.times.push(at.saturating_sub(start)),
            Some(_) => outcome.wrong += 1,
            None => outcome.failed += 1,
        }
    }
    outcome.times.sort_unstable();
    outcome
}

/// Returns when a lookup has named an owner, and which one.
fn end(net: &Net, from: u32, key: Id) -> Option<(Duration, Peer)> {
    net.events.iter().find_map(|(at, node, event)| match event {
        Event::LookupDone { key: of, owner, .. } if *of == key && *node == from => {
            Some((*at, *owner))
        }
        _ => None,
    })
}

#[test]
fn lookups_are_right_after_forty_of_a_hundred_nodes_have_failed() {
    for seed in 0..8 {
        let mut net = Net::ring(seed, 8, 100);
        net.run_for(SECOND * 180); // fingers are found
        fail(&mut net, 8);
        let Outcome { times, wrong, failed } = lookups(&mut net);
        assert_eq!((wrong, failed), (0, 0), "seed {seed}");
        let median = times[times.len() / 2];
        let longest = times[times.len() - 1];
        println!("seed {seed}: median {median:?}, longest {longest:?}");
        assert!(median < SECOND * 3, "seed {seed}: median {median:?}");
        // Seven dead nodes in a row are asked four at a time, and others lie on the way.
        assert!(longest < SECOND * 15, "seed {seed}: longest {longest:?}");
    }
}
