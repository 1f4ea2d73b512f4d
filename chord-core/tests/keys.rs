//! Which keys move when nodes come and go, and what a node does in a calm ring and in a new life.

mod world;

use core::time::Duration;
use std::collections::BTreeMap;

use chord_core::{Event, KeyRange, StartError, State};
use sim::Link;
use world::{Id, World, config, ids, peer};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_node_that_has_left_comes_back_under_another_name() {
    let ids = ids(8, 12);
    let mut world = World::base(8, Link::default(), config(4, 8), &ids);
    world.run_for(SECOND);
    let now = world.net.now();
    let mut node = world.nodes.remove(&(ids[0] as u32)).unwrap();
    assert_eq!(node.rejoin(now, Id::new(77), ids[1] as u32), Err(StartError::Started));
    node.leave(now);
    world.nodes.insert(ids[0] as u32, node);
    world.run_until_ideal(SECOND * 20);
    // It keeps its address, and the world finds nodes by identifier, so they are compared here.
    let now = world.net.now();
    let new = Id::new(ids[3] ^ 1);
    world.nodes.get_mut(&(ids[0] as u32)).unwrap().rejoin(now, new, ids[1] as u32).unwrap();
    world.run_for(SECOND * 30);
    let node = &world.nodes[&(ids[0] as u32)];
    assert_eq!((node.me().id, node.state()), (new, State::Idle));
    let before = world.nodes.values().find(|other| other.successors().first() == Some(&node.me()));
    assert_eq!(before.map(world::TestNode::me), node.predecessor());
}

#[test]
fn a_calm_ring_grows_quiet_and_wakes_up() {
    let ids = ids(9, 12);
    let mut lazy = config(4, 9);
    lazy.0.stabilize_when_calm = SECOND * 8;
    let mut world = World::base(9, Link::default(), lazy, &ids);
    world.run_for(SECOND * 100);
    let calm = world.sent["query"];
    world.run_for(SECOND * 80);
    let rounds = (world.sent["query"] - calm) as f64 / 12.0;
    assert!((8.0..=13.5).contains(&rounds), "one round in about 8 s: {rounds}");
    world.kill(ids[0] as u32);
    let woken = world.sent["query"];
    world.run_for(SECOND * 40);
    assert_eq!(world.flaw(), None);
    let queries = world.sent["query"] - woken; // of which about 11 * 5 if nobody had woken up
    assert!(queries > 75, "who saw the change looks closer: {queries}");
}

#[test]
fn events_name_all_keys_that_move() {
    // Stoica 2003, Theorem IV.1: a join or a departure moves keys to or from that node only.
    let ids = ids(21, 14);
    let mut world = World::base(21, Link::default(), config(4, 21), &ids[..12]);
    world.run_for(SECOND * 3);
    let mut holds = BTreeMap::<u32, Vec<KeyRange<Id>>>::new();
    let mut replay = |world: &mut World| {
        let mut moved = vec![];
        for (at, event) in world.events.drain(..) {
            match event {
                Event::TakeOver { range } => holds.entry(at).or_default().push(range),
                Event::HandOver { range, to } => moved.push((at, range, to)),
                _ => {}
            }
        }
        moved
    };
    assert_eq!(replay(&mut world), [], "nothing moves in an ideal ring");
    let now = world.net.now();
    world.add(ids[12]).join(now, ids[0] as u32).unwrap();
    world.run_until_ideal(SECOND * 20);
    world.run_for(SECOND);
    let mut ring = world.members();
    let new = ids[12];
    let at = ring.iter().position(|id| *id == new).unwrap();
    let before = ring[(at + 12) % 13];
    let next = ring[(at + 1) % 13];
    let range = KeyRange { after: Id::new(before), through: Id::new(new) };
    assert_eq!(replay(&mut world), [(next as u32, range, peer(new))]);
    // It leaves again: the keys go to the next node, which learns it from both sides.
    let now = world.net.now();
    world.nodes.get_mut(&(new as u32)).unwrap().leave(now);
    world.run_until_ideal(SECOND * 20);
    assert_eq!(replay(&mut world), [(new as u32, range, peer(next))]);
    // Another one fails: its keys are taken over, handed over by nobody.
    world.kill(next as u32);
    world.run_until_ideal(SECOND * 60);
    assert_eq!(replay(&mut world), []);
    ring.retain(|id| *id != next && *id != new);
    let heir = ring[ring.iter().position(|id| *id > next).unwrap_or(0)];
    let lost = KeyRange { after: Id::new(before), through: Id::new(next) };
    assert_eq!(holds[&(heir as u32)].last(), Some(&lost));
    assert_eq!(holds[&(new as u32)], [range]);
    assert_eq!(holds[&(next as u32)].last(), Some(&range));
}
