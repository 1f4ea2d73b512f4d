//! A node of the DHT, and its neighbours by hand.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::dht::krpc::{Body, Message, Method, Query, Response, Values};
use bittorrent_pieces::dht::*;

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub fn node(limits: DhtLimits) -> DhtNode<DhtVec> {
    DhtNode::new(DhtConfig::new(NodeId([0; 20]), [7; 16]), DhtVec::new(limits)).unwrap()
}

/// The address number `n`, each in another /24.
pub fn honest(n: u32) -> SocketAddr {
    let ip = Ipv4Addr::from_bits(0x2D00_0001 + (n << 8));
    SocketAddr::new(IpAddr::V4(ip), 6881)
}

pub fn id(n: u32) -> NodeId {
    NodeId(bittorrent_pieces::PieceHasher::digest(&n.to_be_bytes()))
}

pub fn query(node: &mut DhtNode<DhtVec>, now: Duration, from: SocketAddr, query: Query<'_>) {
    let mut buf = [0; MAX_LEN];
    let len = Message::new(b"tt", Body::Query(query)).encode(&mut buf).unwrap();
    node.handle_datagram(now, from, &buf[..len]).unwrap();
}

/// Sends what is due; `answer` returns the id under which an address answers. Returns the replies.
pub fn exchange(
    node: &mut DhtNode<DhtVec>,
    now: Duration,
    answer: impl Fn(SocketAddr) -> Option<NodeId>,
) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut replies = Vec::new();
    let mut buf = [0; MAX_LEN];
    while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
        let bytes = buf[..sent.len].to_vec();
        let message = Message::decode(&bytes).unwrap();
        if !matches!(message.body, Body::Query(_)) {
            replies.push((sent.to, bytes));
            continue;
        }
        if let Some(id) = answer(sent.to) {
            let mut response = Response::new(id);
            response.token = Some(b"token");
            let mut out = [0; MAX_LEN];
            let message = Message::new(message.transaction, Body::Response(response));
            let len = message.encode(&mut out).unwrap();
            node.handle_datagram(now, sent.to, &out[..len]).unwrap();
        }
    }
    replies
}

pub fn ipv4(addr: SocketAddr) -> [u8; 4] {
    match addr.ip() {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => panic!("IPv4"),
    }
}

pub fn announce(
    node: &mut DhtNode<DhtVec>,
    now: Duration,
    torrent: InfoHash,
    from: SocketAddr,
    port: u16,
) {
    let name = id(u32::from_be_bytes(ipv4(from)));
    let get = Method::GetPeers { info_hash: torrent, noseed: false, scrape: false };
    query(node, now, from, Query::new(name, get));
    let replies = exchange(node, now, |_| None);
    let Body::Response(response) = Message::decode(&replies[0].1).unwrap().body else { panic!() };
    let token = response.token.unwrap();
    let put = Method::AnnouncePeer { info_hash: torrent, port: Some(port), seed: false, token };
    query(node, now, from, Query::new(name, put));
    exchange(node, now, |_| None);
}

/// Asks for the peers of a torrent, from a new address.
pub fn peers(
    node: &mut DhtNode<DhtVec>,
    now: Duration,
    torrent: InfoHash,
    n: u32,
) -> Vec<SocketAddr> {
    let get = Method::GetPeers { info_hash: torrent, noseed: false, scrape: false };
    query(node, now, honest(9_000 + n), Query::new(id(n), get));
    let replies = exchange(node, now, |_| None);
    let Body::Response(response) = Message::decode(&replies[0].1).unwrap().body else { panic!() };
    response.values.map_or(vec![], |values: Values<'_>| values.iter().collect())
}
