//! Where a query goes: by the words that are shared behind a connection, and in turn from ultrapeer to ultrapeer.

mod one_servent;

use core::time::Duration;

use gnutella_wire::huge::{Sha1, Urn};
use gnutella_wire::wire::{Function, Query, QueryFlags};
use gnutella_wire::{
    Config, ConnId, Guid, Neighbour, Role, Servent, ServentId, ServentLimits, ServentVec, Text,
};
use one_servent::{A, B, address, message};

type Net = Servent<ServentVec>;

const START: Duration = Duration::ZERO;
const JUDE: &[u8] = b"\0\0hey jude\0";

fn servent(config: Config, queries: usize) -> Net {
    let limits = ServentLimits { conns: 16, queries, ..ServentLimits::of(&config) };
    Servent::new(config, ServentVec::new(limits)).unwrap()
}

fn ultrapeer(queries: usize) -> Net {
    servent(Config::ultrapeer(ServentId([1; 16]), address(1)), queries)
}

/// A neighbour that exchanges tables with leaves and ultrapeers.
fn routing(role: Role) -> Neighbour {
    let mut neighbour = Neighbour::from(role);
    neighbour.query_routing = true;
    neighbour
}

/// An ultrapeer with a leaf, A, that shares "Hey Jude.mp3" and the file of a URN, and an ultrapeer, B.
fn with_a_leaf(urn: &Urn) -> Net {
    let mut leaf = servent(Config::leaf(ServentId([2; 16]), address(2)), 4);
    leaf.share(START, "Hey Jude.mp3");
    leaf.share_urn(START, urn);
    leaf.handle_connected(START, A, routing(Role::Ultrapeer)).unwrap();
    let mut node = ultrapeer(8);
    node.handle_connected(START, A, routing(Role::Leaf)).unwrap();
    node.handle_connected(START, B, Role::Ultrapeer).unwrap();
    let mut buf = [0; Net::MAX_TRANSMIT_LEN];
    while let Some(sent) = leaf.poll_transmit(&mut buf).unwrap() {
        let received = node.handle_bytes(START, A, &buf[..sent.len]).unwrap();
        assert_eq!(received.consumed, sent.len);
    }
    node
}

/// Whether a query of B goes to A.
fn reaches(node: &mut Net, number: u64, payload: &[u8]) -> bool {
    let query = message(Function::QUERY, number, 2, 1, payload);
    let received = node.handle_bytes(START, B, &query).unwrap();
    let forward = received.outcome.and_then(|handled| handled.forward);
    forward.is_some_and(|forward| node.targets(forward.to).any(|to| to == A))
}

/// All words of three letters and more have to be in the table, or the hash of the file.
#[test]
fn a_leaf_gets_the_queries_that_it_may_answer() {
    let urn = Urn::Sha1(Sha1([7; 20]));
    let other = Urn::Sha1(Sha1(core::array::from_fn(|n| n as u8)));
    let mut node = with_a_leaf(&urn);
    for (number, (words, urns, is_wanted)) in [
        ("hey jude", String::new(), true),
        ("hey", String::new(), true),
        ("hey judy", String::new(), false),
        ("jude ab", String::new(), true), // not a word to all servents
        ("jude abc", String::new(), false),
        ("jude abcd", String::new(), false),
        ("", urn.to_string(), true),
        ("", other.to_string(), false),
        ("", String::new(), false),
        ("", "\u{1C}".into(), false),
    ]
    .into_iter()
    .enumerate()
    {
        let payload = [b"\0\0", words.as_bytes(), b"\0", urns.as_bytes()].concat();
        let found = reaches(&mut node, number as u64, &payload);
        assert_eq!(found, is_wanted, "{words} {urns}");
    }
}

/// A block may stand for words, where there are none.
#[test]
fn a_block_without_words_goes_to_all_that_share() {
    let mut node = with_a_leaf(&Urn::Sha1(Sha1([7; 20])));
    let block = b"\xC3\x81X\x40";
    for (number, words, is_wanted) in [(1, "", true), (2, "hey jude", true), (3, "hey judy", false)]
    {
        let payload = [b"\0\0", words.as_bytes(), b"\0", block].concat();
        assert_eq!(reaches(&mut node, number, &payload), is_wanted, "{words}");
    }
}

/// A leaf that sends no tables gets every query. One that is to send its table gets none before.
#[test]
fn a_leaf_without_tables_gets_all_queries() {
    for (neighbour, is_sent) in [(Neighbour::from(Role::Leaf), true), (routing(Role::Leaf), false)]
    {
        let mut node = ultrapeer(8);
        node.handle_connected(START, A, neighbour).unwrap();
        node.handle_connected(START, B, Role::Ultrapeer).unwrap();
        assert_eq!(reaches(&mut node, 1, JUDE), is_sent);
    }
}

