//! Lookups of one node while the test plays all the others: what is passed on, what answers mean, also late ones.

mod played;

use core::time::Duration;

use chord_core::{Event, List, Style};
use played::{Id, Played, SECOND, Text, is_find, peer, quiet};

/// A question is passed on until 64 nodes have been asked.
#[test]
fn a_question_is_passed_on_64_times_at_most() {
    for (hops, passed_on) in [(1, true), (63, true), (64, false), (255, false)] {
        let mut played = Played::<0>::member(quiet(), None);
        let back = [9].into_iter().collect();
        let key = Id::new(30000);
        let question = Text::Route { token: 5, key, hops, direct: false, back };
        played.receive(7, &question);
        played.flush();
        let back: List<u32, 16> = [9, 7].into_iter().collect();
        let next = Text::Route { token: 5, key, hops: hops.saturating_add(1), direct: false, back };
        let expected = if passed_on { vec![(20000, next)] } else { vec![] };
        let sent: Vec<_> = played.sent.iter().map(|(_, to, it)| (*to, it.clone())).collect();
        assert_eq!(sent, expected, "{hops} hops");
    }
}

/// The way back has room for 16 addresses. `direct` names the asker alone.
#[test]
fn a_way_back_of_16_addresses_is_full() {
    for (len, direct, passed_on) in [(15, false, true), (16, false, false), (16, true, true)] {
        let mut played = Played::<0>::member(quiet(), None);
        let back: List<u32, 16> = (1..=len).collect();
        let key = Id::new(30000);
        played.receive(77, &Text::Route { token: 5, key, hops: 20, direct, back });
        played.flush();
        assert_eq!(played.sent.len(), usize::from(passed_on), "{len} addresses");
        if let Some((_, _, Text::Route { back, .. })) = played.sent.first() {
            assert_eq!(back.last(), Some(&if direct { 16 } else { 77 }));
            assert_eq!(back.len(), 16);
        }
    }
}

fn passed_on(style: Style) -> Played<0> {
    let mut config = quiet();
    config.patience = SECOND * 4;
    config.lookup_deadline = Duration::MAX;
    config.confirm = false;
    config.style = style;
    let mut played = Played::<0>::member(config, None);
    played.node.lookup(Duration::ZERO, Id::new(30000)).unwrap();
    played
}

/// Silence does not tell which of many nodes is dead: a question that was passed on is asked once, and then by the asker itself.
#[test]
fn a_question_that_brings_no_answer_is_asked_by_the_asker() {
    for (style, straight) in [(Style::Recursive, false), (Style::SemiRecursive, true)] {
        let mut played = passed_on(style);
        played.run_for(SECOND * 30);
        let asked: Vec<_> =
            played.sent.iter().map(|(at, to, text)| (at.as_secs(), *to, text)).collect();
        let [(0, 20000, Text::Route { hops: 1, direct, .. }), (4, 20000, Text::Find { .. })] =
            asked[..]
        else {
            panic!("{asked:?}")
        };
        assert_eq!(*direct, straight);
        let done = |(at, event): &(Duration, Event<Id, u32>)| match event {
            Event::LookupDone { owner, hops: 1, timeouts: 1, .. } => Some((at.as_secs(), *owner)),
            _ => None,
        };
        assert_eq!(played.events.iter().find_map(done), Some((4, peer(40000))));
        assert!(!played.events.iter().any(|(_, event)| matches!(event, Event::PeerFailed(_))));
    }
}

/// An answer that names a way back is for another node, whatever its token is.
#[test]
fn an_answer_that_is_to_be_passed_on_ends_no_lookup_of_the_node_itself() {
    let mut played = passed_on(Style::Recursive);
    played.flush();
    let Some((_, 20000, Text::Route { token, .. })) = played.sent.first().cloned() else {
        panic!("a question")
    };
    let id = Id::new(20000);
    let found = |back: List<u32, 16>| Text::Found { token, id, peer: peer(40000), hops: 3, back };
    played.receive(20000, &found([9].into_iter().collect()));
    played.flush();
    assert_eq!((played.events.len(), played.sent.len()), (3, 1), "{:?}", played.events);
    played.receive(20000, &found(List::new()));
    played.flush();
    let Some((_, Event::LookupDone { owner, hops: 3, timeouts: 0, .. })) = played.events.last()
    else {
        panic!("{:?}", played.events)
    };
    assert_eq!(*owner, peer(40000));
}

