//! Rings of nodes over the simulated network: they form, heal and answer.

mod world;

use core::time::Duration;

use chord_core::{Event, JoinFailure, LookupFailure, Message, StartError, State};
use sim::{Addr, Link};
use world::{Id, World, config, ids, peer};

type Text = Message<Id, u32>;

const SECOND: Duration = Duration::from_secs(1);

fn rough(loss: u16) -> Link {
    let jitter = Duration::from_millis(10);
    Link { loss, duplicate: loss, reorder: loss, jitter, ..Link::default() }
}

/// Twelve nodes, of which one founds the ring and the others join through it.
fn grow(seed: u64, link: Link, all_at_once: bool) -> World {
    let ids = ids(seed, 12);
    let mut world = World::new(seed, link, config(3, seed));
    world.add(ids[0]).create(Duration::ZERO).unwrap();
    for id in &ids[1..] {
        let now = world.net.now();
        world.add(*id).join(now, ids[0] as u32).unwrap();
        if !all_at_once {
            world.run_for(SECOND * 3);
        }
    }
    world.run_for(SECOND * 3);
    world.run_until_ideal(SECOND * 90);
    assert_eq!(world.members().len(), 12, "seed {seed}");
    world
}

#[test]
fn a_ring_of_twelve_grows_from_one_by_joins() {
    for seed in 0..20 {
        let mut world = grow(seed, Link::default(), seed % 2 == 0);
        assert!(world.nodes.values().all(world::TestNode::has_base));
        if seed < 4 {
            world.run_for(SECOND * 20); // fingers fill
            world.check_all_owners(); // C-DHT-02, C-DHT-03, C-CHD-02
        }
    }
}

#[test]
fn a_ring_of_twelve_grows_on_a_bad_network() {
    for seed in 100..112 {
        let mut world = grow(seed, rough(100), seed % 2 == 0);
        if seed < 102 {
            world.check_all_owners();
        }
    }
}

#[test]
fn a_ring_heals_after_failures() {
    for seed in 0..10 {
        let ids = ids(seed, 24);
        let link = if seed % 2 == 0 { Link::default() } else { rough(50) };
        let mut world = World::base(seed, link, config(6, seed), &ids);
        world.run_for(SECOND * 20);
        assert_eq!(world.flaw(), None, "seed {seed}: an ideal ring stays ideal");
        for id in &ids[..6] {
            world.kill(*id as u32);
        }
        world.run_until_ideal(SECOND * 90);
        world.run_for(SECOND * 10);
        assert_eq!(world.flaw(), None, "seed {seed}");
        if seed < 2 {
            world.check_all_owners(); // C-DHT-03: the next available node is responsible
        }
        let failed = |event: &Event<Id, u32>| {
            matches!(event, Event::PeerFailed(peer)
            if ids[..6].contains(&peer.id.value()))
        };
        assert!(world.events.iter().any(|(_, event)| failed(event)));
    }
}

#[test]
fn lookups_go_around_the_dead_before_the_ring_heals() {
    let ids = ids(5, 40);
    let mut patient = config(8, 5);
    patient.0.stabilize = Duration::MAX;
    patient.0.fix_fingers = Duration::MAX;
    let mut world = World::base(5, Link::default(), patient, &ids);
    for id in &ids[..12] {
        world.kill(*id as u32);
    }
    let ring = world.members();
    let from = ring[3] as u32;
    for key in (0..1 << 16).step_by(1500) {
        let owner = *ring.iter().find(|id| **id >= key).unwrap_or(&ring[0]);
        let (path, found) = world.lookup(from, key);
        assert_eq!(found, owner, "Stoica 2003, IV.5: key {key} by {path:?}");
    }
    let timeouts = world.events.iter().filter_map(|(_, event)| match event {
        Event::LookupDone { timeouts, .. } => Some(u32::from(*timeouts)),
        _ => None,
    });
    assert!(timeouts.sum::<u32>() > 10, "the dead were in the way");
}

#[test]
fn steady_state_costs_three_messages_per_node_and_round() {
    let ids = ids(3, 16);
    let mut world = World::base(3, Link::default(), config(4, 3), &ids);
    world.run_for(SECOND * 60);
    world.run_for(SECOND / 2);
    let rounds = world.sent["query"];
    let in_flight = 16;
    assert!(rounds > 16 * 55);
    assert_eq!(world.sent.get("ping"), None);
    assert_eq!(world.sent.get("busy"), None);
    assert!(
        rounds - world.sent["state"] <= in_flight && rounds - world.sent["notify"] <= in_flight
    );
    // To the end of the last round: nobody starts another one, all answers arrive.
    let total = |world: &World| ["query", "state", "notify"].map(|kind| world.sent[kind]);
    for _ in 0..100_000 {
        let [query, state, notify] = total(&world);
        if query == state && state == notify {
            let cost = (query + state + notify) as f64 / query as f64;
            assert!((cost - 3.0).abs() < f64::EPSILON, "{cost}");
            return;
        }
        world.run_for(Duration::from_millis(1));
    }
    panic!("rounds never align: {:?}", world.sent);
}