/// A change of the table is sent 10 seconds after it.
#[test]
fn a_changed_table_waits_for_more_changes() {
    let mut leaf = servent(Config::leaf(ServentId([2; 16]), address(2)), 4);
    leaf.handle_connected(START, A, routing(Role::Ultrapeer)).unwrap();
    let mut buf = [0; Net::MAX_TRANSMIT_LEN];
    let mut tables = |leaf: &mut Net| {
        let mut tables = 0;
        while leaf.poll_transmit(&mut buf).unwrap().is_some() {
            tables += usize::from(buf[16] == Function::QRP.0);
        }
        tables
    };
    assert!(tables(&mut leaf) > 0, "the first one at once");
    leaf.share(START, "Hey Jude.mp3");
    for (millis, is_sent) in [(0, false), (9_999, false), (10_000, true), (10_001, false)] {
        leaf.handle_timeout(Duration::from_millis(millis));
        assert_eq!(tables(&mut leaf) > 0, is_sent, "{millis} ms");
    }
}

/// The queries that are sent until a time: the connection, the number of the query, and its TTL.
fn queries_until(node: &mut Net, end: Duration) -> Vec<(u32, u64, u8)> {
    let mut queries = Vec::new();
    let mut buf = [0; Net::MAX_TRANSMIT_LEN];
    loop {
        while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
            if buf[16] == Function::QUERY.0 {
                let number = u64::from_le_bytes(buf[..8].try_into().unwrap());
                queries.push((sent.conn.0, number, buf[17]));
            }
        }
        let Some(now) = node.poll_timeout().filter(|now| *now < end) else { return queries };
        node.handle_timeout(now);
    }
}

/// A hit with this many records for a query.
fn hit(number: u64, records: u8) -> Vec<u8> {
    let front = [records, 0, 0, 10, 0, 0, 3, 0, 0, 0, 0];
    let record = [&[0; 8][..], b"x\0\0"].concat().repeat(records.into());
    message(Function::QUERY_HIT, number, 3, 0, &[&front[..], &record, &[3; 16]].concat())
}

/// GDF "Dynamic Query Protocol": three ultrapeers are asked with TTL 2, and reach 3 × 32 servents. Without a hit the next is
/// asked with the highest TTL, of which a leaf's query has used one. With 90 of 150 hits, the 60 that are missing are
/// expected from 64 servents, which is 12 at each of the 5 ultrapeers that are left: TTL 2 reaches 32.
#[test]
fn the_ttl_follows_the_hits() {
    for (is_own, hits, ttl) in [(false, 0, 3), (true, 0, 4), (false, 3, 2)] {
        let mut node = ultrapeer(8);
        for conn in 0..8 {
            node.handle_connected(START, ConnId(conn), Role::Ultrapeer).unwrap();
        }
        let leaf = ConnId(8);
        node.handle_connected(START, leaf, Role::Leaf).unwrap();
        let query = message(Function::QUERY, 9, 4, 0, JUDE);
        if is_own {
            let guid = Guid(query[..16].try_into().unwrap());
            let words = Query::new(Text::new(b"hey jude").unwrap());
            node.search(START, guid, &words, &mut [0; 540]).unwrap();
        } else {
            node.handle_bytes(START, leaf, &query).unwrap();
        }
        let probes = queries_until(&mut node, Duration::from_secs(2));
        assert_eq!(probes.iter().map(|probe| probe.2).collect::<Vec<_>>(), [2, 2, 2]);
        for (conn, ..) in &probes {
            for _ in 0..hits {
                node.handle_bytes(START, ConnId(*conn), &hit(9, 10)).unwrap();
            }
        }
        let next = queries_until(&mut node, Duration::from_secs(6));
        assert_eq!(next.first().map(|next| next.2), Some(ttl), "own {is_own}, {hits} hits each");
    }
}

/// A leaf's query that may go no further than its ultrapeer is not asked of others.
#[test]
fn a_query_with_a_ttl_of_one_is_not_pursued() {
    for (ttl, is_pursued) in [(1, false), (2, true)] {
        let mut node = ultrapeer(8);
        let leaf = ConnId(8);
        node.handle_connected(START, leaf, Role::Leaf).unwrap();
        node.handle_connected(START, A, Role::Ultrapeer).unwrap();
        let query = message(Function::QUERY, 9, ttl, 0, JUDE);
        node.handle_bytes(START, leaf, &query).unwrap();
        let sent = queries_until(&mut node, Duration::from_secs(20));
        assert_eq!(!sent.is_empty(), is_pursued, "TTL {ttl}");
    }
}

