//! How values print, which settings are valid, and which finger or slot gives way.

use core::time::Duration;

use chord_core::{
    Config, ConfigError, ContactSlot, Event, FingerSlot, FingerTable, Full, Id64, Id128, Id160,
    JoinFailure, KeyRange, List, LookupFailure, LookupSlot, Message, Node, NodeArrays, NodeLimits,
    NodeSlots, NodeStorage, NodeVec, Peer, Route, RoutingTable, RoutingTableVec, StartError, State,
    SuccessorList, Virtual, Wire, Word,
};

type Id = Word<8>;

fn peer(id: u64) -> Peer<Id, u32> {
    Peer { id: Id::new(id), address: id as u32 + 1000 }
}

#[test]
fn a_precision_limits_the_hexadecimal_digits() {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&[0x12, 0x34, 0xAB, 0xCD]);
    let id = Id160::from(bytes);
    let digits = [(0, ""), (1, "1"), (2, "12"), (3, "123"), (7, "1234abc"), (8, "1234abcd")];
    for (precision, expected) in digits {
        assert_eq!(format!("{id:.precision$}"), expected);
    }
    assert_eq!(id.to_string(), format!("1234abcd{}", "0".repeat(32)));
}

#[test]
fn lookups_print_as_numbers() {
    let me = Peer { id: Id160::from([7; 20]), address: 1_u32 };
    let storage = NodeSlots {
        successors: [me; 4],
        fingers: [FingerSlot::EMPTY; 4],
        lookups: [LookupSlot::EMPTY; 3],
        contacts: [ContactSlot::EMPTY; 2],
    };
    let mut node = Node::new(Config::default(), me, storage).unwrap();
    node.create(Duration::ZERO).unwrap();
    let first = node.lookup(Duration::ZERO, Id160::from([9; 20])).unwrap().to_string();
    let second = node.lookup(Duration::ZERO, Id160::from([5; 20])).unwrap().to_string();
    for text in [&first, &second] {
        let digits = text.strip_prefix('#').expect("a number sign");
        assert!(digits.parse::<u32>().is_ok(), "{text}");
    }
    assert_ne!(first, second);
}

/// Each event is one line of a trace, which names all that the event holds.
#[test]
fn events_print_what_they_hold() {
    let me = peer(1);
    let mut node = Node::new(Config::default(), me, NodeVec::new(NodeLimits::default())).unwrap();
    node.create(Duration::ZERO).unwrap();
    let lookup = node.lookup(Duration::ZERO, Id::new(9)).unwrap();
    let range = KeyRange { after: Id::new(3), through: Id::new(7) };
    let to = peer(5);
    let key = Id::new(9);
    for (event, text) in [
        (Event::Joined, "joined"),
        (Event::JoinFailed(JoinFailure::NoRing), "join failed: NoRing"),
        (Event::SuccessorChanged(Some(to)), "successor 5@1005"),
        (Event::SuccessorChanged(None), "no successor"),
        (
            Event::PredecessorChanged { predecessor: Some(to), range },
            "predecessor 5@1005, keys (3, 7]",
        ),
        (Event::PredecessorChanged { predecessor: None, range }, "no predecessor, keys (3, 7]"),
        (Event::ListChanged, "successor list changed"),
        (Event::HandOver { range, to }, "hand over keys (3, 7] to 5@1005"),
        (Event::TakeOver { range }, "take over keys (3, 7]"),
        (Event::PeerFailed(to), "failed 5@1005"),
        (Event::MorePeersFailed(4), "4 more failed"),
        (Event::Isolated, "isolated"),
        (Event::SplitSuspected, "split suspected"),
        (Event::Merged, "merged"),
        (Event::LookupHop { lookup, hop: 2, peer: to }, "lookup #1 hop 2 5@1005"),
        (
            Event::LookupDone { lookup, key, owner: to, hops: 3, timeouts: 1 },
            "lookup #1 key 9 owner 5@1005 hops 3 timeouts 1",
        ),
        (
            Event::LookupFailed { lookup, key, reason: LookupFailure::NoRoute },
            "lookup #1 key 9 failed: NoRoute",
        ),
    ] {
        assert_eq!(event.to_string(), text);
    }
}

