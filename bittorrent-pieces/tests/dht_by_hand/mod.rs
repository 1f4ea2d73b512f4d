//! A node of the DHT, and its neighbours by hand.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

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

/// A query that was sent.
pub struct Asked {
    pub to: SocketAddr,
    pub transaction: Vec<u8>,
    /// The query on one line.
    pub text: String,
    pub read_only: bool,
}

/// Sends what is due; returns the queries.
pub fn queries_of(node: &mut DhtNode<DhtVec>) -> Vec<Asked> {
    let mut buf = [0; MAX_LEN];
    let mut queries = vec![];
    while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
        let message = Message::decode(&buf[..sent.len]).unwrap();
        if let Body::Query(query) = message.body {
            let transaction = message.transaction.to_vec();
            let text = query.to_string();
            queries.push(Asked { to: sent.to, transaction, text, read_only: message.read_only });
        }
    }
    queries
}

pub fn addresses(queries: &[Asked]) -> Vec<SocketAddr> {
    queries.iter().map(|query| query.to).collect()
}

/// Answers a query; `ip` is the address that the answer says it came from.
pub fn answer(
    node: &mut DhtNode<DhtVec>,
    now: Duration,
    query: &Asked,
    response: Response<'_>,
    ip: Option<SocketAddr>,
) -> Result<String, DatagramError> {
    let message = Message { ip, ..Message::new(&query.transaction, Body::Response(response)) };
    let mut buf = [0; 4_000];
    let len = message.encode(&mut buf).unwrap();
    node.handle_datagram(now, query.to, &buf[..len]).map(|outcome| format!("{outcome:?}"))
}

/// The number of an address of [`honest`].
pub fn number(addr: SocketAddr) -> u32 {
    (u32::from_be_bytes(ipv4(addr)) - 0x2D00_0001) >> 8
}

/// Brings nodes into the table of a node, which are silent afterwards.
pub fn with_nodes(limits: DhtLimits, nodes: core::ops::RangeInclusive<u32>) -> DhtNode<DhtVec> {
    let mut node = node(limits);
    for n in nodes {
        node.add(Duration::ZERO, honest(n)).unwrap();
        exchange(&mut node, Duration::ZERO, |addr| Some(id(number(addr))));
    }
    while node.poll_event().is_some() {}
    node
}
