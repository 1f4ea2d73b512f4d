//! The datagrams of a servent: keys, queries, hits out of band, and what a forged sender gains.

mod one_datagram;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::datagram::{
    AnswerError, DatagramConfig, DatagramError, DatagramEvent, DatagramLimits, DatagramVec,
    Datagrams, SearchError,
};
use gnutella_wire::wire::{
    Function, HEADER_LEN, HitData, Limits, Message, Payload, Query, QueryHit, Record, Records,
};
use gnutella_wire::{Guid, ServentId, Text};
use one_datagram::{Net, datagram, polled};

const QUERY: Guid = Guid([0x51; 16]);

fn at(host: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346)
}

fn servent(host: u8) -> Net {
    let mut config = DatagramConfig::new(ServentId([host; 16]), at(host), [host; 16]);
    config.answers_queries = true;
    Datagrams::new(config, DatagramVec::new(DatagramLimits { peers: 16, searches: 4 })).unwrap()
}

fn query(words: &str) -> Query<'_> {
    Query::new(Text::new(words.as_bytes()).unwrap())
}

fn hit_of(name: &'static str, buf: &mut [u8]) -> usize {
    let name = Text::new(name.as_bytes()).unwrap();
    let found = [Record { index: 1, size: 3, name, extensions: Text::EMPTY }];
    let records = Records::from_slice(&found).unwrap();
    let data = HitData::EMPTY;
    let hit = QueryHit { address: at(2), speed: 1, records, data, servent: ServentId([2; 16]) };
    let payload = Payload::QueryHit(hit);
    Message { guid: QUERY, ttl: 1, hops: 0, payload }.encode(buf).unwrap()
}

/// A search of `ann` at `ben`, over a network that loses nothing. Returns what was found and every datagram.
fn search(ann: &mut Net, ben: &mut Net) -> (Vec<String>, Vec<Vec<u8>>) {
    let mut found = Vec::new();
    let mut trace = Vec::new();
    while let Some(now) = ann.poll_timeout() {
        ann.handle_timeout(now);
        for (to, bytes) in polled(ann) {
            assert_eq!(to, at(2));
            let message = ben.handle_datagram(now, at(1), &bytes).unwrap();
            trace.push(bytes.clone());
            if message.is_some() {
                let name = Text::new(b"Hey Jude.mp3").unwrap();
                let record = [Record { index: 1, size: 3, name, extensions: Text::EMPTY }];
                let records = Records::from_slice(&record).unwrap();
                let address = at(2);
                let servent = ServentId([2; 16]);
                let hit = QueryHit { address, speed: 1, records, data: HitData::EMPTY, servent };
                let mut buf = [0; 256];
                let sent = ben.answer(now, at(1), QUERY, &hit, &mut buf).unwrap();
                trace.push(buf[..sent.len].to_vec());
                let hit = ann.handle_datagram(now, at(2), &buf[..sent.len]).unwrap().unwrap();
                let Payload::QueryHit(hit) = hit.payload else { panic!("{hit}") };
                found.extend(hit.records.iter().map(|record| record.name.to_string()));
            }
            for (to, bytes) in polled(ben) {
                assert_eq!(to, at(1));
                let _ = ann.handle_datagram(now, at(2), &bytes).unwrap();
                trace.push(bytes);
            }
        }
    }
    (found, trace)
}

#[test]
fn a_key_is_fetched_and_the_query_answered() {
    let mut ann = servent(1);
    let mut ben = servent(2);
    assert!(ann.add_host(Duration::ZERO, at(2)));
    ann.search(Duration::ZERO, QUERY, &query("hey jude")).unwrap();
    assert_eq!(ann.search(Duration::ZERO, QUERY, &query("x")), Err(SearchError::InUse(QUERY)));
    let (found, trace) = search(&mut ann, &mut ben);
    assert_eq!(found, ["Hey Jude.mp3"]);
    let functions: Vec<_> = trace.iter().map(|bytes| bytes[16]).collect();
    let [ping, pong, query, hit] = [0x00, 0x01, 0x80, 0x81];
    assert_eq!(
        functions,
        [ping, pong, query, hit, pong],
        "a key, the query, its hit and its receipt"
    );
    let ended = DatagramEvent::SearchEnded { guid: QUERY, asked: 1, hits: 1 };
    assert_eq!((ann.poll_event(), ann.poll_event()), (Some(ended), None));
    for bytes in &trace {
        let (message, rest) = Message::decode(bytes, Limits::GTKG).unwrap();
        assert!(rest.is_empty() && message.hops == 0 && message.ttl == 1, "{message}");
    }
}

