//! Nodes over the simulated network, in virtual time.
#![allow(dead_code)] // each test program uses its part

use core::time::Duration;
use std::collections::BTreeMap;

use chord_core::{
    Config, Event, Identifier, Message, Node, NodeLimits, NodeVec, Peer, State, Word,
};
use sim::{Addr, Delivery, Link, Network, Rng};

pub(crate) type Id = Word<16>;
pub(crate) type TestNode = Node<Id, u32, NodeVec<Id, u32>>;

pub(crate) struct World {
    pub(crate) net: Network,
    pub(crate) nodes: BTreeMap<u32, TestNode>,
    pub(crate) events: Vec<(u32, Event<Id, u32>)>,
    /// How many messages of each kind were sent.
    pub(crate) sent: BTreeMap<&'static str, u64>,
    pub(crate) config: Config,
    pub(crate) r: usize,
    /// How long a datagram takes between two addresses, where that differs.
    pub(crate) distance: Option<fn(u32, u32) -> Duration>,
}

impl World {
    pub(crate) fn new(seed: u64, link: Link, (config, r): (Config, usize)) -> Self {
        let net = Network::new(seed, link);
        Self {
            net,
            nodes: BTreeMap::new(),
            events: vec![],
            sent: BTreeMap::new(),
            config,
            r,
            distance: None,
        }
    }

    /// Identifiers are given, addresses equal them.
    pub(crate) fn add(&mut self, id: u64) -> &mut TestNode {
        let mut config = self.config;
        config.seed = self.config.seed.wrapping_mul(1_000_003).wrapping_add(id);
        let node = Node::new(config, peer(id), slots(self.r)).unwrap();
        self.nodes.entry(id as u32).or_insert(node)
    }

    /// A ring that is ideal from the start.
    pub(crate) fn base(seed: u64, link: Link, config: (Config, usize), ids: &[u64]) -> Self {
        let mut world = Self::new(seed, link, config);
        let members: Vec<_> = ids.iter().map(|id| peer(*id)).collect();
        for id in ids {
            world.add(*id).create_base(Duration::ZERO, &members).unwrap();
        }
        world
    }

    pub(crate) fn kill(&mut self, id: u32) {
        self.net.unplug(Addr(id));
        self.nodes.remove(&id);
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        self.run_until(self.net.now() + span);
    }

