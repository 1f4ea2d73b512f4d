//! The simulated network as a [`Net`].

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::BTreeMap;

use sim::{Addr, Delivery, Link, Network, StreamId};

use crate::net::{Conn, Incoming, Net, NodeId, Service};

/// What each node can send, in bytes per second: a slow evening on a broadband line.
const UPLINK: u64 = 4_000_000;

pub struct SimNet {
    net: Network,
    ends: Vec<End>,
    conns: BTreeMap<(StreamId, NodeId), Conn>,
    services: BTreeMap<StreamId, Service>,
}

#[derive(Clone, Copy)]
struct End {
    stream: StreamId,
    at: NodeId,
    dialled: bool,
}

impl SimNet {
    pub fn new(seed: u64, nodes: u16, loss_percent: u8) -> Self {
        let link = Link {
            latency: Duration::from_millis(15),
            jitter: Duration::from_millis(10),
            loss: u16::from(loss_percent) * 10,
            segment: 16 << 10,
            ..Link::default()
        };
        let mut net = Network::new(seed, link);
        for node in 0..nodes {
            net.set_uplink(Addr(u32::from(node)), UPLINK);
        }
        Self { net, ends: Vec::new(), conns: BTreeMap::new(), services: BTreeMap::new() }
    }

    fn end(&mut self, stream: StreamId, at: NodeId, dialled: bool) -> Conn {
        let ends = &mut self.ends;
        *self.conns.entry((stream, at)).or_insert_with(|| {
            ends.push(End { stream, at, dialled });
            Conn(ends.len() as u32 - 1)
        })
    }
}

impl Net for SimNet {
    fn now(&self) -> Duration {
        self.net.now()
    }

    fn address(&self, node: NodeId, service: Service) -> SocketAddrV4 {
        let [high, low] = (node.0 + 1).to_be_bytes();
        SocketAddrV4::new(Ipv4Addr::new(10, 0, high, low), service.well_known_port())
    }

    fn connect(&mut self, from: NodeId, to: NodeId, service: Service) -> Conn {
        let stream = self.net.connect(addr(from), addr(to));
        self.services.insert(stream, service);
        self.end(stream, from, true)
    }

    fn send(&mut self, conn: Conn, bytes: &[u8]) {
        let End { stream, at, .. } = self.ends[conn.0 as usize];
        self.net.send(stream, addr(at), bytes);
    }

    fn held_back(&self, _: Conn) -> usize {
        0
    }

    fn close(&mut self, conn: Conn) {
        let End { stream, at, .. } = self.ends[conn.0 as usize];
        self.net.close(stream, addr(at));
    }

    fn send_datagram(&mut self, from: NodeId, to: NodeId, bytes: &[u8]) {
        self.net.send_datagram(addr(from), addr(to), bytes);
    }

    fn kill(&mut self, node: NodeId) {
        self.net.kill(addr(node));
    }

    fn poll(&mut self, until: Duration) -> Option<Incoming> {
        Some(match self.net.next(until)? {
            Delivery::Datagram { from, to, bytes } => {
                Incoming::Datagram { at: node(to), from: node(from), bytes }
            }
            Delivery::Opened { stream, at, peer } => {
                let at = node(at);
                let peer = node(peer);
                let conn = self.end(stream, at, false);
                let dialled = self.ends[conn.0 as usize].dialled;
                Incoming::Opened { conn, at, peer, service: self.services[&stream], dialled }
            }
            Delivery::Bytes { stream, at, bytes } => {
                Incoming::Bytes { conn: self.end(stream, node(at), false), bytes }
            }
            Delivery::Closed { stream, at } => {
                let at = node(at);
                Incoming::Closed { conn: self.end(stream, at, false), at }
            }
        })
    }
}

fn addr(node: NodeId) -> Addr {
    Addr(u32::from(node.0))
}

fn node(addr: Addr) -> NodeId {
    NodeId(addr.0 as u16)
}