/// Each search asks each host once, also the one that a search before it asked: its slot is used again.
#[test]
fn a_later_search_asks_the_same_hosts() {
    let mut ann = servent(1);
    let mut ben = servent(2);
    assert!(ann.add_host(Duration::ZERO, at(2)));
    for round in 0..10 {
        ann.search(Duration::ZERO, QUERY, &query("hey jude")).unwrap();
        let (_, trace) = search(&mut ann, &mut ben);
        let queries = trace.iter().filter(|bytes| bytes[16] == Function::QUERY.0).count();
        assert_eq!(queries, 1, "search {round}");
        let hits = u32::from(round == 0); // a host answers a query once
        let ended = DatagramEvent::SearchEnded { guid: QUERY, asked: 1, hits };
        assert_eq!((ann.poll_event(), ann.poll_event()), (Some(ended), None), "search {round}");
    }
}

/// Searches at the same time are counted apart: each asks each host once.
#[test]
fn searches_at_the_same_time_each_ask_each_host() {
    let mut ann = servent(1);
    let mut hosts: Vec<_> = (2..5).map(servent).collect();
    (2..5).for_each(|host| assert!(ann.add_host(Duration::ZERO, at(host))));
    let guids = [Guid([1; 16]), Guid([2; 16]), Guid([3; 16])];
    for guid in guids {
        ann.search(Duration::ZERO, guid, &query("hey jude")).unwrap();
    }
    let mut asked = Vec::new();
    while let Some(now) = ann.poll_timeout() {
        ann.handle_timeout(now);
        for (to, bytes) in polled(&mut ann) {
            let host = &mut hosts[usize::from(to.ip().octets()[3]) - 2];
            if let Some(message) = host.handle_datagram(now, at(1), &bytes).unwrap() {
                asked.push((message.guid, to));
            }
            for (_, bytes) in polled(host) {
                let _ = ann.handle_datagram(now, to, &bytes).unwrap();
            }
        }
    }
    for guid in guids {
        let mut of_it: Vec<_> = asked.iter().filter(|one| one.0 == guid).map(|one| one.1).collect();
        of_it.sort_unstable();
        of_it.dedup();
        assert_eq!(of_it, [at(2), at(3), at(4)], "{guid}");
    }
    let mut ended: Vec<_> = core::iter::from_fn(|| ann.poll_event()).collect();
    ended.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(ended, guids.map(|guid| DatagramEvent::SearchEnded { guid, asked: 3, hits: 0 }));
}

/// A search that begins while another goes on leaves that one alone: each host is asked once by each.
#[test]
fn a_search_that_begins_later_changes_no_other() {
    let mut ann = servent(1);
    let mut ben = servent(2);
    assert!(ann.add_host(Duration::ZERO, at(2)));
    let guids = [Guid([1; 16]), Guid([2; 16])];
    ann.search(Duration::ZERO, guids[0], &query("hey jude")).unwrap();
    let mut asked = Vec::new();
    let mut begun = 1;
    while let Some(now) = ann.poll_timeout() {
        ann.handle_timeout(now);
        for (_, bytes) in polled(&mut ann) {
            if let Some(message) = ben.handle_datagram(now, at(1), &bytes).unwrap() {
                asked.push(message.guid);
            }
            for (_, bytes) in polled(&mut ben) {
                let _ = ann.handle_datagram(now, at(2), &bytes).unwrap();
            }
        }
        if asked.len() == 1 && begun == 1 {
            begun = 2;
            ann.search(now, guids[1], &query("hey jude")).unwrap();
        }
    }
    assert_eq!(asked, guids);
}

/// A host that never answers is asked three times, and the search ends.
#[test]
fn a_silent_host_is_given_up() {
    let mut ann = servent(1);
    assert!(ann.add_host(Duration::ZERO, at(2)));
    ann.search(Duration::ZERO, QUERY, &query("hey jude")).unwrap();
    let mut requests = Vec::new();
    while let Some(now) = ann.poll_timeout() {
        ann.handle_timeout(now);
        requests.extend(polled(&mut ann).iter().map(|_| now));
    }
    assert_eq!(requests.len(), 3);
    let waits = requests.windows(2).map(|two| two[1].saturating_sub(two[0]));
    assert!(waits.min() >= Some(Duration::from_secs(20)), "each may take as long: {requests:?}");
    let ended = DatagramEvent::SearchEnded { guid: QUERY, asked: 0, hits: 0 };
    assert_eq!(ann.poll_event(), Some(ended));
}

