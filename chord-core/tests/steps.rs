//! One node, step by step: what it says and does when the test plays all the others.

mod steps_world;

use core::time::Duration;

use chord_core::{Config, Event, List, LookupFailure, State};
use steps_world::*;

#[test]
fn a_lookup_goes_around_a_node_that_points_backwards() {
    let mut node = one_of_five();
    let node = &mut node;
    let key = Id::new(10000);
    let lookup = node.lookup(SECOND, key).unwrap();
    let Some((5000, Text::Find { token, .. })) = said(node) else { panic!("the closest") };
    call(node, 5000, &Text::Closer { token, id: Id::new(5000), peer: peer(300) }); // backwards
    let Some((1000, Text::Find { token, avoid, .. })) = said(node) else { panic!("around it") };
    assert_eq!(avoid[..], [Id::new(5000)]);
    call(node, 1000, &Text::Owner { token, id: Id::new(1000), peer: peer(5000) }); // not of this key
    let Some((300, Text::Find { token, .. })) = said(node) else { panic!("around that, too") };
    call(node, 300, &Text::Closer { token, id: Id::new(1000), peer: peer(7000) }); // another's name
    // Asked that way itself, a node lives and has nothing to say.
    let avoid: List<_, 8> = [300, 1000, 5000, 20000].map(Id::new).into_iter().collect();
    call(node, 300, &Text::Find { token: 9, key, avoid });
    assert_eq!(said(node), Some((300, Text::Busy { token: 9 })));
    // Nobody of the own list is left, so the owner is unknown. The lookup waits for better days, but not for ever.
    assert_eq!(said(node), None);
    let end = Event::LookupFailed { lookup, key, reason: LookupFailure::NoRoute };
    let mut pauses = 0;
    loop {
        let mut events = core::iter::from_fn(|| node.poll_event());
        match events.find(|it| matches!(it, Event::LookupFailed { .. } | Event::LookupDone { .. }))
        {
            Some(Event::LookupDone { owner, .. }) => break assert_eq!(owner, peer(100), "alone"),
            Some(event) => break assert_eq!(event, end),
            None => {}
        }
        node.handle_timeout(node.poll_timeout().unwrap());
        while said(node).is_some() {}
        pauses += 1;
        assert!(pauses < 2000);
    }
}

/// The successor claims to own a key that lies behind it, as if the asker did not exist.
#[test]
fn an_owner_beyond_the_asker_empties_no_finger_table() {
    let mut config = Config::default();
    config.stabilize = SECOND * 1000;
    let mut node = TestNode::new(config, peer(100), Slots::EMPTY).unwrap();
    let node = &mut node;
    let members = [100, 300, 1000, 5000, 20000].map(peer);
    node.create_base(Duration::ZERO, &members).unwrap();
    let fingers = |node: &TestNode| node.routing_table().fingers.iter().collect::<Vec<_>>();
    let before = fingers(node);
    assert_eq!(before[..], [300, 1000, 5000, 20000].map(peer));
    let id = Id::new(300);
    let mut lies = 0;
    for _ in 0..60 {
        node.handle_timeout(node.poll_timeout().unwrap());
        while let Some((to, message)) = said(node) {
            match message {
                Text::Find { token, .. } if to == 300 => {
                    lies += 1;
                    call(node, to, &Text::Owner { token, id, peer: peer(300) });
                }
                Text::Find { token, .. } => {
                    let id = Id::new(to.into());
                    call(node, to, &Text::Owner { token, id, peer: peer(100) });
                }
                _ => {}
            }
        }
        assert_eq!(fingers(node), before);
    }
    assert!(lies > 0);
}

/// Returns the answer of a node to the question who owns `key`, where these are avoided.
fn asked(node: &mut TestNode, key: u64, avoid: &[u64]) -> Text {
    let avoid = avoid.iter().map(|id| Id::new(*id)).collect();
    call(node, 7, &Text::Find { token: 4, key: Id::new(key), avoid });
    let Some((7, answer)) = said(node) else { panic!("no answer") };
    answer
}

#[test]
fn a_node_that_is_taken_for_the_owner_names_the_one_before_it() {
    let mut node = one_of_five();
    let node = &mut node;
    let id = Id::new(100);
    let owner = |peer| Text::Owner { token: 4, id, peer };
    assert_eq!(asked(node, 50, &[100]), owner(peer(100)));
    assert_eq!(asked(node, 15000, &[100]), owner(peer(20000)));
    assert_eq!(asked(node, 15000, &[100, 20000]), owner(peer(100)), "that one is dead");
    assert_eq!(asked(node, 200, &[]), owner(peer(300)), "of its own keys each node knows the next");
}

