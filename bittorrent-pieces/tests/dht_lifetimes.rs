//! How long a node of the DHT keeps what it knows, how often it asks, and how much a bucket or a network holds.

mod dht_by_hand;

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::dht::krpc::{Body, Message, Method, Response};
use bittorrent_pieces::dht::*;
use dht_by_hand::*;

const TORRENT: InfoHash = InfoHash([0x42; 20]);

fn limits() -> DhtLimits {
    DhtLimits { routes: 160, lookups: 4, peers: 100, items: 16 }
}

/// Returns the names of the queries that are due, each with its address.
fn asked(node: &mut DhtNode<DhtVec>) -> Vec<(SocketAddr, String)> {
    let mut buf = [0; MAX_LEN];
    let mut queries = vec![];
    while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
        let Body::Query(query) = Message::decode(&buf[..sent.len]).unwrap().body else { continue };
        let name = match query.method {
            Method::Ping => "ping".to_string(),
            Method::FindNode { target, .. } => format!("find_node {target:.8}"),
            other => panic!("{other:?}"),
        };
        queries.push((sent.to, name));
    }
    queries
}

/// An address that does not answer is pinged three times: datagrams are lost.
#[test]
fn an_address_is_pinged_three_times() {
    let mut node = node(limits());
    node.add(Duration::ZERO, honest(1)).unwrap();
    let mut pings = vec![];
    while let Some(at) = node.poll_timeout().filter(|at| *at < secs(600)) {
        pings.extend(asked(&mut node));
        node.handle_timeout(at);
    }
    pings.extend(asked(&mut node));
    assert_eq!(pings, vec![(honest(1), "ping".to_string()); 3]);
}

/// The first node that answers is asked for our own neighbourhood at once (Maymounkov and Mazières 2002, section 2.3).
#[test]
fn the_first_answer_begins_a_lookup_of_our_own_id() {
    let mut node = node(limits());
    node.add(Duration::ZERO, honest(1)).unwrap();
    let mut buf = [0; MAX_LEN];
    let sent = node.poll_transmit(&mut buf).unwrap().expect("a ping");
    let ping = Message::decode(&buf[..sent.len]).unwrap();
    let mut out = [0; MAX_LEN];
    let answer = Message::new(ping.transaction, Body::Response(Response::new(id(1))));
    let len = answer.encode(&mut out).unwrap();
    node.handle_datagram(Duration::ZERO, honest(1), &out[..len]).unwrap();
    assert_eq!(asked(&mut node), [(honest(1), "find_node 00000000".to_string())]);
}

/// An announced peer is returned for 30 minutes.
#[test]
fn a_stored_peer_lapses_after_half_an_hour() {
    let mut node = node(limits());
    announce(&mut node, secs(0), TORRENT, honest(1), 1_000);
    assert_eq!(peers(&mut node, secs(1_799), TORRENT, 1).len(), 1);
    assert_eq!(peers(&mut node, secs(1_800), TORRENT, 2), []);
}

/// Four peers of a torrent are kept for each network; a fifth replaces the oldest.
#[test]
fn a_network_has_four_peers_of_a_torrent() {
    let mut node = node(limits());
    let of = |n: u8| SocketAddr::from(([45, 7, 7, n], 6_881));
    for n in 1..=6 {
        announce(&mut node, secs(n.into()), TORRENT, of(n), 1_000);
    }
    let mut stored: Vec<_> = peers(&mut node, secs(10), TORRENT, 1);
    stored.sort_unstable();
    let newest = [3, 4, 5, 6].map(|n| SocketAddr::new(of(n).ip(), 1_000));
    assert_eq!(stored, newest);
}

/// A bucket that is not split has eight places (BEP 5), and good nodes keep theirs.
#[test]
fn a_far_bucket_holds_eight_good_nodes() {
    let mut table = RoutingTable::new(NodeId([0; 20]), vec![RouteSlot::EMPTY; 200]);
    for n in 1..=20 {
        let mut far = id(n);
        far.0[0] |= 0x80;
        let taken = table.responded(Duration::ZERO, Contact { id: far, addr: honest(n) });
        assert_eq!(taken, n <= 8, "node {n}, of a network of its own");
    }
    assert_eq!((table.len(), table.buckets()), (8, 2));
}

/// A table of at most eight nodes is one bucket, whatever our id is.
#[test]
fn a_new_id_splits_no_bucket_of_few_nodes() {
    let mut node = node(limits());
    for n in 1..=3 {
        node.add(Duration::ZERO, honest(n)).unwrap();
        exchange(&mut node, Duration::ZERO, |_| Some(id(n)));
    }
    node.set_id(NodeId([0xAA; 20]));
    assert_eq!((node.table().len(), node.table().buckets()), (3, 1));
}
