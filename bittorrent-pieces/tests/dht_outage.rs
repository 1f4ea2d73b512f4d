//! Nodes of the DHT whose network fails for hours and returns: nobody adds an address again.

mod dht_by_hand;
mod dht_net;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::dht::krpc::{Method, Query};
use bittorrent_pieces::dht::*;
use dht_net::{Net, address, minutes};

const TORRENT: InfoHash = InfoHash([0x42; 20]);
const NODES: u16 = 20;

/// Announces a peer from one node, and returns whether another finds it and how many nodes answered.
fn found(net: &mut Net, from: u16, to: u16) -> (bool, usize) {
    let now = net.now;
    net.node(from).find_peers(now, TORRENT, Some(7_000 + from)).unwrap();
    net.run(now + minutes(1));
    net.events.clear();
    net.peers.clear();
    let now = net.now;
    net.node(to).find_peers(now, TORRENT, None).unwrap();
    net.run(now + minutes(1));
    let answers = net.events.iter().find_map(|event| match event {
        DhtEvent::Finished { answers, .. } => Some(*answers),
        _ => None,
    });
    let mut peer = address(from);
    peer.set_port(7_000 + from);
    (net.peers.contains(&peer), answers.unwrap())
}

#[test]
fn nodes_find_each_other_after_an_outage_of_all() {
    let mut net = Net::new(NODES, 0, 0);
    net.run(minutes(10));
    net.loss = 100;
    net.run(minutes(10 + 6 * 60));
    assert_eq!(net.node(3).table().nearest(NodeId([0; 20])).next(), None, "all seem bad");
    net.loss = 0;
    net.run(minutes(15 + 6 * 60));
    let (is_found, answers) = found(&mut net, 5, 3);
    assert!(is_found && answers >= 8, "{answers}");
}

#[test]
fn a_node_returns_after_its_own_outage() {
    let mut net = Net::new(NODES, 0, 0);
    net.run(minutes(10));
    net.cut_off = Some(address(3));
    net.run(minutes(10 + 6 * 60));
    assert_eq!(net.node(3).table().nearest(NodeId([0; 20])).next(), None, "all seem bad");
    net.cut_off = None;
    net.run(minutes(15 + 6 * 60));
    let (is_found, answers) = found(&mut net, 5, 3);
    assert!(is_found && answers >= 8, "{answers}");
    // The others know it again.
    let (is_found, _) = found(&mut net, 3, 7);
    assert!(is_found);
}

/// A node that did not answer three times and now sends a query is pinged, and is good again if it answers.
#[test]
fn a_bad_node_that_asks_is_pinged() {
    use dht_by_hand::{addresses, honest, id, number, queries_of, query, with_nodes};
    let limits = DhtLimits { routes: 160, lookups: 4, peers: 100, items: 0 };
    let mut node = with_nodes(limits, 1..=3);
    let mut at = minutes(0);
    while node.table().health(at, id(1)) != Some(Health::Bad) {
        at = node.poll_timeout().unwrap();
        node.handle_timeout(at);
        queries_of(&mut node);
    }
    // All queries in flight end.
    at += minutes(1) / 2;
    node.handle_timeout(at);
    query(&mut node, at, honest(1), Query::new(id(1), Method::Ping));
    let pings = queries_of(&mut node);
    assert!(addresses(&pings).contains(&honest(1)));
    let ping = pings.iter().find(|query| query.to == honest(1)).unwrap();
    let response = krpc::Response::new(id(number(honest(1))));
    dht_by_hand::answer(&mut node, at, ping, response, None).unwrap();
    assert_eq!(node.table().health(at, id(1)), Some(Health::Good));
}
