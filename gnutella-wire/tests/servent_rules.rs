//! The rules of a servent at their bounds: what a neighbour is forgiven, what it is sent, and what a handshake says.

mod one_servent;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::wire::{ByeCode, Function};
use gnutella_wire::{
    CloseReason, Config, ConnId, Event, Neighbour, Role, Servent, ServentId, ServentLimits,
    ServentVec,
};
use one_servent::{A, B, address, message, receive, servent, ultrapeer};

type Net = Servent<ServentVec>;

const START: Duration = Duration::ZERO;
const QUERY: &[u8] = b"\0\0hey jude\0";

fn config() -> Config {
    Config::ultrapeer(ServentId([1; 16]), address(1))
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn dismissed(code: ByeCode) -> Event {
    Event::Closed { conn: A, reason: CloseReason::Dismissed(code) }
}

/// All that is sent now: the connection, and the message.
fn sent(servent: &mut Net) -> Vec<(ConnId, Vec<u8>)> {
    let mut buf = [0; 4_096];
    let mut sent = Vec::new();
    while let Some(one) = servent.poll_transmit(&mut buf).unwrap() {
        sent.push((one.conn, buf[..one.len].to_vec()));
    }
    sent
}

/// The connections to which a message goes.
fn forwarded(servent: &mut Net, from: ConnId, bytes: &[u8]) -> Vec<ConnId> {
    let received = servent.handle_bytes(START, from, bytes).unwrap();
    let forward = received.outcome.and_then(|handled| handled.forward);
    forward.map(|forward| servent.targets(forward.to).collect()).unwrap_or_default()
}

/// More than four repeated messages end a connection if they are more than 1.5 % of what came: five of 333, not of 334; six
/// of 399, not of 400.
#[test]
fn repeated_messages_are_forgiven_up_to_their_share() {
    for (others, repeats, is_closed) in [
        (0, 4, false),
        (0, 5, true),
        (327, 5, true),
        (328, 5, false),
        (392, 6, true),
        (393, 6, false),
    ] {
        let mut servent = ultrapeer();
        let ping = message(Function::PING, 0, 1, 1, &[]);
        assert_eq!(receive(&mut servent, START, A, &ping, 65_558), None);
        let pong = [&6_346_u16.to_le_bytes()[..], &[10, 9, 9, 9], &[0; 8]].concat();
        for number in 1..=others {
            let pong = message(Function::PONG, number, 1, 0, &pong);
            assert_eq!(receive(&mut servent, START, A, &pong, 65_558), None);
        }
        let closed = (0..repeats).find_map(|_| receive(&mut servent, START, A, &ping, 65_558));
        let expected = is_closed.then(|| dismissed(ByeCode::DUPLICATES));
        assert_eq!(closed, expected, "{repeats} among {}", 1 + others + repeats);
    }
}

/// A TTL of 0 is an offence; one that was only relayed counts a tenth. Of too high a TTL, ten are forgiven, relayed or not.
#[test]
fn offences_of_the_ttl_end_a_connection() {
    for (ttl, hops, last, code) in [
        (0, 0, 5, Some(ByeCode::TTL_ZERO)),
        (0, 1, 41, Some(ByeCode::TTL_ZERO)),
        (16, 0, 11, Some(ByeCode::TTL_TOO_HIGH)),
        (10, 6, 11, Some(ByeCode::TTL_TOO_HIGH)),
        (10, 5, 50, None), // together the 15 that are allowed
    ] {
        let mut servent = ultrapeer();
        for number in 1..=last {
            let ping = message(Function::PING, number, ttl, hops, &[]);
            let expected = code.filter(|_| number == last).map(dismissed);
            let found = receive(&mut servent, START, A, &ping, 65_558);
            assert_eq!(found, expected, "TTL {ttl}, {hops} hops, number {number}");
        }
    }
}

/// A neighbour begins pings for 1 of 64 slots of the route table, and queries for 1 of 512: of 20,480 slots 320 and 40.
#[test]
fn a_neighbour_begins_fewer_queries_than_pings() {
    for (function, payload, share) in
        [(Function::PING, &b""[..], 320), (Function::QUERY, QUERY, 40)]
    {
        let limits = ServentLimits { conns: 4, routes: 20_480, ..ServentLimits::default() };
        let mut servent = Servent::new(config(), ServentVec::new(limits)).unwrap();
        servent.handle_connected(START, A, Role::Ultrapeer).unwrap();
        for number in 0..share + 3 {
            let bytes = message(function, number, 1, 0, payload);
            assert_eq!(receive(&mut servent, START, A, &bytes, 65_558), None);
        }
        assert_eq!(servent.stats().refused, 3, "{function}");
    }
}

/// A share refills in eight steps within the lifetime of a ping: of 320 pings 40 in each, however long the servent runs.
#[test]
fn a_share_refills_in_steps() {
    let config = config();
    let step = config.lifetimes.ping / 8;
    assert_eq!(step * 8, config.lifetimes.ping);
    assert_eq!(step.subsec_nanos(), 0);
    let limits = ServentLimits { conns: 4, routes: 20_480, ..ServentLimits::default() };
    let mut servent = Servent::new(config, ServentVec::new(limits)).unwrap();
    servent.handle_connected(START, A, Role::Ultrapeer).unwrap();
    let mut number = 0;
    let mut begun = |now, count| {
        let before = servent.stats().refused;
        for _ in 0..count {
            number += 1;
            let ping = message(Function::PING, number, 1, 0, &[]);
            assert_eq!(receive(&mut servent, now, A, &ping, 65_558), None);
        }
        count - (servent.stats().refused - before)
    };
    assert_eq!(begun(START, 321), 320);
    assert_eq!(begun(step.saturating_sub(seconds(1)), 1), 0);
    assert_eq!(begun(step, 41), 40);
    assert_eq!(begun(step * 4, 121), 120);
    assert_eq!(begun(step * 13, 321), 320);
}

/// The greeting of a servent with this configuration and this many slots for hosts.
fn greeting(config: Config, hosts: usize) -> Vec<(String, String)> {
    let limits = ServentLimits { hosts, ..ServentLimits::of(&config) };
    let servent = Servent::new(config, ServentVec::new(limits)).unwrap();
    let headers = servent.handshake_headers("demo/1.0");
    let list = headers.greeting();
    list.as_slice().iter().map(|header| (header.name.into(), header.value.into())).collect()
}

/// `Pong-Caching` promises pongs of others: there have to be some, and slots for them.
#[test]
fn a_servent_without_cached_pongs_promises_none() {
    for (pongs, hosts, promises) in [(10, 16, true), (1, 1, true), (0, 16, false), (10, 0, false)] {
        let mut config = config();
        config.pongs = pongs;
        let headers = greeting(config, hosts);
        let is_promised = headers.iter().any(|(name, _)| name == "Pong-Caching");
        assert_eq!(is_promised, promises, "{pongs} pongs, {hosts} slots");
    }
}

/// `Listen-IP` is where others can connect to.
#[test]
fn a_servent_that_cannot_be_reached_names_no_address() {
    let unspecified = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 6346);
    for (firewalled, address, expected) in [
        (false, address(1), Some("10.0.0.1:6346")),
        (true, address(1), None),
        (false, unspecified, None),
        (true, unspecified, None),
    ] {
        let mut config = config();
        config.firewalled = firewalled;
        config.address = address;
        let headers = greeting(config, 16);
        let found = headers.iter().find(|(name, _)| name == "Listen-IP");
        assert_eq!(found.map(|(_, value)| value.as_str()), expected, "{firewalled} {address}");
    }
}