/// A node that has lost all its successors does not know the owner of any key until the next one has named it three times.
#[test]
fn a_node_that_has_lost_its_successors_passes_no_owner_on() {
    let mut config = quiet();
    config.stabilize = SECOND * 100;
    let mut played = Played::<0>::member(config, None);
    let asks = |played: &mut Played<0>| {
        let key = Id::new(200);
        let back = List::new();
        played.receive(7, &Text::Route { token: 5, key, hops: 1, direct: true, back });
        let seen = played.sent.len();
        played.flush();
        played.sent.split_off(seen).into_iter().find_map(|(_, to, message)| match message {
            Text::Found { peer, .. } if to == 7 => Some(peer),
            _ => None,
        })
    };
    assert_eq!(asks(&mut played), Some(peer(300)));
    played.silent.extend([300, 1000, 5000]);
    while played.node.successors().first() != Some(&peer(20000)) {
        played.run_for(SECOND);
    }
    assert_eq!(asks(&mut played), None);
    played.run_for(SECOND * 1000);
    assert_eq!(asks(&mut played), Some(peer(20000)));
}

#[test]
fn cancel_ends_one_lookup_of_two() {
    let mut played = Played::<0>::member(quiet(), None);
    let keys = [10000, 30000].map(Id::new);
    let lookups = keys.map(|key| played.node.lookup(Duration::ZERO, key).unwrap());
    played.node.cancel(lookups[1]);
    played.run_for(SECOND);
    let done = played.events.iter().filter_map(|(_, event)| match event {
        Event::LookupDone { lookup, owner, .. } => Some((*lookup, *owner)),
        _ => None,
    });
    assert_eq!(done.collect::<Vec<_>>(), [(lookups[0], peer(20000))]);
}

/// A node that names an owner which it was asked to avoid is of no use.
#[test]
fn an_owner_that_was_found_dead_is_not_asked_again() {
    let mut played = Played::<0>::member(quiet(), None);
    let key = Id::new(10000);
    played.node.lookup(Duration::ZERO, key).unwrap();
    let mut named = 0;
    let mut asked = vec![];
    while played.now < SECOND * 3 {
        let mut buf = [0; Text::MAX_LEN];
        while let Some(sent) = played.node.poll_transmit(&mut buf).unwrap() {
            asked.push(sent.to);
            let (message, _) = Text::decode(&buf[..sent.len]).unwrap();
            if let (5000, Text::Find { token, .. }) = (sent.to, message) {
                named += 1;
                let answer = Text::Owner { token, id: Id::new(5000), peer: peer(20000) };
                played.receive(5000, &answer);
            }
        }
        played.now += SECOND / 10;
        played.node.handle_timeout(played.now);
    }
    assert_eq!(named, 2, "once more, around the dead one");
    let second = asked.iter().rposition(|to| *to == 5000).expect("it was asked");
    assert!(!asked[..second].contains(&1000) && asked[second..].contains(&1000), "{asked:?}");
}

/// A node that has to name another owner, as the first one is dead, counts as one hop.
#[test]
fn a_node_that_is_asked_twice_is_one_hop() {
    let mut played = Played::<0>::member(quiet(), None);
    played.node.lookup(Duration::ZERO, Id::new(10000)).unwrap();
    let mut owners = [20000, 21000].into_iter();
    while played.now < SECOND * 3 {
        let mut buf = [0; Text::MAX_LEN];
        while let Some(sent) = played.node.poll_transmit(&mut buf).unwrap() {
            let (message, _) = Text::decode(&buf[..sent.len]).unwrap();
            let id = Id::new(sent.to.into());
            match (sent.to, message) {
                (5000, Text::Find { token, .. }) => {
                    let peer = peer(owners.next().expect("asked twice"));
                    played.receive(5000, &Text::Owner { token, id, peer });
                }
                (21000, Text::Find { token, .. }) => {
                    played.receive(21000, &Text::Owner { token, id, peer: peer(21000) });
                }
                _ => {}
            }
        }
        while let Some(event) = played.node.poll_event() {
            played.events.push((played.now, event));
        }
        played.now += SECOND / 10;
        played.node.handle_timeout(played.now);
    }
    let hops = played.events.iter().filter_map(|(_, event)| match event {
        Event::LookupHop { hop, peer, .. } => Some((*hop, *peer)),
        Event::LookupDone { owner, hops, timeouts, .. } => Some((hops + 10 * timeouts, *owner)),
        _ => None,
    });
    assert_eq!(hops.collect::<Vec<_>>(), [(1, peer(5000)), (11, peer(21000))]);
}

/// An owner that does not own the key, or that names itself, counts as no answer: the asker asks by itself.
#[test]
fn an_answer_with_a_wrong_owner_is_not_believed() {
    for (id, owner) in [(20000, 25000), (40000, 40000), (35000, 40000)] {
        let mut played = passed_on(Style::SemiRecursive);
        played.flush();
        let Some((_, 20000, Text::Route { token, .. })) = played.sent.first().cloned() else {
            panic!("a question")
        };
        let back = List::new();
        let found = Text::Found { token, id: Id::new(id), peer: peer(owner), hops: 3, back };
        played.receive(20000, &found);
        played.flush();
        let asked: Vec<_> = played.times(20000, is_find);
        assert_eq!(asked, [0.0], "{id} {owner}");
    }
}

