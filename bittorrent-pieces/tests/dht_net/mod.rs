//! A network of DHT nodes in virtual time: every datagram takes 20 ms, and some are lost.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bittorrent_pieces::PieceHasher;
use bittorrent_pieces::dht::*;

pub type Node = DhtNode<DhtVec>;

pub fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

pub fn address(nth: u16) -> SocketAddr {
    ([10, 0, (nth >> 8) as u8, nth as u8], 6881).into()
}

/// Returns the configuration of the `nth` node.
pub fn config(nth: u16) -> DhtConfig {
    let mut config = DhtConfig::new(NodeId(PieceHasher::digest(&nth.to_be_bytes())), [7; 16]);
    config.seed = u64::from(nth);
    config
}

pub fn node(config: DhtConfig, items: usize) -> Node {
    let limits = DhtLimits { routes: 100, lookups: 3, peers: 20, items };
    DhtNode::new(config, DhtVec::new(limits)).unwrap()
}

pub struct Net {
    pub nodes: BTreeMap<SocketAddr, Node>,
    pub now: Duration,
    pub events: Vec<DhtEvent>,
    /// The peers that any node was told of.
    pub peers: Vec<SocketAddr>,
    /// The values that any node was told of, and their sequence numbers.
    pub found: Vec<(Vec<u8>, Option<i64>)>,
    wire: VecDeque<(Duration, SocketAddr, SocketAddr, Vec<u8>)>,
    /// Datagrams of 100 that are lost.
    pub loss: u64,
    /// A node whose datagrams are all lost, in both directions.
    pub cut_off: Option<SocketAddr>,
    rng: sim::Rng,
}

impl Net {
    /// Creates nodes, each of which but the first knows one other.
    pub fn new(count: u16, items: usize, loss: u64) -> Self {
        let mut nodes = BTreeMap::new();
        for nth in 0..count {
            let mut node = node(config(nth), items);
            if nth > 0 {
                node.add(Duration::ZERO, address(nth / 2)).unwrap();
            }
            nodes.insert(address(nth), node);
        }
        let wire = VecDeque::new();
        let rng = sim::Rng::new(1);
        let now = Duration::ZERO;
        Self {
            nodes,
            now,
            events: vec![],
            peers: vec![],
            found: vec![],
            wire,
            loss,
            cut_off: None,
            rng,
        }
    }

    pub fn node(&mut self, nth: u16) -> &mut Node {
        self.nodes.get_mut(&address(nth)).unwrap()
    }

    pub fn run(&mut self, until: Duration) {
        loop {
            self.transmit();
            let due = self.nodes.values().filter_map(DhtNode::poll_timeout).min();
            let next = self.wire.front().map(|(at, ..)| *at).into_iter().chain(due).min();
            let Some(next) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(next);
            while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
                let (_, from, to, bytes) = self.wire.pop_front().unwrap();
                self.deliver(from, to, &bytes);
            }
            for node in self.nodes.values_mut() {
                if node.poll_timeout().is_some_and(|at| at <= self.now) {
                    node.handle_timeout(self.now);
                }
            }
        }
        self.now = until;
    }

    fn transmit(&mut self) {
        let at = self.now + Duration::from_millis(20);
        for (from, node) in &mut self.nodes {
            let mut buf = [0; MAX_LEN];
            while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
                let cut = self.cut_off.is_some_and(|node| node == *from || node == sent.to);
                if self.rng.below(100) >= self.loss && !cut {
                    self.wire.push_back((at, *from, sent.to, buf[..sent.len].to_vec()));
                }
            }
            self.events.extend(core::iter::from_fn(|| node.poll_event()));
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let Some(node) = self.nodes.get_mut(&to) else { return };
        match node.handle_datagram(self.now, from, bytes) {
            Ok(DhtOutcome::Peers { peers, .. }) => self.peers.extend(peers.iter()),
            Ok(DhtOutcome::Item { value, signed, .. }) => {
                self.found.push((value.to_vec(), signed.map(|(seq, _)| seq)));
            }
            _ => {}
        }
    }
}
