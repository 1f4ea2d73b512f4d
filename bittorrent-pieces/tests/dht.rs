//! The DHT: published packets and ids, the rules of its table and tokens, and a network in virtual time.

mod common;
mod dht_net;

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::bencode::{Limits, Mode, Value};
use bittorrent_pieces::dht::krpc::{Body, Message, Method, Query, Response};
use bittorrent_pieces::dht::*;
use common::unhex;
use dht_net::{Net, address, minutes, node};

fn id(hex: &str) -> NodeId {
    NodeId(unhex(hex).try_into().unwrap())
}

/// BEP 5: every packet decodes and encodes to the same bytes, but for nodes of 9 bytes, which make no node.
#[test]
fn the_packets_of_bep_5_decode_and_encode_to_the_same_bytes() {
    let mut seen = 0;
    for row in include_str!("data/krpc.txt").lines().filter(|line| !line.starts_with('#')) {
        let [name, right, bytes] = row.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        seen += 1;
        assert!(Value::from_bytes(bytes.as_bytes(), Mode::Strict, Limits::DEFAULT).is_ok());
        let message = Message::decode(bytes.as_bytes()).expect(name);
        let mut out = [0; 200];
        let len = message.encode(&mut out).unwrap();
        let mut expected = bytes.replace("4:porti6881e", "4:porti1e"); // implied: it does not count
        if right == "false" {
            expected = expected.replace("5:nodes9:def456...", "5:nodes0:");
        }
        assert_eq!(out[..len], *expected.as_bytes(), "{name}");
    }
    assert_eq!(seen, 10);
    let both = b"d1:eli203e3:bade1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:ee";
    let message = Message::decode(both).unwrap();
    assert!(matches!(message.body, Body::Error { code: 203, .. }), "y says what it is");
}

#[test]
fn values_and_implied_ports_are_read() {
    let bytes = b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re";
    let Body::Response(Response { values: Some(values), .. }) =
        Message::decode(bytes).unwrap().body
    else {
        panic!()
    };
    let peers: Vec<_> = values.iter().map(|peer| peer.to_string()).collect();
    assert_eq!(peers, ["97.120.106.101:11893", "105.100.104.116:28269"]);
}

/// BEP 42: its three vectors, the bits that are free, and those that are not.
#[test]
fn ids_are_bound_to_addresses() {
    let rest = "f10c5d6a4ec8a88e4c6ab4c28b95eee4";
    for (ip, name, fits) in [
        ("124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401".to_owned(), true),
        ("65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616".to_owned(), true),
        ("43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a".to_owned(), true),
        ("124.31.75.21", format!("5fbfb8{rest}01"), true),
        ("124.31.75.21", format!("5fbfbf{rest}f9"), true),
        ("124.31.75.21", format!("5fbfb7{rest}01"), false),
        ("124.31.75.21", format!("dfbfbf{rest}01"), false),
        ("124.31.75.21", format!("5fbfbf{rest}00"), false),
        ("10.0.0.1", format!("ffffff{rest}00"), true),
        ("172.16.0.1", format!("ffffff{rest}00"), true),
        ("192.168.9.1", format!("ffffff{rest}00"), true),
        ("169.254.0.1", format!("ffffff{rest}00"), true),
        ("127.0.0.1", format!("ffffff{rest}00"), true),
    ] {
        assert_eq!(id(&name).fits(ip.parse().unwrap()), fits, "{ip} {name}");
    }
    for (ip, r, start) in [
        ("124.31.75.21", 1, "5fbfb8"),
        ("65.23.51.170", 22, "a5d430"),
        ("43.213.53.83", 90, "e56f68"),
    ] {
        let mut random = [0; 20];
        random[19] = r;
        let made = NodeId::for_address(ip.parse().unwrap(), random);
        assert!(made.to_string().starts_with(start), "{made}");
        assert_eq!(made.0[19], r);
    }
    let v6 = "2001:db8::1".parse().unwrap();
    assert!(NodeId::for_address(v6, [3; 20]).fits(v6) && !NodeId([0x55; 20]).fits(v6));
}

fn contact(first: u8, last: u8) -> Contact {
    let mut name = [0; 20];
    name[0] = first;
    name[19] = last;
    Contact { id: NodeId(name), addr: ([10, 0, first, last], 6881).into() }
}

/// `all_in_same_bucket`, `routing_table_balance`: only the bucket that holds our id is split.
#[test]
fn only_our_own_bucket_splits() {
    let mut table = RoutingTable::new(NodeId([0; 20]), vec![RouteSlot::EMPTY; 200]);
    for nth in 1..=30 {
        let taken = table.responded(Duration::ZERO, contact(0x80, nth));
        assert_eq!(taken, nth <= 8, "the half that is far holds eight");
    }
    assert_eq!((table.len(), table.buckets()), (8, 2));
    for nth in 1..=30 {
        table.responded(Duration::ZERO, contact(0, nth));
    }
    // Ids of 00..00 01 to 1e: eight with bit 4, eight below 16 with bit 3, then 4, 2 and 1.
    assert_eq!(table.len(), 8 + 8 + 8 + 7);
    assert!(table.buckets() > 150);
    let nearest: Vec<_> = table.nearest(NodeId([0; 20])).map(|node| node.id.0[19]).collect();
    assert_eq!(nearest, [1, 2, 3, 4, 5, 6, 7, 8]);
}

