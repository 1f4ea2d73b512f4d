//! One node while the test plays all the others: how long it waits between two rounds of maintenance, between two probes and
//! for an answer.

mod played;

use core::time::Duration;

use chord_core::{Config, Event, JoinFailure};
use played::{
    Id, Played, SECOND, Text, assert_within, gaps, is_find, is_ping, is_query, peer, quiet,
};

/// Returns when a node of a calm ring acts in an hour, in seconds.
fn wakes(config: Config) -> Vec<f64> {
    let mut played = Played::<0>::member(config, None);
    let mut wakes = vec![];
    while let Some(at) = played.node.poll_timeout().filter(|at| *at < SECOND * 3600) {
        wakes.push(at.as_secs_f64());
        played.run_for(at.saturating_sub(played.now));
    }
    wakes
}

#[test]
fn waits_are_drawn_from_three_to_five_quarters() {
    let mut stabilizes = quiet();
    stabilizes.stabilize = SECOND * 4;
    let mut fixes = quiet();
    fixes.fix_fingers = SECOND * 4;
    for config in [stabilizes, fixes] {
        let waits = gaps(&wakes(config));
        assert_within(&waits, 3.0..=5.0);
        assert!(waits.iter().any(|wait| *wait < 3.1) && waits.iter().any(|wait| *wait > 4.9));
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        assert!((3.9..4.1).contains(&mean), "{mean}");
    }
    assert_eq!(wakes(quiet()), [], "for ever");
}

/// The n-th of its quiet rounds is a quarter longer than the one before, up to the longest.
#[test]
fn each_quiet_round_is_a_quarter_longer() {
    let mut config = quiet();
    config.stabilize = SECOND;
    config.stabilize_when_calm = SECOND * 4;
    let mut played = Played::<0>::member(config, None);
    played.run_for(SECOND * 120);
    let check = |times: &[f64]| {
        let mut wait = 1.0_f64;
        for (round, gap) in gaps(times).into_iter().enumerate() {
            let range = wait * 0.74..=wait * 1.26;
            assert!(range.contains(&gap), "round {round}: {gap}, not in {range:?}");
            wait = (wait * 1.25 + 0.001).min(4.0);
        }
    };
    check(&played.times(300, is_query));
    // A failure brings the wait back.
    let before = played.sent.len();
    played.silent.push(300);
    played.run_for(SECOND * 60);
    let failed = played.events.iter().find(|(_, event)| *event == Event::PeerFailed(peer(300)));
    let since = failed.expect("it was found dead").0.as_secs_f64();
    played.sent.drain(..before);
    let times: Vec<f64> = played.times(1000, is_query);
    assert!(times[0] - since < 0.01, "at once");
    assert_within(&gaps(&times)[..1], 0.74..=1.26);
    assert!(gaps(&times).last().is_some_and(|gap| *gap > 2.9), "calm again");
}

/// The keys of one turn of the fingers: 2^(i-1) after the node, for each i whose finger is not known from the one before.
#[test]
fn a_turn_of_the_fingers_asks_for_each_distinct_one() {
    let mut config = quiet();
    config.fix_fingers = SECOND;
    let mut played = Played::<0>::member(config, None);
    played.run_for(SECOND * 30);
    let keys = played.sent.iter().filter_map(|(_, to, message)| match message {
        Text::Find { key, .. } => Some((*to, key.value())),
        _ => None,
    });
    let keys: Vec<_> = keys.take(8).collect();
    let turn = [(300, 356), (1000, 1124), (5000, 8292), (20000, 32868)];
    assert_eq!(keys, [turn, turn].concat());
}

/// A successor that is silent is asked as often as `tries` says, once in each `patience`.
#[test]
fn a_successor_is_dead_after_its_tries() {
    let mut config = quiet();
    config.stabilize = SECOND * 100;
    config.tries = 4;
    let mut played = Played::<0>::member(config, None);
    played.silent.push(300);
    played.run_for(SECOND * 130);
    let times = played.times(300, is_query);
    let first = times[0];
    let after: Vec<f64> = times.iter().map(|at| ((at - first) * 1000.0).round()).collect();
    assert_eq!(after, [0.0, 500.0, 1000.0, 1500.0]); // and no more
    let failed = played.events.iter().find(|(_, event)| *event == Event::PeerFailed(peer(300)));
    let failed = failed.expect("it was found dead").0.as_secs_f64() - first;
    assert_within(&[failed], 1.9999..=2.0001);
    let changes = [Event::SuccessorChanged(Some(peer(1000))), Event::ListChanged];
    assert!(changes.iter().all(|change| played.events.iter().any(|(_, event)| event == change)));
}

