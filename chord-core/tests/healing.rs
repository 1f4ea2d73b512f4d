//! Rings that are cut, nodes that come back under another name, and peers that lie.

mod network;

use core::time::Duration;

use chord_core::{ConfigError, Event, JoinFailure, Node, NodeLimits, NodeVec, Peer, State};
use network::{Id, Net, SECOND, Text, open};

const MINUTE: Duration = Duration::from_secs(60);

/// How many seeds each situation is tried with; more in release mode.
const SEEDS: u64 = if cfg!(debug_assertions) { 12 } else { 300 };

#[test]
fn a_node_restarts_at_its_address_under_another_identifier() {
    for seed in 0..SEEDS {
        let mut net = Net::ring(seed, 2, 3);
        net.run_for(SECOND * 20);
        let me = Peer { id: net.id(), address: 2 };
        net.join(me, 1);
        net.run_for(MINUTE);
        assert!(net.members[&2].node.state().is_member(), "seed {seed}");
        net.heal(MINUTE, &format!("seed {seed}"));
    }
}

#[test]
fn one_of_six_restarts_within_a_second() {
    for seed in 0..SEEDS {
        let mut net = Net::ring(seed, 4, 6);
        net.run_for(SECOND * 12);
        net.members.remove(&3);
        let pause = net.rng.below(1000);
        net.run_for(Duration::from_millis(pause));
        let me = Peer { id: net.id(), address: 3 };
        net.join(me, 1);
        net.run_for(MINUTE);
        net.heal(MINUTE, &format!("seed {seed}"));
        assert_eq!(net.lookups(3), 3, "seed {seed}");
    }
}

#[test]
fn a_node_leaves_and_joins_again_at_once() {
    for (n, pause) in [0, 20, 100, 500, 1500, 5000].into_iter().enumerate() {
        for seed in 0..=SEEDS / 4 {
            let mut net = Net::ring(seed + n as u64 * 1000, 4, 6);
            net.loss = 20;
            net.run_for(SECOND * 12);
            let now = net.clock(3);
            net.members.get_mut(&3).unwrap().node.leave(now);
            net.look_at(3);
            net.run_for(Duration::from_millis(pause));
            let now = net.clock(3);
            let id = net.id();
            net.members.get_mut(&3).unwrap().node.rejoin(now, id, 1).unwrap();
            net.look_at(3);
            net.run_for(MINUTE);
            net.heal(MINUTE * 2, &format!("{pause} ms, seed {seed}"));
        }
    }
}

#[test]
fn a_ring_without_a_network_finds_itself_again() {
    for (r, dark) in [(4, 15), (8, 30)] {
        for seed in 0..SEEDS / 3 {
            let mut net = Net::ring(seed, r, 16);
            net.run_for(SECOND * 30);
            net.cut = |_, _| true;
            net.run_for(SECOND * dark);
            net.cut = open;
            net.heal(MINUTE * 2, &format!("r = {r}, seed {seed}"));
            assert_eq!(net.lookups(3), 3, "r = {r}, seed {seed}");
        }
    }
}

#[test]
fn a_node_without_a_network_comes_back() {
    for seed in 0..SEEDS {
        let mut net = Net::ring(seed, 4, 16);
        net.run_for(SECOND * 30);
        net.cut = |from, to| from == 3 || to == 3;
        net.run_for(SECOND * 20);
        net.cut = open;
        net.heal(MINUTE, &format!("seed {seed}"));
    }
}

#[test]
fn two_halves_merge_again() {
    let cuts: [fn(u32, u32) -> bool; 2] = [
        |from, to| from % 2 == 0 && to % 2 == 1, // one way
        |from, to| from % 2 != to % 2,
    ];
    for cut in cuts {
        for seed in 0..SEEDS / 3 {
            let mut net = Net::ring(seed, 4, 16);
            net.run_for(SECOND * 30);
            net.cut = cut;
            net.run_for(MINUTE);
            net.cut = open;
            net.events.clear();
            net.heal(MINUTE * 2, &format!("seed {seed}"));
            net.run_for(MINUTE);
            assert_eq!(net.flaw(), None, "seed {seed}");
        }
    }
}

#[test]
fn a_merge_is_reported() {
    let mut net = Net::ring(1, 4, 16);
    net.run_for(SECOND * 30);
    net.cut = |from, to| from % 2 != to % 2;
    net.run_for(MINUTE);
    net.cut = open;
    net.events.clear();
    net.heal(MINUTE * 2, "halves");
    net.run_for(MINUTE * 2);
    let seen =
        |wanted: fn(&Event<Id, u32>) -> bool| net.events.iter().any(|(_, _, event)| wanted(event));
    assert!(seen(|event| matches!(event, Event::SplitSuspected)));
    assert!(seen(|event| matches!(event, Event::Merged)));
    assert!(!seen(|event| matches!(event, Event::Isolated)));
}

