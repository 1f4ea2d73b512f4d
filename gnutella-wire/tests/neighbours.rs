//! One hostile, careless or unlucky neighbour beside honest ones.

mod one_servent;

use core::time::Duration;

use gnutella_wire::handshake::Handshake;
use gnutella_wire::head::{Head, HeadLimits, Value};
use gnutella_wire::wire::{ByeCode, Function, Header, Limits, Query};
use gnutella_wire::{
    CloseReason, CommandError, Config, ConnId, Event, Guid, Neighbour, Role, Servent, ServentId,
    ServentLimits, ServentVec, Text,
};
use one_servent::{A, B, address, message, receive, servent, ultrapeer};

/// A malformed hit that was relayed is not the neighbour's own: 5 in 25 hours among 1,500 messages.
#[test]
fn rare_relayed_offences_do_not_add_up() {
    let mut servent = ultrapeer();
    for n in 0..1_500 {
        let now = Duration::from_secs(60 * n);
        let bytes = match n % 300 {
            0 => message(Function::QUERY_HIT, n, 3, 2, &[0; 5]),
            _ => message(Function::PING, n, 1, 0, &[]),
        };
        assert_eq!(receive(&mut servent, now, A, &bytes, 65_558), None, "message {n}");
    }
    assert_eq!(servent.stats().malformed, 5);
}

#[test]
fn one_offence_a_day_is_forgiven() {
    let mut servent = ultrapeer();
    let day = Duration::from_secs(24 * 3_600);
    for n in 0..10_u32 {
        let zero = message(Function::PING, n.into(), 0, 0, &[]);
        assert_eq!(receive(&mut servent, day * n, A, &zero, 65_558), None, "day {n}");
    }
}

#[test]
fn offences_in_a_row_still_end_the_connection() {
    for (hops, most) in [(0, 5), (2, 41)] {
        let mut servent = ultrapeer();
        let bad = |n| message(Function::QUERY_HIT, n, 3, hops, &[0; 5]);
        let mut ended = (1..100)
            .filter(|n| receive(&mut servent, Duration::ZERO, A, &bad(*n), 65_558).is_some());
        assert_eq!(ended.next(), Some(most), "hops {hops}");
    }
}

/// The neighbour announces no address, or another one: it is not dialled again.
#[test]
fn a_dialled_neighbour_is_not_dialled_again() {
    let mut servent = servent(Config::leaf(ServentId([1; 16]), address(1)));
    servent.add_host(Duration::ZERO, address(2));
    assert_eq!(servent.poll_event(), Some(Event::Dial { address: address(2) }));
    let mut neighbour = Neighbour::from(Role::Ultrapeer);
    neighbour.address = Some(address(9));
    servent.handle_dialled(Duration::ZERO, A, address(2), neighbour).unwrap();
    for minute in 1..60 {
        let now = Duration::from_secs(60 * minute);
        servent.handle_bytes(now, A, &message(Function::PING, minute, 1, 0, &[])).unwrap();
        servent.handle_timeout(now);
        assert_eq!(servent.poll_event(), None, "minute {minute}");
    }
}

/// A hit of 5,000 bytes for a leaf with a buffer of 2,071: skipped, and the connection lives.
#[test]
fn an_oversized_message_is_skipped_as_it_arrives() {
    let mut leaf = servent(Config::embedded_leaf(ServentId([1; 16]), address(1)));
    leaf.handle_connected(Duration::ZERO, A, Role::Ultrapeer).unwrap();
    let buffer = Limits::EMBEDDED.buffer_len();
    assert_eq!(buffer, 2_071);
    let hit = message(Function::QUERY_HIT, 1, 3, 0, &[7; 5_000]);
    let query = message(Function::QUERY, 2, 1, 0, b"\0\0jude\0");
    let stream = [&hit[..], &query].concat();
    assert_eq!(receive(&mut leaf, Duration::ZERO, A, &stream, buffer), None);
    assert_eq!((leaf.stats().refused, leaf.stats().delivered), (1, 1));
    let desynchronised = message(Function::QUERY_HIT, 3, 3, 0, &vec![7; 70_000]);
    let event = receive(&mut leaf, Duration::ZERO, A, &desynchronised, buffer);
    let reason = CloseReason::Desynchronised;
    assert_eq!(event, Some(Event::Closed { conn: A, reason }), "no message is that long");
}