/// `Config::patience`: a lookup of the application waits three quarters of it, then a quarter for each try, and a half for the last one.
#[test]
fn a_lookup_asks_again_sooner_than_maintenance() {
    let mut config = quiet();
    config.patience = SECOND * 4;
    config.lookup_deadline = Duration::MAX;
    let mut played = Played::<0>::member(config, None);
    played.silent.extend([300, 1000, 5000]);
    played.node.lookup(Duration::ZERO, Id::new(4000)).unwrap();
    played.run_for(SECOND * 30);
    // The way leads to 1000, then to 300 beside it; both have avoided each other, so 5000 is asked as the owner.
    assert_eq!(played.times(1000, is_find)[..5], [0.0, 3.0, 4.0, 5.0, 6.0]);
    // One node was silent: the next one has half of the patience at first.
    assert_eq!(played.times(300, is_find)[..5], [3.0, 5.0, 6.0, 7.0, 8.0]);
    let failed = |id| {
        let event = Event::PeerFailed(peer(id));
        played.events.iter().find(|(_, it)| *it == event).map(|(at, _)| at.as_secs())
    };
    assert_eq!(failed(1000), Some(8));
    assert_eq!(failed(300), Some(10));
}

fn merged(played: &Played<2>) -> Option<Duration> {
    played.events.iter().find(|(_, event)| *event == Event::Merged).map(|(at, _)| *at)
}

/// While all answer, a remembered peer is probed every 24 stabilizations, and while one is silent every 6.
#[test]
fn probes_are_rare_in_a_calm_ring_and_more_frequent_while_a_peer_is_lost() {
    for (stabilize, calm, lost) in [
        (10, 180.0..=300.0, 45.0..=75.0),
        (1, 90.0..=150.0, 22.5..=37.5), // 120 and 30 seconds at least
    ] {
        let mut config = quiet();
        config.stabilize = SECOND * stabilize;
        let mut played = Played::<2>::member(config, Some(1000));
        let is_probe =
            |message: &Text| matches!(message, Text::Find { key, .. } if *key == Id::new(100));
        played.run_for(SECOND * 3000);
        let probes = played.times(1000, is_probe);
        assert_within(&probes[..1], calm.clone());
        assert_within(&gaps(&probes), calm.clone());

        // A second seed, which is silent.
        let mut played = Played::<2>::member(config, Some(77));
        played.run_for(SECOND * 3000);
        let mut probes = played.times(77, is_probe);
        // Each probe asks twice.
        let starts: Vec<f64> = probes.chunks(2).map(|pair| pair[0]).collect();
        assert_within(&gaps(&probes).into_iter().step_by(2).collect::<Vec<_>>(), 0.5..=0.5001);
        probes.clear();
        assert_within(&gaps(&starts)[2..], lost);
        // It is reported once, when the first probe has ended.
        let failed = played.events.iter().filter_map(|(at, event)| match event {
            Event::PeerFailed(peer) if peer.address == 77 => Some(at.as_secs_f64() - starts[0]),
            _ => None,
        });
        let failed: Vec<f64> = failed.collect();
        assert_eq!(failed.len(), 1);
        assert_within(&failed, 0.9999..=1.0001);
    }
}

/// An application that merges a ring with itself: probes follow each other with every stabilization until three have come home.
#[test]
fn a_merge_is_over_after_three_probes_in_a_row() {
    let mut config = quiet();
    config.stabilize = SECOND * 8;
    let mut played = Played::<2>::member(config, None);
    played.run_for(SECOND * 3);
    played.node.merge(SECOND * 3, 1000).unwrap();
    played.run_for(SECOND * 100);
    let is_probe =
        |message: &Text| matches!(message, Text::Find { key, .. } if *key == Id::new(100));
    let end = merged(&played).expect("one ring").as_secs_f64();
    let probes = played.times(1000, is_probe);
    let probes: Vec<f64> = probes.into_iter().filter(|at| *at <= end).collect();
    assert_eq!(probes.len(), 3, "{probes:?}");
    assert!((3.0..3.01).contains(&probes[0]), "at once");
    assert_within(&gaps(&probes), 6.0..=10.0);
    assert_eq!(probes.last(), Some(&end));
}