#[test]
fn an_operator_merges_two_rings_that_never_met() {
    let mut net = Net::ring(4, 3, 6);
    let others: Vec<_> = (11..=16).map(|address| Peer { id: net.id(), address }).collect();
    for me in &others {
        net.add(*me).create_base(Duration::ZERO, &others).unwrap();
        net.look_at(me.address);
    }
    net.run_for(MINUTE * 3);
    assert!(net.flaw().is_some(), "nothing brings them together");
    let now = net.clock(2);
    net.members.get_mut(&2).unwrap().node.merge(now, 13).unwrap();
    net.look_at(2);
    net.heal(MINUTE * 2, "two rings");
}

#[test]
fn of_two_nodes_with_one_identifier_one_stays() {
    for seed in 0..SEEDS {
        let mut net = Net::ring(seed, 4, 8);
        net.run_for(SECOND * 10);
        let id = net.id();
        net.join(Peer { id, address: 50 }, 1);
        let pause = net.rng.below(60);
        net.run_for(Duration::from_millis(pause));
        net.join(Peer { id, address: 51 }, 2);
        net.run_for(MINUTE * 2);
        let members = [50, 51].map(|at| net.members[&at].node.state().is_member());
        assert_eq!(members.iter().filter(|member| **member).count(), 1, "seed {seed}");
        let taken = Event::JoinFailed(JoinFailure::IdentifierTaken);
        assert!(net.events.iter().any(|(_, at, event)| *at >= 50 && *event == taken));
        net.members.retain(|_, member| member.node.state() != State::Outside);
        net.heal(MINUTE, &format!("seed {seed}"));
    }
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_passed_on() {
    let mut net = Net::ring(1, 3, 5);
    let me = Peer { id: net.id(), address: 60 };
    let (id, peer) = (net.id(), Peer { id: net.id(), address: 9 });
    net.add(me); // which has not started
    net.run_for(SECOND * 3);
    for to in [60, 1] {
        let back = (1..=16).map(|n| if n % 2 == 0 { 60 } else { to }).collect();
        let found = Text::Found { token: 7, id, peer, hops: 3, back };
        let mut bytes = [0; Text::MAX_LEN];
        let len = found.encode(&mut bytes).unwrap();
        let node = &mut net.members.get_mut(&to).unwrap().node;
        let now = SECOND * 3;
        node.handle_datagram(now, 4, &bytes[..len]).unwrap();
        let mut passed = 0;
        while let Some(sent) = node.poll_transmit(&mut bytes).unwrap() {
            let (message, _) = Text::decode(&bytes[..sent.len]).unwrap();
            passed += u32::from(matches!(message, Text::Found { .. }));
        }
        assert_eq!(passed, 0);
    }
}

/// Each of eight questions of other nodes takes a slot of eight, as far as the share of the slots goes.
#[test]
fn strangers_take_their_share_of_the_slots_and_leave_the_others_to_the_node() {
    for (percent, passed_on) in [(0, 0), (25, 2), (50, 4), (60, 5), (100, 8)] {
        let mut net = Net::new(1, 3);
        net.config.relay_percent = percent;
        let all: Vec<_> = (1..=5).map(|address| Peer { id: net.id(), address }).collect();
        let node = net.add(all[0]);
        node.create_base(Duration::ZERO, &all).unwrap();
        let mut bytes = [0; Text::MAX_LEN];
        let mut taken = 0;
        for token in 0..8 {
            let key = Id::new(u64::from(token) << 29);
            let route =
                Text::Route { token, key, hops: 1, direct: false, back: [].into_iter().collect() };
            let len = route.encode(&mut bytes).unwrap();
            taken += u32::from(node.handle_datagram(SECOND, 70 + token, &bytes[..len]).is_ok());
        }
        assert_eq!(taken, passed_on, "{percent} %");
        let own = core::iter::from_fn(|| node.lookup(SECOND, Id::new(5)).ok()).take(9).count();
        assert_eq!(own, 8 - taken as usize, "{percent} %");
    }
    let mut net = Net::new(1, 3);
    let me = Peer { id: net.id(), address: 1 };
    net.config.relay_percent = 101;
    let limits = NodeLimits { successors: 3, fingers: 16, lookups: 8, contacts: 8 };
    let node = Node::<_, u32, _>::new(net.config, me, NodeVec::new(limits));
    assert_eq!(node.err(), Some(ConfigError::RelayPercent(101)));
}

#[test]
fn a_question_that_comes_back_to_its_sender_was_put_to_itself() {
    // Bound to all addresses, a node does not know the one that a list names.
    let mut net = Net::new(1, 3);
    let me = Peer { id: Id::new(1000), address: 1 };
    let node = net.add(me);
    node.create(Duration::ZERO).unwrap();
    let mut bytes = [0; Text::MAX_LEN];
    let len = Text::Nudge { id: Id::new(5000) }.encode(&mut bytes).unwrap();
    node.handle_datagram(SECOND, 99, &bytes[..len]).unwrap(); // in truth another address of its own
    let sent = node.poll_transmit(&mut bytes).unwrap().unwrap();
    assert_eq!(sent.to, 99);
    let question = bytes;
    node.handle_datagram(SECOND, 99, &question[..sent.len]).unwrap();
    assert_eq!(node.poll_transmit(&mut bytes).unwrap(), None, "no answer to itself");
    assert_eq!(node.state(), State::Idle);
    assert!(Node::successors(node).is_empty());
}