/// Also where ids differ in their last bits only, and where one is as far as can be.
#[test]
fn the_nearest_nodes_are_the_eight_of_least_distance() {
    let mut table = RoutingTable::new(NodeId([0; 20]), vec![RouteSlot::EMPTY; 200]);
    for nth in 1..=200_u8 {
        let mut node = contact(nth.reverse_bits(), nth);
        node.id.0[9] = nth.wrapping_mul(37);
        table.responded(Duration::ZERO, node);
    }
    let ids: Vec<NodeId> = table.contacts().map(|node| node.id).collect();
    assert!(ids.len() > 20);
    let complement = NodeId(ids[5].0.map(|byte| !byte));
    for target in [NodeId([0; 20]), NodeId([0xFF; 20]), ids[7], complement] {
        let mut expected = ids.clone();
        expected.sort_by_key(|id| id.distance(&target));
        let nearest: Vec<NodeId> = table.nearest(target).map(|node| node.id).collect();
        assert_eq!(nearest, expected[..8]);
    }
    let mut two = RoutingTable::new(NodeId([0; 20]), vec![RouteSlot::EMPTY; 8]);
    let far = contact(0xFF, 1);
    two.responded(Duration::ZERO, far);
    let farthest = NodeId(far.id.0.map(|byte| !byte));
    assert_eq!(two.nearest(farthest).collect::<Vec<_>>(), [far], "at the greatest distance");
}

/// BEP 5: good for 15 minutes after an answer; a questionable node is pinged when its place is wanted;
/// bad after failures in a row, and replaced (`replace_node_impl`).
#[test]
fn a_node_becomes_questionable_after_15_minutes_and_bad_after_failures() {
    let mut table = RoutingTable::new(NodeId([0; 20]), vec![RouteSlot::EMPTY; 8]);
    for nth in 1..=8 {
        table.responded(minutes(u64::from(nth)), contact(0x80, nth));
    }
    let first = contact(0x80, 1).id;
    let newcomer = contact(0x80, 99);
    assert_eq!(table.health(minutes(15), first), Some(Health::Good));
    assert!(!table.responded(minutes(15), newcomer));
    assert!(table.next_ping().is_none());
    assert_eq!(table.health(minutes(16), first), Some(Health::Questionable));
    assert!(!table.responded(minutes(16), newcomer));
    assert_eq!(table.next_ping().map(|node| node.id), Some(first), "the longest silent");
    table.pinged(first);
    table.responded(minutes(16), contact(0x80, 1));
    assert_eq!(table.health(minutes(16), first), Some(Health::Good));
    for _ in 0..3 {
        table.failed(first);
    }
    assert_eq!(table.health(minutes(16), first), Some(Health::Bad));
    assert!(table.responded(minutes(16), newcomer));
    assert_eq!(table.health(minutes(16), first), None);
    // A query counts only from a node that has answered before.
    let mut table = RoutingTable::new(NodeId([0; 20]), vec![RouteSlot::EMPTY; 8]);
    assert!(table.queried(minutes(0), contact(0x80, 1)), "a ping is worthwhile");
    assert_eq!(table.health(minutes(1), first), None);
    table.responded(minutes(1), contact(0x80, 1));
    assert!(!table.queried(minutes(14), contact(0x80, 1)));
    assert_eq!(table.health(minutes(28), first), Some(Health::Good));
    // A node that uses the id of another does not take its place.
    assert!(!table.responded(minutes(28), Contact { id: first, addr: newcomer.addr }));
    assert!(!table.queried(minutes(28), Contact { id: first, addr: newcomer.addr }));
    let stale = table.stale(minutes(44), [0xFF; 20]).unwrap();
    assert_eq!(stale.common_bits(&NodeId([0; 20])), 0, "the only bucket holds all ids");
}

/// `get_peers_announce`: what one announces another finds, among 200 nodes, also when datagrams are lost.
#[test]
fn a_peer_that_is_announced_is_found_by_another() {
    for loss in [0, 10] {
        let mut net = Net::new(200, 16, loss);
        net.run(minutes(2));
        let torrent = InfoHash([0x42; 20]);
        let now = net.now;
        net.node(150).find_peers(now, torrent, Some(7_000)).unwrap();
        net.run(minutes(3));
        let finished = |event: &DhtEvent| match event {
            DhtEvent::Finished { answers, announces, .. } => (*answers, *announces),
            _ => (0, 0),
        };
        let (answers, announces) = finished(net.events.last().unwrap());
        assert!(answers >= 8 && announces == 8, "{answers} answers, {announces} announces");
        assert!(net.peers.is_empty());
        let now = net.now;
        net.node(23).find_peers(now, torrent, None).unwrap();
        net.run(minutes(4));
        let mut peer = address(150);
        peer.set_port(7_000);
        assert!(net.peers.contains(&peer), "loss {loss}: {:?}", net.peers);
    }
}

