//! A rough network in virtual time: datagrams are lost, doubled and late by 1 to 180 ms, clocks go wrong by 5 %, drivers
//! are up to 300 ms late. Addresses are not identifiers: a node may restart at its address under another one.
#![allow(dead_code)] // each program uses its part

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeMap, BinaryHeap};

use chord_core::{Config, Event, Message, Node, NodeLimits, NodeVec, Peer, Word};
use sim::Rng;

pub(crate) type Id = Word<32>;
pub(crate) type Text = Message<Id, u32>;
pub(crate) type TestNode = Node<Id, u32, NodeVec<Id, u32>>;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// When it arrives, its number, its sender, its addressee, its bytes.
type Letter = (Duration, u64, u32, u32, Vec<u8>);

/// Returns what the node at the first address answers to the one at the second; `None`: it is honest.
pub(crate) type Liar = fn(u32, u32, &Text) -> Option<Vec<Text>>;

pub(crate) struct Member {
    pub(crate) node: TestNode,
    /// Its clock in per mille of the true one.
    rate: u32,
    /// When its driver is going to call.
    wakes: Option<Duration>,
}

pub(crate) struct Net {
    pub(crate) now: Duration,
    pub(crate) rng: Rng,
    pub(crate) members: BTreeMap<u32, Member>,
    mail: BinaryHeap<Reverse<Letter>>,
    letters: u64,
    /// Datagrams lost, of a thousand.
    pub(crate) loss: u16,
    /// Likewise, from one address to another.
    pub(crate) loss_between: fn(u32, u32) -> u16,
    /// Whether a datagram from one address to another is lost for another reason.
    pub(crate) cut: fn(u32, u32) -> bool,
    /// Answers in the place of a node that lies.
    pub(crate) liar: Option<Liar>,
    pub(crate) liars: Vec<u32>,
    pub(crate) events: Vec<(Duration, u32, Event<Id, u32>)>,
    pub(crate) sent: u64,
    pub(crate) bytes: u64,
    pub(crate) r: usize,
    pub(crate) fingers: usize,
    pub(crate) config: Config,
}

pub(crate) fn open(_: u32, _: u32) -> bool {
    false
}

impl Net {
    pub(crate) fn new(seed: u64, r: usize) -> Self {
        Self {
            now: Duration::ZERO,
            rng: Rng::new(seed),
            members: BTreeMap::new(),
            mail: BinaryHeap::new(),
            letters: 0,
            loss: 0,
            loss_between: |_, _| 0,
            cut: open,
            liar: None,
            liars: vec![],
            events: vec![],
            sent: 0,
            bytes: 0,
            r,
            fingers: 16,
            config: Config::default(),
        }
    }

    /// A ring of `count` nodes at the addresses from 1 on, ideal from the start.
    pub(crate) fn ring(seed: u64, r: usize, count: u32) -> Self {
        let mut net = Self::new(seed, r);
        let all: Vec<_> = (1..=count).map(|address| Peer { id: net.id(), address }).collect();
        for me in &all {
            net.add(*me).create_base(Duration::ZERO, &all).unwrap();
            net.look_at(me.address);
        }
        net
    }

    pub(crate) fn id(&mut self) -> Id {
        Id::new(self.rng.next_u64())
    }

    pub(crate) fn add(&mut self, me: Peer<Id, u32>) -> &mut TestNode {
        let limits =
            NodeLimits { successors: self.r, fingers: self.fingers, lookups: 8, contacts: 8 };
        let mut config = self.config;
        config.seed = self.rng.next_u64();
        let node = Node::new(config, me, NodeVec::new(limits)).unwrap();
        let rate = 950 + self.rng.below(101) as u32;
        let member = Member { node, rate, wakes: None };
        self.members.insert(me.address, member);
        &mut self.members.get_mut(&me.address).unwrap().node
    }

    /// A new node joins through the one at `contact`.
    pub(crate) fn join(&mut self, me: Peer<Id, u32>, contact: u32) {
        self.add(me);
        let now = self.clock(me.address);
        self.members.get_mut(&me.address).unwrap().node.join(now, contact).unwrap();
        self.look_at(me.address);
    }

    pub(crate) fn clock(&self, address: u32) -> Duration {
        self.now * self.members[&address].rate / 1000
    }

    /// Lets a driver act: it sends all, polls all events and plans its next call.
    pub(crate) fn look_at(&mut self, address: u32) {
        let late = Duration::from_millis(self.rng.below(300));
        let Some(member) = self.members.get_mut(&address) else { return };
        let mut out = vec![];
        let mut buf = [0; Text::MAX_LEN];
        while let Some(sent) = member.node.poll_transmit(&mut buf).unwrap() {
            out.push((sent.to, buf[..sent.len].to_vec()));
        }
        while let Some(event) = member.node.poll_event() {
            self.events.push((self.now, address, event));
        }
        let due = member.node.poll_timeout();
        member.wakes = due.map(|at| (at * 1000 / member.rate).max(self.now) + late);
        for (to, bytes) in out {
            self.send(address, to, &bytes);
        }
    }

