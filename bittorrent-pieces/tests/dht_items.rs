//! Items in the DHT (BEP 44): published packets and signatures, the rules of a node, and a network in virtual time.

mod common;
mod dht_net;

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::dht::krpc::{Body, Message, Method, Put, Query, Response};
use bittorrent_pieces::dht::*;
use common::unhex;
use dht_net::{Net, Node, config, minutes};

const ZERO: Duration = Duration::ZERO;
const HELLO: &[u8] = b"12:Hello World!";
const SECRET: [u8; 32] = [0x42; 32];

fn node(nth: u16, items: usize) -> Node {
    dht_net::node(config(nth), items)
}

#[test]
fn the_packets_decode_and_encode_to_the_same_bytes() {
    let mut seen = 0;
    for row in include_str!("data/krpc_items.txt").lines().filter(|line| !line.starts_with('#')) {
        let (name, hex) = row.split_once(' ').unwrap();
        let bytes = unhex(hex);
        let message = Message::decode(&bytes).unwrap();
        let mut out = [0; 400];
        let len = message.encode(&mut out).unwrap();
        assert_eq!(out[..len], bytes, "{name}");
        let item = matches!(
            message.body,
            Body::Query(Query { method: Method::Get { .. } | Method::Put(_), .. })
                | Body::Response(Response { value: Some(_), .. } | Response { seq: Some(_), .. })
                | Body::Error { code: krpc::CAS_MISMATCH, .. }
        );
        assert!(item, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 8);
}

/// The test vectors of BEP 44: targets, and signatures with and without a salt.
#[test]
fn the_published_signatures_verify_and_others_do_not() {
    let public_key = unhex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548");
    let public_key = public_key.try_into().unwrap();
    for (salt, target, signature) in [
        (
            &b""[..],
            "4a533d47ec9c7d95b1ad75f576cffc641853b750",
            "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
             1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01",
        ),
        (
            b"foobar",
            "411eba73b6f087ca51a3795d9c8c938d365e32c1",
            "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
             df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08",
        ),
    ] {
        let signature = unhex(signature).try_into().unwrap();
        let signed = Signed { public_key, signature, seq: 1, salt };
        let item = Item::mutable(HELLO, signed).unwrap();
        assert_eq!(item.target().to_string(), target);
        for wrong in [
            Item::mutable(HELLO, Signed { seq: 2, ..signed }),
            Item::mutable(HELLO, Signed { salt: b"foobaz", ..signed }),
            Item::mutable(b"12:Hello World?", signed),
        ] {
            assert_eq!(wrong, Err(ItemError::Signature));
        }
    }
}

#[test]
fn values_salts_and_numbers_have_limits() {
    let long = [&b"996:"[..], &[b'x'; 996]].concat();
    assert!(Item::immutable(&long).is_ok());
    let longer = [&b"997:"[..], &[b'x'; 997]].concat();
    assert_eq!(Item::immutable(&longer), Err(ItemError::Value(1_001)));
    assert!(Item::immutable(b"llllll1:xeeeeee").is_ok());
    assert!(Item::immutable(b"lllllll1:xeeeeeee").is_err(), "seven levels");
    assert!(Item::immutable(b"d1:bi1e1:ai1ee").is_err(), "keys out of order");
    assert!(Item::immutable(b"i1ei2e").is_err() && Item::immutable(b"").is_err());
    assert!(Item::sign(&SECRET, &[1; 64], 0, &long).is_ok());
    assert_eq!(Item::sign(&SECRET, &[1; 65], 0, HELLO), Err(ItemError::Salt(65)));
    assert_eq!(Item::sign(&SECRET, b"", -1, HELLO), Err(ItemError::Seq(-1)));
    let max = Item::sign(&SECRET, &[1; 64], i64::MAX, &long).unwrap();
    let signed = max.signed().unwrap();
    assert!(Item::mutable(&long, signed).is_ok());
    let other_number = Signed { seq: i64::MAX - 1, ..signed };
    assert_eq!(Item::mutable(&long, other_number), Err(ItemError::Signature));
    let other_salt = Signed { salt: &[1; 63], ..signed };
    assert_eq!(Item::mutable(&long, other_salt), Err(ItemError::Signature));
}

/// Value, sequence number and token.
type Reply = (Option<Vec<u8>>, Option<i64>, Vec<u8>);

/// Sends a query from an address; returns the reply, or the code of the error.
fn ask(node: &mut Node, now: Duration, from: SocketAddr, method: Method<'_>) -> Result<Reply, i64> {
    let mut buf = [0; MAX_LEN];
    let query = Query::new(NodeId([3; 20]), method);
    // A long version makes the query long enough for a long answer: the address is not proved.
    let version = [b'x'; 400];
    let message = Message { version: Some(&version), ..Message::new(b"xy", Body::Query(query)) };
    let mut long = [0; 3_000];
    let len = message.encode(&mut long).unwrap();
    node.handle_datagram(now, from, &long[..len]).unwrap();
    let sent = node.poll_transmit(&mut buf).unwrap().unwrap();
    assert_eq!(sent.to, from);
    let reply = match Message::decode(&buf[..sent.len]).unwrap().body {
        Body::Error { code, .. } => Err(code),
        Body::Response(it) => {
            Ok((it.value.map(<[u8]>::to_vec), it.seq, it.token.unwrap_or_default().to_vec()))
        }
        Body::Query(_) => panic!("a reply is due first"),
    };
    let mut rest = [0; MAX_LEN];
    while node.poll_transmit(&mut rest).unwrap().is_some() {}
    reply
}

fn put(
    node: &mut Node,
    now: Duration,
    from: SocketAddr,
    item: Item<'_>,
    cas: Option<i64>,
) -> Result<(), i64> {
    let (_, _, token) = ask(node, now, from, Method::Get { target: item.target(), seq: None })?;
    let put = Put { token: &token, value: item.value(), signed: item.signed(), cas };
    ask(node, now, from, Method::Put(put)).map(|_| ())
}

fn public(nth: u8) -> SocketAddr {
    ([80, 4, nth, 1], 6881).into()
}

#[test]
fn a_node_refuses_what_bep_44_says() {
    let mut node = node(0, 8);
    let from = public(1);
    let sign = |seq, value| Item::sign(&SECRET, b"salt", seq, value).unwrap();
    let first = sign(5, HELLO);
    let target = first.target();
    assert_eq!(put(&mut node, ZERO, from, first, Some(99)), Ok(()), "nothing is stored yet");
    assert_eq!(put(&mut node, ZERO, from, first, None), Ok(()), "the same again refreshes it");
    assert_eq!(put(&mut node, ZERO, from, sign(4, HELLO), None), Err(302));
    assert_eq!(put(&mut node, ZERO, from, sign(5, b"i1e"), None), Err(302));
    assert_eq!(put(&mut node, ZERO, from, sign(6, b"i1e"), Some(4)), Err(301));
    assert_eq!(put(&mut node, ZERO, from, sign(6, b"i1e"), Some(5)), Ok(()));
    let get = |seq| Method::Get { target, seq };
    let mut value = |seq| ask(&mut node, ZERO, from, get(seq)).map(|(value, seq, _)| (value, seq));
    assert_eq!(value(None), Ok((Some(b"i1e".to_vec()), Some(6))));
    assert_eq!(value(Some(5)), Ok((Some(b"i1e".to_vec()), Some(6))));
    assert_eq!(value(Some(6)), Ok((None, Some(6))), "it is not newer");
    let (_, _, token) = ask(&mut node, ZERO, from, get(None)).unwrap();
    let signed = sign(7, HELLO).signed().unwrap();
    let right = Put { token: &token, value: HELLO, signed: Some(signed), cas: None };
    let salt = [1; 65];
    let long = [&b"997:"[..], &[b'x'; 997]].concat();
    for (code, wrong) in [
        (203, Put { token: b"aoeusnth", ..right }),
        (205, Put { value: &long, ..right }),
        (206, Put { value: b"i7e", ..right }),
        (206, Put { signed: Some(Signed { seq: 8, ..signed }), ..right }),
        (207, Put { signed: Some(Signed { salt: &salt, ..signed }), ..right }),
        (203, Put { signed: Some(Signed { seq: -1, ..signed }), ..right }),
    ] {
        assert_eq!(ask(&mut node, ZERO, from, Method::Put(wrong)), Err(code));
    }
    // A token is not valid for another target, nor for another address.
    let other = Item::immutable(HELLO).unwrap();
    let stolen = Put { token: &token, value: other.value(), signed: None, cas: None };
    assert_eq!(ask(&mut node, ZERO, from, Method::Put(stolen)), Err(203));
    assert_eq!(ask(&mut node, ZERO, public(2), Method::Put(right)), Err(203));
    assert!(ask(&mut node, ZERO, from, Method::Put(right)).is_ok());
}

/// A network has a quota; what is not put again is dropped after two hours.
#[test]
fn a_flood_of_one_network_leaves_the_items_of_others() {
    let mut node = node(0, 32);
    let value = |n: u32| format!("i{n}e").into_bytes();
    for nth in 0..28 {
        let bytes = value(nth);
        let item = Item::immutable(&bytes).unwrap();
        assert_eq!(put(&mut node, ZERO, public(nth as u8), item, None), Ok(()));
    }
    for nth in 1_000..1_200 {
        let bytes = value(nth);
        let item = Item::immutable(&bytes).unwrap();
        assert_eq!(put(&mut node, ZERO, public(200), item, None), Ok(()));
    }
    let mut has = |now, n| {
        let target = Item::immutable(&value(n)).unwrap().target();
        ask(&mut node, now, public(100), Method::Get { target, seq: None }).unwrap().0.is_some()
    };
    assert_eq!((0..28).filter(|n| has(ZERO, *n)).count(), 28);
    assert_eq!((1_000..1_200).filter(|n| has(ZERO, *n)).count(), 2);
    assert_eq!((0..28).filter(|n| has(minutes(119), *n)).count(), 28);
    assert_eq!((0..28).filter(|n| has(minutes(120), *n)).count(), 0);
}

/// An address that has proved nothing receives no more than three times what it sent.
#[test]
fn a_long_item_is_no_amplifier() {
    let mut node = node(0, 4);
    let long = [&b"996:"[..], &[b'x'; 996]].concat();
    let item = Item::sign(&SECRET, b"", 1, &long).unwrap();
    assert_eq!(put(&mut node, ZERO, public(1), item, None), Ok(()));
    let query = Query::new(NodeId([3; 20]), Method::Get { target: item.target(), seq: None });
    let mut buf = [0; MAX_LEN];
    let len = Message::new(b"xy", Body::Query(query)).encode(&mut buf).unwrap();
    node.handle_datagram(ZERO, public(2), &buf[..len]).unwrap();
    let sent = node.poll_transmit(&mut buf).unwrap().unwrap();
    assert!(sent.len <= 3 * len, "{} of {len}", sent.len);
    let Body::Response(response) = Message::decode(&buf[..sent.len]).unwrap().body else {
        panic!()
    };
    assert_eq!((response.value, response.seq), (None, Some(1)));
    assert!(response.token.is_some());
}

/// A node without slots for items gives out no token, so that nobody puts to it.
#[test]
fn a_node_without_slots_stores_nothing() {
    let mut node = node(0, 0);
    let item = Item::immutable(HELLO).unwrap();
    let (_, _, token) =
        ask(&mut node, ZERO, public(1), Method::Get { target: item.target(), seq: None }).unwrap();
    assert!(token.is_empty());
    let full = ItemLookupError::ItemsFull { capacity: 0 };
    assert_eq!(node.put_item(ZERO, &item, None), Err(full));
}

/// Puts an item; returns how many nodes stored it, and the last error.
fn store(net: &mut Net, nth: u16, item: Item<'_>, cas: Option<i64>) -> (usize, Option<i64>) {
    net.events.clear();
    let now = net.now;
    let number = net.node(nth).put_item(now, &item, cas).unwrap();
    net.run(now + minutes(1));
    let ended = net.events.iter().find_map(|event| match event {
        DhtEvent::ItemFinished { lookup, target, stored, refused, .. } => {
            (*lookup == number && *target == item.target()).then_some((*stored, *refused))
        }
        _ => None,
    });
    ended.expect("the lookup has ended")
}

fn find(net: &mut Net, nth: u16, name: ItemName<'_>) -> Vec<(Vec<u8>, Option<i64>)> {
    net.found.clear();
    let now = net.now;
    net.node(nth).find_item(now, name).unwrap();
    net.run(now + minutes(1));
    core::mem::take(&mut net.found)
}

#[test]
fn what_one_node_puts_another_finds() {
    let mut net = Net::new(60, 8, 0);
    net.run(minutes(2));
    let item = Item::immutable(HELLO).unwrap();
    assert_eq!(store(&mut net, 50, item, None), (8, None));
    assert_eq!(find(&mut net, 23, item.name()), [(HELLO.to_vec(), None)]);
    assert_eq!(find(&mut net, 23, ItemName::Immutable(NodeId([1; 20]))), []);
    let sign = |seq, value| Item::sign(&SECRET, b"salt", seq, value).unwrap();
    let first = sign(1, HELLO);
    assert_eq!(store(&mut net, 50, first, None), (8, None));
    assert_eq!(find(&mut net, 7, first.name()), [(HELLO.to_vec(), Some(1))]);
    assert_eq!(store(&mut net, 51, sign(2, b"i2e"), Some(1)), (8, None));
    assert_eq!(store(&mut net, 52, sign(3, b"i3e"), Some(1)), (0, Some(krpc::CAS_MISMATCH)));
    assert_eq!(find(&mut net, 7, first.name()).last(), Some(&(b"i2e".to_vec(), Some(2))));
    let name = ItemName::Mutable { public_key: first.signed().unwrap().public_key, salt: b"" };
    assert_eq!(find(&mut net, 7, name), [], "another salt is another item");
    // What is stored here is older than what is given, or the caller is told.
    let now = net.now;
    assert_eq!(net.node(51).put_item(now, &first, None), Err(ItemLookupError::Old));
}

/// Values that do not have the hash or the signature are not reported.
#[test]
fn lies_about_an_item_are_not_reported() {
    let right = Item::sign(&SECRET, b"", 3, HELLO).unwrap();
    let signed = right.signed().unwrap();
    let other_key = Item::sign(&[9; 32], b"", 9, HELLO).unwrap().signed().unwrap();
    let immutable = Item::immutable(HELLO).unwrap();
    let signature = Some(&signed.signature);
    let old = Item::sign(&SECRET, b"", 2, HELLO).unwrap().signed().unwrap();
    let cases = [
        (immutable.name(), Some(&b"i1e"[..]), None, None, false),
        (immutable.name(), Some(HELLO), None, None, true),
        (right.name(), Some(HELLO), Some(4), signature, false),
        (right.name(), Some(HELLO), Some(9), Some(&other_key.signature), false),
        (right.name(), Some(HELLO), None, signature, false),
        (right.name(), Some(HELLO), Some(3), None, false),
        (right.name(), None, Some(3), signature, false),
        (right.name(), Some(HELLO), Some(2), Some(&old.signature), true),
        (right.name(), Some(HELLO), Some(3), signature, true),
    ];
    for (name, value, seq, signature, reported) in cases {
        let mut node = node(1, 4);
        node.add(ZERO, public(1)).unwrap();
        node.find_item(ZERO, name).unwrap();
        let mut buf = [0; MAX_LEN];
        let sent = node.poll_transmit(&mut buf).unwrap().unwrap();
        let query = Message::decode(&buf[..sent.len]).unwrap();
        assert!(matches!(query.body, Body::Query(Query { method: Method::Get { .. }, .. })));
        let mut response = Response::new(NodeId([8; 20]));
        response.value = value;
        response.seq = seq;
        response.signature = signature;
        let mut out = [0; MAX_LEN];
        let reply = Message::new(query.transaction, Body::Response(response));
        let len = reply.encode(&mut out).unwrap();
        let outcome = node.handle_datagram(ZERO, public(1), &out[..len]).unwrap();
        let found = matches!(outcome, DhtOutcome::Item { .. });
        assert_eq!(found, reported, "{name:?} {value:?} {seq:?}");
    }
}

/// A value that was found, and its sequence number.
type Version = (Vec<u8>, Option<i64>);

/// Two nodes answer the queries of a node for an item; returns what was found, and the event.
fn answers(name: ItemName<'_>, items: &[Item<'_>; 2]) -> (Vec<Version>, Option<DhtEvent>) {
    let mut node = node(1, 4);
    node.add(ZERO, public(1)).unwrap();
    node.add(ZERO, public(2)).unwrap();
    node.find_item(ZERO, name).unwrap();
    let mut buf = [0; MAX_LEN];
    let mut found = vec![];
    while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
        let message = Message::decode(&buf[..sent.len]).unwrap();
        let nth = usize::from(sent.to == public(2));
        let mut response = Response::new(NodeId([8 + nth as u8; 20]));
        let signed = items[nth].signed();
        if matches!(message.body, Body::Query(Query { method: Method::Get { .. }, .. })) {
            response.value = Some(items[nth].value());
            response.seq = items[nth].seq();
            response.signature = signed.as_ref().map(|signed| &signed.signature);
        }
        let mut out = [0; MAX_LEN];
        let reply = Message::new(message.transaction, Body::Response(response));
        let len = reply.encode(&mut out).unwrap();
        let outcome = node.handle_datagram(ZERO, sent.to, &out[..len]).unwrap();
        if let DhtOutcome::Item { value, signed, .. } = outcome {
            found.push((value.to_vec(), signed.map(|(seq, _)| seq)));
        }
    }
    (found, node.poll_event())
}