#[test]
fn an_oversized_message_is_dismissed_where_that_is_configured() {
    let mut servent = ultrapeer();
    let query = message(Function::QUERY, 1, 1, 0, &[7; 1_103]);
    let event = receive(&mut servent, Duration::ZERO, A, &query, 65_558);
    let reason = CloseReason::Dismissed(ByeCode::TOO_LARGE);
    assert_eq!(event, Some(Event::Closed { conn: A, reason }));
}

/// 100,000 pings with fresh GUIDs from one neighbour: the routes of the other's queries remain.
#[test]
fn a_flood_of_fresh_guids_evicts_no_routes_of_others() {
    let mut servent = ultrapeer();
    let now = Duration::from_secs(1);
    let queries = 100;
    for n in 0..queries {
        let query = message(Function::QUERY, n, 3, 1, b"\0\0jude\0");
        servent.handle_bytes(now, B, &query).unwrap();
    }
    for n in 0..100_000 {
        servent.handle_bytes(now, A, &message(Function::PING, 1 << 32 | n, 3, 1, &[])).unwrap();
    }
    let before = servent.stats().routed;
    let hit = [&[1, 0, 0, 10, 0, 0, 3, 0, 0, 0, 0][..], &[0; 8], b"x\0\0", &[3; 16]].concat();
    for n in 0..queries {
        servent.handle_bytes(now, A, &message(Function::QUERY_HIT, n, 3, 0, &hit)).unwrap();
    }
    let routed = servent.stats().routed - before;
    assert!(routed >= 95, "{routed} of {queries} hits find their way");
}

/// A pong that nobody asked for is not an address to dial.
#[test]
fn unsolicited_pongs_are_not_remembered() {
    let mut servent = ultrapeer();
    let pong = [&6_346_u16.to_le_bytes()[..], &[10, 9, 9, 9], &[0; 8]].concat();
    servent.handle_bytes(Duration::ZERO, A, &message(Function::PONG, 1, 1, 0, &pong)).unwrap();
    assert_eq!(servent.hosts().count(), 0);
}

fn headers_of(config: Config) -> String {
    let limits = ServentLimits::of(&config);
    let servent = Servent::new(config, ServentVec::new(limits)).unwrap();
    let mut buf = [0; 1_024];
    let headers = servent.handshake_headers("demo/1.0").with_deflate();
    let len = Handshake::dialler_06().greet(headers.greeting().as_slice(), &mut buf).unwrap();
    String::from_utf8(buf[..len].to_vec()).unwrap()
}

/// What a leaf of gtk-gnutella 1.2.3 asks of an ultrapeer ("High Outdegree and Dynamic Querying
/// Required"), and what `LimeWire` calls a good ultrapeer.
#[test]
fn an_ultrapeer_has_the_headers_that_others_require() {
    let text = headers_of(Config::ultrapeer(ServentId([1; 16]), address(1)));
    let (head, _) = Head::decode(text.as_bytes(), HeadLimits::GTKG).unwrap();
    let number = |name| head.header(name).and_then(Value::parse::<u32>);
    assert!(head.is_true("X-Ultrapeer"));
    assert!(number("X-Degree") >= Some(16));
    assert!(head.header("X-Dynamic-Querying").is_some());
    assert!(head.header("X-Ultrapeer-Query-Routing").is_some());
    assert!(number("X-Max-TTL").is_some_and(|ttl| ttl < 5));
    assert!(head.has_item("Accept-Encoding", "deflate"));
    assert_eq!(head.addresses("Listen-IP").next(), Some(address(1)));
    assert!(text.lines().all(|line| !line.starts_with([' ', '\t'])), "nothing is folded");
}

