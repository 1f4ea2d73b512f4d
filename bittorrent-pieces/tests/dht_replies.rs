//! What a node of the DHT replies: how much of it fits, and which nodes receive it.

mod dht_by_hand;

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::dht::krpc::{Body, Message, Method, PROTOCOL_ERROR, Query, Response, Want};
use bittorrent_pieces::dht::*;
use bittorrent_pieces::{Family, InfoHash};
use dht_by_hand::*;

const ZERO: Duration = Duration::ZERO;
const TORRENT: InfoHash = InfoHash([0x42; 20]);

/// A node that knows 20 others, of one version of IP.
fn filled(family: Family, peers: usize) -> DhtNode<DhtVec> {
    let mut config = DhtConfig::new(NodeId([0; 20]), [7; 16]);
    config.family = family;
    let limits = DhtLimits { routes: 100, lookups: 2, peers, items: 4 };
    let mut node = DhtNode::new(config, DhtVec::new(limits)).unwrap();
    for n in 1..=20 {
        node.add(ZERO, address(family, n)).unwrap();
        exchange(&mut node, ZERO, |_| Some(id(n)));
    }
    node
}

/// The address number `n`, each in a network of its own.
fn address(family: Family, n: u32) -> SocketAddr {
    match family {
        Family::V4 => honest(n),
        Family::V6 => ([0x2001, 0xDB8, 0, n as u16, 0, 0, 0, 1], 6_881).into(),
    }
}

/// Sends a query with a version of some length; returns its length and the reply.
fn ask(
    node: &mut DhtNode<DhtVec>,
    from: SocketAddr,
    method: Method<'_>,
    version: usize,
) -> (usize, Vec<u8>) {
    let version = vec![b'x'; version];
    let body = Body::Query(Query::new(id(9_999), method));
    let message = Message { version: Some(&version), ..Message::new(b"tt", body) };
    let mut buf = [0; 3_000];
    let len = message.encode(&mut buf).unwrap();
    node.handle_datagram(ZERO, from, &buf[..len]).unwrap();
    let mut reply = [0; MAX_LEN];
    let sent = node.poll_transmit(&mut reply).unwrap().expect("a reply");
    assert_eq!(sent.to, from);
    exchange(node, ZERO, |_| None);
    (len, reply[..sent.len].to_vec())
}

fn response(bytes: &[u8]) -> Response<'_> {
    let message = Message::decode(bytes).unwrap();
    assert_eq!((message.transaction, message.version), (&b"tt"[..], Some(&b"BP01"[..])));
    let Body::Response(response) = message.body else { panic!("{message}") };
    response
}

fn nodes(response: &Response<'_>, family: Family) -> usize {
    let (nodes, others) = match family {
        Family::V4 => (response.nodes, response.nodes6),
        Family::V6 => (response.nodes6, response.nodes),
    };
    assert_eq!(others, None);
    nodes.expect("nodes are wanted").iter().count()
}

/// The id of a node of [`filled`], by its address.
fn node_id(addr: SocketAddr) -> Option<NodeId> {
    (1..=20).find(|n| honest(*n) == addr).map(id)
}

/// A node in a reply, and a peer in its list, in bytes.
fn sizes(family: Family) -> (usize, usize) {
    match family {
        Family::V4 => (26, 8),
        Family::V6 => (38, 21),
    }
}

/// An address that has proved nothing receives three times what it sent, and as many nodes as fit into that.
#[test]
fn as_many_nodes_are_named_as_fit() {
    for family in [Family::V4, Family::V6] {
        let (size, _) = sizes(family);
        let mut node = filled(family, 0);
        let mut counts = std::collections::BTreeSet::new();
        for version in 0..100 {
            let method = Method::FindNode { target: NodeId([0x80; 20]) };
            let (sent, reply) = ask(&mut node, address(family, 500), method, version);
            let count = nodes(&response(&reply), family);
            counts.insert(count);
            assert!(reply.len() <= 3 * sent, "{} bytes for {sent}", reply.len());
            // Another node does not fit into what is left; up to 17 bytes are kept for a longer address and length.
            assert!(count == 8 || reply.len() + size + 17 > 3 * sent, "{count} for {sent}");
        }
        assert!(counts.len() > 1 && counts.last() == Some(&8), "{counts:?}");
    }
}