#[test]
fn a_lookup_asks_the_newcomer_that_the_owner_names() {
    let mut node = one_of_five();
    let node = &mut node;
    let key = Id::new(200);
    node.lookup(SECOND, key).unwrap();
    let Some((300, Text::Find { token, avoid, .. })) = said(node) else { panic!("the owner") };
    assert_eq!(avoid[..], [Id::new(300)]);
    call(node, 300, &Text::Owner { token, id: Id::new(300), peer: peer(250) });
    let Some((250, Text::Find { token, .. })) = said(node) else { panic!("the newcomer") };
    call(node, 250, &Text::Owner { token, id: Id::new(250), peer: peer(250) });
    let end = core::iter::from_fn(|| node.poll_event()).last();
    assert!(matches!(end, Some(Event::LookupDone { owner, .. }) if owner == peer(250)), "{end:?}");
}

#[test]
fn a_newcomer_that_does_not_answer_owns_nothing() {
    let mut node = one_of_five();
    let node = &mut node;
    let mut fail = |peer| {
        let mut questions = 0;
        node.lookup(SECOND, Id::new(200)).unwrap();
        let end = loop {
            while let Some((to, message)) = said(node) {
                let Text::Find { token, avoid, .. } = message else { continue };
                questions += u32::from(to == 250);
                let named = if avoid.contains(&Id::new(250)) { 300 } else { peer };
                let answer = Text::Owner { token, id: Id::new(300), peer: self::peer(named) };
                if to == 300 {
                    call(node, 300, &answer);
                }
            }
            let mut events = core::iter::from_fn(|| node.poll_event());
            if let Some(event) = events.find(|it| matches!(it, Event::LookupDone { .. })) {
                break event;
            }
            node.handle_timeout(node.poll_timeout().unwrap());
        };
        (questions, end)
    };
    let (questions, end) = fail(250);
    assert_eq!(questions, 2, "the node before has most likely found it dead");
    assert!(matches!(end, Event::LookupDone { owner, .. } if owner == peer(300)), "{end}");
}

#[test]
fn a_node_that_takes_itself_for_alone_is_not_believed() {
    let mut node = one_of_five();
    let node = &mut node;
    node.lookup(SECOND, Id::new(10000)).unwrap();
    let Some((5000, Text::Find { token, .. })) = said(node) else { panic!("the closest") };
    call(node, 5000, &Text::Owner { token, id: Id::new(5000), peer: peer(5000) });
    assert!(matches!(said(node), Some((1000, Text::Find { .. }))), "around it");
}

#[test]
fn a_node_that_has_lost_all_its_successors_names_no_owner() {
    let mut node = one_of_five();
    let node = &mut node;
    // All successors fail; a stranger, 9000, is named before the next one answers.
    while !node.successors().is_empty() {
        node.handle_timeout(node.poll_timeout().unwrap());
        while said(node).is_some() {}
    }
    assert_eq!(asked(node, 200, &[]), Text::Busy { token: 4 });
    // The predecessor, the only one left, becomes the successor. Others may lie between.
    let state = |token| {
        let id = Id::new(20000);
        let predecessor = peer(100);
        let successors = [peer(100)].into_iter().collect();
        Text::State { token, id, predecessor, successors }
    };
    let mut answers = 0;
    let mut sure = 0;
    while sure < 2 && answers < 20 {
        node.handle_timeout(node.poll_timeout().unwrap());
        while let Some((to, message)) = said(node) {
            if let (20000, Text::Query { token, .. }) = (to, message) {
                call(node, 20000, &state(token));
                answers += 1;
            }
        }
        if answers > 0
            && asked(node, 200, &[])
                == (Text::Owner { token: 4, id: Id::new(100), peer: peer(20000) })
        {
            sure += 1;
        } else if answers > 0 {
            assert_eq!(sure, 0);
            let unsure = Text::Closer { token: 4, id: Id::new(100), peer: peer(20000) };
            assert_eq!(asked(node, 200, &[]), unsure);
        }
    }
    assert!(answers > 2 && sure == 2, "{answers} answers");
}