/// An ultrapeer says whether it has room for others; a leaf has no such header.
#[test]
fn an_ultrapeer_names_its_room() {
    let needed = |config: Config, neighbours: u32| {
        let limits = ServentLimits::of(&config);
        let mut servent = Servent::new(config, ServentVec::new(limits)).unwrap();
        for conn in 0..neighbours {
            servent.handle_connected(START, ConnId(conn), Role::Ultrapeer).unwrap();
        }
        let headers = servent.handshake_headers("demo/1.0");
        let list = headers.greeting();
        let found = list.as_slice().iter().find(|header| header.name == "X-Ultrapeer-Needed");
        let found = found.map(|header| header.value.to_owned());
        (servent.wants_ultrapeers(), found)
    };
    let mut ultrapeer = config();
    ultrapeer.max_peers = 2;
    assert_eq!(needed(ultrapeer.clone(), 1), (true, Some("True".into())));
    assert_eq!(needed(ultrapeer, 2), (false, Some("False".into())));
    let leaf = Config::leaf(ServentId([1; 16]), address(1));
    assert_eq!(needed(leaf, 1).1, None);
}

/// An attempt to connect has a deadline while neighbours are looked for.
#[test]
fn attempts_have_a_deadline_while_neighbours_are_wanted() {
    for (target, neighbours, due) in [(1, 0, Some(20)), (2, 1, Some(20)), (1, 1, Some(30))] {
        let mut config = config();
        config.target_peers = target;
        assert_eq!((config.dial_timeout, config.idle), (seconds(20), seconds(30)));
        let mut servent = servent(config);
        servent.add_host(START, address(9));
        assert_eq!(servent.poll_event(), Some(Event::Dial { address: address(9) }));
        for conn in [A, B].into_iter().take(neighbours) {
            servent.handle_connected(START, conn, Role::Ultrapeer).unwrap();
        }
        sent(&mut servent);
        assert_eq!(servent.poll_timeout(), due.map(seconds), "{neighbours} of {target}");
    }
}