/// Peers take at most half of the room, so that nodes fit too, and at most 20 are sent.
#[test]
fn peers_take_half_of_a_reply() {
    for family in [Family::V4, Family::V6] {
        let (node_size, peer_size) = sizes(family);
        let mut node = filled(family, 100);
        let get = Method::GetPeers { info_hash: TORRENT, noseed: false, scrape: false };
        for n in 1_000..1_060 {
            let (_, reply) = ask(&mut node, address(family, n), get, 0);
            let token = response(&reply).token.unwrap();
            let put =
                Method::AnnouncePeer { info_hash: TORRENT, port: Some(1), seed: false, token };
            response(&ask(&mut node, address(family, n), put, 0).1);
        }
        let mut counts = std::collections::BTreeSet::new();
        for version in (0..470).step_by(3) {
            let (sent, reply) = ask(&mut node, address(family, 500), get, version);
            let response = response(&reply);
            let peers = response.values.map_or(0, |values| values.iter().count());
            let most = (3 * sent).min(MAX_LEN);
            assert!(reply.len() <= most, "{} bytes for {sent}", reply.len());
            // Beside the peers and the nodes there are 105 bytes over IPv4, 119 over IPv6.
            let rest = most.saturating_sub(if family == Family::V4 { 105 } else { 119 });
            assert!(peers * peer_size <= rest / 2, "{peers} in {rest}");
            let more = 2 * (peers + 1) * (peer_size + 1) + 17 > rest;
            assert!(more || peers == 20, "{peers} in {rest}");
            let nodes = nodes(&response, family);
            let more = reply.len() + node_size + peers + 17 > most;
            assert!(more || nodes == 8, "{nodes} nodes, {} of {most} bytes", reply.len());
            counts.insert(peers);
        }
        assert!(counts.len() > 10 && counts.last() == Some(&20), "{counts:?}");
    }
}

/// BEP 33: both filters of 256 bytes, or none.
#[test]
fn filters_are_sent_if_they_fit() {
    let mut node = filled(Family::V4, 10);
    let scrape = Method::GetPeers { info_hash: TORRENT, noseed: false, scrape: true };
    let mut smallest = usize::MAX;
    let mut largest_without = 0;
    for version in 0..200 {
        let (sent, reply) = ask(&mut node, honest(500), scrape, version);
        assert!(reply.len() <= 3 * sent);
        let response = response(&reply);
        assert!(response.token.is_some() && response.values.is_none());
        match response.filters() {
            Some(_) => smallest = smallest.min(3 * sent),
            None => largest_without = largest_without.max(3 * sent),
        }
    }
    // A reply with a token and no nodes has 94 bytes, the filters have 532; up to 17 bytes are kept.
    assert!(largest_without < smallest && smallest - largest_without <= 3);
    assert!((626..=646).contains(&smallest), "{smallest}");
}

/// BEP 51: each torrent once, up to 20, in half of the room.
#[test]
fn a_sample_has_each_torrent_once() {
    let mut node = filled(Family::V4, 100);
    for n in 0..40 {
        announce(&mut node, ZERO, InfoHash(id(n / 2).0), honest(1_000 + n), 9);
    }
    let method = Method::SampleInfohashes { target: NodeId([0x80; 20]) };
    let mut counts = std::collections::BTreeSet::new();
    for version in (0..400).step_by(3) {
        let (sent, reply) = ask(&mut node, honest(500), method, version);
        let most = (3 * sent).min(MAX_LEN);
        assert!(reply.len() <= most);
        let response = response(&reply);
        let samples = response.samples.unwrap();
        assert_eq!((samples.stored, samples.interval), (20, secs(60)));
        let mut hashes: Vec<InfoHash> = samples.iter().collect();
        let count = hashes.len();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), count, "each once");
        // Beside the torrents and the nodes there are 133 bytes at most, with an address of IPv6.
        let rest = most.saturating_sub(133);
        assert!(40 * count <= rest, "{count} in {rest}");
        assert!(count == 20 || 40 * (count + 1) > rest, "{count} in {rest}");
        let nodes = nodes(&response, Family::V4);
        assert!(nodes == 8 || reply.len() + 26 + 21 > most, "{nodes} nodes");
        counts.insert(count);
    }
    assert!(counts.len() > 10 && counts.contains(&20), "all are drawn: {counts:?}");
}

