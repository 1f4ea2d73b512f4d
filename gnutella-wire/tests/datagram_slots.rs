//! Which addresses the datagrams of a servent remember, and which of them gives way to another.

mod one_datagram;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::datagram::{
    AnswerError, DatagramConfig, DatagramError, DatagramEvent, DatagramLimits, DatagramVec,
    Datagrams,
};
use gnutella_wire::wire::{Function, HEADER_LEN, Query};
use gnutella_wire::{Guid, ServentId, Text};
use one_datagram::{Net, datagram, polled};

const QUERY: Guid = Guid([0x51; 16]);
const START: Duration = Duration::ZERO;
/// The longest ping that is not answered before its sender has shown a key: a pong has 37 bytes.
const SHORT: usize = 13;
/// A ping of 53 bytes, which pays for a pong.
const LONG: usize = 30;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A host of the network `network`.7.
fn at(network: u8, number: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(network, 7, 0, number), 6346)
}

fn servent_of(seed: u64, peers: usize) -> Net {
    let mut config = DatagramConfig::new(ServentId([2; 16]), at(10, 2), [2; 16]);
    config.answers_queries = true;
    config.seed = seed;
    Datagrams::new(config, DatagramVec::new(DatagramLimits { peers, searches: 4 })).unwrap()
}

fn servent(peers: usize) -> Net {
    servent_of(1, peers)
}

fn vendor(payload: &[u8]) -> Vec<u8> {
    datagram(QUERY, Function::VENDOR, payload)
}

/// A ping with this many bytes of payload. Returns what the servent says to it.
fn ping(
    node: &mut Net,
    now: Duration,
    from: SocketAddrV4,
    len: usize,
) -> Result<(), DatagramError> {
    let bytes = datagram(Guid([3; 16]), Function::PING, &[0; LONG][..len]);
    node.handle_datagram(now, from, &bytes).map(|_| ())
}

fn addressees(node: &mut Net) -> Vec<SocketAddrV4> {
    polled(node).into_iter().map(|(to, _)| to).collect()
}

/// An address whose query key has no byte 0, which a query could not carry as it is, and that key.
fn keyed(node: &mut Net, now: Duration, network: u8) -> (SocketAddrV4, [u8; 8]) {
    let request = [&[0xC3, 0x82][..], b"QK", &[0x40], &[0; 30]].concat();
    for number in 0..=255 {
        let from = at(network, number);
        let bytes = datagram(Guid([4; 16]), Function::PING, &request);
        assert_eq!(node.handle_datagram(now, from, &bytes), Ok(None));
        let pong = polled(node).pop().unwrap().1;
        let key = pong[HEADER_LEN + 14..].strip_prefix(b"\xC3\x82QK\x48").unwrap();
        let key: [u8; 8] = key.try_into().unwrap();
        if !key.contains(&0) {
            return (from, key);
        }
    }
    panic!("every key has a byte 0");
}

/// A query with a key: its sender counts as proved, and is owed a receipt.
fn prove(node: &mut Net, now: Duration, network: u8) -> SocketAddrV4 {
    let (from, key) = keyed(node, now, network);
    let payload = [&b"\x80\0hey jude\0\xC3\x82QK\x48"[..], &key].concat();
    let query = datagram(QUERY, Function::QUERY, &payload);
    assert!(node.handle_datagram(now, from, &query).unwrap().is_some());
    from
}

/// What may be owed to an address.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Debt {
    Nothing,
    Pong,
    Receipt,
    RequestForHits,
    Offer,
    EventHitsWanted,
}

/// Makes a servent owe something to an address, and returns the address.
fn owe(node: &mut Net, debt: Debt) -> SocketAddrV4 {
    let from = at(10, 1);
    match debt {
        Debt::Nothing => ping(node, START, from, SHORT).unwrap(),
        Debt::Pong => ping(node, START, from, LONG).unwrap(),
        Debt::RequestForHits => {
            node.expect_hits(START, QUERY).unwrap();
            let offer = vendor(b"LIME\x0C\0\x02\0\x01\x01");
            assert_eq!(node.handle_datagram(START, from, &offer), Ok(None));
        }
        Debt::Receipt => return prove(node, START, 10),
        Debt::Offer | Debt::EventHitsWanted => {
            let from = prove(node, START, 10);
            polled(node);
            node.offer(START, from, QUERY, 3).unwrap();
            if debt == Debt::EventHitsWanted {
                polled(node);
                let wanted = vendor(b"LIME\x0B\0\x02\0\x03");
                assert_eq!(node.handle_datagram(START, from, &wanted), Ok(None));
            }
            return from;
        }
    }
    from
}