/// What `LimeWire` asks of a leaf that is not of its own make; without it, "503 Not Good Leaf".
#[test]
fn a_leaf_has_the_headers_that_others_require() {
    let text = headers_of(Config::leaf(ServentId([1; 16]), address(1)));
    let (head, _) = Head::decode(text.as_bytes(), HeadLimits::GTKG).unwrap();
    let number = |name| head.header(name).and_then(Value::parse::<u32>);
    assert!(text.contains("\r\nX-Ultrapeer: False\r\nX-Query-Routing: 0.1\r\n"));
    assert!(number("X-Degree") >= Some(15));
    assert!(head.header("X-Ultrapeer-Query-Routing").is_some());
    assert!(head.header("X-Dynamic-Querying").is_some());
    assert!(number("X-Max-TTL").is_some_and(|ttl| ttl < 5));
    assert_eq!(head.header("X-Requeries").and_then(Value::as_str), Some("False"));
    assert!(head.headers().count() <= 30, "LimeWire reads no more");
}

#[test]
fn a_peer_introduces_itself() {
    let peer = headers_of(Config::peer(ServentId([1; 16]), address(1)));
    assert_eq!(peer, "GNUTELLA CONNECT/0.6\r\nUser-Agent: demo/1.0\r\n\r\n");
}

/// Every header has its place: the longest list of an ultrapeer that compresses and answers by datagram.
#[test]
fn no_header_is_left_out() {
    let config = Config::ultrapeer(ServentId([1; 16]), address(1));
    let limits = ServentLimits::of(&config);
    let servent = Servent::new(config, ServentVec::new(limits)).unwrap();
    let headers = servent.handshake_headers("demo/1.0").with_deflate().with_guess();
    let greeting = b"GNUTELLA CONNECT/0.6\r\nAccept-Encoding: deflate\r\n\r\n";
    let (head, _) = Head::decode(greeting, HeadLimits::GTKG).unwrap();
    let agreement = headers.agreement(&head);
    let names: Vec<_> = agreement.as_slice().iter().map(|header| header.name).collect();
    assert_eq!(names.len(), headers.greeting().as_slice().len() + 1);
    assert_eq!(names.last(), Some(&"Content-Encoding"));
    assert!(names.contains(&"X-Guess") && names.contains(&"Listen-IP"), "{names:?}");
}

