//! How a node of the DHT looks up peers: which nodes it asks, what it takes from the answers, and where it announces itself.

mod dht_by_hand;

use core::net::SocketAddr;

use bittorrent_pieces::dht::krpc::{Body, CompactNodes, Message, Method, Response, Values};
use bittorrent_pieces::dht::*;
use bittorrent_pieces::{CompactPeers, Family, InfoHash};
use dht_by_hand::*;

const ZERO: core::time::Duration = core::time::Duration::ZERO;
const TORRENT: InfoHash = InfoHash([0x42; 20]);

fn limits() -> DhtLimits {
    DhtLimits { routes: 160, lookups: 4, peers: 10, items: 4 }
}

/// A lookup of a node that knows nobody asks the addresses that the caller added.
#[test]
fn a_first_lookup_asks_the_added_addresses() {
    for last in [0x00, 0xFF] {
        let mut node = node(limits());
        for n in 1..=3 {
            node.add(ZERO, honest(n)).unwrap();
        }
        let mut hash = TORRENT;
        hash.0[19] = last;
        node.find_peers(ZERO, hash, None).unwrap();
        let queries = queries_of(&mut node);
        let get = format!("GET PEERS torrent={hash}");
        let of_lookup: Vec<_> = queries.iter().filter(|query| query.text == get).collect();
        assert_eq!(of_lookup.len(), 3);
        assert!((1..=3).all(|n| of_lookup.iter().any(|query| query.to == honest(n))));
    }
}

/// BEP 5: the token of a node is sent back to it, and the port is ours, or that of the datagram.
#[test]
fn an_announce_carries_the_token_of_its_node() {
    for (announce, port) in [(Some(6_999), "port=6999"), (Some(0), "port=implied"), (None, "")] {
        let mut node = with_nodes(limits(), 1..=2);
        let lookup = node.find_peers(secs(1), TORRENT, announce).unwrap();
        for query in queries_of(&mut node) {
            let name = number(query.to);
            let mut response = Response::new(id(name));
            let token = [name as u8; 3];
            response.token = Some(&token[..]).filter(|_| name == 1);
            answer(&mut node, secs(1), &query, response, None).unwrap();
        }
        let mut buf = [0; MAX_LEN];
        let sent = node.poll_transmit(&mut buf).unwrap();
        assert_eq!(sent.is_some(), announce.is_some());
        if let Some(sent) = sent {
            let Body::Query(query) = Message::decode(&buf[..sent.len]).unwrap().body else {
                panic!()
            };
            assert_eq!(sent.to, honest(1));
            assert_eq!(query.to_string(), format!("ANNOUNCE PEER torrent={TORRENT} {port}"));
            let Method::AnnouncePeer { token, seed: false, .. } = query.method else { panic!() };
            assert_eq!(token, [1; 3]);
        }
        let announces = usize::from(announce.is_some());
        let torrent = TORRENT;
        let finished = DhtEvent::Finished { lookup, torrent, peers: 0, answers: 2, announces };
        assert_eq!((node.poll_event(), node.poll_event()), (Some(finished), None));
    }
}

/// A node that answers with an error is left out of the lookup, and is not bad for it.
#[test]
fn an_error_ends_a_query() {
    let mut node = with_nodes(limits(), 1..=1);
    for second in 1..=4 {
        node.find_peers(secs(second), TORRENT, None).unwrap();
        let [query] = &queries_of(&mut node)[..] else { panic!("one node is known") };
        let error = Body::Error { code: 202, text: b"Server Error" };
        let mut buf = [0; MAX_LEN];
        let len = Message::new(&query.transaction, error).encode(&mut buf).unwrap();
        let handled = node.handle_datagram(secs(second), query.to, &buf[..len]);
        assert_eq!(handled, Ok(DhtOutcome::Handled));
        assert!(matches!(node.poll_event(), Some(DhtEvent::Finished { answers: 0, .. })));
    }
    assert_eq!(node.table().health(secs(4), id(1)), Some(Health::Good));
}

/// Peers that a node names: one of each network, all local ones, 128 at most; all of them on request.
#[test]
fn peers_of_one_network_count_once() {
    let list = |addrs: &[SocketAddr]| {
        let mut bytes = vec![0; 6 * addrs.len()];
        for (addr, out) in addrs.iter().zip(bytes.chunks_mut(6)) {
            CompactPeers::encode(*addr, out).unwrap();
        }
        bytes
    };
    let one = (1..=5).map(|port| SocketAddr::from(([80, 1, 1, port as u8], port)));
    let local = (1..=5).map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
    let many = (1..=150).map(honest);
    for (addrs, count) in [
        (one.clone().collect::<Vec<_>>(), 1),
        (local.clone().collect(), 5),
        (one.chain(local).collect(), 6),
        (many.collect(), 128),
    ] {
        let mut node = with_nodes(limits(), 1..=1);
        let lookup = node.find_peers(secs(1), TORRENT, None).unwrap();
        let [query] = &queries_of(&mut node)[..] else { panic!("one node is known") };
        let bytes = list(&addrs);
        let mut response = Response::new(id(1));
        response.values = CompactPeers::new(Family::V4, &bytes).map(Values::new);
        let mut buf = [0; 4_000];
        let message = Message::new(&query.transaction, Body::Response(response));
        let len = message.encode(&mut buf).unwrap();
        let outcome = node.handle_datagram(secs(1), query.to, &buf[..len]).unwrap();
        let DhtOutcome::Peers { lookup: of, torrent, peers } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!((of, torrent, peers.iter().count()), (lookup, TORRENT, count));
        assert!(peers.all().iter().eq(addrs.iter().copied()));
        assert_eq!(peers.into_iter().next(), Some(addrs[0]));
        let Some(DhtEvent::Finished { peers, .. }) = node.poll_event() else {
            panic!("it is over")
        };
        assert_eq!(peers as usize, count);
    }
}