/// An immutable item is reported once, a mutable one again if it is newer.
#[test]
fn the_same_item_is_reported_once() {
    let immutable = Item::immutable(HELLO).unwrap();
    let sign = |seq, value| Item::sign(&SECRET, b"", seq, value).unwrap();
    let [old, new] = [sign(1, b"i1e"), sign(2, b"i2e")];
    let versions = |numbers: &[i64]| -> Vec<Version> {
        numbers.iter().map(|seq| (format!("i{seq}e").into_bytes(), Some(*seq))).collect()
    };
    for (items, expected) in [
        ([immutable, immutable], vec![(HELLO.to_vec(), None)]),
        ([old, old], versions(&[1])),
        ([old, new], versions(&[1, 2])),
        ([new, old], versions(&[2])),
    ] {
        let (found, event) = answers(items[0].name(), &items);
        assert_eq!(found, expected);
        let Some(DhtEvent::ItemFinished { found, answers, stored, refused, .. }) = event else {
            panic!("{event:?}")
        };
        assert_eq!((found as usize, answers, stored, refused), (expected.len(), 2, 0, None));
    }
}

/// An item that has expired before its nodes were found is not put any more.
#[test]
fn an_expired_item_is_not_put() {
    for (now, puts) in [(minutes(119), true), (minutes(120), false)] {
        let mut node = node(1, 4);
        node.add(ZERO, public(1)).unwrap();
        node.put_item(ZERO, &Item::immutable(HELLO).unwrap(), None).unwrap();
        let mut buf = [0; MAX_LEN];
        let sent = node.poll_transmit(&mut buf).unwrap().unwrap();
        let query = Message::decode(&buf[..sent.len]).unwrap();
        let mut response = Response::new(NodeId([8; 20]));
        response.token = Some(b"token");
        let mut out = [0; MAX_LEN];
        let len =
            Message::new(query.transaction, Body::Response(response)).encode(&mut out).unwrap();
        node.handle_datagram(now, sent.to, &out[..len]).unwrap();
        let mut seen = false;
        while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
            let query = Message::decode(&buf[..sent.len]).unwrap();
            seen |= matches!(query.body, Body::Query(Query { method: Method::Put(_), .. }));
        }
        assert_eq!(seen, puts);
        let ended = matches!(node.poll_event(), Some(DhtEvent::ItemFinished { stored: 0, .. }));
        assert_eq!(ended, !puts, "the answer to a put is waited for");
        if puts {
            node.handle_timeout(now + Duration::from_secs(4));
            let event = node.poll_event();
            let refused = DhtEvent::ItemFinished {
                lookup: LookupId(0),
                target: Item::immutable(HELLO).unwrap().target(),
                found: 0,
                answers: 1,
                stored: 0,
                refused: None,
            };
            assert_eq!(event, Some(refused), "it did not answer");
        }
    }
}

/// All lookups are in use: the item is not stored either.
#[test]
fn a_put_without_a_lookup_changes_nothing() {
    let storage = DhtVec::new(DhtLimits { routes: 10, lookups: 1, peers: 0, items: 4 });
    let mut node = DhtNode::new(config(1), storage).unwrap();
    node.add(ZERO, public(1)).unwrap();
    node.put_item(ZERO, &Item::immutable(HELLO).unwrap(), None).unwrap();
    let other = Item::immutable(b"i1e").unwrap();
    let full = ItemLookupError::Full { capacity: 1 };
    assert_eq!(node.put_item(ZERO, &other, None), Err(full));
    assert_eq!(node.find_item(ZERO, other.name()), Err(full));
    let stored = ask(&mut node, ZERO, public(2), Method::Get { target: other.target(), seq: None });
    assert_eq!(stored.map(|(value, ..)| value), Ok(None));
    let long = ItemName::Mutable { public_key: [1; 32], salt: &[0; 65] };
    assert_eq!(node.find_item(ZERO, long), Err(ItemError::Salt(65).into()));
}
