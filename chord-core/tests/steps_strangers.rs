//! What strangers, twins and failures do to a node, step by step.

mod steps_world;

use chord_core::{Config, Event, JoinFailure, List, Peer, State};
use steps_world::*;

#[test]
fn a_new_address_takes_the_place_of_the_old_one() {
    let mut node = one_of_five();
    let node = &mut node;
    // The predecessor has moved, and notifies from its new address: it is pinged there, and the old one is silent.
    call(node, 20001, &Text::Notify { id: Id::new(20000) });
    for second in 2..9 {
        while let Some((to, message)) = said(node) {
            if let (20001, Text::Ping { token, .. }) = (to, message) {
                call(node, 20001, &Text::Pong { token, id: Id::new(20000) });
            }
        }
        node.handle_timeout(SECOND * second);
    }
    assert_eq!(node.predecessor(), Some(Peer { id: Id::new(20000), address: 20001 }));
    node.set_address(101);
    assert_eq!(node.me(), Peer { id: Id::new(100), address: 101 });
    assert!(node.set_id(Id::new(7)).is_err(), "a member keeps its identifier");
    let mut new = TestNode::new(Config::default(), peer(9), Slots::EMPTY).unwrap();
    new.set_id(Id::new(8)).unwrap();
    assert_eq!(new.keys().to_string(), "(8, 8]");
}

/// Lets a stranger notify a node that has no event left; returns the node and the token of its ping.
fn notified_by_a_stranger() -> (TestNode, u32) {
    let mut node = one_of_five();
    while node.poll_event().is_some() {}
    call(&mut node, 77, &Text::Notify { id: Id::new(99) });
    let Some((77, Text::Ping { token, .. })) = said(&mut node) else { panic!("a ping") };
    assert!(node.poll_event().is_none(), "nothing is handed over");
    (node, token)
}

#[test]
fn a_stranger_that_notifies_is_adopted_once_it_has_answered() {
    let (mut node, token) = notified_by_a_stranger();
    let stranger = Peer { id: Id::new(99), address: 77 };
    call(&mut node, 77, &Text::Pong { token, id: stranger.id });
    assert_eq!(node.predecessor(), Some(stranger));
    let handed_over = |event| matches!(event, Event::HandOver { to, .. } if to == stranger);
    assert!(core::iter::from_fn(|| node.poll_event()).any(handed_over));
}

#[test]
fn a_stranger_with_another_identifier_at_its_address_is_not_adopted() {
    let (mut node, token) = notified_by_a_stranger();
    call(&mut node, 77, &Text::Pong { token, id: Id::new(98) });
    assert_eq!((node.predecessor(), node.state()), (Some(peer(20000)), State::Idle));
    assert_eq!(node.poll_event(), None);
}

#[test]
fn a_silent_stranger_is_pinged_twice() {
    let (mut node, _) = notified_by_a_stranger();
    let mut pings = 1;
    for tenth in 10..40 {
        node.handle_timeout(SECOND * tenth / 10);
        pings += core::iter::from_fn(|| said(&mut node)).filter(|(to, _)| *to == 77).count();
    }
    assert_eq!((node.predecessor(), pings), (Some(peer(20000)), 2));
}

#[test]
fn failures_that_are_found_in_one_call_are_all_reported() {
    let mut node = one_of_five();
    while node.poll_event().is_some() {}
    for key in [299, 301, 1001, 5001] {
        node.lookup(SECOND, Id::new(key)).unwrap();
    }
    // Nobody answers, and the driver looks only when all of them have lost their patience.
    let mut failed = vec![];
    let mut more = 0;
    for second in 1..40 {
        node.handle_timeout(SECOND * second);
        while said(&mut node).is_some() {}
        while let Some(event) = node.poll_event() {
            match event {
                Event::PeerFailed(peer) => failed.push(peer),
                Event::MorePeersFailed(count) => more += count,
                _ => {}
            }
        }
    }
    for known in [300, 1000, 5000, 20000] {
        assert!(failed.contains(&peer(known)), "{known} is missing in {failed:?}");
    }
    // Each of the four is named; what is counted only are some of them again, found by other lookups.
    assert!(more <= 4, "{more}");
}

#[test]
fn failures_that_nobody_polls_are_counted() {
    let mut node = one_of_five();
    for second in 1..60 {
        node.handle_timeout(SECOND * second);
        while said(&mut node).is_some() {}
    }
    let mut reported = 0;
    while let Some(event) = node.poll_event() {
        reported += match event {
            Event::PeerFailed(_) => 1,
            Event::MorePeersFailed(count) => count,
            _ => 0,
        };
    }
    assert!(reported >= 4, "all four others have failed, and {reported} were reported");
}

