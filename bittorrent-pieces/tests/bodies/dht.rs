//! Bodies of the DHT: the codec, and the node under any calls in any order.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::OnceLock;

use bittorrent_pieces::bencode::{Limits, Mode, Value};
use bittorrent_pieces::dht::krpc::{
    Body, CompactNodes, Message, Method, Put, Query, Response, Values, Want,
};
use bittorrent_pieces::dht::{DhtConfig, DhtLimits, DhtNode, DhtVec, Item, MAX_LEN, NodeId};
use bittorrent_pieces::{CompactPeers, Family, InfoHash};
use sim::laws::{self, Input, Machine, Outcome};

/// Any bytes are a message or not; what was read is written canonically, and read again as the same.
pub fn krpc(bytes: &[u8]) {
    let Ok(message) = Message::decode(bytes) else { return };
    let mut out = vec![0; bytes.len() + 200];
    let len = message.encode(&mut out).expect("it says no more");
    let again = Message::decode(&out[..len]).expect("what we write is right");
    assert_eq!(again.to_string(), message.to_string());
    assert_eq!((again.transaction, again.ip), (message.transaction, message.ip));
    assert_eq!(again.read_only, message.read_only);
    let values = matches!(message.body, Body::Response(Response { values: Some(_), .. }));
    let canonical = Value::from_bytes(&out[..len], Mode::Strict, Limits::DEFAULT).is_ok();
    assert!(canonical || values, "a list of values is given on as it was found");
}

struct Driven {
    node: DhtNode<DhtVec>,
    asked: Vec<(SocketAddr, Vec<u8>)>, // transaction ids to be answered
    tokens: Vec<Vec<u8>>,
}

/// Reads bytes as a node and calls to it.
pub fn node(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let routes = input.below(40);
    let lookups = 1 + input.below(3);
    let peers = input.below(4);
    let choice = input.byte();
    let mut config = DhtConfig::new(NodeId([input.byte(); 20]), input.array());
    config.read_only = choice & 7 == 7;
    config.enforce_ids = choice & 8 == 8;
    let new = || {
        let storage = DhtVec::new(DhtLimits { routes, lookups, peers, items: 2 });
        Driven {
            node: DhtNode::new(config, storage).expect("a lookup"),
            asked: vec![],
            tokens: vec![],
        }
    };
    laws::check(new, MAX_LEN, input.bytes(usize::MAX));
}

