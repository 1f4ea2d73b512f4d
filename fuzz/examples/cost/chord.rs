//! Rows of `chord-core`.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use chord_core::{Id160, Peer};
use sim::Rng;

use super::{Row, Send, Step, datagrams, millis};

type Message = chord_core::Message<Id160, SocketAddrV4>;

pub(super) const ROWS: &[Row] = &[
    datagrams("chord Node: lookups from forged addresses", || {
        node(|n| Message::Find { token: n, key: id(n + 1_000), avoid: [].into_iter().collect() })
    }),
    datagrams("chord Node: routed lookups from forged addresses", || {
        node(|n| Message::Route {
            token: n,
            key: id(n + 1_000),
            hops: 0,
            direct: false,
            back: [].into_iter().collect(),
        })
    }),
    datagrams("chord Node: padded questions from forged addresses", || {
        node(|n| Message::Query { token: n, padding: 0 })
    }),
    datagrams("chord Node: pings from forged addresses", || {
        node(|n| Message::Ping { token: n, padding: 0 })
    }),
    datagrams("chord Node: notifications from forged addresses", || {
        node(|n| Message::Notify { id: id(n + 1_000) })
    }),
    datagrams("chord Node: states that nobody asked for", || {
        node(|n| Message::State {
            token: n,
            id: id(n + 1_000),
            predecessor: peer(n),
            successors: (0..20).map(|m| peer(n + m)).collect(),
        })
    }),
    datagrams("chord Node: departures from forged addresses", || {
        node(|n| Message::Leave { id: id(n + 1_000) })
    }),
];

fn address(n: u32) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(n), 4_000)
}

fn id(n: u32) -> Id160 {
    let mut bytes = [0; 20];
    Rng::new(n.into()).fill(&mut bytes);
    Id160::from(bytes)
}

fn peer(n: u32) -> Peer<Id160, SocketAddrV4> {
    Peer { id: id(n), address: address(n + 1) }
}

/// A node of a ring of 200 that gets one message from each of many addresses.
fn node(message: fn(u32) -> Message) -> Send {
    use chord_core::{Config, Node, NodeLimits, NodeVec};
    let limits = NodeLimits { successors: 20, fingers: 160, lookups: 16, contacts: 16 };
    let me = peer(0);
    let mut node = Node::new(Config::default(), me, NodeVec::new(limits)).unwrap();
    let members: Vec<_> = (1..200).map(peer).collect();
    node.create_base(Duration::ZERO, &members).unwrap();
    Box::new(move |n| {
        let mut bytes = [0; Message::MAX_LEN];
        let len = message(n as u32).encode(&mut bytes).unwrap();
        let from = address(0x5000_0000 + n as u32);
        let _ = node.handle_datagram(millis(n), from, &bytes[..len]);
        let mut sent = 0;
        let mut buf = [0; Message::MAX_LEN];
        while let Ok(Some(transmit)) = node.poll_transmit(&mut buf) {
            sent += transmit.len * usize::from(transmit.to == from);
        }
        while node.poll_event().is_some() {}
        node.handle_timeout(millis(n));
        Step { taken: len, sent }
    })
}