/// A node that answers with BUSY for ever is dead after 64 of them.
#[test]
fn a_successor_that_is_always_busy_is_dead() {
    let mut config = quiet();
    config.stabilize = SECOND * 5;
    let mut played = Played::<0>::member(config, None);
    played.busy.push(300);
    played.run_for(SECOND * 120);
    let failed = played.events.iter().find(|(_, event)| *event == Event::PeerFailed(peer(300)));
    let failed = failed.expect("it counts as dead").0.as_secs_f64();
    let queries = played.times(300, is_query);
    assert_eq!(queries.get(63), Some(&failed));
    // It is asked again after three to five quarters of the patience of half a second.
    assert_within(&gaps(&queries[..64]), 0.375..=0.626);
}

/// A contact that is silent is pinged `tries` times, and the join starts again `tries` times.
#[test]
fn a_join_ends_when_nobody_answers() {
    let mut config = quiet();
    config.tries = 2;
    let mut played = Played::<0>::outside(config);
    played.node.join(Duration::ZERO, 77).unwrap();
    played.run_for(SECOND * 60);
    assert_eq!(played.times(77, is_ping).len(), 2 * (1 + 2));
    let reason = JoinFailure::NoRing;
    assert_eq!(
        played.events.iter().map(|(_, it)| *it).collect::<Vec<_>>(),
        [Event::JoinFailed(reason)]
    );
    // Three times two pings of half a second each, and a wait of three to five quarters of that between.
    let end = played.events[0].0.as_secs_f64();
    assert_within(&[end], 3.0 + 2.0 * 0.375..=3.0 + 2.0 * 0.626);
}

/// A hint from the successor that it leaves, or that it has another predecessor, brings the next stabilization forward.
#[test]
fn a_hint_of_the_successor_is_followed_at_once() {
    for hint in [Text::Leave { id: Id::new(300) }, Text::Nudge { id: Id::new(300) }] {
        let mut played = Played::<0>::member(quiet(), None);
        played.run_for(SECOND);
        assert_eq!(played.sent.len(), 0, "nothing is due");
        played.receive(300, &hint);
        played.flush();
        assert_eq!(played.times(300, is_query), [1.0], "{hint}");
    }
    // A finger that leaves is forgotten; the successor list changes by maintenance alone.
    let mut played = Played::<0>::member(quiet(), None);
    let fingers = |played: &Played<0>| -> Vec<u64> {
        played.node.routing_table().fingers.iter().map(|peer| peer.id.value()).collect()
    };
    assert_eq!(fingers(&played), [300, 1000, 5000, 20000, 40000]);
    played.receive(1001, &Text::Leave { id: Id::new(1000) }); // from another address
    assert_eq!(fingers(&played), [300, 1000, 5000, 20000, 40000]);
    played.receive(1000, &Text::Leave { id: Id::new(1000) });
    assert_eq!(fingers(&played), [300, 5000, 20000, 40000]);
    assert_eq!(played.node.successors(), [300, 1000, 5000].map(peer));
}

