//! Honest and hostile nodes over the simulated network.

mod scenes;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use ledger_core::BlockId;
use ledger_core::gossip::CloseReason;
pub use scenes::{burst, catch_up, join, longest_disagreement, propagation};
use sim::{Addr, Delivery, Link, Network, Rng, StreamId};

use crate::host::{Disk, Host, test_node};
use crate::hostile::{Hostile, Kind};
use crate::join::Joiner;

const TICK: Duration = Duration::from_secs(1);
/// Connections that each node opens.
const DIALLED: usize = 3;

pub struct World {
    pub net: Network,
    pub hosts: BTreeMap<Addr, Host>,
    hostile: BTreeMap<Addr, Hostile>,
    joiner: Option<Joiner>,
    deadlines: BTreeMap<Addr, Duration>,
    asleep: BTreeMap<Addr, (Disk, Duration)>, // restarts then
    banned: BTreeMap<(Addr, Addr), Duration>, // who bans whom, and until when
    dialled: BTreeMap<StreamId, Addr>,        // by whom
    rng: Rng,
    next_tick: Duration,
    ticks: u64,
    seed: u64,
    pub is_quiet: bool,
}

/// Slow, lossy paths.
fn link() -> Link {
    Link {
        latency: Duration::from_millis(40),
        jitter: Duration::from_millis(60),
        loss: 20,
        ..Link::default()
    }
}

impl World {
    pub fn new(seed: u64, nodes: u32, hostile: usize) -> Self {
        let genesis = *test_node(0).genesis_id();
        let honest = nodes - hostile as u32;
        let hosts = (0..honest).map(Addr);
        let hosts =
            hosts.map(|addr| (addr, Host::new(addr, seed, Disk::default(), Duration::ZERO)));
        let enemies = (honest..nodes).map(Addr).enumerate();
        let enemies = enemies.map(|(n, addr)| {
            let kind = Kind::ALL[(seed as usize + n) % Kind::ALL.len()];
            (addr, Hostile::new(addr, kind, genesis))
        });
        Self {
            net: Network::new(seed, link()),
            hosts: hosts.collect(),
            hostile: enemies.collect(),
            joiner: None,
            deadlines: BTreeMap::new(),
            asleep: BTreeMap::new(),
            banned: BTreeMap::new(),
            dialled: BTreeMap::new(),
            rng: Rng::new(seed ^ 0x5EED),
            next_tick: Duration::ZERO,
            ticks: 0,
            seed,
            is_quiet: false,
        }
    }