/// Each owner that is asked names one more before it: they are believed eight times, and then the lookup starts again after a while.
#[test]
fn a_row_of_owners_that_name_each_other_ends() {
    let mut config = quiet();
    config.lookup_deadline = Duration::MAX;
    let mut played = Played::<0>::member(config, None);
    played.node.lookup(Duration::ZERO, Id::new(200)).unwrap();
    let mut asked = vec![];
    while played.now < SECOND {
        let mut buf = [0; Text::MAX_LEN];
        while let Some(sent) = played.node.poll_transmit(&mut buf).unwrap() {
            let (message, _) = Text::decode(&buf[..sent.len]).unwrap();
            if let Text::Find { token, .. } = message {
                asked.push((played.now.as_millis(), sent.to));
                let id = Id::new(sent.to.into());
                let peer = peer(u64::from(sent.to) - 1);
                played.receive(sent.to, &Text::Owner { token, id, peer });
            }
        }
        played.now += SECOND / 10;
        played.node.handle_timeout(played.now);
    }
    assert_eq!(asked, (292..=300).rev().map(|to| (0, to)).collect::<Vec<_>>());
    played.now = SECOND + SECOND / 10; // more than twice the patience later
    played.node.handle_timeout(played.now);
    let mut buf = [0; Text::MAX_LEN];
    let sent = played.node.poll_transmit(&mut buf).unwrap().expect("it starts again");
    assert_eq!(sent.to, 300);
}

/// A late answer counts, but only from the node that was asked, and with the token of the question.
#[test]
fn a_late_answer_counts() {
    let mut config = quiet();
    config.patience = SECOND * 4;
    let late = || {
        let mut played = Played::<0>::member(config, None);
        played.silent.push(20000);
        played.node.lookup(Duration::ZERO, Id::new(30000)).unwrap();
        played.flush();
        let Some((_, 20000, Text::Find { token, .. })) = played.sent.first().cloned() else {
            panic!("a question")
        };
        played.silent.extend([300, 1000, 5000]);
        played.run_for(SECOND * 7 / 2);
        assert_eq!(played.times(5000, is_find), [3.0], "beside it");
        (played, token)
    };
    let done = |played: &Played<0>| {
        played.events.iter().find_map(|(at, event)| match event {
            Event::LookupDone { owner, hops, timeouts, .. } => {
                Some((at.as_millis(), *owner, *hops, *timeouts))
            }
            _ => None,
        })
    };
    let id = Id::new(20000);
    let owner = peer(40000);
    let (mut played, token) = late();
    played.receive(20000, &Text::Owner { token, id, peer: owner });
    played.run_for(SECOND / 10);
    assert_eq!(done(&played), Some((3500, owner, 1, 1)));

    let (mut played, token) = late();
    played.receive(20001, &Text::Owner { token, id, peer: owner });
    played.receive(20000, &Text::Owner { token: !token, id, peer: owner });
    played.run_for(SECOND / 10);
    assert_eq!(done(&played), None, "from another address, or to another question");
    played.receive(20000, &Text::Owner { token, id: Id::new(20001), peer: owner });
    played.run_for(SECOND / 10);
    assert_eq!(done(&played), None, "of another node");

    // It leads away from the key, or names itself.
    for named in [10000, 20000, 25000] {
        let (mut played, token) = late();
        played.receive(20000, &Text::Owner { token, id, peer: peer(named) });
        played.run_for(SECOND / 10);
        assert_eq!(done(&played), None, "{named}");
    }
}

/// A node that looks key 30000 up while all the others are silent. It has asked 20000 first.
fn among_silent() -> Played<0> {
    let mut config = quiet();
    config.patience = SECOND * 4;
    let mut played = Played::<0>::member(config, None);
    played.silent.extend([300, 1000, 5000, 20000, 40000]);
    played.node.lookup(Duration::ZERO, Id::new(30000)).unwrap();
    played
}

/// Lets `from` answer its last question: it names the owner of the key.
fn names(played: &mut Played<0>, from: u32, owner: u64) {
    played.flush();
    let question = played.sent.iter().rev().find(|(_, to, text)| *to == from && is_find(text));
    let Some((_, _, Text::Find { token, .. })) = question else { panic!("{from} was not asked") };
    let answer = Text::Owner { token: *token, id: Id::new(from.into()), peer: peer(owner) };
    played.receive(from, &answer);
    played.flush();
}

