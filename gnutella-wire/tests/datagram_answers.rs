//! Answers to the searches of a servent by datagram: which of them were asked for.

mod one_datagram;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::datagram::{
    DatagramConfig, DatagramError, DatagramEvent, DatagramLimits, DatagramVec, Datagrams,
};
use gnutella_wire::wire::{Function, HEADER_LEN, Query};
use gnutella_wire::{Guid, ServentId, Text};
use one_datagram::{Net, datagram, polled};

const START: Duration = Duration::ZERO;
const FIRST: Guid = Guid([0x51; 16]);
const SECOND: Guid = Guid([0x52; 16]);
const UNKNOWN: Guid = Guid([0x53; 16]);

fn at(host: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346)
}

fn servent(host: u8) -> Net {
    let config = DatagramConfig::new(ServentId([host; 16]), at(host), [host; 16]);
    Datagrams::new(config, DatagramVec::new(DatagramLimits { peers: 16, searches: 4 })).unwrap()
}

fn sent(node: &mut Net) -> Vec<Vec<u8>> {
    polled(node).into_iter().map(|(_, bytes)| bytes).collect()
}

fn search(node: &mut Net, guid: Guid) {
    let query = Query::new(Text::new(b"hey jude").unwrap());
    node.search(START, guid, &query).unwrap();
}

/// A hit with one record.
fn hit(guid: Guid) -> Vec<u8> {
    let payload = [&[1, 0, 0, 10, 0, 0, 2, 0, 0, 0, 0][..], &[0; 8], b"x\0\0", &[2; 16]].concat();
    datagram(guid, Function::QUERY_HIT, &payload)
}

fn pong(guid: Guid, block: &[u8]) -> Vec<u8> {
    datagram(guid, Function::PONG, &[&[0; 14][..], block].concat())
}

/// Lets the host 2 give a key to a servent that searches. Its queries are due then.
fn give_key(node: &mut Net) {
    node.handle_timeout(node.poll_timeout().unwrap());
    let request = sent(node).pop().unwrap();
    assert_eq!(request[16], Function::PING.0);
    let guid = Guid(request[..16].try_into().unwrap());
    let key = pong(guid, b"\xC3\x82QK\x44key!");
    assert!(node.handle_datagram(START, at(2), &key).unwrap().is_some());
}

/// Fires the timers until the queries of this many searches are due.
fn make_due(node: &mut Net, searches: usize) {
    for _ in 0..searches {
        node.handle_timeout(node.poll_timeout().unwrap());
    }
}

/// The queries that are sent now, by their GUIDs.
fn queries(node: &mut Net) -> Vec<Guid> {
    let sent = sent(node).into_iter().filter(|bytes| bytes[16] == Function::QUERY.0);
    sent.map(|bytes| Guid(bytes[..16].try_into().unwrap())).collect()
}

/// A liar sends as many hits as a search wants. Of one address a quarter of them counts, here 50.
#[test]
fn one_host_does_not_end_a_search() {
    let mut node = servent(1);
    let offer = datagram(FIRST, Function::VENDOR, b"LIME\x0C\0\x02\0\xFF\x01");
    node.expect_hits(START, FIRST).unwrap();
    for (host, hits) in [(2, 51), (3, 51), (4, 51), (5, 50)] {
        assert_eq!(node.poll_event(), None, "{} hosts", host - 2);
        assert_eq!(node.handle_datagram(START, at(host), &offer), Ok(None));
        for _ in 0..hits {
            let record = hit(FIRST);
            assert!(node.handle_datagram(START, at(host), &record).unwrap().is_some());
        }
    }
    let ended = DatagramEvent::SearchEnded { guid: FIRST, asked: 0, hits: 203 };
    assert_eq!(node.poll_event(), Some(ended));
}

/// A host that was started anew does not know its old keys, and drops queries that carry them. A dead one gives no other.
#[test]
fn a_host_that_answers_no_query_is_asked_for_another_key() {
    let mut node = servent(1);
    assert!(node.add_host(START, at(2)));
    let mut asked = Vec::new();
    for n in 0..5 {
        let guid = Guid([n; 16]);
        search(&mut node, guid);
        if n == 0 {
            give_key(&mut node);
        }
        make_due(&mut node, 1);
        asked.extend(sent(&mut node).into_iter().map(|bytes| bytes[16]));
        if n == 0 {
            assert!(node.handle_datagram(START, at(2), &pong(guid, &[])).unwrap().is_some());
        }
        node.stop_search(START, guid);
        node.poll_event().unwrap();
    }
    // The first one was answered, the next three were not.
    let query = Function::QUERY.0;
    assert_eq!(asked, [query, query, query, query, Function::PING.0]);
}

/// A host answers the searches that it was asked for, and no other.
#[test]
fn answers_belong_to_a_search() {
    let mut node = servent(1);
    assert!(node.add_host(START, at(2)));
    search(&mut node, FIRST);
    search(&mut node, SECOND);
    node.stop_search(START, SECOND);
    node.poll_event().unwrap();
    give_key(&mut node);
    make_due(&mut node, 1);
    assert_eq!(queries(&mut node), [FIRST]);
    search(&mut node, SECOND);
    for guid in [SECOND, UNKNOWN] {
        let refused = Err(DatagramError::Unsolicited(Function::QUERY_HIT));
        assert_eq!(node.handle_datagram(START, at(2), &hit(guid)), refused);
        let refused = Err(DatagramError::Unsolicited(Function::PONG));
        assert_eq!(node.handle_datagram(START, at(2), &pong(guid, &[])), refused);
    }
    assert!(node.handle_datagram(START, at(2), &hit(FIRST)).unwrap().is_some());
    assert!(node.handle_datagram(START, at(2), &pong(FIRST, &[])).unwrap().is_some());
}