/// An item is sent if it fits; nodes fill what is left.
#[test]
fn an_item_is_sent_if_it_fits() {
    let mut node = filled(Family::V4, 0);
    let value = [&b"300:"[..], &[b'v'; 300]].concat();
    for (item, extra) in [
        (Item::immutable(&value).unwrap(), 0),
        (Item::sign(&[1; 32], b"", i64::MAX, &value).unwrap(), 38 + 72 + 27),
    ] {
        node.put_item(ZERO, &item, None).unwrap();
        exchange(&mut node, ZERO, node_id);
        assert!(node.poll_event().is_some(), "the nodes have stored it");
        let get = Method::Get { target: item.target(), seq: None };
        let mut smallest = usize::MAX;
        for version in 0..250 {
            let (sent, reply) = ask(&mut node, honest(500), get, version);
            assert!(reply.len() <= 3 * sent);
            let response = response(&reply);
            let found = response.value.is_some();
            assert_eq!(response.seq.is_some(), item.seq().is_some(), "the number fits in any case");
            let whole = response.public_key.is_some() && response.signature.is_some();
            assert_eq!(whole, found && item.seq().is_some());
            smallest = if found { smallest.min(3 * sent) } else { smallest };
            assert!(found || smallest == usize::MAX);
            let nodes = nodes(&response, Family::V4);
            assert!(nodes == 8 || reply.len() + 26 + 17 > 3 * sent, "{nodes} nodes, {found}");
        }
        // A reply with a token has 94 bytes, the value with its key 307.
        let least = 94 + 307 + extra;
        assert!((least..least + 21).contains(&smallest), "{smallest} for {least}");
    }
}

/// A node that is in the table has proved its address: only the length of a datagram limits its reply.
#[test]
fn a_known_node_receives_whole_replies() {
    let mut node = filled(Family::V4, 0);
    let known = node.contacts().next().unwrap();
    let find = |id| Query::new(id, Method::FindNode { target: NodeId([0x80; 20]) });
    for (from, name, count) in [
        (known.addr, known.id, 8),
        (known.addr, id(77), 7),    // another id
        (honest(700), known.id, 7), // another address
    ] {
        query(&mut node, ZERO, from, find(name));
        let replies = exchange(&mut node, ZERO, |_| None);
        assert_eq!(nodes(&response(&replies[0].1), Family::V4), count, "{from}");
    }
}

/// Two replies to one network wait at a time, and eight in all: queries beyond are dropped.
#[test]
fn a_flood_of_queries_is_dropped() {
    let mut node = filled(Family::V4, 0);
    let mut ping = |from: [u8; 4]| {
        let mut buf = [0; MAX_LEN];
        let message = Message::new(b"tt", Body::Query(Query::new(id(5_000), Method::Ping)));
        let len = message.encode(&mut buf).unwrap();
        match node.handle_datagram(ZERO, (from, 1).into(), &buf[..len]) {
            Ok(DhtOutcome::Handled) => true,
            Ok(DhtOutcome::Busy) => false,
            other => panic!("{other:?}"),
        }
    };
    assert!(ping([80, 1, 1, 1]));
    assert!(ping([80, 1, 1, 2]));
    assert!(!ping([80, 1, 1, 3]));
    for _ in 0..5 {
        assert!(ping([10, 0, 0, 1]), "local addresses have no share");
    }
    assert!(ping([80, 1, 2, 1]), "the eighth");
    assert!(!ping([80, 1, 3, 1]));
    assert!(!ping([10, 0, 0, 1]));
    assert_eq!(exchange(&mut node, ZERO, |_| None).len(), 8);
}

