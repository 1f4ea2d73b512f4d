//! Real nodes over the simulated network.

use core::cmp::Reverse;
use core::fmt;
use core::time::Duration;
use std::collections::BinaryHeap;

use chord_core::{Config, Event, Id160, Message, Node, NodeLimits, NodeVec, Peer};
use sha1::{Digest as _, Sha1};
use sim::{Addr, Delivery, Link, Network, Rng};

pub const STABILIZE: Duration = Duration::from_secs(2);

type Member = Node<Id160, u32, NodeVec<Id160, u32>>;

pub struct Ring {
    net: Network,
    /// By address; `None` for those that have failed.
    nodes: Vec<Option<Member>>,
    /// When each has something to do; what is not the newest entry of a node is void.
    timers: BinaryHeap<Reverse<(Duration, u32)>>,
    set_to: Vec<Option<Duration>>,
    rng: Rng,
    /// The living ones, in the order of identifiers.
    living: Vec<Peer<Id160, u32>>,
    ended: Vec<Ended>,
}

/// How a lookup came out.
struct Ended {
    right: bool,
    hops: u8,
    timeouts: u8,
}

/// What one second brought.
pub struct Second {
    pub nodes: usize,
    pub wrong_successors: usize,
    pub wrong_lists: usize,
    pub datagrams: f64,
    pub lookups: usize,
    pub not_right: usize,
    pub hops: f64,
    pub timeouts: f64,
}

impl Ring {
    pub fn new(nodes: usize, successors: u8, loss: u16, seed: u64) -> Self {
        let latency = Duration::from_millis(40);
        let jitter = Duration::from_millis(20);
        let mut living: Vec<_> = (0..nodes as u32).map(peer).collect();
        let mut ring = Self {
            net: Network::new(seed, Link { latency, jitter, loss, ..Link::default() }),
            nodes: vec![],
            timers: BinaryHeap::new(),
            set_to: vec![None; nodes],
            rng: Rng::new(seed),
            living: vec![],
            ended: vec![],
        };
        let mut config = Config::default();
        config.stabilize = STABILIZE;
        let limits =
            NodeLimits { successors: successors.into(), fingers: 16, lookups: 4, contacts: 8 };
        config.fix_fingers = Duration::from_secs(1);
        config.patience = Duration::from_millis(200);
        config.tries = if loss > 0 { 5 } else { 2 };
        for address in 0..nodes as u32 {
            config.seed = seed << 32 | u64::from(address);
            let mut node =
                Node::new(config, peer(address), NodeVec::new(limits)).expect("good numbers");
            node.create_base(Duration::ZERO, &living).expect("more than 20 members");
            ring.nodes.push(Some(node));
            ring.look_at(address);
        }
        living.sort_by_key(|peer| peer.id);
        ring.living = living;
        ring
    }

    /// Simulates one second in which random nodes look up random keys.
    pub fn run_second(&mut self, lookups: usize) -> Second {
        let begin = self.net.now();
        let sent = self.net.stats().datagrams;
        for n in 0..lookups {
            self.run_until(begin + Duration::from_secs(1) * n as u32 / lookups as u32);
            let from = self.living[self.rng.below(self.living.len() as u64) as usize].address;
            let mut key = [0; 20];
            self.rng.fill(&mut key);
            let now = self.net.now();
            if let Some(node) = &mut self.nodes[from as usize] {
                let _ = node.lookup(now, Id160::from(key)); // a node with four to do is spared
                self.look_at(from);
            }
        }
        self.run_until(begin + Duration::from_secs(1));
        let ended = core::mem::take(&mut self.ended);
        let mean = |value: fn(&Ended) -> u8| {
            let sum: f64 = ended.iter().map(|lookup| f64::from(value(lookup))).sum();
            sum / (ended.len().max(1)) as f64
        };
        Second {
            nodes: self.living.len(),
            wrong_successors: self.wrong(1),
            wrong_lists: self.wrong(usize::MAX),
            datagrams: (self.net.stats().datagrams - sent) as f64 / self.living.len() as f64,
            lookups: ended.len(),
            not_right: ended.iter().filter(|lookup| !lookup.right).count(),
            hops: mean(|lookup| lookup.hops),
            timeouts: mean(|lookup| lookup.timeouts),
        }
    }