fn owner_of(played: &Played<0>) -> Option<u64> {
    played.events.iter().find_map(|(_, event)| match event {
        Event::LookupDone { owner, .. } => Some(owner.id.value()),
        _ => None,
    })
}

/// A node nearer before the key that answers late is heeded if it names a nearer owner than the one that is being asked.
#[test]
fn a_late_answer_with_a_nearer_owner_counts() {
    let asks_45000 = || {
        let mut played = among_silent();
        played.run_for(SECOND * 3); // 5000 is asked beside the silent 20000
        names(&mut played, 5000, 45000);
        assert_eq!(played.times(45000, is_find), [3.0]);
        played
    };
    let mut played = asks_45000();
    names(&mut played, 20000, 40000);
    assert_eq!(played.times(40000, is_find), [3.0], "nearer to the key");
    names(&mut played, 40000, 40000);
    assert_eq!(owner_of(&played), Some(40000));

    let mut played = asks_45000();
    names(&mut played, 20000, 50000);
    assert_eq!(played.times(50000, is_find), [0.0; 0]);
    names(&mut played, 45000, 45000);
    assert_eq!(owner_of(&played), Some(45000));
}

/// An owner that gives its sign of life late owns the key, although another one was named in its place. One that names another one
/// before it is heeded if that is nearer than the one that is being asked.
#[test]
fn a_late_sign_of_life_counts() {
    let asks = |first: u64, second: u64| {
        let mut played = among_silent();
        names(&mut played, 20000, first);
        played.run_for(SECOND * 3);
        names(&mut played, 20000, second); // around the first one
        assert_eq!(played.times(second as u32, is_find), [3.0]);
        assert_eq!(owner_of(&played), None);
        played
    };
    let mut played = asks(40000, 45000);
    names(&mut played, 40000, 40000);
    assert_eq!(owner_of(&played), Some(40000));

    // The second one lives, but the first one may well answer.
    let mut played = asks(40000, 45000);
    names(&mut played, 45000, 45000);
    assert_eq!(owner_of(&played), None);
    names(&mut played, 40000, 40000);
    assert_eq!(owner_of(&played), Some(40000));
    let mut played = asks(40000, 45000);
    names(&mut played, 45000, 45000);
    played.run_for(SECOND * 20);
    assert_eq!(owner_of(&played), Some(45000), "it is dead");

    // Of a nearer one nothing farther away is awaited.
    let mut played = asks(45000, 40000);
    names(&mut played, 40000, 40000);
    assert_eq!(owner_of(&played), Some(40000));
    let mut played = asks(45000, 40000);
    names(&mut played, 45000, 42000);
    assert_eq!(played.times(42000, is_find), [0.0; 0]);
    let mut played = asks(45000, 40000);
    names(&mut played, 45000, 35000);
    assert_eq!(played.times(35000, is_find), [0.0; 0], "40000 knows better");
    names(&mut played, 40000, 35000);
    assert_eq!(played.times(35000, is_find), [3.0]);
}

/// A question to a silent node comes back to its sender, which is at that address itself: it is not asked again, nor taken for dead.
#[test]
fn a_silent_node_at_an_own_address_is_forgotten() {
    let mut played = among_silent();
    played.run_for(SECOND * 7 / 2);
    assert_eq!(played.times(20000, is_find), [0.0, 3.0]);
    let question = played.sent.iter().rev().find(|(_, to, _)| *to == 20000).cloned();
    played.receive(20000, &question.expect("it was asked").2);
    played.run_for(SECOND * 10);
    assert_eq!(played.times(20000, is_find), [0.0, 3.0]);
    let failed = Event::PeerFailed(peer(20000));
    assert!(!played.events.iter().any(|(_, event)| *event == failed));
}

/// Nodes between a node and a new predecessor that it does not know may own its keys, until that one has notified again three times.
#[test]
fn a_node_is_not_sure_of_the_keys_of_a_predecessor_that_has_failed() {
    let mut config = quiet();
    config.confirm = false;
    let mut played = Played::<0>::member(config, None);
    played.silent.push(40000);
    let notify = Text::Notify { id: Id::new(20000) };
    played.receive(20000, &notify);
    played.run_for(SECOND * 5);
    assert_eq!(played.node.predecessor(), Some(peer(20000)));
    let asks = |played: &mut Played<0>| {
        played.node.lookup(played.now, Id::new(30000)).unwrap();
        let seen = played.sent.len();
        played.events.clear();
        played.flush();
        assert_eq!(owner_of(played), Some(100));
        played.sent[seen..].iter().any(|(_, _, text)| is_find(text))
    };
    for _ in 0..3 {
        assert!(asks(&mut played), "others are asked");
        played.receive(20000, &notify);
        played.flush();
    }
    assert!(!asks(&mut played), "the key is its own");
}