#[test]
fn a_join_leaves_the_trace_of_the_lectures() {
    // C-CHD-14, C-CHD-15, C-CHD-16: v = 100, n = 300, x = 200 joins through another node.
    let ids = [100, 300, 1000, 5000, 20000];
    let mut world = World::base(1, Link::default(), config(3, 1), &ids);
    world.run_for(SECOND * 2);
    world.events.clear();
    let now = world.net.now();
    world.add(200).join(now, 5000).unwrap();
    world.run_until_ideal(SECOND * 20);
    let changes: Vec<_> = world
        .events
        .iter()
        .filter_map(|(at, event)| match event {
            Event::SuccessorChanged(Some(peer)) => Some((*at, "successor", peer.id.value())),
            Event::PredecessorChanged { predecessor: Some(peer), .. } => {
                Some((*at, "predecessor", peer.id.value()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        changes,
        [
            (200, "successor", 300),   // 1 and 2: x finds n and sets its successor
            (200, "predecessor", 100), // 5, early: the list it copied was that of v
            (300, "predecessor", 200), // 3: n learns of x
            (100, "successor", 200),   // 4: v stabilizes and finds x
        ]
    );
    assert_eq!(world.nodes[&300].keys().to_string(), "(200, 300]");
    assert_eq!(world.nodes[&200].keys().to_string(), "(100, 200]");
}

#[test]
fn lookups_by_messages_take_the_paths_of_the_lectures() {
    // C-CHD-11, C-CHD-12, C-CHD-13; 5 bits stand at the upper end of 16.
    let ids = [1, 4, 9, 11, 14, 18, 20, 21, 28].map(|id: u64| id << 11);
    let mut quiet = config(1, 1);
    quiet.0.stabilize = Duration::MAX;
    quiet.0.fix_fingers = Duration::MAX;
    let mut world = World::base(1, Link::default(), quiet, &ids);
    let lookup = |world: &mut World, from: u64, key: u64| {
        let (path, owner) = world.lookup((from << 11) as u32, key << 11);
        (path.iter().map(|id| id >> 11).collect::<Vec<_>>(), owner >> 11)
    };
    assert_eq!(lookup(&mut world, 1, 26), (vec![1, 18, 20, 21], 28));
    assert_eq!(lookup(&mut world, 28, 12), (vec![28, 4, 9, 11], 14));
    assert_eq!(world.sent["lookup"], 2 * (3 + 3) + 2 * 2, "two for each hop, two to confirm");
}

#[test]
fn rings_of_one_and_two_are_ideal() {
    let mut world = World::new(1, Link::default(), config(3, 1));
    world.add(7).create(Duration::ZERO).unwrap();
    world.run_for(SECOND * 5);
    assert_eq!(world.flaw(), None);
    assert_eq!(world.net.stats().datagrams, 0, "a lone node has nobody to ask");
    assert_eq!(world.lookup(7, 7), (vec![7], 7));
    assert_eq!(world.lookup(7, 60000), (vec![7], 7));
    let all: Vec<_> =
        world.nodes[&7].routing_table().successors.identifiers().map(Id::value).collect();
    assert_eq!(all, [8, 9, 10], "artificial identifiers");

    let now = world.net.now();
    world.add(9).join(now, 7).unwrap();
    world.run_until_ideal(SECOND * 5);
    world.check_all_owners();
    let all: Vec<_> =
        world.nodes[&7].routing_table().successors.identifiers().map(Id::value).collect();
    assert_eq!(all, [9, 10, 11]);

    world.kill(9);
    world.run_until_ideal(SECOND * 20);
    assert_eq!(world.nodes[&7].keys().to_string(), "(7, 7]");
    assert_eq!(world.lookup(7, 9), (vec![7], 7));
}

#[test]
fn a_leave_heals_faster_than_a_failure() {
    let ids = ids(8, 12);
    let mut patient = config(4, 8);
    patient.0.stabilize = SECOND * 10;
    let mut world = World::base(8, Link::default(), patient, &ids);
    world.run_for(SECOND);
    let now = world.net.now();
    world.nodes.get_mut(&(ids[0] as u32)).unwrap().leave(now);
    assert_eq!(world.nodes[&(ids[0] as u32)].state(), State::Gone);
    world.run_for(SECOND);
    let ring = world.members();
    assert_eq!(ring.len(), 11);
    for (at, id) in ring.iter().enumerate() {
        let node = &world.nodes[&(*id as u32)];
        let next = ring[(at + 1) % 11];
        let before = ring[(at + 10) % 11];
        assert_eq!(node.successors().first(), Some(&peer(next)));
        assert_eq!(node.predecessor(), Some(peer(before)));
    }
    let gone = world.nodes.get_mut(&(ids[0] as u32)).unwrap();
    assert_eq!(gone.join(now, ids[1] as u32), Err(StartError::Started), "not with a used name");
    let used = gone.rejoin(now, gone.me().id, ids[1] as u32);
    assert_eq!(used, Err(StartError::IdentifierUsed));
    gone.lookup(now, Id::new(1)).unwrap();
    assert!(matches!(
        gone.poll_event(),
        Some(Event::LookupFailed { reason: LookupFailure::NotMember, .. })
    ));
}

#[test]
fn joins_that_cannot_be_are_refused() {
    let ids = [100, 300, 1000, 5000, 20000];
    let mut world = World::base(1, Link::default(), config(3, 1), &ids);
    // Nobody is at this address.
    world.add(200).join(Duration::ZERO, 9).unwrap();
    world.run_for(SECOND * 60);
    assert!(world.events.contains(&(200, Event::JoinFailed(JoinFailure::NoRing))));
    assert_eq!(world.nodes[&200].state(), State::Outside);
    // The identifier is that of a member at another address.
    let me = chord_core::Peer { id: Id::new(300), address: 77 };
    let mut twin = chord_core::Node::new(config(3, 1).0, me, world::slots(3)).unwrap();
    twin.join(world.net.now(), 5000).unwrap();
    world.nodes.insert(77, twin);
    world.run_for(SECOND * 5);
    assert!(world.events.contains(&(77, Event::JoinFailed(JoinFailure::IdentifierTaken))));
    // A base needs r + 1 members.
    let node = world.add(60000);
    let small = [peer(60000), peer(1), peer(2), peer(2)];
    let error = node.create_base(SECOND, &small);
    assert_eq!(error, Err(StartError::BaseTooSmall { members: 3, needed: 4 }));
}

#[test]
fn nodes_that_all_wait_for_the_next_one_make_progress() {
    // All stabilize at the same instant: each one's query meets a node that is reading.
    let ids = ids(4, 9);
    let slow = Link { latency: Duration::from_millis(100), ..Link::default() };
    let mut world = World::base(4, slow, config(3, 4), &ids);
    world.flush();
    world.events.clear();
    let late = SECOND * 2;
    assert_eq!(world.net.next(late), None);
    for node in world.nodes.values_mut() {
        node.handle_timeout(late); // the drivers were all held up and wake together
    }
    world.run_for(SECOND / 4);
    assert_eq!(world.sent["query"], 9);
    assert_eq!(world.sent.get("state"), None, "everybody waits");
    world.run_for(SECOND * 4);
    assert!(world.sent["busy"] > 0, "each waited for the next");
    assert!(world.sent["notify"] >= 9, "and opened again: {:?}", world.sent);
    let failed = world.events.iter().any(|(_, event)| matches!(event, Event::PeerFailed(_)));
    assert!(!failed && world.flaw().is_none(), "nobody was taken for dead");
}

#[test]
fn a_flood_of_notifications_does_not_starve_stabilization() {
    let ids = [100, 300, 1000, 5000, 20000];
    let mut world = World::base(1, Link::default(), config(3, 1), &ids);
    world.run_for(SECOND);
    let before = world.sent["query"];
    let mut buf = [0; 64];
    for _ in 0..200 {
        // A notification that does not fit makes the node ask its predecessor for a sign of life.
        let len = Text::Notify { id: Id::new(20000) }.encode(&mut buf);
        for to in ids {
            world.net.send_datagram(Addr(20000), Addr(to as u32), &buf[..len.unwrap()]);
        }
        world.run_for(Duration::from_millis(25));
    }
    assert!(world.sent["query"] >= before + 5 * 3, "{:?}", world.sent);
    assert_eq!(world.flaw(), None);
}

#[test]
fn joins_and_failures_keep_the_invariant() {
    // Zave 2017: under her assumptions on failures, on a network without loss, at every moment.
    for seed in 0..6 {
        let mut rng = sim::Rng::new(seed);
        let mut spare = ids(seed, 60);
        let base = spare.split_off(55);
        let jitter = Duration::from_millis(60);
        let mut world =
            World::base(seed, Link { jitter, ..Link::default() }, config(3, seed), &base);
        let mut killed = 0;
        for _ in 0..400 {
            let members = world.members();
            let one = members[rng.below(members.len() as u64) as usize];
            match rng.below(12) {
                0 if !spare.is_empty() => {
                    let now = world.net.now();
                    let id = spare.pop().unwrap();
                    world.add(id).join(now, one as u32).unwrap();
                }
                1 if world.may_fail(one) => {
                    world.kill(one as u32);
                    killed += 1;
                }
                _ => {}
            }
            world.run_for(Duration::from_millis(rng.below(200)));
            world.check_invariant();
        }
        assert!(killed > 5, "seed {seed}: {killed}");
        world.run_until_ideal(SECOND * 60);
    }
}