    /// Lets nodes fail at once; one at least stays.
    pub fn kill(&mut self, count: usize) {
        for _ in 0..count.min(self.living.len() - 1) {
            let at = self.rng.below(self.living.len() as u64) as usize;
            let address = self.living.remove(at).address;
            self.net.unplug(Addr(address));
            self.nodes[address as usize] = None;
        }
    }

    /// Counts the nodes whose first `depth` successors are not the next living nodes.
    fn wrong(&self, depth: usize) -> usize {
        let wrong = |(at, me): &(usize, &Peer<Id160, u32>)| {
            let Some(node) = &self.nodes[me.address as usize] else { return false };
            let r = node.routing_table().successors.r().min(self.living.len() - 1).min(depth);
            let next = (1..=r).map(|by| self.living[(at + by) % self.living.len()]);
            !node.successors().iter().copied().take(depth).eq(next)
        };
        self.living.iter().enumerate().filter(wrong).count()
    }

    fn run_until(&mut self, end: Duration) {
        loop {
            let due = self.timers.peek().map(|Reverse((at, _))| *at);
            match self.net.next(due.map_or(end, |at| at.min(end))) {
                Some(Delivery::Datagram { from, to, bytes }) => {
                    if let Some(node) = &mut self.nodes[to.0 as usize] {
                        // A full backlog loses it.
                        let _ = node.handle_datagram(self.net.now(), from.0, &bytes);
                        self.look_at(to.0);
                    }
                }
                Some(_) => {} // nobody opens streams
                None if due.is_some_and(|at| at <= end) => self.wake_next(),
                None => return,
            }
        }
    }

    fn wake_next(&mut self) {
        let Some(Reverse((at, address))) = self.timers.pop() else { return };
        let at_hand = self.set_to[address as usize] == Some(at);
        if let Some(node) = self.nodes[address as usize].as_mut().filter(|_| at_hand) {
            node.handle_timeout(self.net.now());
            self.set_to[address as usize] = None;
            self.look_at(address);
        }
    }

    /// Takes what a node has to say after a call.
    fn look_at(&mut self, address: u32) {
        let Some(node) = &mut self.nodes[address as usize] else { return };
        let mut buf = [0; Message::<Id160, u32>::MAX_LEN];
        while let Ok(Some(sent)) = node.poll_transmit(&mut buf) {
            self.net.send_datagram(Addr(address), Addr(sent.to), &buf[..sent.len]);
        }
        while let Some(event) = node.poll_event() {
            match event {
                Event::LookupDone { key, owner, hops, timeouts, .. } => {
                    let at = self.living.partition_point(|peer| peer.id < key);
                    let right = self.living[at % self.living.len()] == owner;
                    self.ended.push(Ended { right, hops, timeouts });
                }
                Event::LookupFailed { .. } => {
                    self.ended.push(Ended { right: false, hops: 0, timeouts: 0 });
                }
                _ => {}
            }
        }
        let due = node.poll_timeout();
        if due != self.set_to[address as usize] {
            self.set_to[address as usize] = due;
            self.timers.extend(due.map(|at| Reverse((at, address))));
        }
    }
}

fn peer(address: u32) -> Peer<Id160, u32> {
    let id = <[u8; 20]>::from(Sha1::digest(format!("node {address}")));
    Peer { id: Id160::from(id), address }
}

/// The cells of the table behind the time.
impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} | {} | {} | {:.1} | {} | {} | {:.2} | {:.2}",
            self.nodes,
            self.wrong_successors,
            self.wrong_lists,
            self.datagrams,
            self.lookups,
            self.not_right,
            self.hops,
            self.timeouts
        )
    }
}