/// Whatever one address sends without a key, it is sent no more bytes: also by the shortest requests.
#[test]
fn without_a_key_nothing_is_amplified() {
    let key_request = [&[0xC3, 0x82][..], b"QK", &[0x40]].concat();
    let offer = [&b"LIME"[..], &[12, 0, 2, 0, 255, 1]].concat();
    let ack = [&b"LIME"[..], &[11, 0, 2, 0, 255]].concat();
    let text = b"\x80\x00hey jude\x00";
    let all: [(Function, &[u8]); 6] = [
        (Function::PING, &[]),
        (Function::PING, &key_request),
        (Function::VENDOR, &offer),
        (Function::VENDOR, &ack),
        (Function::QUERY, text),
        (Function::PING, &[0; 200]),
    ];
    for (function, payload) in all {
        let mut node = servent(2);
        node.expect_hits(Duration::ZERO, QUERY).unwrap();
        let mut received = 0;
        let mut sent = 0;
        for n in 0..1_000_u32 {
            let bytes = datagram(QUERY, function, payload);
            received += bytes.len();
            let _ = node.handle_datagram(Duration::from_millis(n.into()), at(1), &bytes);
            sent += polled(&mut node).iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
            assert!(sent <= received, "{function} of {} bytes, {n}", payload.len());
        }
        let is_answered = !matches!(function, Function::QUERY) && payload != ack;
        assert_eq!(sent > 0, is_answered, "{function} of {} bytes", payload.len());
    }
}

/// The answer to a request that is shorter than the answer comes when it is repeated.
#[test]
fn a_short_request_for_a_key_is_answered_when_it_is_repeated() {
    let mut node = servent(2);
    let payload = [&[0xC3, 0x82][..], b"QK", &[0x40]].concat();
    let request = datagram(Guid([3; 16]), Function::PING, &payload);
    let answers = [1, 2].map(|second| {
        let handled = node.handle_datagram(Duration::from_secs(second), at(1), &request);
        assert_eq!(handled, Ok(None));
        polled(&mut node)
    });
    assert_eq!(answers[0], []);
    let [(to, pong)] = &answers[1][..] else { panic!("one pong: {answers:?}") };
    assert_eq!((*to, pong[16]), (at(1), Function::PONG.0));
    assert_eq!(pong[HEADER_LEN + 14..][..5], [0xC3, 0x82, b'Q', b'K', 0x48]);
}

/// A key works for the address it was given to, and for no other.
#[test]
fn a_key_of_another_address_is_refused() {
    let mut ann = servent(1);
    let mut ben = servent(2);
    ann.add_host(Duration::ZERO, at(2));
    ann.search(Duration::ZERO, QUERY, &query("hey jude")).unwrap();
    let (_, trace) = search(&mut ann, &mut ben);
    let stolen = trace.iter().find(|bytes| bytes[16] == Function::QUERY.0).unwrap();
    let mut ben = servent(2);
    let refused = ben.handle_datagram(Duration::ZERO, at(3), stolen);
    assert_eq!(refused, Err(DatagramError::NoKey));
    assert!(ben.handle_datagram(Duration::ZERO, at(1), stolen).unwrap().is_some());
    let again = ben.handle_datagram(Duration::ZERO, at(1), stolen);
    assert_eq!(again, Ok(None), "a repeated query is acknowledged only");
    let later = Duration::from_secs(3 * 12 * 3_600);
    assert_eq!(ben.handle_datagram(later, at(1), stolen), Err(DatagramError::NoKey));
}

/// Hits out of band: offered, asked for, sent; no more than asked for, and only by the one who offered.
#[test]
fn hits_out_of_band_come_only_as_asked_for() {
    let mut ann = servent(1);
    ann.expect_hits(Duration::ZERO, QUERY).unwrap();
    let mut hit = [0; 256];
    let len = hit_of("Hey Jude.mp3", &mut hit);
    let unsolicited = Err(DatagramError::Unsolicited(Function::QUERY_HIT));
    assert_eq!(ann.handle_datagram(Duration::ZERO, at(2), &hit[..len]), unsolicited);
    let offer =
        |guid| datagram(guid, Function::VENDOR, &[b'L', b'I', b'M', b'E', 12, 0, 2, 0, 1, 1]);
    let unknown = offer(Guid([9; 16]));
    let refused = ann.handle_datagram(Duration::ZERO, at(2), &unknown);
    assert_eq!(refused, Err(DatagramError::Unsolicited(Function::VENDOR)));
    assert_eq!(ann.handle_datagram(Duration::ZERO, at(2), &offer(QUERY)), Ok(None));
    let sent = polled(&mut ann);
    let ack = datagram(QUERY, Function::VENDOR, &[b'L', b'I', b'M', b'E', 11, 0, 2, 0, 1]);
    assert_eq!(sent, [(at(2), ack)]);
    assert_eq!(ann.handle_datagram(Duration::ZERO, at(3), &hit[..len]), unsolicited, "another");
    assert!(ann.handle_datagram(Duration::ZERO, at(2), &hit[..len]).unwrap().is_some());
    assert_eq!(ann.handle_datagram(Duration::ZERO, at(2), &hit[..len]), unsolicited, "too many");
}