/// Whatever is owed to an address is sent, however many others send in the meantime.
#[test]
fn an_address_that_is_owed_something_stays() {
    for debt in [
        Debt::Nothing,
        Debt::Pong,
        Debt::Receipt,
        Debt::RequestForHits,
        Debt::Offer,
        Debt::EventHitsWanted,
    ] {
        let mut node = servent(2);
        let creditor = owe(&mut node, debt);
        for network in 20..120 {
            ping(&mut node, seconds(601), at(network, 1), SHORT).unwrap();
        }
        let mut paid = addressees(&mut node);
        if let Some(DatagramEvent::HitsWanted { to, .. }) = node.poll_event() {
            paid.push(to);
        }
        let expected = Some(creditor).filter(|_| debt != Debt::Nothing);
        assert_eq!(paid, Vec::from_iter(expected), "{debt:?}");
    }
}

/// An address that has shown a key stays, and may be offered hits, for ten minutes.
#[test]
fn a_proved_address_stays_for_ten_minutes() {
    for (age, stays) in [(0, true), (599, true), (600, false)] {
        let mut node = servent(1);
        let proved = prove(&mut node, seconds(5), 10);
        polled(&mut node);
        let now = seconds(5 + age);
        let refused = Err(AnswerError::NoKey(proved));
        let expected = if stays { Ok(()) } else { refused };
        assert_eq!(node.clone().offer(now, proved, QUERY, 1), expected, "{age} s");
        let expected = if stays { Err(DatagramError::NoSlots) } else { Ok(()) };
        assert_eq!(ping(&mut node, now, at(20, 1), SHORT), expected, "{age} s");
    }
}

/// Bytes that came count towards a pong of 37 bytes until the sender is silent for more than a minute.
#[test]
fn received_bytes_pay_for_an_answer_within_a_minute() {
    for (pause, is_answered) in [(0, true), (60, true), (61, false)] {
        let mut node = servent(4);
        let mut send = |now, len| {
            ping(&mut node, now, at(20, 1), len).unwrap();
            polled(&mut node).len()
        };
        assert_eq!(send(seconds(9), 0), 0, "23 bytes");
        assert_eq!(send(seconds(9 + pause), 0), usize::from(is_answered), "46 bytes, {pause} s");
        let mut node = servent(4);
        ping(&mut node, START, at(20, 1), 13).unwrap();
        assert_eq!(polled(&mut node), [], "36 bytes");
        ping(&mut node, START, at(20, 2), 14).unwrap();
        assert_eq!(addressees(&mut node), [at(20, 2)], "37 bytes");
    }
}

/// Each answer is paid for: what is left of 53 bytes after a pong is 16, and after the next 2.
#[test]
fn an_answer_uses_up_the_bytes_that_pay_for_it() {
    let mut node = servent(4);
    let mut answers = |len| {
        ping(&mut node, START, at(20, 1), len).unwrap();
        polled(&mut node).len()
    };
    assert_eq!(answers(30), 1);
    assert_eq!(answers(0), 1, "16 and 23 are 39");
    assert_eq!(answers(0), 0, "2 and 23 are 25");
    assert_eq!(answers(0), 1, "48");
}

/// Addresses of one network (/16) take a quarter of the slots from others, and at least 2.
#[test]
fn a_network_takes_a_quarter_of_the_slots() {
    for (slots, share) in [(2_u8, 2_u8), (4, 2), (8, 2), (12, 3), (16, 4), (40, 10)] {
        let mut node = servent(slots.into());
        for network in 0..slots {
            ping(&mut node, START, at(100 + network, 1), SHORT).unwrap();
        }
        // Those of the network are owed a pong, and so do not give way to each other.
        for number in 0..share {
            assert_eq!(ping(&mut node, START, at(66, number), LONG), Ok(()), "{number} of {slots}");
        }
        let next = ping(&mut node, START, at(66, share), LONG);
        assert_eq!(next, Err(DatagramError::NoSlots), "{share} of {slots}");
        let other = ping(&mut node, START, at(67, 1), LONG);
        assert_eq!(other.is_ok(), slots > share, "another network, {slots} slots");
        let mut paid = addressees(&mut node);
        paid.retain(|to| *to != at(67, 1));
        paid.sort_unstable();
        let creditors: Vec<_> = (0..share).map(|number| at(66, number)).collect();
        assert_eq!(paid, creditors);
        // Now they do.
        assert_eq!(ping(&mut node, START, at(66, share), LONG), Ok(()));
    }
}

