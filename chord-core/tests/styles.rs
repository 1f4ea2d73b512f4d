//! How lookups travel: asked or passed on, around the dead, by near fingers.

mod world;

use core::time::Duration;

use chord_core::{Event, Style};
use sim::Link;
use world::{World, config, ids};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn all_styles_find_the_same_owners() {
    // Stoica 2003, V-A: 2 messages for each hop of an iterative lookup, hops + 1 if passed on.
    let mut costs = vec![];
    for style in [Style::Iterative, Style::Recursive, Style::SemiRecursive] {
        let ids = ids(6, 60);
        let mut quiet = config(4, 6);
        quiet.0.stabilize = Duration::MAX;
        quiet.0.fix_fingers = Duration::MAX;
        quiet.0.style = style;
        quiet.0.confirm = false;
        let mut world = World::base(6, Link::default(), quiet, &ids);
        let ring = world.members();
        let mut lookups = 0;
        let mut took = Duration::ZERO;
        for from in ring.iter().step_by(7) {
            for key in (0..1 << 16).step_by(997) {
                let owner = *ring.iter().find(|id| **id >= key).unwrap_or(&ring[0]);
                let start = world.net.now();
                assert_eq!(world.lookup(*from as u32, key).1, owner, "{style:?}");
                took += world.net.now().saturating_sub(start);
                lookups += 1;
            }
        }
        let hops = world.events.iter().map(|(_, event)| match event {
            Event::LookupDone { hops, timeouts, .. } => {
                assert_eq!(*timeouts, 0);
                u64::from(*hops)
            }
            _ => 0,
        });
        let hops: u64 = hops.sum();
        let direct = world
            .events
            .iter()
            .filter(|(_, event)| matches!(event, Event::LookupDone { hops, .. } if *hops > 0));
        let messages = world.sent["lookup"];
        match style {
            Style::SemiRecursive => assert_eq!(messages, hops + direct.count() as u64),
            _ => assert_eq!(messages, 2 * hops),
        }
        costs.push((hops, lookups, took));
    }
    assert!(costs.iter().all(|cost| (cost.0, cost.1) == (costs[0].0, costs[0].1)), "same paths");
    assert_eq!(costs[0].2, costs[1].2, "there and back");
    assert!(costs[2].2 < costs[0].2 * 3 / 4, "one way each: {costs:?}");
}

#[test]
fn questions_passed_to_the_dead_are_asked_by_the_asker() {
    for style in [Style::Recursive, Style::SemiRecursive] {
        let ids = ids(5, 40);
        let mut patient = config(8, 5);
        patient.0.stabilize = Duration::MAX;
        patient.0.fix_fingers = Duration::MAX;
        patient.0.style = style;
        let mut world = World::base(5, Link::default(), patient, &ids);
        for id in &ids[..12] {
            world.kill(*id as u32);
        }
        let ring = world.members();
        for key in (0..1 << 16).step_by(1500) {
            let owner = *ring.iter().find(|id| **id >= key).unwrap_or(&ring[0]);
            assert_eq!(world.lookup(ring[3] as u32, key).1, owner, "{style:?}");
        }
        assert!(world.events.iter().any(
            |(_, event)| matches!(event, Event::LookupDone { timeouts, .. } if *timeouts > 0)
        ));
    }
}

#[test]
fn near_fingers_make_short_hops_and_the_same_owners() {
    // Half of the nodes are far away from the other half: 200 ms instead of 20.
    let ids = ids(31, 40);
    let mut total = vec![];
    for proximity in [false, true] {
        let mut keen = config(4, 31);
        keen.0.proximity = proximity;
        let mut world = World::base(31, Link::default(), keen, &ids);
        let far = |id: u64| id % 2 == 1;
        world.distance = Some(|a, b| {
            let far = (a ^ b) & 1 == 1;
            Duration::from_millis(if far { 100 } else { 10 })
        });
        world.run_for(SECOND * 30);
        let ring = world.members();
        let mut crossings = 0;
        for from in &ring[..8] {
            for key in (0..1 << 16).step_by(3111) {
                let owner = *ring.iter().find(|id| **id >= key).unwrap_or(&ring[0]);
                let (path, found) = world.lookup(*from as u32, key);
                assert_eq!(found, owner);
                crossings += path.iter().skip(1).filter(|id| far(**id) != far(*from)).count();
            }
        }
        total.push(crossings);
    }
    assert!(total[1] * 4 < total[0] * 3, "{total:?}");
}