/// Hits are offered only to an address that has shown a key.
#[test]
fn an_offer_needs_a_key() {
    let mut ann = servent(1);
    let mut ben = servent(2);
    let refused = ben.offer(Duration::ZERO, at(1), QUERY, 3);
    assert_eq!(refused, Err(AnswerError::NoKey(at(1))));
    ann.add_host(Duration::ZERO, at(2));
    ann.search(Duration::ZERO, QUERY, &query("hey jude")).unwrap();
    search(&mut ann, &mut ben);
    let other = Guid([0x52; 16]);
    ann.expect_hits(Duration::ZERO, other).unwrap();
    ben.offer(Duration::ZERO, at(1), other, 3).unwrap();
    for (_, offer) in polled(&mut ben) {
        assert_eq!(ann.handle_datagram(Duration::ZERO, at(2), &offer), Ok(None));
    }
    let unsolicited = Err(DatagramError::Unsolicited(Function::VENDOR));
    let ack = |guid, records| {
        datagram(guid, Function::VENDOR, &[&b"LIME\x0B\0\x02\0"[..], &[records]].concat())
    };
    for (guid, records) in [(QUERY, 3), (other, 0)] {
        let bytes = ack(guid, records);
        let refused = ben.handle_datagram(Duration::ZERO, at(1), &bytes);
        assert_eq!(refused, unsolicited, "{records} of {guid}");
    }
    for (_, ack) in polled(&mut ann) {
        assert_eq!(ben.handle_datagram(Duration::ZERO, at(1), &ack), Ok(None));
    }
    let again = ack(other, 3);
    assert_eq!(ben.handle_datagram(Duration::ZERO, at(1), &again), unsolicited, "once");
    let wanted = DatagramEvent::HitsWanted { to: at(1), guid: other, records: 3 };
    assert_eq!(ben.poll_event(), Some(wanted));
}

#[test]
fn a_ping_that_was_asked_for_proves_reachability() {
    let mut node = servent(2);
    let ping = datagram(Guid([2; 16]), Function::PING, &[]);
    assert_eq!(node.handle_datagram(Duration::ZERO, at(1), &ping), Ok(None));
    assert_eq!(node.poll_event(), Some(DatagramEvent::Reachable));
    assert_eq!(polled(&mut node), []);
}

/// Addresses of one network fill their share of the slots only; the hosts of searches stay.
#[test]
fn forged_addresses_of_one_network_leave_room_for_others() {
    let mut node = servent(2);
    assert!(node.add_host(Duration::ZERO, at(1)));
    let ping = datagram(Guid([3; 16]), Function::PING, &[0; 30]);
    let from = |a: u8, n: u16| {
        let [high, low] = n.to_be_bytes();
        SocketAddrV4::new(Ipv4Addr::new(a, 7, high, low), 6346)
    };
    for n in 0..10 {
        let _ = node.handle_datagram(Duration::ZERO, from(20 + n, 0), &ping);
    }
    for n in 0..10_000 {
        let _ = node.handle_datagram(Duration::ZERO, from(66, n), &ping);
    }
    polled(&mut node);
    for n in 0..10_000 {
        let _ = node.handle_datagram(Duration::ZERO, from(66, n), &ping);
        polled(&mut node);
    }
    node.search(Duration::ZERO, QUERY, &query("hey jude")).unwrap();
    node.handle_timeout(Duration::ZERO);
    assert!(polled(&mut node).iter().any(|(to, _)| *to == at(1)), "the host is still asked");
    // A ping of 23 bytes is answered by 37 only where something is left of what came before.
    let short = datagram(QUERY, Function::PING, &[]);
    for n in 0..10 {
        let _ = node.handle_datagram(Duration::ZERO, from(20 + n, 0), &short);
    }
    let answered = polled(&mut node);
    let others = answered.iter().filter(|(to, _)| to.ip().octets()[0] < 66).count();
    assert_eq!(others, 10, "the others were not evicted");
}