/// One node names another one with the identifier of this one, and the only other way to its place is silent: that one is asked itself.
#[test]
fn a_twin_is_asked_where_no_second_way_is_left() {
    let mut played = Played::<2>::outside(quiet());
    played.node.add_seed(88).unwrap(); // silent
    played.node.join(Duration::ZERO, 77).unwrap();
    let twin = chord_core::Peer { id: Id::new(100), address: 66 };
    let id = Id::new(3);
    let mut twin_asked = 0;
    for _ in 0..40 {
        let seen = played.sent.len();
        played.run_for(SECOND / 10);
        for (_, to, message) in played.sent.split_off(seen) {
            match (to, &message) {
                (77, Text::Ping { token, .. }) => {
                    played.receive(77, &Text::Pong { token: *token, id });
                }
                (77, Text::Find { token, .. }) => {
                    played.receive(77, &Text::Owner { token: *token, id, peer: twin });
                }
                (66, Text::Find { token, .. }) => {
                    twin_asked += 1;
                    let answer = Text::Owner { token: *token, id: twin.id, peer: twin };
                    played.receive(66, &answer);
                }
                _ => {}
            }
            played.sent.push((played.now, to, message));
        }
    }
    // The second way was tried as often as `tries` says, around the node that has named the twin.
    let around = played.sent.iter().filter(|(_, to, message)| {
        *to == 88 && matches!(message, Text::Find { avoid, .. } if avoid[..] == [id])
    });
    assert_eq!((around.count(), twin_asked), (5, 1));
    let taken = Event::JoinFailed(JoinFailure::IdentifierTaken);
    assert!(played.events.iter().any(|(_, event)| *event == taken), "{:?}", played.events);
}

/// `WIRE.md`: a node leaves the padding out once its successor has named it as predecessor, and pads each repeated question.
#[test]
fn repeated_questions_are_padded() {
    let mut config = quiet();
    config.stabilize = SECOND * 10;
    config.tries = 3;
    let mut played = Played::<0>::member(config, None);
    played.run_for(SECOND * 30);
    played.silent.push(300);
    played.run_for(SECOND * 15);
    let queries = played.sent.iter().filter_map(|(_, to, message)| match message {
        Text::Query { padding, .. } if *to == 300 => Some(*padding),
        _ => None,
    });
    let queries: Vec<u16> = queries.collect();
    let padded = Text::query_padding(3);
    assert_eq!(queries[0], padded, "the successor has not named it yet");
    let (before, last) = queries.split_last_chunk::<3>().expect("three tries");
    assert!(before[1..].iter().all(|padding| *padding == 0), "{queries:?}");
    assert_eq!(*last, [0, padded, padded]);
}

/// Only a node that has lost all its successors looks at once for others before the next one that it finds.
#[test]
fn the_first_successor_of_a_lone_node_is_not_probed_at_once() {
    let mut config = quiet();
    config.stabilize = SECOND * 1000;
    let mut played = Played::<2>::outside(config);
    played.node.add_seed(1000).unwrap();
    played.node.create(Duration::ZERO).unwrap();
    played.run_for(SECOND);
    played.receive(300, &Text::Notify { id: Id::new(300) });
    played.run_for(SECOND * 5);
    assert_eq!(played.node.successors().first(), Some(&peer(300)));
    assert_eq!(played.sent.iter().filter(|(_, _, text)| is_find(text)).count(), 0);

    let mut played = Played::<2>::member(config, Some(40000));
    played.run_for(SECOND);
    played.silent.extend([300, 1000, 5000]);
    while played.node.successors().first() != Some(&peer(20000)) {
        played.run_for(SECOND);
    }
    let adopted = Event::SuccessorChanged(Some(peer(20000)));
    let found = played.events.iter().find(|(_, event)| *event == adopted).expect("adopted").0;
    let mut probes = played.sent.iter().filter(|(at, _, text)| *at >= found && is_find(text));
    let (probe, through, _) = probes.next().expect("a probe");
    assert_eq!(*through, 20000, "the new successor");
    let after = probe.saturating_sub(found);
    assert_eq!(after, Duration::from_millis(1));
}

/// The node's own lookups report the nodes that they find dead, and the finger is forgotten.
#[test]
fn a_dead_finger_is_reported() {
    let mut config = quiet();
    config.fix_fingers = SECOND;
    let mut played = Played::<0>::member(config, None);
    played.run_for(SECOND / 10);
    played.events.clear();
    played.silent.push(20000);
    played.run_for(SECOND * 30);
    let failed = played.events.iter().find(|(_, event)| *event == Event::PeerFailed(peer(20000)));
    assert!(failed.is_some(), "{:?}", played.events);
    let fingers: Vec<_> = played.node.routing_table().fingers.iter().collect();
    assert_eq!(fingers, [300, 1000, 5000, 40000].map(peer));
    // It was asked as often as `tries` says, once in each `patience`.
    let asked = played.times(20000, is_find);
    assert_eq!(asked.len(), 5);
    assert_within(&gaps(&asked), 0.5..=0.5001);
}