/// An immutable item, and two versions of a mutable one.
fn items() -> [Item<'static>; 3] {
    static ITEMS: OnceLock<[Item<'static>; 3]> = OnceLock::new();
    let sign = |seq| Item::sign(&[9; 32], b"salt", seq, b"4:item").expect("within the limits");
    *ITEMS.get_or_init(|| [Item::immutable(b"i7e").expect("an integer"), sign(1), sign(2)])
}

fn addr(input: &mut Input<'_>) -> SocketAddr {
    let ip = if input.byte() & 1 == 0 { [127, 0, 0, 1] } else { [80, 4, 4, input.byte()] };
    (ip, u16::from(input.byte() % 50)).into()
}

fn id(input: &mut Input<'_>) -> NodeId {
    let mut id = [input.byte(); 20];
    id[19] = input.byte();
    NodeId(id)
}

impl Driven {
    fn query(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let from = addr(input);
        let id = id(input);
        let info_hash = InfoHash([input.byte() % 4; 20]);
        let token = input.array::<8>();
        let target = NodeId(info_hash.0);
        let flags = input.byte();
        let [noseed, scrape, v4, v6] = [1, 2, 4, 8].map(|bit| flags & bit == bit);
        let items = items();
        let item = items[input.below(3)];
        let method = match input.below(9) {
            0 => Method::Ping,
            1 => Method::FindNode { target },
            2 => Method::GetPeers { info_hash, noseed, scrape },
            3 | 4 => {
                // As often as not with the token that the node gave last.
                let token = self.tokens.last().filter(|_| noseed).map_or(&token[..], |token| token);
                let port = Some(input.u16());
                Method::AnnouncePeer { info_hash, port, seed: scrape, token }
            }
            5 => Method::SampleInfohashes { target },
            6 => Method::Get { target: item.target(), seq: scrape.then_some(1) },
            7 => {
                let token = self.tokens.last().map_or(&token[..], |token| token);
                let signed = item.signed().filter(|_| !v6 || !v4);
                let cas = noseed.then_some(1);
                Method::Put(Put { token, value: item.value(), signed, cas })
            }
            _ => Method::Other { name: b"vote", target: Some(target).filter(|_| noseed) },
        };
        let transaction = vec![7; input.below(40)];
        let body = Body::Query(Query { want: Want { v4, v6 }, ..Query::new(id, method) });
        let read_only = input.byte() & 3 == 3;
        let message = Message { read_only, ..Message::new(&transaction, body) };
        // A borrowed token cannot be sent while the node changes.
        let mut out = [0; MAX_LEN];
        let len = message.encode(&mut out).expect("it fits");
        Outcome::of(self.node.handle_datagram(now, from, &out[..len]))
    }

    fn answer(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        if self.asked.is_empty() {
            return Outcome::Refused("nothing was asked".into());
        }
        let nth = usize::from(input.byte()) % self.asked.len();
        let (from, transaction) = self.asked.remove(nth);
        let mut response = Response::new(id(input));
        let mut nodes = Vec::new();
        for _ in 0..input.below(4) {
            let mut room = [0; 26];
            CompactNodes::encode(id(input), addr(input), &mut room).expect("it fits");
            nodes.extend(room);
        }
        response.nodes = CompactNodes::new(Family::V4, &nodes);
        let peers = input.bytes(12).to_vec();
        let peers = CompactPeers::new(Family::V4, &peers[..peers.len() / 6 * 6]).expect("whole");
        response.values = (input.byte() & 1 == 0).then_some(Values::new(peers));
        response.token = (input.byte() & 1 == 0).then_some(b"token");
        let item = items()[input.below(3)];
        let signed = item.signed();
        response.value = (input.byte() & 1 == 0).then_some(item.value());
        response.seq = item.seq();
        response.signature = signed.as_ref().map(|signed| &signed.signature);
        let ip = (input.byte() & 1 == 0).then(|| addr(input));
        let body = match input.below(8) {
            0 => Body::Error { code: 203, text: b"no" },
            _ => Body::Response(response),
        };
        let message =
            Message { transaction: &transaction, version: None, ip, read_only: false, body };
        self.deliver(now, from, &message)
    }

    fn deliver(&mut self, now: Duration, from: SocketAddr, message: &Message<'_>) -> Outcome {
        let mut out = [0; MAX_LEN];
        let len = message.encode(&mut out).expect("it fits");
        Outcome::of(self.node.handle_datagram(now, from, &out[..len]))
    }
}

impl Machine for Driven {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        match input.below(10) {
            0 => {
                let addr = addr(input);
                Outcome::of(self.node.add(now, addr))
            }
            8 => {
                let name = items()[input.below(3)].name();
                Outcome::of(self.node.find_item(now, name))
            }
            9 => {
                let cas = (input.byte() & 1 == 0).then_some(1);
                Outcome::of(self.node.put_item(now, &items()[input.below(3)], cas))
            }
            1 => {
                let port = (input.byte() & 1 == 0).then(|| input.u16());
                Outcome::of(self.node.find_peers(now, InfoHash([input.byte() % 4; 20]), port))
            }
            2 | 3 => self.query(now, input),
            4 => {
                let from = addr(input);
                let bytes = input.bytes(60).to_vec();
                Outcome::of(self.node.handle_datagram(now, from, &bytes))
            }
            _ => self.answer(now, input),
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.node.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.node.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.node.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|sent| {
            let message = Message::decode(&buf[..sent.len]).expect("what it sends is right");
            if matches!(message.body, Body::Query(_)) {
                self.asked.push((sent.to, message.transaction.to_vec()));
            }
            if let Body::Response(Response { token: Some(token), .. }) = message.body {
                self.tokens.push(token.to_vec());
            }
            (sent.to.to_string(), sent.len)
        }))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.node.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.node)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.node == other.node
    }
}