/// Lets the successor of node 100 name a node 100 at address 77 until node 100 asks somebody about that, after three rounds.
fn told_of_a_twin(seed: u64) -> (TestNode, u32, u32) {
    let mut node = seeded(seed);
    let mut told = 0;
    let twin = Peer { id: Id::new(100), address: 77 };
    for _ in 0..10 {
        node.handle_timeout(node.poll_timeout().unwrap());
        while let Some((to, message)) = said(&mut node) {
            match message {
                Text::Query { token, .. } => {
                    let id = Id::new(300);
                    let successors = [1000, 5000, 20000].map(peer).into_iter().collect();
                    let state = Text::State { token, id, predecessor: twin, successors };
                    call(&mut node, to, &state);
                    told += 1;
                }
                Text::Find { token, key, .. } if key == twin.id => {
                    assert_eq!(told, 3);
                    return (node, to, token);
                }
                _ => {}
            }
        }
    }
    panic!("it never asks");
}

fn is_out(node: &mut TestNode) -> bool {
    let taken = Event::JoinFailed(JoinFailure::IdentifierTaken);
    let told = core::iter::from_fn(|| node.poll_event()).any(|event| event == taken);
    assert_eq!(told, node.state() == State::Outside);
    told
}

#[test]
fn a_node_does_not_give_way_to_one_that_only_its_successor_names() {
    let mut asked = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let (mut node, to, token) = told_of_a_twin(seed);
        asked.insert(to);
        let id = Id::new(to.into());
        call(&mut node, to, &Text::Owner { token, id, peer: peer(100) });
        assert!(!is_out(&mut node));
    }
    // A third node is asked, and not always the same one.
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), [1000, 5000, 20000]);
}

#[test]
fn a_node_gives_way_to_one_that_two_others_name_and_that_answers() {
    let (mut node, to, token) = told_of_a_twin(0);
    let twin = Peer { id: Id::new(100), address: 77 };
    let id = Id::new(to.into());
    call(&mut node, to, &Text::Owner { token, id, peer: twin });
    let Some((77, Text::Find { token, .. })) = said(&mut node) else {
        panic!("for a sign of life")
    };
    assert!(!is_out(&mut node));
    call(&mut node, 77, &Text::Owner { token, id: twin.id, peer: twin });
    assert!(is_out(&mut node));
}

#[test]
fn a_list_is_checked_before_it_replaces_another() {
    let mut node = one_of_five();
    let node = &mut node;
    node.handle_timeout(node.poll_timeout().unwrap());
    let Some((300, Text::Query { token, .. })) = said(node) else { panic!("the successor") };
    let at = |id: u64, address: u32| Peer { id: Id::new(id), address };
    // The own address, an address twice, and one entry that comes round to the reader.
    let list = [at(400, 100), at(500, 300), at(600, 6), at(700, 6), at(100, 9), at(800, 8)];
    let predecessor = peer(100);
    let successors = list.into_iter().collect();
    let id = Id::new(300);
    call(node, 300, &Text::State { token, id, predecessor, successors });
    assert_eq!(node.successors(), [peer(300), at(600, 6)]);
    // Out of order, and twice.
    node.handle_timeout(node.poll_timeout().unwrap());
    while let Some((to, message)) = said(node) {
        if let Text::Query { token, .. } = message {
            let successors = [at(900, 9), at(900, 10), at(850, 8)].into_iter().collect();
            call(node, to, &Text::State { token, id, predecessor, successors });
        }
    }
    assert_eq!(node.successors(), [peer(300), at(900, 9)]);
}

/// A question that is passed on goes back the way that it came, and only once.
#[test]
fn an_answer_goes_back_where_its_question_came_from_and_nowhere_else() {
    let mut node = one_of_five();
    let node = &mut node;
    let key = Id::new(10000);
    let back = List::new();
    call(node, 7, &Text::Route { token: 9, key, hops: 1, direct: false, back });
    let Some((5000, Text::Route { token: 9, back, .. })) = said(node) else { panic!("passed on") };
    assert_eq!(back[..], [7]);
    let found = |to: u32| {
        let back = [to].into_iter().collect();
        Text::Found { token: 9, id: Id::new(5000), peer: peer(20000), hops: 2, back }
    };
    call(node, 5000, &found(66)); // elsewhere
    assert_eq!(said(node), None);
    call(node, 66, &found(7)); // from another node
    assert_eq!(said(node), None);
    call(node, 5000, &found(7));
    assert!(matches!(said(node), Some((7, Text::Found { token: 9, .. }))));
    call(node, 5000, &found(7)); // again
    assert_eq!(said(node), None);
}

#[test]
fn a_node_outside_a_ring_passes_nothing_on() {
    let mut node = TestNode::new(Config::default(), peer(100), Slots::EMPTY).unwrap();
    let node = &mut node;
    for direct in [false, true] {
        let back = [8].into_iter().collect();
        call(node, 7, &Text::Route { token: 9, key: Id::new(5), hops: 2, direct, back });
        assert_eq!(said(node), None);
    }
    // The asker itself learns that it has to ask another node.
    let back = List::new();
    call(node, 7, &Text::Route { token: 9, key: Id::new(5), hops: 1, direct: false, back });
    assert_eq!(said(node), Some((7, Text::Absent { token: 9 })));
}