    pub(crate) fn send(&mut self, from: u32, to: u32, bytes: &[u8]) {
        self.sent += 1;
        self.bytes += bytes.len() as u64;
        let loss = self.loss.max((self.loss_between)(from, to));
        let copies = 1 + u64::from(self.loss > 0 && self.rng.chance(10));
        for _ in 0..copies {
            let delay = Duration::from_millis(1 + self.rng.below(180));
            if !self.rng.chance(loss) && !(self.cut)(from, to) {
                self.letters += 1;
                let letter = (self.now + delay, self.letters, from, to, bytes.to_vec());
                self.mail.push(Reverse(letter));
            }
        }
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let mail = self.mail.peek().map(|Reverse(letter)| letter.0);
            let wakes = self.members.iter().filter_map(|(at, it)| Some((it.wakes?, *at))).min();
            let next = mail.into_iter().chain(wakes.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            if mail == Some(next) {
                let Reverse((_, _, from, to, bytes)) = self.mail.pop().unwrap();
                self.deliver(from, to, &bytes);
            } else if let Some((_, address)) = wakes {
                let now = self.clock(address);
                self.members.get_mut(&address).unwrap().node.handle_timeout(now);
                self.look_at(address);
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, from: u32, to: u32, bytes: &[u8]) {
        if let (Some(liar), true) = (self.liar, self.liars.contains(&to)) {
            let (message, _) = Text::decode(bytes).unwrap();
            if let Some(answers) = liar(to, from, &message) {
                for answer in answers {
                    let mut out = [0; Text::MAX_LEN];
                    let len = answer.encode(&mut out).unwrap();
                    self.send(to, from, &out[..len]);
                }
                return;
            }
        }
        if self.members.contains_key(&to) {
            let now = self.clock(to);
            let _ = self.members.get_mut(&to).unwrap().node.handle_datagram(now, from, bytes);
            self.look_at(to);
        }
    }

    /// Returns the members in the order of identifiers.
    pub(crate) fn ideal(&self) -> Vec<Peer<Id, u32>> {
        let members = self.members.values().map(|member| &member.node);
        let mut ring: Vec<_> =
            members.filter(|node| node.state().is_member()).map(Node::me).collect();
        ring.sort_by_key(|peer| peer.id);
        ring
    }

    /// Returns what keeps the ring from being ideal.
    pub(crate) fn flaw(&self) -> Option<String> {
        let ring = self.ideal();
        let len = ring.len();
        for (at, me) in ring.iter().enumerate() {
            let node = &self.members[&me.address].node;
            let next = (1..=self.r.min(len - 1)).map(|by| &ring[(at + by) % len]);
            if !node.successors().iter().eq(next) {
                return Some(format!("{me} has successors {:?}", node.successors()));
            }
            let before = Some(ring[(at + len - 1) % len]).filter(|peer| peer != me);
            if node.predecessor() != before {
                return Some(format!("{me} has predecessor {:?}", node.predecessor()));
            }
        }
        if len == self.members.len() {
            return None;
        }
        Some(format!("{len} of {} are members", self.members.len()))
    }

    /// Runs until the ring is ideal; panics if it is not within `span`.
    pub(crate) fn heal(&mut self, span: Duration, what: &str) {
        let start = self.now;
        while let Some(flaw) = self.flaw() {
            assert!(self.now < start + span, "{what}: {flaw}");
            self.run_for(SECOND / 2);
        }
    }

    /// Runs until the ring is ideal; returns what it lacks after `span`.
    pub(crate) fn flaw_after(&mut self, span: Duration) -> Option<String> {
        let end = self.now + span;
        while self.now < end {
            self.flaw()?;
            self.run_for(SECOND / 2);
        }
        self.flaw()
    }

    /// Looks `count` keys up; returns how many of them the right node was named for.
    pub(crate) fn lookups(&mut self, count: u32) -> u32 {
        let ring = self.ideal();
        let mut right = 0;
        for _ in 0..count {
            let from = ring[self.rng.below(ring.len() as u64) as usize].address;
            let key = self.id();
            let now = self.clock(from);
            let lookup = self.members.get_mut(&from).unwrap().node.lookup(now, key).unwrap();
            self.events.clear();
            self.look_at(from);
            self.run_for(SECOND * 30);
            let owner = ring[ring.partition_point(|peer| peer.id < key) % ring.len()];
            let done = |(_, at, event): &(Duration, u32, Event<Id, u32>)| {
                *at == from
                    && matches!(event, Event::LookupDone { lookup: of, owner: found, .. }
                        if *of == lookup && *found == owner)
            };
            let named = self.events.iter().any(done);
            if !named {
                let of_lookup = |(_, at, _): &&(Duration, u32, Event<Id, u32>)| *at == from;
                let events: Vec<_> = self.events.iter().filter(of_lookup).collect();
                println!("{key} belongs to {owner}, but {from} has {events:?}");
            }
            right += u32::from(named);
        }
        right
    }
}
