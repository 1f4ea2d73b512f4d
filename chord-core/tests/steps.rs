//! One node, step by step: what it says and does when the test plays all the others.

use core::time::Duration;

use chord_core::{
    Config, Event, JoinFailure, List, LookupFailure, Message, Node, NodeArrays, Peer, State, Word,
};

type Id = Word<16>;
type Text = Message<Id, u32>;
type Slots = NodeArrays<Id, u32, 3, 16, 5, 2>;
type TestNode = Node<Id, u32, Slots>;

const SECOND: Duration = Duration::from_secs(1);

fn peer(id: u64) -> Peer<Id, u32> {
    Peer { id: Id::new(id), address: id as u32 }
}

/// Returns node 100 of the ring 100, 300, 1000, 5000, 20000; its fingers stay as they are.
fn one_of_five() -> TestNode {
    seeded(0)
}

fn seeded(seed: u64) -> TestNode {
    let mut config = Config::default();
    config.seed = seed;
    config.stabilize = SECOND;
    config.fix_fingers = Duration::MAX;
    config.lookup_deadline = Duration::MAX;
    let mut node = TestNode::new(config, peer(100), Slots::EMPTY).unwrap();
    let members = [100, 300, 1000, 5000, 20000].map(peer);
    node.create_base(Duration::ZERO, &members).unwrap();
    node
}

/// Hands a message to a node.
fn call(node: &mut TestNode, from: u32, message: &Text) {
    let mut bytes = [0; Text::MAX_LEN];
    let len = message.encode(&mut bytes).unwrap();
    node.handle_datagram(SECOND, from, &bytes[..len]).unwrap();
}

/// Returns what a node has to say.
fn said(node: &mut TestNode) -> Option<(u32, Text)> {
    let mut buf = [0; Text::MAX_LEN];
    let sent = node.poll_transmit(&mut buf).unwrap()?;
    Some((sent.to, Text::decode(&buf[..sent.len]).unwrap().0))
}

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