    pub(crate) fn run_until(&mut self, end: Duration) {
        loop {
            self.flush();
            let due = self.nodes.values().filter_map(Node::poll_timeout).min();
            let until = due.map_or(end, |at| at.min(end));
            match self.net.next(until) {
                Some(Delivery::Datagram { from, to, bytes }) => {
                    let now = self.net.now();
                    if let Some(node) = self.nodes.get_mut(&to.0) {
                        // A full backlog is a lost datagram.
                        let _ = node.handle_datagram(now, from.0, &bytes);
                    }
                }
                Some(other) => panic!("no streams here: {other:?}"),
                None => {
                    let now = self.net.now();
                    for node in self.nodes.values_mut() {
                        if node.poll_timeout().is_some_and(|at| at <= now) {
                            node.handle_timeout(now);
                        }
                    }
                    if now >= end {
                        return self.flush();
                    }
                }
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        let mut buf = [0; Message::<Id, u32>::MAX_LEN];
        for (at, node) in &mut self.nodes {
            while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
                let (message, _) = Message::<Id, u32>::decode(&buf[..sent.len]).unwrap();
                *self.sent.entry(kind(&message)).or_default() += 1;
                if let Some(distance) = self.distance {
                    let latency = distance(*at, sent.to);
                    self.net.set_link(Link { latency, ..Link::default() });
                }
                self.net.send_datagram(Addr(*at), Addr(sent.to), &buf[..sent.len]);
            }
            while let Some(event) = node.poll_event() {
                self.events.push((*at, event));
            }
        }
    }

    pub(crate) fn members(&self) -> Vec<u64> {
        let members = self.nodes.values().filter(|node| node.state().is_member());
        members.map(|node| node.me().id.value()).collect()
    }

    /// Returns what keeps the ring from being ideal (Zave 2017).
    pub(crate) fn flaw(&self) -> Option<String> {
        let ring = self.members();
        if let Some(node) = self.nodes.values().find(|node| node.state() == State::Joining) {
            return Some(format!("{} is still joining", node.me()));
        }
        for (at, id) in ring.iter().enumerate() {
            let node = &self.nodes[&(*id as u32)];
            let r = self.r.min(ring.len() - 1);
            let next = (1..=r).map(|step| ring[(at + step) % ring.len()]);
            let list = node.successors().iter().map(|peer| peer.id.value());
            if !list.clone().eq(next) {
                return Some(format!("{id} has successors {:?}", list.collect::<Vec<_>>()));
            }
            let before = ring[(at + ring.len() - 1) % ring.len()];
            let predecessor = node.predecessor().map_or(*id, |peer| peer.id.value());
            if predecessor != before {
                return Some(format!("{id} has predecessor {predecessor}, not {before}"));
            }
        }
        None
    }

    /// Panics unless every member has a living successor, all lists are in order without
    /// duplicates, and best successors form one ordered ring that all members reach (Zave 2017).
    pub(crate) fn check_invariant(&self) {
        let members = self.members();
        let best = |id: u64| {
            let list = self.nodes[&(id as u32)].successors();
            let living = list.iter().map(|peer| peer.id.value()).find(|id| members.contains(id));
            living.unwrap_or_else(|| panic!("{id} has lost all successors"))
        };
        for id in &members {
            let list = self.nodes[&(*id as u32)].routing_table();
            let distances: Vec<_> =
                list.successors.identifiers().map(|to| Id::new(*id).distance(to)).collect();
            assert!(distances.is_sorted_by(|a, b| a < b), "{id} has a list out of order");
        }
        let mut ring = vec![];
        for start in &members {
            let mut at = *start;
            for _ in &members {
                at = best(at); // on a ring in the end
            }
            let mut round = vec![at];
            while best(*round.last().unwrap()) != at {
                round.push(best(*round.last().unwrap()));
            }
            round.sort_unstable();
            assert!(ring.is_empty() || ring == round, "two rings: {ring:?} {round:?}");
            ring = round;
        }
        for (at, id) in ring.iter().enumerate() {
            assert_eq!(best(*id), ring[(at + 1) % ring.len()], "out of order: {ring:?}");
        }
        assert!(self.principals().len() > self.r, "principals");
    }

    /// Returns whether the assumptions of the proof let `id` fail now.
    pub(crate) fn may_fail(&self, id: u64) -> bool {
        let members = self.members();
        let still = |peer: &Peer<Id, u32>| {
            let other = peer.id.value();
            other != id && members.contains(&other)
        };
        let others = self.nodes.iter().filter(|(at, _)| u64::from(**at) != id);
        let mut others = others.filter(|(_, node)| node.state().is_member());
        let principals = self.principals();
        let enough = principals.len() > self.r + 1;
        others.all(|(_, node)| node.successors().iter().any(still))
            && (enough || !principals.contains(&id))
    }

    /// Returns the members that no list skips.
    fn principals(&self) -> Vec<u64> {
        let members = self.members();
        let skipped = |p: u64| {
            members.iter().any(|id| {
                let table = self.nodes[&(*id as u32)].routing_table();
                let list = table.successors.identifiers();
                let all: Vec<_> = core::iter::once(Id::new(*id)).chain(list).collect();
                all.windows(2).any(|pair| Id::new(p).between(pair[0], pair[1]))
            })
        };
        members.iter().copied().filter(|id| !skipped(*id)).collect()
    }

    /// Runs until the ring is ideal; panics if it is not by `end`.
    pub(crate) fn run_until_ideal(&mut self, span: Duration) {
        let end = self.net.now() + span;
        while let Some(flaw) = self.flaw() {
            assert!(self.net.now() < end, "{flaw}");
            self.run_for(Duration::from_millis(100));
        }
    }

    /// Looks up `key` from `node`; returns the path and the owner.
    pub(crate) fn lookup(&mut self, node: u32, key: u64) -> (Vec<u64>, u64) {
        let now = self.net.now();
        let id = self.nodes.get_mut(&node).unwrap().lookup(now, Id::new(key)).unwrap();
        let from = self.events.len();
        let mut path = vec![u64::from(node)];
        let mut seen = from;
        for _ in 0..2000 {
            self.run_for(Duration::from_millis(20));
            while let Some((at, event)) = self.events.get(seen).copied() {
                seen += 1;
                match event {
                    Event::LookupHop { lookup, peer, .. } if (at, lookup) == (node, id) => {
                        path.push(peer.id.value());
                    }
                    Event::LookupDone { lookup, owner, .. } if (at, lookup) == (node, id) => {
                        return (path, owner.id.value());
                    }
                    Event::LookupFailed { lookup, reason, .. } if (at, lookup) == (node, id) => {
                        panic!("lookup of {key} at {node} failed: {reason:?}");
                    }
                    _ => {}
                }
            }
        }
        panic!("lookup of {key} at {node} never ends");
    }

    /// Looks keys around every member up from every member.
    pub(crate) fn check_all_owners(&mut self) {
        let ring = self.members();
        for from in ring.clone() {
            for key in
                ring.iter().flat_map(|id| [id.wrapping_sub(1) & 0xFFFF, *id, (id + 1) & 0xFFFF])
            {
                let owner = *ring.iter().find(|id| **id >= key).unwrap_or(&ring[0]);
                let (path, found) = self.lookup(from as u32, key);
                assert_eq!(found, owner, "key {key} from {from} by {path:?}");
            }
        }
    }
}

pub(crate) fn slots(r: usize) -> NodeVec<Id, u32> {
    NodeVec::new(NodeLimits { successors: r, fingers: 16, lookups: 4, contacts: 0 })
}

/// Fast rounds for a network of 20 ms, and r.
pub(crate) fn config(r: usize, seed: u64) -> (Config, usize) {
    let mut config = Config::default();
    config.seed = seed;
    config.stabilize = Duration::from_secs(1);
    config.fix_fingers = Duration::from_millis(500);
    config.patience = Duration::from_millis(300);
    config.tries = 6;
    (config, r)
}

pub(crate) fn peer(id: u64) -> Peer<Id, u32> {
    Peer { id: Id::new(id), address: id as u32 }
}

pub(crate) fn ids(seed: u64, count: usize) -> Vec<u64> {
    let mut rng = Rng::new(seed);
    let mut ids: Vec<u64> = vec![];
    while ids.len() < count {
        let id = rng.below(1 << 16);
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn kind(message: &Message<Id, u32>) -> &'static str {
    match message {
        Message::Ping { .. } => "ping",
        Message::Pong { .. } => "pong",
        Message::Query { .. } => "query",
        Message::State { .. } => "state",
        Message::Busy { .. } => "busy",
        Message::Absent { .. } => "absent",
        Message::Notify { .. } => "notify",
        Message::Leave { .. } => "leave",
        _ => "lookup",
    }
}