/// The limits are valid, and what lies beyond them is not.
#[test]
fn settings_are_valid_up_to_their_limits() {
    let check = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        Node::new(config, peer(1), NodeArrays::<Id, u32, 1, 0, 1, 0>::EMPTY).err()
    };
    let least = Duration::from_millis(1);
    assert_eq!(least.as_micros(), 1000);
    assert_eq!(check(|config| config.stabilize = Duration::from_millis(1)), None);
    assert_eq!(check(|config| config.fix_fingers = Duration::from_millis(1)), None);
    assert_eq!(check(|config| config.patience = Duration::from_millis(1)), None);
    assert_eq!(check(|config| config.lookup_deadline = Duration::from_millis(1)), None);
    assert_eq!(check(|config| config.tries = 1), None);
    assert_eq!(check(|config| config.relay_percent = 100), None);
    assert_eq!(check(|config| config.relay_percent = 101), Some(ConfigError::RelayPercent(101)));
    assert_eq!(check(|config| config.stabilize_when_calm = config.stabilize), None);
    assert_eq!(
        check(|config| {
            config.stabilize_when_calm = Duration::from_millis(4999);
        }),
        Some(ConfigError::Calm)
    );
    let contacts = |count| {
        let limits = NodeLimits { contacts: count, ..NodeLimits::default() };
        Node::new(Config::default(), peer(1), NodeVec::new(limits)).err()
    };
    assert_eq!(contacts(255), None);
    assert_eq!(contacts(256), Some(ConfigError::Contacts(256)));
}

#[test]
fn a_storage_has_the_slots_of_its_limits() {
    let lens = |limits| {
        let mut storage = NodeVec::<Id, u32>::new(limits);
        let parts = storage.parts();
        [parts.successors.len(), parts.fingers.len(), parts.lookups.len(), parts.contacts.len()]
    };
    // One of the lookups is the node's own.
    assert_eq!(lens(NodeLimits::default()), [8, 16, 17, 8]);
    assert_eq!(
        lens(NodeLimits { successors: 1, fingers: 2, lookups: 3, contacts: 4 }),
        [1, 2, 4, 4]
    );
    let mut slots = NodeArrays::<Id, u32, 1, 2, 3, 4>::EMPTY;
    let mut node = Node::new(Config::default(), peer(1), &mut slots).unwrap();
    assert_eq!(node.capacity(), 2);
    assert_eq!(node.add_seed(7), Ok(()));
    assert_eq!(slots.parts_ref().contacts.len(), 4);
}

#[test]
fn a_ring_begins_with_one_node_more_than_the_list_has_entries() {
    let mut node =
        Node::new(Config::default(), peer(1), NodeArrays::<Id, u32, 3, 4, 2, 2>::EMPTY).unwrap();
    assert!(!node.has_base());
    let three = [1, 20, 200].map(peer);
    let error = StartError::BaseTooSmall { members: 3, needed: 4 };
    assert_eq!(node.create_base(Duration::ZERO, &three), Err(error));
    assert_eq!((node.state(), node.successors()), (State::Outside, &[][..]));
    assert!(node.routing_table().fingers.is_empty());
    node.create_base(Duration::ZERO, &[1, 20, 200, 90].map(peer)).unwrap();
    assert!(node.has_base());
    assert_eq!(node.successors(), [20, 90, 200].map(peer));
    assert_eq!(node.predecessor(), Some(peer(200)));
    assert_eq!(node.keys().to_string(), "(200, 1]");
    assert_eq!(node.create(Duration::ZERO), Err(StartError::Started));
    assert_eq!(node.join(Duration::ZERO, 5), Err(StartError::Started));
    assert_eq!(node.rejoin(Duration::ZERO, Id::new(5), 5), Err(StartError::Started));
    assert_eq!(node.set_id(Id::new(5)), Err(StartError::Started));
    node.leave(Duration::ZERO);
    assert_eq!(node.state(), State::Gone);
    assert_eq!(node.rejoin(Duration::ZERO, Id::new(1), 5), Err(StartError::IdentifierUsed));
    assert!(!node.has_base(), "it has left");
}

#[test]
fn a_node_without_contacts_has_no_room_for_an_address() {
    let mut node =
        Node::new(Config::default(), peer(1), NodeArrays::<Id, u32, 3, 4, 2, 0>::EMPTY).unwrap();
    assert_eq!(node.add_seed(7), Err(Full { capacity: 0 }));
    assert_eq!(node.merge(Duration::ZERO, 7), Err(Full { capacity: 0 }));
    let mut node =
        Node::new(Config::default(), peer(1), NodeArrays::<Id, u32, 3, 4, 2, 2>::EMPTY).unwrap();
    assert_eq!([7, 8].map(|seed| node.add_seed(seed)), [Ok(()), Ok(())]);
    assert_eq!(node.add_seed(9), Err(Full { capacity: 2 }));
}