/// Both ends have to compress.
#[test]
fn an_agreement_to_compress_needs_both_ends() {
    let servent = servent(config());
    for (own, other, agrees) in
        [(true, true, true), (true, false, false), (false, true, false), (false, false, false)]
    {
        let encodings = if other { "Accept-Encoding: deflate\r\n" } else { "" };
        let greeting = format!("GNUTELLA/0.6 200 OK\r\n{encodings}\r\n");
        let (head, _) = Head::decode(greeting.as_bytes(), HeadLimits::GTKG).unwrap();
        let headers = servent.handshake_headers("demo/1.0");
        let headers = if own { headers.with_deflate() } else { headers };
        let agreement = headers.agreement(&head);
        let found = agreement.as_slice().iter().any(|header| header.name == "Content-Encoding");
        assert_eq!(found, agrees, "own {own}, other {other}");
    }
}

#[test]
fn another_address_is_not_connected_already() {
    let mut servent = servent(config());
    servent.handle_dialled(START, A, address(2), Role::Ultrapeer).unwrap();
    for (host, is_accepted) in [(2, false), (3, true)] {
        let text = format!(
            "GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: True\r\nListen-IP: {}\r\n\r\n",
            address(host)
        );
        let (head, _) = Head::decode(text.as_bytes(), HeadLimits::GTKG).unwrap();
        assert_eq!(servent.judge(&head).is_ok(), is_accepted, "{host}");
    }
}

/// A message that ends here because of its TTL counts as expired, if there is somebody else; a ping of a neighbour with TTL 1
/// was never meant for others.
#[test]
fn messages_that_end_here_are_counted() {
    for (function, payload, hops, neighbours, expired) in [
        (Function::PING, &b""[..], 0, 2, 0),
        (Function::PING, b"", 1, 2, 1),
        (Function::PING, b"", 2, 2, 1),
        (Function::PING, b"", 1, 1, 0),
        (Function::QUERY, QUERY, 0, 2, 1),
        (Function::QUERY, QUERY, 1, 2, 1),
        (Function::QUERY, QUERY, 0, 1, 0),
    ] {
        let mut config = config();
        config.pongs = 0; // pings are passed on
        let mut servent = servent(config);
        for conn in [A, B].into_iter().take(neighbours) {
            servent.handle_connected(START, conn, Role::Ultrapeer).unwrap();
        }
        let to = forwarded(&mut servent, A, &message(function, 1, 1, hops, payload));
        assert_eq!(to, []);
        assert_eq!(servent.stats().expired, expired, "{function}, {hops} hops, {neighbours}");
    }
}

/// `BEAR/4` bounds queries only.
#[test]
fn a_neighbour_without_queries_gets_pings() {
    let mut config = config();
    config.pongs = 0;
    let mut servent = servent(config);
    servent.handle_connected(START, A, Role::Ultrapeer).unwrap();
    servent.handle_connected(START, B, Role::Ultrapeer).unwrap();
    let no_queries = message(Function::VENDOR_STANDARD, 1, 1, 0, b"BEAR\x04\x00\x01\x00\x00");
    servent.handle_bytes(START, A, &no_queries).unwrap();
    assert_eq!(forwarded(&mut servent, B, &message(Function::QUERY, 2, 4, 1, QUERY)), []);
    assert_eq!(forwarded(&mut servent, B, &message(Function::PING, 3, 4, 1, &[])), [A]);
}