/// BEP 5, `implied_port`: the port of the datagram. 0 is not a port.
#[test]
fn the_port_of_an_announce_may_be_that_of_the_datagram() {
    let mut node = filled(Family::V4, 10);
    let get = Method::GetPeers { info_hash: TORRENT, noseed: false, scrape: false };
    let mut put = |from: SocketAddr, port| {
        let (_, reply) = ask(&mut node, from, get, 0);
        let token = response(&reply).token.unwrap();
        let put = Method::AnnouncePeer { info_hash: TORRENT, port, seed: false, token };
        let (_, reply) = ask(&mut node, from, put, 0);
        match Message::decode(&reply).unwrap().body {
            Body::Error { code, .. } => Err(code),
            _ => Ok(()),
        }
    };
    let zero = SocketAddr::new(honest(3_000).ip(), 0);
    assert_eq!(put(honest(2_000), None), Ok(()));
    assert_eq!(put(honest(2_001), Some(80)), Ok(()));
    assert_eq!(put(honest(2_002), Some(0)), Err(PROTOCOL_ERROR));
    assert_eq!(put(zero, None), Err(PROTOCOL_ERROR));
    let mut stored = peers(&mut node, ZERO, TORRENT, 1);
    stored.sort_unstable();
    assert_eq!(stored, [honest(2_000), SocketAddr::new(honest(2_001).ip(), 80)]);
}

/// BEP 5 gives no rule for other methods; with a target they are answered like `find_node`, as libtorrent does.
#[test]
fn an_unknown_method_with_a_target_is_answered_by_nodes() {
    let mut node = filled(Family::V4, 10);
    let vote = Method::Other { name: b"vote", target: Some(NodeId([0x80; 20])) };
    let find = Method::FindNode { target: NodeId([0x80; 20]) };
    let (_, reply) = ask(&mut node, honest(500), vote, 50);
    assert_eq!(reply, ask(&mut node, honest(500), find, 50).1);
    assert_eq!(nodes(&response(&reply), Family::V4), 8);
    let (_, reply) = ask(&mut node, honest(500), Method::Other { name: b"vote", target: None }, 50);
    let code = krpc::METHOD_UNKNOWN;
    assert_eq!(
        Message::decode(&reply).unwrap().body,
        Body::Error { code, text: b"unknown method" }
    );
}

/// BEP 32: nodes of our version of IP, unless only the other one is wanted.
#[test]
fn nodes_of_the_other_version_of_ip_are_not_sent() {
    for family in [Family::V4, Family::V6] {
        let mut node = filled(family, 0);
        let ours = family == Family::V4;
        for (v4, v6) in [(false, false), (true, true), (ours, !ours), (!ours, ours)] {
            let find = Method::FindNode { target: NodeId([0x80; 20]) };
            let wanted = Query { want: Want { v4, v6 }, ..Query::new(id(9_999), find) };
            query(&mut node, ZERO, address(family, 500), wanted);
            let replies = exchange(&mut node, ZERO, |_| None);
            let response = response(&replies[0].1);
            let sent = response.nodes.or(response.nodes6).is_some();
            assert_eq!(sent, (v4, v6) != (!ours, ours), "{family:?} {v4} {v6}");
        }
    }
}

/// A client: 160 nodes, 8 lookups, 2,000 peers, 64 items.
#[test]
fn the_usual_limits_are_those_of_a_client() {
    let DhtLimits { routes, lookups, peers, items } = DhtLimits::default();
    assert_eq!([routes, lookups, peers, items], [160, 8, 2_000, 64]);
    let config = DhtConfig::new(NodeId([1; 20]), *b"12345678\0\0\0\0\0\0\x01\x02");
    assert_eq!((config.seed, config.patience), (258, secs(4)));
    assert_eq!((config.read_only, config.enforce_ids), (false, false));
    let text = format!("{config:?}");
    assert!(
        text.contains("read_only: false") && !text.contains("258"),
        "the secrets are not printed"
    );
}