/// A finger is the nearest node of its octave, unless a cheaper one of the octave was offered.
#[test]
fn a_cheaper_alternate_takes_the_place_of_a_finger() {
    let me = Id::new(0);
    let mut table = FingerTable::new(me, [FingerSlot::EMPTY; 8]);
    let seventh = |table: &FingerTable<Id, u32, [FingerSlot<Id, u32>; 8]>| table.finger(7);
    table.offer(peer(0), 1);
    assert!(table.is_empty(), "the node itself is not a finger");
    table.learn(peer(100)); // of the octave from 64 to 127
    table.offer(peer(120), u16::MAX);
    assert_eq!(seventh(&table), Some(peer(100)), "not cheaper than one of unknown cost");
    table.offer(peer(120), 30);
    assert_eq!(seventh(&table), Some(peer(120)));
    table.offer(peer(90), 30);
    assert_eq!(seventh(&table), Some(peer(120)), "as costly");
    table.offer(peer(90), 29);
    assert_eq!(seventh(&table), Some(peer(90)));
    table.offer(peer(90), 80); // it has become slower
    table.offer(peer(127), 79);
    assert_eq!(seventh(&table), Some(peer(127)));
    table.learn(peer(128));
    assert_eq!((table.len(), seventh(&table)), (2, Some(peer(127))), "another octave");
    table.learn(peer(64));
    assert_eq!(seventh(&table), Some(peer(64)), "a nearer one that is known to exist");
    table.forget(Id::new(64));
    assert_eq!(table.iter().collect::<Vec<_>>(), [peer(128)]);
}

/// Where there is no room for all octaves, the farthest ones stay.
#[test]
fn the_nearest_finger_gives_way() {
    let mut table = FingerTable::new(Id::new(250), [FingerSlot::EMPTY; 2]);
    table.learn(peer(94)); // at a distance of 100
    table.learn(peer(34)); // 40
    table.learn(peer(14)); // 20
    assert!((&table).into_iter().eq([34, 94].map(peer)));
    table.learn(peer(194)); // 200
    assert!(table.iter().rev().eq([194, 94].map(peer)));
    assert_eq!(table.closest_preceding(Id::new(194)), Some(peer(94)));
    assert_eq!(table.closest_preceding(Id::new(195)), Some(peer(194)));
    assert_eq!(table.closest_preceding(Id::new(250)), Some(peer(194)), "the whole ring");
    assert_eq!(table.closest_preceding(Id::new(94)), None);
}

#[test]
fn a_failed_successor_makes_room_at_the_end() {
    let mut list = SuccessorList::new(Id::new(9), [Peer::EMPTY; 3]);
    assert_eq!((list.first(), list.is_full(), list.shift()), (None, false, None));
    assert!(list.identifiers().eq([10, 11, 12].map(Id::new)), "a lone node counts on from itself");
    for id in [90, 20, 60, 10, 20] {
        list.learn(peer(id));
    }
    assert_eq!(list.as_slice(), [10, 20, 60].map(peer));
    assert!(list.is_full());
    assert_eq!(list.shift(), Some(peer(10)));
    assert_eq!(list.as_slice(), [20, 60].map(peer));
    assert!(list.identifiers().eq([20, 60, 61].map(Id::new)));
}

/// The search takes the best usable node of both tables.
#[test]
fn a_route_goes_around_the_dead() {
    let ring = [0, 10, 20, 40, 80, 160].map(peer);
    let table = RoutingTableVec::of_ring(ring[0], 2, 8, &ring);
    let around = |key, dead: &[u64]| {
        table.route_around(Id::new(key), |peer| !dead.contains(&peer.id.value()))
    };
    assert_eq!(around(10, &[]), Some(Route::Owner(ring[1])));
    assert_eq!(around(10, &[10]), Some(Route::Owner(ring[2])), "the next one lives");
    assert_eq!(around(11, &[10]), Some(Route::Owner(ring[2])));
    assert_eq!(around(11, &[20]), Some(Route::Ask(ring[1])));
    assert_eq!(around(100, &[]), Some(Route::Ask(ring[4])));
    assert_eq!(around(100, &[80]), Some(Route::Ask(ring[3])));
    assert_eq!(around(100, &[80, 40]), Some(Route::Ask(ring[2])));
    assert_eq!(around(100, &[80, 40, 20]), Some(Route::Ask(ring[1])));
    assert_eq!(around(0, &[160]), Some(Route::Ask(ring[4])), "the own key lies behind all");
    assert_eq!(around(100, &[10, 20]), None, "the owner is unknown");
}