/// A neighbour that reads too slowly is asked for no more queries, from more than half of the send buffer on until it is down
/// to a quarter.
#[test]
fn a_choked_neighbour_is_asked_for_no_queries() {
    let mut servent = servent(config());
    let mut neighbour = Neighbour::from(Role::Ultrapeer);
    neighbour.vendor_messages = true;
    servent.handle_connected(START, A, neighbour).unwrap();
    sent(&mut servent);
    let queue = servent.config().send_queue;
    let all = 0xFF;
    for (backlog, hops) in [
        (queue / 2, None),
        (queue / 2 + 1, Some(0)),
        (queue / 2, None),
        (queue / 4 + 1, None),
        (queue / 4, Some(all)),
        (queue / 4 + 1, None),
    ] {
        servent.handle_backlog(START, A, backlog).unwrap();
        let messages = sent(&mut servent);
        let flow = messages.iter().find_map(|(_, bytes)| {
            bytes.get(23..)?.strip_prefix(b"BEAR\x04\x00\x01\x00")?.first().copied()
        });
        assert_eq!(flow, hops, "{backlog} bytes");
    }
}

/// The pings that are sent now: the connection, and the GUID.
fn pings(servent: &mut Net) -> Vec<(ConnId, Vec<u8>)> {
    let sent = sent(servent).into_iter().filter(|(_, bytes)| bytes[16] == Function::PING.0);
    sent.map(|(conn, bytes)| (conn, bytes[..16].to_vec())).collect()
}

/// The answer to a ping: the pong of a host in the network 30.`network`.
fn pong(guid: &[u8], network: u8) -> Vec<u8> {
    let payload = [&6_346_u16.to_le_bytes()[..], &[30, network, 0, 1], &[0; 8]].concat();
    [guid, &message(Function::PONG, 0, 1, 0, &payload)[16..]].concat()
}

/// A ping asks the other neighbours for hosts, once in the time that a pong stays fresh, unless 10 are fresh.
#[test]
fn hosts_are_asked_for_when_few_are_fresh() {
    for (pongs, is_asked) in [(0, true), (9, true), (10, false)] {
        let mut servent = ultrapeer();
        let age = servent.config().pong_age;
        let ask = |number| message(Function::PING, number, 3, 0, &[]);
        servent.handle_bytes(START, A, &ask(1)).unwrap();
        let asked = pings(&mut servent);
        assert_eq!(asked.iter().map(|ping| ping.0).collect::<Vec<_>>(), [B]);
        for network in 0..pongs {
            servent.handle_bytes(START, B, &pong(&asked[0].1, network)).unwrap();
        }
        let almost = age.saturating_sub(Duration::from_millis(1));
        servent.handle_bytes(almost, A, &ask(2)).unwrap();
        assert_eq!(pings(&mut servent), [], "asked before");
        servent.handle_bytes(age, A, &ask(3)).unwrap();
        assert_eq!(pings(&mut servent).len(), usize::from(is_asked), "{pongs} pongs are fresh");
    }
}

/// The hosts that one neighbour announces take a quarter of the slots from others, and then replace each other.
#[test]
fn one_neighbour_does_not_drive_out_what_others_announce() {
    let mut servent = ultrapeer(); // 16 slots for hosts
    let host = |network| SocketAddrV4::new(Ipv4Addr::new(20, network, 0, 1), 6346);
    for network in 0..16 {
        servent.add_host(START, host(network));
    }
    sent(&mut servent);
    let later = seconds(100);
    servent.handle_bytes(later, A, &message(Function::PING, 1, 3, 0, &[])).unwrap();
    let (conn, guid) = pings(&mut servent).pop().expect("a question");
    assert_eq!(conn, B);
    for network in 100..200 {
        servent.handle_bytes(later, B, &pong(&guid, network)).unwrap();
    }
    let announced = servent.hosts().filter(|host| host.address.ip().octets()[0] == 30).count();
    assert_eq!((announced, servent.hosts().count()), (4, 16));
}
