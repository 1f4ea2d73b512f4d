//! The store while nodes come, go and crash, over the simulated network: nothing is lost.

use core::time::Duration;
use std::collections::BTreeMap;

use chord_core::{Config, Id160, Peer};
use sha1::{Digest as _, Sha1};
use sim::{Addr, Delivery, Link, Network, Rng};

use super::member::{Answer, Member, MemberEvent};
use super::table::Limits;
use super::transfer::{Change, LONGEST_DATAGRAM};

const SECOND: Duration = Duration::from_secs(1);
const R: usize = 5;
const NODES: usize = 40;
const LIMITS: Limits = Limits { total: 8 << 20, per_origin: 4 << 20 };

/// What is known of a key: what the store confirmed, and what was sent to it since.
#[derive(Debug, Default, Clone)]
struct Known {
    stored: Option<Vec<u8>>,
    /// Which node sent it; the store has not answered yet, or never will.
    sent: Vec<(u32, Vec<u8>)>,
}

struct World {
    net: Network,
    members: BTreeMap<u32, Member<u32>>,
    next_address: u32,
    rng: Rng,
    seed: u64,
    keys: Vec<Known>,
    /// Questions that wait for an answer, by asker, with what was right when they were asked.
    asked: BTreeMap<(u32, usize), Known>,
    answered: usize,
    crashes: usize,
}

fn key(n: usize) -> Id160 {
    Id160::from(<[u8; 20]>::from(Sha1::digest(format!("key {n}"))))
}

fn peer(address: u32) -> Peer<Id160, u32> {
    let id = <[u8; 20]>::from(Sha1::digest(address.to_be_bytes()));
    Peer { id: Id160::from(id), address }
}

impl World {
    fn new(seed: u64, link: Link, keys: usize) -> Self {
        let mut world = Self {
            net: Network::new(seed, link),
            members: BTreeMap::new(),
            next_address: NODES as u32,
            rng: Rng::new(seed),
            seed,
            keys: vec![Known::default(); keys],
            asked: BTreeMap::new(),
            answered: 0,
            crashes: 0,
        };
        let peers: Vec<_> = (0..NODES as u32).map(peer).collect();
        for me in &peers {
            let mut member = Member::new(world.config(me.address), R, *me, LIMITS);
            member.create_base(Duration::ZERO, &peers).unwrap();
            world.members.insert(me.address, member);
        }
        world
    }

    fn config(&self, address: u32) -> Config {
        let mut config = Config::default();
        config.tries = 3;
        config.seed = self.seed << 32 | u64::from(address);
        config.stabilize = SECOND;
        config.patience = Duration::from_millis(150);
        config.fix_fingers = SECOND;
        config
    }

    fn run_for(&mut self, span: Duration) {
        let end = self.net.now() + span;
        let all: Vec<u32> = self.members.keys().copied().collect();
        for address in all {
            self.flush(address);
        }
        loop {
            let due = self.members.values().filter_map(Member::poll_timeout).min();
            match self.net.next(due.map_or(end, |at| at.min(end))) {
                Some(Delivery::Datagram { from, to, bytes }) => {
                    let now = self.net.now();
                    if let Some(member) = self.members.get_mut(&to.0) {
                        let _ = member.handle_datagram(now, from.0, &bytes); // a full backlog loses it
                        self.flush(to.0);
                    }
                }
                Some(other) => panic!("no streams here: {other:?}"),
                None if self.net.now() >= end => return,
                None => {
                    let now = self.net.now();
                    let due =
                        |member: &Member<u32>| member.poll_timeout().is_some_and(|at| at <= now);
                    let all = self.members.iter().filter(|(_, member)| due(member));
                    for address in all.map(|(address, _)| *address).collect::<Vec<_>>() {
                        self.members.get_mut(&address).unwrap().handle_timeout(now);
                        self.flush(address);
                    }
                }
            }
        }
    }

    fn flush(&mut self, address: u32) {
        let mut buf = [0; LONGEST_DATAGRAM];
        let member = self.members.get_mut(&address).unwrap();
        while let Some((to, len)) = member.poll_transmit(&mut buf).unwrap() {
            self.net.send_datagram(Addr(address), Addr(to), &buf[..len]);
        }
        while let Some(event) = self.members.get_mut(&address).unwrap().poll_event() {
            self.handle_event(address, event);
        }
    }

    fn handle_event(&mut self, address: u32, event: MemberEvent<u32>) {
        let count = self.keys.len();
        let number = |id| (0..count).find(|n| key(*n) == id).unwrap();
        match event {
            MemberEvent::Chord(_) => {}
            MemberEvent::Answered { key, answer: Answer::Stored { .. } } => {
                let known = &mut self.keys[number(key)];
                let at = known.sent.iter().position(|(by, _)| *by == address).unwrap();
                known.stored = Some(known.sent.remove(at).1);
                self.answered += 1;
            }
            MemberEvent::Answered { key, answer: answer @ (Answer::GaveUp | Answer::Refused) } => {
                panic!("seed {}: {answer:?} for key {}", self.seed, number(key))
            }
            MemberEvent::Answered { key, answer } => {
                let n = number(key);
                let value = match answer {
                    Answer::Found { entry, .. } => Some(entry.value),
                    _ => None,
                };
                let before = self.asked.remove(&(address, n)).unwrap();
                assert!(
                    before.allows(value.as_ref()) || self.keys[n].allows(value.as_ref()),
                    "seed {}: key {n} is {value:?}, not {before:?}",
                    self.seed
                );
                self.answered += 1;
            }
        }
    }