#[test]
fn a_list_has_room_for_n_items() {
    let mut list = List::<u8, 2>::default();
    assert!(list.is_empty() && !list.is_full());
    assert_eq!([1, 2, 3].map(|item| list.push(item)), [Ok(()), Ok(()), Err(3)]);
    assert!(list.is_full());
    assert_eq!(list[..], [1, 2]);
    assert_eq!((4..9).collect::<List<u8, 2>>()[..], [4, 5], "the first ones");
}

#[test]
fn the_number_of_a_virtual_node_follows_the_address_of_its_host() {
    let address = Virtual { host: 0x0102_0304_u32, node: 7 };
    let mut bytes = [0; Virtual::<u32>::LEN];
    address.write(&mut bytes);
    assert_eq!(bytes, [1, 2, 3, 4, 7]);
    assert_eq!(Virtual::read(&bytes), Some(address));
    assert_eq!(Virtual::<u32>::read(&bytes[..4]), None);
    assert_eq!(Virtual::<u32>::read(&[]), None);
}

/// `WIRE.md`: the answer to a question is at most three times as long as the question.
#[test]
fn padding_allows_for_the_answer() {
    type Text = Message<Id160, core::net::SocketAddrV4>;
    // A PONG has 6 bytes and an identifier of 20: a third of that is 9, and a PING without padding has 8.
    assert_eq!(Text::ping_padding(), 1);
    // A STATE with n entries has 6 + 20 + 1 + 26 (n + 1) bytes.
    for (entries, padding) in [(0, 10), (1, 19), (4, 45), (20, 183)] {
        let state = 27 + 26 * (entries + 1);
        assert!(3 * (8 + padding) >= state && 3 * (8 + padding - 1) < state);
        assert_eq!(usize::from(Text::query_padding(entries)), padding);
    }
    assert_eq!(Message::<u32, [u8; 2]>::ping_padding(), 0, "10 bytes are less than 24");
}

/// The successor list is right, and fingers are hints: where a node has moved, its address in the list counts.
#[test]
fn the_address_in_the_successor_list_counts() {
    let old = Peer { address: 7, ..peer(20) };
    for last in [None, Some(peer(30))] {
        let mut table = RoutingTable::new(peer(0), [Peer::EMPTY; 2], [FingerSlot::EMPTY; 8]);
        table.fingers.learn(old);
        table.successors.learn(peer(20));
        if let Some(last) = last {
            table.successors.learn(last);
        }
        assert_eq!(table.route(Id::new(25)), Route::Ask(peer(20)));
        assert_eq!(table.route(Id::new(100)), Route::Ask(last.unwrap_or(peer(20))));
    }
}

#[test]
fn an_offered_finger_is_in_the_table_of_the_node() {
    let mut node =
        Node::new(Config::default(), peer(0), NodeArrays::<Id, u32, 1, 8, 1, 0>::EMPTY).unwrap();
    node.create_base(Duration::ZERO, &[peer(0), peer(70)]).unwrap();
    node.offer_finger(peer(100), 20);
    assert!(node.routing_table().fingers.iter().eq([peer(100)]), "cheaper than 70");
}

/// Identifiers of several limbs are ordered and hashed as the numbers that they are.
#[test]
fn wide_identifiers_are_ordered_as_numbers() {
    use core::hash::{BuildHasher as _, BuildHasherDefault};
    use std::hash::DefaultHasher;
    let hash = BuildHasherDefault::<DefaultHasher>::default();
    let numbers = [0, 1, 1 << 31, 1 << 32, (1 << 64) - 1, 1 << 64, 1 << 65, 1 << 100, u128::MAX];
    let wide = |number: u128| Id128::from(number.to_be_bytes());
    for a in numbers {
        for b in numbers {
            assert_eq!(wide(a).cmp(&wide(b)), a.cmp(&b), "{a} {b}");
            assert_eq!(wide(a).partial_cmp(&wide(b)), a.partial_cmp(&b));
            assert_eq!(wide(a) < wide(b), a < b, "{a} {b}");
            assert_eq!(wide(a) <= wide(b), a <= b, "{a} {b}");
            assert_eq!(wide(a) > wide(b), a > b, "{a} {b}");
            assert_eq!(wide(a) >= wide(b), a >= b, "{a} {b}");
            assert_eq!(wide(a) == wide(b), a == b, "{a} {b}");
            assert_eq!(hash.hash_one(wide(a)) == hash.hash_one(wide(b)), a == b, "{a} {b}");
        }
    }
}