#[test]
fn a_refusal_names_its_code_and_other_hosts() {
    let mut servent = servent(Config::leaf(ServentId([1; 16]), address(1)));
    servent.add_host(Duration::ZERO, address(2));
    servent.add_host(Duration::ZERO, address(3));
    let judge = |servent: &Servent<ServentVec>, text: &str| {
        let text = format!("GNUTELLA CONNECT/0.6\r\n{text}\r\n\r\n");
        let (head, _) = Head::decode(text.as_bytes(), HeadLimits::GTKG).unwrap();
        servent.judge(&head).map(|neighbour| neighbour.role).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(judge(&servent, "X-Ultrapeer: True"), Ok(Role::Ultrapeer));
    let leaf = judge(&servent, "X-Ultrapeer: False");
    assert_eq!(leaf, Err("503 I am a shielded leaf node".into()));
    servent.handle_dialled(Duration::ZERO, A, address(2), Role::Ultrapeer).unwrap();
    let again = judge(&servent, "X-Ultrapeer: True\r\nListen-IP: 10.0.0.2:6346");
    assert_eq!(again, Err("409 Already connected".into()));
    servent.handle_connected(Duration::ZERO, B, Role::Ultrapeer).unwrap();
    servent.handle_connected(Duration::ZERO, ConnId(2), Role::Ultrapeer).unwrap();
    let full = judge(&servent, "X-Ultrapeer: True");
    assert_eq!(full, Err("503 Too many ultra connections".into()));
    let headers = servent.handshake_headers("demo/1.0");
    let refusal = headers.refusal();
    let hosts = refusal.as_slice().iter().find(|header| header.name == "X-Try-Ultrapeers");
    assert_eq!(hosts.map(|header| header.value), Some("10.0.0.2:6346,10.0.0.3:6346"));
    servent.leave(Duration::ZERO);
    assert_eq!(judge(&servent, "X-Ultrapeer: True"), Err("503 Servent Shutdown".into()));
}

/// A query that came by datagram goes to the leaves alone, and their hits are delivered.
#[test]
fn a_query_by_datagram_goes_to_the_leaves_only() {
    let mut servent = ultrapeer();
    let leaf = ConnId(2);
    servent.handle_connected(Duration::ZERO, leaf, Role::Leaf).unwrap();
    let query = Query::new(Text::new(b"jude").unwrap());
    let guid = Guid([0x51; 16]);
    let mut buf = [0; 64];
    let sent = servent.ask_leaves(Duration::ZERO, guid, &query, &mut buf).unwrap();
    assert_eq!(servent.targets(sent.to).collect::<Vec<_>>(), [leaf]);
    let header = Header::decode(&buf[..sent.len], Limits::GTKG).unwrap().0;
    assert_eq!((header.function, header.ttl, header.hops), (Function::QUERY, 1, 1));
    let again = servent.ask_leaves(Duration::ZERO, guid, &query, &mut buf);
    assert_eq!(again, Err(CommandError::GuidInUse(guid)));
    let hit = [&[1, 0, 0, 10, 0, 0, 3, 0, 0, 0, 0][..], &[0; 8], b"x\0\0", &[3; 16]].concat();
    let len = hit.len() as u32;
    let header = Header { guid, function: Function::QUERY_HIT, ttl: 1, hops: 0, len };
    let hit = [&header.to_bytes()[..], &hit].concat();
    let received = servent.handle_bytes(Duration::ZERO, leaf, &hit).unwrap();
    assert!(received.outcome.and_then(|handled| handled.message).is_some());
}

/// The neighbours of one network share half of the route table. Another network whose hash is the same does not pay for them,
/// and time forgives what they took.
#[test]
fn a_network_has_its_share_of_the_route_table() {
    let config = Config::ultrapeer(ServentId([1; 16]), address(1));
    let limits = ServentLimits { conns: 4, routes: 1_000, hosts: 16, ..ServentLimits::default() };
    let mut servent = Servent::new(config, ServentVec::new(limits)).unwrap();
    for (conn, network) in [(0, [10, 1]), (1, [10, 1]), (2, [10, 1]), (3, [1, 10])] {
        let mut neighbour = Neighbour::from(Role::Ultrapeer);
        neighbour.network = Some(network);
        servent.handle_connected(Duration::ZERO, ConnId(conn), neighbour).unwrap();
    }
    let mut number = 0;
    let mut accepted = |servent: &mut Servent<ServentVec>, now, conn| {
        let before = servent.stats().refused;
        for _ in 0..300 {
            number += 1;
            let ping = message(Function::PING, number, 2, 1, &[]);
            assert_eq!(receive(servent, now, ConnId(conn), &ping, 65_558), None);
        }
        300 - (servent.stats().refused - before)
    };
    let now = Duration::from_secs(1);
    let first = accepted(&mut servent, now, 0);
    assert!((200..=250).contains(&first), "a quarter: {first}");
    assert_eq!(accepted(&mut servent, now, 1), first);
    let third = accepted(&mut servent, now, 2);
    assert!(third < 10, "the half is taken: {third}");
    assert_eq!(accepted(&mut servent, now, 3), first, "another network");
    let later = Duration::from_secs(300);
    assert_eq!(accepted(&mut servent, later, 2), first);
}