/// Hits that were asked for may come one by one.
#[test]
fn hits_come_in_several_datagrams() {
    let mut node = servent(1);
    node.expect_hits(START, FIRST).unwrap();
    let offer = datagram(FIRST, Function::VENDOR, b"LIME\x0C\0\x02\0\x02\x01");
    assert_eq!(node.handle_datagram(START, at(2), &offer), Ok(None));
    let ack = datagram(FIRST, Function::VENDOR, b"LIME\x0B\0\x02\0\x02");
    assert_eq!(sent(&mut node), [ack]);
    for _ in 0..2 {
        assert!(node.handle_datagram(START, at(2), &hit(FIRST)).unwrap().is_some());
    }
    let refused = Err(DatagramError::Unsolicited(Function::QUERY_HIT));
    assert_eq!(node.handle_datagram(START, at(2), &hit(FIRST)), refused);
}

/// A host that was asked may send hits before and after those that it has offered.
#[test]
fn offered_hits_are_not_the_last() {
    let mut node = servent(1);
    assert!(node.add_host(START, at(2)));
    search(&mut node, FIRST);
    give_key(&mut node);
    make_due(&mut node, 1);
    assert_eq!(queries(&mut node), [FIRST]);
    assert!(node.handle_datagram(START, at(2), &hit(FIRST)).unwrap().is_some());
    let offer = datagram(FIRST, Function::VENDOR, b"LIME\x0C\0\x02\0\x01\x01");
    assert_eq!(node.handle_datagram(START, at(2), &offer), Ok(None));
    for _ in 0..2 {
        assert!(node.handle_datagram(START, at(2), &hit(FIRST)).unwrap().is_some());
    }
}

/// A search that ends or begins leaves alone what is due, and what was sent, for another.
#[test]
fn searches_leave_each_other_alone() {
    let mut node = servent(1);
    assert!(node.add_host(START, at(2)));
    search(&mut node, FIRST);
    give_key(&mut node);
    make_due(&mut node, 1);
    search(&mut node, SECOND);
    assert_eq!(queries(&mut node), [FIRST], "due before the other began");
    make_due(&mut node, 2);
    assert_eq!(queries(&mut node), [SECOND]);
    node.stop_search(START, FIRST);
    let ended = DatagramEvent::SearchEnded { guid: FIRST, asked: 1, hits: 0 };
    assert_eq!(node.poll_event(), Some(ended));
    assert_eq!(queries(&mut node), [], "each was asked once");
}

/// The end of a search leaves what is due for another.
#[test]
fn what_is_due_outlives_another_search() {
    let mut node = servent(1);
    assert!(node.add_host(START, at(2)));
    search(&mut node, FIRST);
    give_key(&mut node);
    search(&mut node, SECOND);
    make_due(&mut node, 3);
    node.stop_search(START, FIRST);
    node.poll_event().unwrap();
    assert_eq!(queries(&mut node), [SECOND]);
}

/// The key follows the text, and what else follows the text comes before it, with a separator.
#[test]
fn a_query_ends_with_the_key() {
    let key = b"\xC3\x82QK\x44key!";
    for (extensions, expected) in [
        (&b""[..], [&b"hey jude\0"[..], key].concat()),
        (b"urn:", [&b"hey jude\0urn:\x1C"[..], key].concat()),
        (b"urn:\0", [&b"hey jude\0urn:\0"[..], key].concat()),
    ] {
        let mut node = servent(1);
        assert!(node.add_host(START, at(2)));
        let mut query = Query::new(Text::new(b"hey jude").unwrap());
        query.extensions = extensions;
        node.search(START, FIRST, &query).unwrap();
        give_key(&mut node);
        make_due(&mut node, 1);
        let sent = sent(&mut node).pop().unwrap();
        let payload = &sent[HEADER_LEN + 2..]; // after the flags
        assert_eq!(payload.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}

/// Messages of connections are not taken from datagrams, however long they are.
#[test]
fn other_functions_are_refused() {
    let mut node = servent(1);
    for function in [Function::QRP, Function::BYE, Function(0x77)] {
        let bytes = datagram(FIRST, function, b"LIME\x0B\0\x02\0\x02");
        let refused = Err(DatagramError::Function(function));
        assert_eq!(node.handle_datagram(START, at(2), &bytes), refused);
    }
}

/// The numbers of own messages differ between servents of the same seed.
#[test]
fn servents_number_their_messages_differently() {
    let guid = |host| {
        let mut node = servent(host);
        assert!(node.add_host(START, at(2)));
        search(&mut node, FIRST);
        node.handle_timeout(node.poll_timeout().unwrap());
        sent(&mut node).pop().unwrap()[..HEADER_LEN.min(16)].to_vec()
    };
    assert_eq!(guid(1), guid(1));
    assert_ne!(guid(1), guid(3));
}