#[test]
fn an_identifier_is_serialized_as_its_limbs() {
    use serde::Deserialize as _;
    use serde::de::value::{Error, SeqDeserializer, U32Deserializer};
    let read =
        |limbs: &[u32]| Id64::deserialize(SeqDeserializer::<_, Error>::new(limbs.iter().copied()));
    assert_eq!(read(&[1, 2]), Ok(Id64::new([1, 2])));
    let error = read(&[1]).expect_err("a limb is missing");
    assert_eq!(error.to_string(), "invalid length 1, expected 2 numbers of 32 bits");
    let number = Id64::deserialize(U32Deserializer::<Error>::new(3));
    let error = number.expect_err("not a sequence").to_string();
    assert_eq!(error, "invalid type: integer `3`, expected 2 numbers of 32 bits");
}

#[test]
fn a_node_that_leaves_notifies_each_neighbour_once() {
    let leaves = |others: &[u64]| {
        let slots = NodeArrays::<Id, u32, 1, 8, 1, 0>::EMPTY;
        let mut node = Node::new(Config::default(), peer(50), slots).unwrap();
        let members: Vec<_> = others.iter().map(|id| peer(*id)).collect();
        node.create_base(Duration::ZERO, &members).unwrap();
        node.leave(Duration::ZERO);
        let mut buf = [0; Message::<Id, u32>::MAX_LEN];
        let mut to = vec![];
        while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
            let (message, _) = Message::<Id, u32>::decode(&buf[..sent.len]).unwrap();
            assert_eq!(message, Message::Leave { id: Id::new(50) });
            to.push(u64::from(sent.to) - 1000);
        }
        let next = Event::HandOver { range: node.keys(), to: peer(others[0]) };
        assert!(core::iter::from_fn(|| node.poll_event()).any(|event| event == next));
        to
    };
    assert_eq!(leaves(&[60, 70, 40]), [40, 60]);
    assert_eq!(leaves(&[60]), [60], "it is both");
}

/// `WIRE.md`: an IPv4 address is four bytes and two of port, an IPv6 address sixteen and two. Where a ring mixes them, a byte 4 or 6
/// comes before, and twelve zero bytes follow an IPv4 address.
#[test]
fn addresses_are_bytes_in_network_order() {
    use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    fn check<A: Wire + core::fmt::Debug + core::str::FromStr<Err: core::fmt::Debug>>(
        text: &str,
        bytes: &[u8],
    ) {
        let address: A = text.parse().unwrap();
        let mut out = [0xEE; 32];
        address.write(&mut out[..A::LEN]);
        assert_eq!(out[..A::LEN], *bytes, "{text}");
        assert_eq!(A::read(bytes), Some(address));
        assert_eq!(A::read(&bytes[1..]), None, "a byte less");
        assert_eq!(A::read(&[bytes, &[0]].concat()), None, "a byte more");
    }
    let v4 = [192, 0, 2, 1, 0x12, 0x34];
    let mut v6 = [0; 18];
    v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    v6[15..].copy_from_slice(&[1, 0x12, 0x34]);
    check::<SocketAddrV4>("192.0.2.1:4660", &v4);
    check::<SocketAddrV6>("[2001:db8::1]:4660", &v6);
    check::<SocketAddr>("192.0.2.1:4660", &[&[4], &v4[..], &[0; 12]].concat());
    check::<SocketAddr>("[2001:db8::1]:4660", &[&[6], &v6[..]].concat());
    for (at, byte) in [(0, 5), (0, 0), (7, 1), (18, 1)] {
        let mut bytes = [&[4], &v4[..], &[0; 12]].concat();
        bytes[at] = byte;
        assert_eq!(SocketAddr::read(&bytes), None, "byte {at} is {byte}");
    }
}