    pub fn run(&mut self, span: Duration) {
        let end = self.net.now() + span;
        while self.net.now() < end {
            let due = self.deadlines.values().min().copied().unwrap_or(Duration::MAX);
            let until = due.max(self.net.now()).min(self.next_tick).min(end);
            if let Some(delivery) = self.net.next(until) {
                self.deliver(delivery);
            } else {
                self.fire();
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        let at = delivery.at();
        if let Some(hostile) = self.hostile.get_mut(&at) {
            match delivery {
                Delivery::Opened { stream, .. } => hostile.opened(&mut self.net, stream),
                Delivery::Bytes { stream, bytes, .. } => {
                    hostile.bytes(&mut self.net, stream, &bytes);
                }
                Delivery::Closed { stream, .. } => hostile.closed(stream),
                Delivery::Datagram { .. } => {}
            }
            return;
        }
        if let Some(joiner) = self.joiner.as_mut().filter(|joiner| joiner.addr == at) {
            joiner.deliver(&mut self.net, delivery);
            self.note_joiner();
            return;
        }
        let Some(host) = self.hosts.get_mut(&at) else { return };
        match delivery {
            Delivery::Opened { stream, peer, .. } => {
                let is_banned = |until: &Duration| *until > self.net.now();
                if self.banned.get(&(at, peer)).is_some_and(is_banned) {
                    self.net.close(stream, at);
                } else {
                    let dialled = self.dialled.get(&stream) == Some(&at);
                    host.opened(&mut self.net, stream, peer, dialled);
                }
            }
            Delivery::Bytes { stream, bytes, .. } => host.bytes(&mut self.net, stream, &bytes),
            Delivery::Closed { stream, .. } => host.closed(&mut self.net, stream),
            Delivery::Datagram { .. } => {}
        }
        self.after(at);
    }

    /// Notes the deadline of a host, and the peers that it has banned.
    fn after(&mut self, at: Addr) {
        let Some(host) = self.hosts.get_mut(&at) else { return };
        let now = self.net.now();
        for (peer, reason) in &host.closed {
            if reason.is_misbehaviour() || *reason == CloseReason::Stalled {
                self.banned.insert((at, *peer), now + Duration::from_secs(600));
            }
        }
        match host.poll_timeout() {
            Some(deadline) => self.deadlines.insert(at, deadline),
            None => self.deadlines.remove(&at),
        };
    }

    fn note_joiner(&mut self) {
        let Some(joiner) = &self.joiner else { return };
        match joiner.poll_timeout() {
            Some(deadline) => self.deadlines.insert(joiner.addr, deadline),
            None => self.deadlines.remove(&joiner.addr),
        };
    }

    fn fire(&mut self) {
        let now = self.net.now();
        let due: Vec<Addr> =
            self.deadlines.iter().filter(|(_, at)| **at <= now).map(|(addr, _)| *addr).collect();
        for addr in due {
            if let Some(joiner) = self.joiner.as_mut().filter(|joiner| joiner.addr == addr) {
                joiner.timeout(&mut self.net);
                self.note_joiner();
            }
            if let Some(host) = self.hosts.get_mut(&addr) {
                host.timeout(&mut self.net);
            }
            self.after(addr);
        }
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.tick();
        }
    }

    /// What happens once in a second.
    fn tick(&mut self) {
        self.ticks += 1;
        let addrs: Vec<Addr> = self.hosts.keys().copied().collect();
        for addr in &addrs {
            if self.ticks % 5 == u64::from(addr.0 % 5) {
                self.dial(*addr);
            }
        }
        for hostile in self.hostile.values_mut().filter(|_| self.ticks.is_multiple_of(4)) {
            hostile.tick(&mut self.net);
        }
        let few = |hostile: &&Hostile| hostile.connections() < 8;
        let enemies: Vec<Addr> = self.hostile.values().filter(few).map(|it| it.addr).collect();
        for addr in enemies.into_iter().filter(|_| self.ticks.is_multiple_of(10)) {
            let target = addrs[self.rng.below(addrs.len() as u64) as usize];
            self.net.connect(addr, target);
        }
        self.wake();
        if self.is_quiet {
            return;
        }
        if self.ticks.is_multiple_of(20) {
            let from = self.rng.below(3) as u8;
            let to = self.rng.below(3) as u8;
            self.at_random(|host, net| host.pay(net, from, to));
        }
        if self.rng.below(60) == 0 {
            let weight = 1 + self.rng.below(200) as u8;
            self.at_random(|host, net| host.mine(net, weight));
        }
        if self.rng.below(30) == 0 {
            self.break_stream();
        }
        if self.rng.below(120) == 0 {
            self.restart();
        }
        if self.ticks.is_multiple_of(60) {
            self.share_blocks();
        }
    }

    fn at_random(&mut self, act: impl FnOnce(&mut Host, &mut Network)) {
        let nth = self.rng.below(self.hosts.len() as u64) as usize;
        let Some((addr, host)) = self.hosts.iter_mut().nth(nth) else { return };
        let addr = *addr;
        act(host, &mut self.net);
        self.after(addr);
    }

    /// Opens a connection if there are few.
    fn dial(&mut self, from: Addr) {
        let others = self.hosts.len() as u64 + self.hostile.len() as u64;
        let to = Addr(self.rng.below(others) as u32);
        let Some(host) = self.hosts.get(&from) else { return };
        let is_banned = self.banned.get(&(from, to)).is_some_and(|until| *until > self.net.now());
        if to != from && host.dialled() < DIALLED && !host.knows(to) && !is_banned {
            let stream = self.net.connect(from, to);
            self.dialled.insert(stream, from);
        }
    }

    fn break_stream(&mut self) {
        self.at_random(|host, net| {
            if let Some(stream) = host.streams().first() {
                net.close(*stream, host.addr);
                host.closed(net, *stream);
            }
        });
    }

    /// Stops any host, which starts again soon.
    fn restart(&mut self) {
        let nth = self.rng.below(self.hosts.len() as u64) as usize;
        let Some(addr) = self.hosts.keys().nth(nth).copied() else { return };
        self.kill(addr, Duration::from_secs(20));
    }

    /// Stops a host without a word; after this time it starts again from its disk.
    fn kill(&mut self, addr: Addr, rest: Duration) {
        let Some(host) = self.hosts.remove(&addr) else { return };
        self.deadlines.remove(&addr);
        self.net.kill(addr);
        self.asleep.insert(addr, (host.disk, self.net.now() + rest));
    }

    fn wake(&mut self) {
        let now = self.net.now();
        let due = |(addr, (_, until)): (&Addr, &(Disk, Duration))| (*until <= now).then_some(*addr);
        for addr in self.asleep.iter().filter_map(due).collect::<Vec<_>>() {
            if let Some((disk, _)) = self.asleep.remove(&addr) {
                self.net.revive(addr);
                self.hosts.insert(addr, Host::new(addr, self.seed, disk, now));
                self.after(addr);
            }
        }
    }

    /// Hostile nodes know all real blocks.
    fn share_blocks(&mut self) {
        let Some(host) = self.hosts.values().max_by_key(|host| host.chain.len()) else { return };
        for hostile in self.hostile.values_mut().filter(|it| it.kind == Kind::InvalidBodies) {
            hostile.blocks.clone_from(&host.disk.blocks);
        }
    }

    /// Cuts the network into two halves.
    pub fn split(&mut self) {
        let all = 0..64_u32;
        let (left, right): (Vec<Addr>, Vec<Addr>) = all.map(Addr).partition(|addr| addr.0 % 2 == 0);
        self.net.partition(&[&left, &right]);
    }

    pub fn heal(&mut self) {
        self.net.heal();
    }

    pub fn tips(&self) -> BTreeSet<BlockId> {
        self.hosts.values().map(|host| host.tip().id).collect()
    }

    pub fn height(&self) -> u64 {
        self.hosts.values().map(|host| host.tip().height.0).min().unwrap_or(0)
    }

    pub fn assert_honest_are_connected(&self) {
        for host in self.hosts.values() {
            let peers = host.peers();
            let honest = peers.iter().filter(|peer| self.hosts.contains_key(peer)).count();
            assert!(honest > 0, "seed {}: {} has only {peers:?}", self.seed, host.addr);
        }
    }

    pub fn assert_no_honest_peer_was_banned(&self) {
        for host in self.hosts.values() {
            for (peer, reason) in &host.closed {
                let is_honest = !self.hostile.contains_key(peer);
                assert!(
                    !is_honest || !reason.is_misbehaviour(),
                    "seed {}: {} disconnected {peer} as {reason}",
                    self.seed,
                    host.addr
                );
            }
        }
    }
}
