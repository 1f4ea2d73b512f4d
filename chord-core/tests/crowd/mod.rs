//! Many nodes in one process, in virtual time: real nodes that exchange real datagrams, each of which takes the
//! same while. Made for rings of up to a million, so nothing here looks at all nodes in each step.
#![allow(dead_code)] // each program uses its part

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BinaryHeap, VecDeque};

use chord_core::{Config, Event, Id64, Identifier, Message, Node, NodeArrays, Peer};
use sim::Rng;

pub(crate) type At = Peer<Id64, u32>;
/// As many successors as a list can have.
pub(crate) const R: usize = 20;
pub(crate) type Slots = NodeArrays<Id64, u32, R, 16, 2, 0>;
pub(crate) type Member = Node<Id64, u32, Slots>;
type Text = Message<Id64, u32>;

pub(crate) const LATENCY: Duration = Duration::from_millis(50);

pub(crate) struct Crowd {
    /// By address; `None` for those that have failed.
    pub(crate) nodes: Vec<Option<Member>>,
    /// When each has something to do, and the newest entry of each in the queue.
    timers: BinaryHeap<Reverse<(Duration, u32)>>,
    set_to: Vec<Option<Duration>>,
    mail: VecDeque<Letter>,
    pub(crate) now: Duration,
    pub(crate) sent: u64,
    pub(crate) bytes: u64,
    pub(crate) events: Vec<(u32, Event<Id64, u32>)>,
    /// Whether events are kept.
    pub(crate) listens: bool,
}

struct Letter {
    at: Duration,
    from: u32,
    to: u32,
    bytes: Box<[u8]>,
}

/// Settings for a perfect network: the second try distinguishes a waiting node from a dead one.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.tries = 2;
    config.patience = LATENCY * 3; // a round trip takes two
    config.stabilize = Duration::from_secs(30);
    config.fix_fingers = Duration::MAX;
    config
}

impl Crowd {
    /// Creates an ideal ring; addresses count in the order of identifiers.
    pub(crate) fn ring(nodes: usize, config: Config, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut ids: Vec<u64> = (0..nodes).map(|_| rng.next_u64()).collect();
        ids.sort_unstable();
        ids.dedup();
        let ring: Vec<At> =
            ids.iter().zip(0..).map(|(id, address)| Peer { id: id64(*id), address }).collect();
        let mut crowd = Self {
            nodes: vec![],
            timers: BinaryHeap::new(),
            set_to: vec![],
            mail: VecDeque::new(),
            now: Duration::ZERO,
            sent: 0,
            bytes: 0,
            events: vec![],
            listens: false,
        };
        crowd.nodes.reserve_exact(nodes);
        for at in 0..ring.len() {
            let node = crowd.add(ring[at], config);
            node.create_base(Duration::ZERO, &known(&ring, at)).unwrap();
            while node.poll_event().is_some() {}
            crowd.look_at(at as u32);
        }
        crowd
    }

    pub(crate) fn add(&mut self, me: At, config: Config) -> &mut Member {
        let mut config = config;
        config.seed = u64::from_be_bytes(me.id.into()) ^ 0x5EED;
        assert_eq!(me.address as usize, self.nodes.len());
        self.nodes.push(Some(Node::new(config, me, Slots::EMPTY).unwrap()));
        self.set_to.push(None);
        self.nodes.last_mut().unwrap().as_mut().unwrap()
    }

    /// Takes what a node has to say after a call.
    pub(crate) fn look_at(&mut self, address: u32) {
        let Some(node) = &mut self.nodes[address as usize] else { return };
        let mut buf = [0; Text::MAX_LEN];
        while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
            let at = self.now + LATENCY;
            let bytes = buf[..sent.len].into();
            (self.sent, self.bytes) = (self.sent + 1, self.bytes + sent.len as u64);
            self.mail.push_back(Letter { at, from: address, to: sent.to, bytes });
        }
        while let Some(event) = node.poll_event() {
            if self.listens {
                self.events.push((address, event));
            }
        }
        let due = node.poll_timeout();
        if due != self.set_to[address as usize] {
            self.set_to[address as usize] = due;
            self.timers.extend(due.map(|at| Reverse((at, address))));
        }
    }

    pub(crate) fn run_until(&mut self, end: Duration) {
        loop {
            let mail = self.mail.front().map(|letter| letter.at);
            let timer = self.timers.peek().map(|Reverse((at, _))| *at);
            let Some(next) = mail.into_iter().chain(timer).min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if mail == Some(next) {
                let letter = self.mail.pop_front().unwrap();
                if let Some(node) = &mut self.nodes[letter.to as usize] {
                    // A full backlog is a lost datagram.
                    let _ = node.handle_datagram(self.now, letter.from, &letter.bytes);
                    self.look_at(letter.to);
                }
                continue;
            }
            let Reverse((at, address)) = self.timers.pop().unwrap();
            if self.set_to[address as usize] == Some(at)
                && let Some(node) = &mut self.nodes[address as usize]
            {
                node.handle_timeout(self.now);
                self.set_to[address as usize] = None;
                self.look_at(address);
            }
        }
        self.now = end;
    }

    /// Lets exactly `count` nodes of the first `nodes` fail at once.
    pub(crate) fn fail(&mut self, count: usize, rng: &mut Rng) {
        let mut left = count;
        while left > 0 {
            let at = rng.below(self.nodes.len() as u64) as usize;
            left -= usize::from(self.nodes[at].take().is_some());
        }
    }

    /// Returns the members in the order of identifiers.
    pub(crate) fn members(&self) -> Vec<At> {
        let members = self.nodes.iter().flatten().filter(|node| node.state().is_member());
        let mut members: Vec<_> = members.map(Node::me).collect();
        members.sort_unstable_by_key(|peer| peer.id);
        members
    }

    /// Counts the members whose first `depth` successors are not the next members.
    pub(crate) fn wrong(&self, depth: usize) -> usize {
        let ring = self.members();
        let wrong = |(at, me): &(usize, &At)| {
            let next = (1..=depth).map(|by| ring[(at + by) % ring.len()]);
            let node = self.nodes[me.address as usize].as_ref().unwrap();
            !node.successors().iter().copied().take(depth).eq(next)
        };
        ring.iter().enumerate().filter(wrong).count()
    }

    /// Asks `from` for the owner of `key`.
    pub(crate) fn ask(&mut self, from: u32, key: Id64) -> bool {
        let Some(node) = &mut self.nodes[from as usize] else { return false };
        let asked = node.lookup(self.now, key).is_ok();
        self.look_at(from);
        asked
    }
}

pub(crate) fn id64(n: u64) -> Id64 {
    Id64::from(n.to_be_bytes())
}

/// Returns the nodes that the node at `at` has to know: the next r, the last, and the nodes that its fingers are.
fn known(ring: &[At], at: usize) -> Vec<At> {
    let me = ring[at].id;
    let len = ring.len();
    let near = R.min(len - 1);
    let mut known: Vec<At> = (1..=near).map(|by| ring[(at + by) % len]).collect();
    let last = me.distance(known[near - 1].id);
    known.push(ring[(at + len - 1) % len]);
    for i in (1..=64).rev() {
        let start = me.finger_start(i);
        if me.distance(start) < last {
            break;
        }
        known.push(ring[ring.partition_point(|peer| peer.id < start) % len]);
    }
    known
}

/// Returns the memory of this process in MB, where the system reports it.
pub(crate) fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