    fn random(&mut self) -> u32 {
        let at = self.rng.below(self.members.len() as u64) as usize;
        let members = self.members.iter().filter(|(_, member)| member.node().state().is_member());
        let members: Vec<u32> = members.map(|(address, _)| *address).collect();
        members[at % members.len()]
    }

    fn put(&mut self, n: usize) {
        let at = self.random();
        let now = self.net.now();
        if self.keys[n].sent.is_empty() {
            let value = format!("value of {n} from {now:?}").into_bytes();
            self.keys[n].sent.push((at, value.clone()));
            let change = Change { value: Some(value), lifetime: 0 };
            self.members.get_mut(&at).unwrap().put(now, key(n), change);
        }
    }

    fn get(&mut self, n: usize) {
        let at = self.random();
        let now = self.net.now();
        if self.asked.insert((at, n), self.keys[n].clone()).is_none() {
            self.members.get_mut(&at).unwrap().get(now, key(n));
        }
    }

    fn crash(&mut self, address: u32) {
        self.net.unplug(Addr(address));
        self.members.remove(&address);
        self.asked.retain(|(asker, _), _| *asker != address);
        self.crashes += 1;
    }

    /// Zave's assumption on failures: everybody keeps a living successor.
    fn may_crash(&self, address: u32) -> bool {
        let lives = |peer: &Peer<Id160, u32>| {
            peer.address != address && self.members.contains_key(&peer.address)
        };
        let mut others =
            self.members.values().filter(|member| member.node().me().address != address);
        others.all(|member| {
            let list = member.node().successors();
            !member.node().state().is_member() || list.iter().any(lives)
        })
    }

    /// Fewer than r nodes crash or leave at once, every other time in a row.
    fn lose_some(&mut self) {
        let mut ring: Vec<_> = self.members.values().map(|member| member.node().me()).collect();
        ring.sort_by_key(|peer| peer.id);
        let from = self.rng.below(NODES as u64) as usize;
        let in_a_row = self.rng.chance(500);
        for n in 0..=self.rng.below(R as u64 - 1) as usize {
            let random = self.rng.below(ring.len() as u64) as usize;
            let at = if in_a_row { (from + n) % ring.len() } else { random };
            let address = ring[at].address;
            if !self.members.contains_key(&address) || !self.may_crash(address) {
                continue;
            }
            if n == 0 && self.rng.chance(300) {
                let now = self.net.now();
                self.members.get_mut(&address).unwrap().leave(now);
                self.flush(address);
            }
            self.crash(address);
        }
    }

    fn join_some(&mut self) {
        while self.members.len() < NODES {
            let address = self.next_address;
            let contact = self.random();
            let now = self.net.now();
            self.next_address += 1;
            let mut member = Member::new(self.config(address), R, peer(address), LIMITS);
            member.join(now, contact).unwrap();
            self.members.insert(address, member);
            self.flush(address);
        }
    }

    /// Some living node has what the store said it had, or something newer.
    fn check_nothing_is_lost(&self) {
        let mut newest = BTreeMap::new();
        for member in self.members.values() {
            let all = chord_core::KeyRange { after: key(0), through: key(0) };
            for key in member.store.keys(all) {
                let entry = member.store.find(key).unwrap();
                let kept = newest.entry(key).or_insert(entry);
                *kept = (*kept).max(entry);
            }
        }
        for (n, known) in self.keys.iter().enumerate().filter(|(_, known)| known.stored.is_some()) {
            let value = newest.get(&key(n)).map(|entry| &entry.value);
            assert!(known.allows(value), "seed {}: key {n} lost: {value:?} {known:?}", self.seed);
        }
    }
}

impl Known {
    fn allows(&self, value: Option<&Vec<u8>>) -> bool {
        value == self.stored.as_ref() || self.sent.iter().any(|(_, sent)| value == Some(sent))
    }
}

/// Runs `rounds` of losses and joins, a few seconds each; panics if anything is lost.
fn churn(seed: u64, link: Link, keys: usize, rounds: usize) {
    let mut world = World::new(seed, link, keys);
    world.run_for(SECOND * 3);
    for n in 0..keys {
        world.put(n);
        if n % 20 == 0 {
            world.run_for(Duration::from_millis(100));
        }
    }
    world.run_for(SECOND * 15);
    assert_eq!(world.answered, keys, "seed {seed}: all are stored");
    for _ in 0..rounds {
        world.lose_some();
        world.check_nothing_is_lost();
        for _ in 0..4 {
            let wait = 1000 + world.rng.below(500);
            world.run_for(Duration::from_millis(wait));
            let n = world.rng.below(keys as u64);
            let other = world.rng.below(keys as u64);
            world.put(n as usize);
            world.get(other as usize);
        }
        world.join_some();
    }
    world.run_for(SECOND * 25);
    for n in 0..keys {
        world.get(n);
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(SECOND * 31);
    world.check_nothing_is_lost();
    assert!(world.asked.is_empty(), "seed {seed}: {} questions unanswered", world.asked.len());
    let kept: usize = world.members.values().map(|member| member.store.len()).sum();
    println!(
        "seed {seed}: {} crashes and departures in {rounds} rounds, {} answers, nothing lost; \
         {:.1} copies of each key",
        world.crashes,
        world.answered,
        kept as f64 / keys as f64
    );
}

#[test]
fn nothing_is_lost_while_nodes_crash() {
    churn(1, Link::default(), 100, 3);
}

#[test]
fn nothing_is_lost_on_a_bad_network() {
    let jitter = Duration::from_millis(10);
    churn(2, Link { loss: 20, duplicate: 20, reorder: 20, jitter, ..Link::default() }, 100, 3);
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-masses.sh"]
fn nothing_is_ever_lost() {
    for seed in 1..=10 {
        churn(seed, Link::default(), 1000, 100);
    }
}