/// BEP 43: a read-only node asks, is not put into tables, and does not answer.
#[test]
fn a_read_only_node_is_in_no_table() {
    let mut net = Net::new(20, 16, 0);
    let silent: SocketAddr = "10.9.9.9:1".parse().unwrap();
    let mut config = DhtConfig::new(NodeId([0x99; 20]), [1; 16]);
    config.read_only = true;
    let mut node = node(config, 16);
    node.add(Duration::ZERO, address(0)).unwrap();
    net.nodes.insert(silent, node);
    net.run(minutes(2));
    assert!(net.nodes[&silent].contacts().count() > 8);
    for (addr, node) in net.nodes.iter().filter(|(addr, _)| **addr != silent) {
        assert!(node.contacts().all(|contact| contact.addr != silent), "{addr}");
    }
    let seen = net.nodes[&silent].external();
    assert_eq!(seen, Some(silent.ip()), "what many say of our address");
}

/// A wrong token, an unknown method, answers from the wrong port (`rpc_reply_ignores_wrong_port`).
#[test]
fn invalid_messages_and_addresses_are_refused() {
    let mut node = node(DhtConfig::new(NodeId([1; 20]), [2; 16]), 16);
    let from: SocketAddr = "10.0.0.7:5".parse().unwrap();
    let id = NodeId([3; 20]);
    let info_hash = InfoHash([4; 20]);
    let mut ask = |method: Method<'_>| {
        let message = Message::new(b"xy", Body::Query(Query::new(id, method)));
        let mut buf = [0; MAX_LEN];
        let len = message.encode(&mut buf).unwrap();
        node.handle_datagram(Duration::ZERO, from, &buf[..len]).unwrap();
        let sent = node.poll_transmit(&mut buf).unwrap().unwrap();
        assert_eq!(sent.to, from);
        let answer = Message::decode(&buf[..sent.len]).unwrap();
        assert_eq!((answer.transaction, answer.ip), (&b"xy"[..], Some(from)));
        match answer.body {
            Body::Error { code, .. } => Err(code),
            Body::Response(response) => Ok(response.token.map(<[u8]>::to_vec)),
            Body::Query(_) => panic!("an answer is due first"),
        }
    };
    let announce = |token| Method::AnnouncePeer { info_hash, port: Some(9), seed: false, token };
    assert_eq!(ask(Method::Other { name: b"vote", target: None }), Err(204));
    assert_eq!(ask(announce(b"aoeusnth")), Err(203));
    let get = Method::GetPeers { info_hash, noseed: false, scrape: false };
    let token = ask(get).unwrap().unwrap();
    assert_eq!(ask(announce(&token)), Ok(None));
    assert_eq!(ask(Method::Ping), Ok(None));
    // Our own ping is answered from another port: ignored.
    node.add(Duration::ZERO, "10.0.0.8:5".parse().unwrap()).unwrap();
    let mut buf = [0; MAX_LEN];
    let mut pings = Vec::new();
    while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
        pings.push((sent.to, Message::decode(&buf[..sent.len]).unwrap().transaction.to_vec()));
    }
    let (to, transaction) = pings.iter().find(|(to, _)| to.to_string() == "10.0.0.8:5").unwrap();
    let body = Body::Response(Response::new(NodeId([8; 20])));
    let message = Message::new(transaction, body);
    let len = message.encode(&mut buf).unwrap();
    let other = SocketAddr::new(to.ip(), 6);
    let wrong = node.handle_datagram(Duration::ZERO, other, &buf[..len]);
    assert_eq!(wrong, Err(DatagramError::Unexpected));
    assert_eq!(node.handle_datagram(Duration::ZERO, *to, &buf[..len]), Ok(DhtOutcome::Handled));
}

#[test]
fn slots_are_as_large_as_documented() {
    assert!(size_of::<RouteSlot>() <= 80, "{}", size_of::<RouteSlot>());
    assert!(size_of::<StoredPeerSlot>() <= 80, "{}", size_of::<StoredPeerSlot>());
    assert!(size_of::<LookupSlot>() <= 2_600, "{}", size_of::<LookupSlot>());
    assert!(size_of::<ItemSlot>() <= 1_280, "{}", size_of::<ItemSlot>());
    let node = size_of::<DhtNode<()>>();
    assert!(node <= 6_000, "{node}");
}