/// A network that has its share replaces its own addresses only.
#[test]
fn a_network_with_its_share_leaves_the_others() {
    let mut node = servent(8);
    let others: Vec<_> = (0..6).map(|network| at(100 + network, 1)).collect();
    for address in &others {
        ping(&mut node, START, *address, LONG).unwrap();
    }
    polled(&mut node);
    for number in 0..200 {
        ping(&mut node, START, at(66, number), SHORT).unwrap();
    }
    for address in &others {
        ping(&mut node, START, *address, 0).unwrap(); // 16 bytes are left, and 23 come
    }
    let mut answered = addressees(&mut node);
    answered.sort_unstable();
    assert_eq!(answered, others);
}

/// The addresses that a search asks for a key.
fn asked_hosts(node: &mut Net) -> Vec<SocketAddrV4> {
    let query = Query::new(Text::new(b"hey jude").unwrap());
    node.search(START, QUERY, &query).unwrap();
    let mut asked = Vec::new();
    while let Some(now) = node.poll_timeout().filter(|now| *now < seconds(10)) {
        node.handle_timeout(now);
        asked.extend(addressees(node));
    }
    asked.sort_unstable();
    asked
}

/// Hosts of searches give way to other hosts, chosen at random, and to nobody else.
#[test]
fn hosts_give_way_to_hosts_only() {
    let mut lost = Vec::new();
    for seed in 0..64 {
        let mut node = servent_of(seed, 8);
        let mut hosts: Vec<_> = (20..28).map(|network| at(network, 1)).collect();
        for host in &hosts {
            assert!(node.add_host(START, *host));
        }
        assert_eq!(ping(&mut node, START, at(66, 1), SHORT), Err(DatagramError::NoSlots));
        assert!(node.add_host(START, at(67, 1)));
        let asked = asked_hosts(&mut node);
        assert_eq!(asked.len(), 8);
        assert!(asked.contains(&at(67, 1)), "{asked:?}");
        hosts.retain(|host| !asked.contains(host));
        lost.extend(hosts);
    }
    assert_eq!(lost.len(), 64, "one gives way");
    lost.sort_unstable();
    lost.dedup();
    assert_eq!(lost.len(), 8, "any of them");
}

/// A key of a host is used for a period, and then another is asked for. It has 1 to 16 bytes.
#[test]
fn a_key_of_a_host_is_used_for_a_period() {
    let period = 12 * 3_600;
    for (len, age, is_kept) in [
        (1, 0, true),
        (16, 0, true),
        (17, 0, false),
        (0, 0, false),
        (4, period - 1, true),
        (4, period, false),
    ] {
        let host = at(20, 1);
        let mut node = servent(4);
        assert!(node.add_host(START, host));
        let query = Query::new(Text::new(b"hey jude").unwrap());
        node.search(START, QUERY, &query).unwrap();
        let now = node.poll_timeout().unwrap();
        node.handle_timeout(now);
        let request = polled(&mut node).pop().unwrap().1;
        let guid = Guid(request[..16].try_into().unwrap());
        let key = vec![7; len];
        let block = [&[0xC3, 0x82][..], b"QK", &[0x40 | len as u8], &key].concat();
        let pong = datagram(guid, Function::PONG, &[&[0; 14][..], &block].concat());
        assert!(node.handle_datagram(START, host, &pong).unwrap().is_some());
        node.stop_search(START, QUERY);
        node.poll_event().unwrap();
        let later = seconds(age);
        node.search(later, QUERY, &query).unwrap();
        let due = node.poll_timeout().unwrap().max(later);
        node.handle_timeout(due);
        let sent = polled(&mut node);
        let is_query = sent.iter().any(|(_, bytes)| bytes[16] == Function::QUERY.0);
        assert_eq!(is_query, is_kept, "{len} bytes, after {age} s");
    }
}