#[test]
fn a_node_is_not_read_while_it_reads() {
    let mut node = one_of_five();
    let node = &mut node;
    node.handle_timeout(SECOND * 2);
    let Some((300, Text::Query { token, .. })) = said(node) else { panic!("it stabilizes") };

    // Meanwhile a query waits, a ping and a lookup do not, and a second try is answered with BUSY.
    call(node, 20000, &Text::Query { token: 1, padding: Text::query_padding(3) });
    assert_eq!(said(node), None);
    call(node, 20000, &Text::Ping { token: 2, padding: Text::ping_padding() });
    assert_eq!(said(node), Some((20000, Text::Pong { token: 2, id: Id::new(100) })));
    call(node, 20000, &Text::Find { token: 3, key: Id::new(101), avoid: List::new() });
    assert!(matches!(said(node), Some((20000, Text::Owner { token: 3, .. }))));
    call(node, 20000, &Text::Query { token: 1, padding: Text::query_padding(3) });
    assert_eq!(said(node), Some((20000, Text::Busy { token: 1 })));

    // Answers of others, of the past or of another kind change nothing.
    let list: List<_, 20> = [peer(1000), peer(5000), peer(20000)].into_iter().collect();
    let state = |token, predecessor| {
        let id = Id::new(300);
        let successors = list.clone();
        Text::State { token, id, predecessor: peer(predecessor), successors }
    };
    let before = node.clone();
    call(node, 301, &state(token, 200));
    call(node, 300, &state(token.wrapping_add(1), 200));
    call(node, 300, &Text::Pong { token, id: Id::new(300) });
    assert_eq!(*node, before);

    // The answer names a better successor, which is asked and not adopted.
    call(node, 300, &state(token, 200));
    let Some((200, Text::Query { token, .. })) = said(node) else { panic!("the second step") };
    assert_eq!((node.state(), node.successors().first()), (State::Stabilizing, Some(&peer(300))));
    assert_eq!(said(node), None, "still reading");
    let successors = [peer(300), peer(1000), peer(5000)].into_iter().collect();
    call(node, 200, &Text::State { token, id: Id::new(200), predecessor: peer(100), successors });
    assert_eq!((node.state(), node.successors().first()), (State::Idle, Some(&peer(200))));

    // The step is over: the waiting node reads the new state.
    let Some((20000, Text::State { token: 1, successors, .. })) = said(node) else { panic!() };
    assert_eq!(successors[..], [peer(200), peer(300), peer(1000)]);
    assert_eq!(said(node), Some((200, Text::Notify { id: Id::new(100) })));
    assert_eq!(said(node), None);
}

#[test]
fn what_a_notification_overwrites_is_made_up_for() {
    let mut node = one_of_five();
    let node = &mut node;
    node.handle_timeout(SECOND * 2);
    let Some((300, Text::Query { token, .. })) = said(node) else { panic!("it stabilizes") };
    let successors = [peer(1000), peer(5000), peer(20000)].into_iter().collect();
    let id = Id::new(300);
    let predecessor = peer(200);
    call(node, 300, &Text::State { token, id, predecessor, successors });
    let mut asked = core::iter::from_fn(|| said(node)).filter(|(to, _)| *to == 200);
    let Some((_, Text::Query { token, .. })) = asked.next() else { panic!("the second step") };
    drop(asked);
    call(node, 200, &Text::Busy { token }); // puts the second step off ..
    assert_eq!((node.state(), said(node)), (State::Stabilizing, None));
    call(node, 20000, &Text::Notify { id: Id::new(20000) }); // .. and this calls it off
    assert_eq!(node.state(), State::Idle);
    assert!(matches!(said(node), Some((300, Text::Query { .. }))), "the first step at once");
}

#[test]
fn a_driver_that_does_not_send_kills_nobody() {
    let mut node = one_of_five();
    let node = &mut node;
    node.lookup(SECOND, Id::new(10000)).unwrap();
    for _ in 0..1000 {
        node.handle_timeout(node.poll_timeout().unwrap());
    }
    assert_eq!(node.successors().len(), 3);
    let failed = |event| matches!(event, Event::PeerFailed(_) | Event::LookupFailed { .. });
    assert!(!core::iter::from_fn(|| node.poll_event()).any(failed));
}

#[test]
fn the_end_of_time_does_not_stop_a_node() {
    let mut node = one_of_five();
    let node = &mut node;
    node.handle_timeout(Duration::MAX);
    while said(node).is_some() {}
    assert_eq!(node.poll_timeout(), None, "no deadline is later");
    for _ in 0..20 {
        node.handle_timeout(SECOND * 10);
    }
    assert!(said(node).is_some(), "it acts at the next calls");
}