/// A leaf that guides its query, and reads vendor messages, is asked for its hits after three ultrapeers.
#[test]
fn a_leaf_that_guides_its_query_is_asked_for_its_hits() {
    for (flags, reads, is_asked) in [
        (QueryFlags::LEAF_GUIDED, true, true),
        (QueryFlags::LEAF_GUIDED, false, false),
        (QueryFlags::GGEP_H, true, false),
    ] {
        let mut node = ultrapeer(8);
        for conn in 0..8 {
            node.handle_connected(START, ConnId(conn), Role::Ultrapeer).unwrap();
        }
        let leaf = ConnId(8);
        let mut neighbour = Neighbour::from(Role::Leaf);
        neighbour.vendor_messages = reads;
        node.handle_connected(START, leaf, neighbour).unwrap();
        let payload = [&flags.to_bytes()[..], b"hey jude\0"].concat();
        node.handle_bytes(START, leaf, &message(Function::QUERY, 9, 4, 0, &payload)).unwrap();
        let mut buf = [0; Net::MAX_TRANSMIT_LEN];
        let mut asked = false;
        while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
            // BEAR/11, the request for the status of a query.
            asked |= sent.conn == leaf && buf[23..sent.len].starts_with(b"BEAR\x0B\0");
        }
        assert_eq!(asked, is_asked, "{flags:?}, reads vendor messages: {reads}");
    }
}

/// GDF "Dynamic Query Protocol": a leaf that has enough reports it, to ultrapeers that read vendor messages.
#[test]
fn only_a_leaf_reports_that_it_has_enough() {
    for (config, reads, is_sent) in [
        (Config::leaf(ServentId([2; 16]), address(2)), true, true),
        (Config::leaf(ServentId([2; 16]), address(2)), false, false),
        (Config::ultrapeer(ServentId([2; 16]), address(2)), true, false),
    ] {
        let role = config.role;
        let mut node = servent(config, 4);
        let mut neighbour = Neighbour::from(Role::Ultrapeer);
        neighbour.vendor_messages = reads;
        node.handle_connected(START, A, neighbour).unwrap();
        let mut buf = [0; Net::MAX_TRANSMIT_LEN];
        let query = Query::new(Text::new(b"hey jude").unwrap());
        node.search(START, Guid([7; 16]), &query, &mut buf).unwrap();
        while node.poll_transmit(&mut buf).unwrap().is_some() {}
        node.stop_search(START, Guid([7; 16])).unwrap();
        let mut stops = 0;
        while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
            // BEAR/12, the status of a query.
            stops += usize::from(buf[23..sent.len].starts_with(b"BEAR\x0C\0"));
        }
        assert_eq!(stops, usize::from(is_sent), "{role:?}, reads vendor messages: {reads}");
    }
}

/// Leaves of one network have half of the slots for queries that are pursued: a third query of theirs replaces the oldest of
/// these, and not that of another network.
#[test]
fn a_network_has_its_share_of_the_queries() {
    let of_network = |network: Option<[u8; 2]>| {
        let mut neighbour = Neighbour::from(Role::Leaf);
        neighbour.network = network;
        neighbour
    };
    let crowd = Some([10, 1]);
    for (networks, pursued) in [
        ([Some([10, 2]), crowd, crowd, crowd], &[1, 3, 4][..]),
        ([crowd, crowd, Some([10, 2]), crowd], &[2, 3, 4]),
        ([Some([10, 2]), crowd, crowd, Some([10, 3])], &[1, 2, 3, 4]),
        ([None, None, None, None], &[1, 2, 3, 4]),
    ] {
        let mut node = ultrapeer(4);
        for conn in 0..8 {
            node.handle_connected(START, ConnId(conn), Role::Ultrapeer).unwrap();
        }
        for (number, network) in (1..).zip(networks) {
            let leaf = ConnId(10 + number);
            node.handle_connected(START, leaf, of_network(network)).unwrap();
            let now = Duration::from_millis(number.into());
            let query = message(Function::QUERY, number.into(), 4, 0, JUDE);
            node.handle_bytes(now, leaf, &query).unwrap();
        }
        let queries = queries_until(&mut node, Duration::from_secs(30));
        let mut numbers: Vec<_> = queries.iter().map(|query| query.1).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers, pursued, "{networks:?}");
    }
}