/// Of the nodes that an answer names, eight are asked: not ourselves, and none without a port.
#[test]
fn eight_named_nodes_are_queries_of() {
    let mut node = with_nodes(limits(), 1..=1);
    node.find_peers(secs(1), TORRENT, None).unwrap();
    let mut named = vec![];
    let mut push = |id: NodeId, addr: SocketAddr| {
        let mut out = [0; 26];
        CompactNodes::encode(id, addr, &mut out).unwrap();
        named.extend(out);
    };
    push(NodeId([0; 20]), honest(100));
    push(id(101), SocketAddr::new(honest(101).ip(), 0));
    // Nearer to the torrent than the node that names them.
    let near = |n: u32| {
        let mut id = TORRENT.0;
        id[19] ^= n as u8;
        NodeId(id)
    };
    for n in 102..=112 {
        push(near(n), honest(n));
    }
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let queries = queries_of(&mut node);
        if queries.is_empty() {
            break;
        }
        for query in queries {
            let mut response = Response::new(id(number(query.to)));
            response.nodes =
                CompactNodes::new(Family::V4, &named).filter(|_| query.to == honest(1));
            answer(&mut node, secs(1), &query, response, None).unwrap();
            seen.insert(number(query.to));
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 102, 103, 104, 105, 106, 107, 108, 109]);
}

/// BEP 42: with `enforce_ids` only nodes whose id fits their address are announced to.
#[test]
fn enforced_ids_decide_who_is_announced_to() {
    for (enforce_ids, expected) in [(false, vec![1, 2]), (true, vec![1])] {
        let mut config = DhtConfig::new(NodeId([0; 20]), [7; 16]);
        config.enforce_ids = enforce_ids;
        let mut node = DhtNode::new(config, DhtVec::new(limits())).unwrap();
        let fit = NodeId::for_address(honest(1).ip(), [5; 20]);
        let name = |addr: SocketAddr| if addr == honest(1) { fit } else { NodeId([0x77; 20]) };
        assert!(!name(honest(2)).fits(honest(2).ip()));
        for n in 1..=2 {
            node.add(ZERO, honest(n)).unwrap();
            exchange(&mut node, ZERO, |addr| Some(name(addr)));
        }
        node.find_peers(ZERO, TORRENT, Some(1)).unwrap();
        let mut announced = vec![];
        loop {
            let queries = queries_of(&mut node);
            if queries.is_empty() {
                break;
            }
            for query in queries {
                let mut response = Response::new(name(query.to));
                response.token = Some(b"token");
                answer(&mut node, ZERO, &query, response, None).unwrap();
                announced.extend(query.text.starts_with("ANNOUNCE").then(|| number(query.to)));
            }
        }
        announced.sort_unstable();
        assert_eq!(announced, expected, "{enforce_ids}");
    }
}

/// A node that another one named and that does not answer is asked once, and is not in the table.
#[test]
fn a_named_node_that_is_silent_is_asked_once() {
    let mut node = with_nodes(limits(), 1..=1);
    node.find_peers(secs(1), TORRENT, None).unwrap();
    let [query] = &queries_of(&mut node)[..] else { panic!("one node is known") };
    let mut named = [0; 26];
    CompactNodes::encode(id(2), honest(2), &mut named).unwrap();
    let mut response = Response::new(id(1));
    response.nodes = CompactNodes::new(Family::V4, &named);
    answer(&mut node, secs(1), query, response, None).unwrap();
    assert_eq!(addresses(&queries_of(&mut node)), [honest(2)]);
    while let Some(at) = node.poll_timeout().filter(|at| *at < secs(50)) {
        node.handle_timeout(at);
        assert!(queries_of(&mut node).is_empty());
    }
    assert!(matches!(node.poll_event(), Some(DhtEvent::Finished { answers: 1, .. })));
    assert_eq!(node.table().len(), 1);
}

/// Each lookup has a slot until its event, and a number of its own.
#[test]
fn lookups_that_have_no_slot_are_refused() {
    let mut node = with_nodes(limits(), 1..=1);
    let numbers: Vec<u32> =
        (0..4).map(|_| node.find_peers(secs(1), TORRENT, None).unwrap().0).collect();
    let first = numbers[0];
    assert_eq!(numbers, [first, first + 1, first + 2, first + 3]);
    let full = bittorrent_pieces::Full { capacity: 4 };
    assert_eq!(node.find_peers(secs(1), TORRENT, None), Err(full));
    let queries = queries_of(&mut node);
    assert_eq!(queries.len(), 4, "each asks");
    answer(&mut node, secs(1), &queries[1], Response::new(id(1)), None).unwrap();
    let ended = node.poll_event();
    let answered = |lookup| {
        let torrent = TORRENT;
        DhtEvent::Finished { lookup, torrent, peers: 0, answers: 1, announces: 0 }
    };
    assert_eq!(ended, Some(answered(LookupId(first + 1))));
    assert_eq!(node.find_peers(secs(1), TORRENT, None), Ok(LookupId(first + 4)));
}
