//! A network of BFT validators in virtual time, some of them faulty.

use core::cmp::Ordering;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::prelude::rust_2024::*;
use std::rc::Rc;
use std::{format, vec};

use consensus::bft::{
    Bft, BftConfig, BftEvent, BftSetup, BftSlots, DatagramError, PeerSlot, VoteSlot,
};
use consensus::{RoundRobin, SignedStatement, Statement, ValidatorId};
use sim::Rng;

mod certificate;
mod faults;
mod keys;

use certificate::check_certificate;
pub use faults::Fault;
pub use keys::TestKeys;

pub const GENESIS: [u8; 32] = [0xC0; 32];
const DELAY: Duration = Duration::from_millis(100);

type Storage = BftSlots<Vec<PeerSlot>, Vec<VoteSlot>>;
type Engine = Bft<RoundRobin<Vec<ValidatorId>>, TestKeys, Storage>;

pub fn validator(index: usize) -> ValidatorId {
    ValidatorId([index as u8 + 1; 32])
}

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub nodes: usize,
    pub faults: Vec<Fault>,
    /// The number of heights that every honest node decides.
    pub heights: u64,
    /// Whether the disks work. Without, a restarted node has forgotten its votes.
    pub saves: bool,
    /// Whether the certificate of each decision is checked.
    pub checks_certificates: bool,
}

/// What survives a crash.
#[derive(Debug, Clone, Default)]
struct Disk {
    state: Option<Vec<u8>>,
    decisions: Vec<Decision>,
}

#[derive(Debug, Clone)]
struct Decision {
    value: [u8; 32],
    certificate: Vec<SignedStatement>,
}

struct Node {
    engine: Option<Engine>,
    disk: Disk,
    fault: Option<Fault>,
    /// The deadline for which a timer is in the queue.
    timer_at: Option<Duration>,
}

enum Arrival {
    Datagram { to: usize, bytes: Rc<[u8]> },
    Timer(usize),
    Restart(usize),
}

/// An arrival in the queue: the earliest is the greatest, and of two at one time the one that was pushed first.
struct Scheduled {
    at: Duration,
    number: u64,
    arrival: Arrival,
}

/// What a run showed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    pub delivered: u64,
    pub evidence: u64,
    pub crashes: u64,
    pub rounds: u32,
}

pub struct Simulation {
    plan: Plan,
    rng: Rng,
    now: Duration,
    heals_at: Duration,
    queue: BinaryHeap<Scheduled>,
    /// The number of arrivals that were pushed.
    pushed: u64,
    nodes: Vec<Node>,
    side: Vec<bool>,
    is_split: bool,
    loss: u16,
    /// What honest nodes signed: none may contradict itself.
    signed: Vec<BTreeMap<(u64, u32, u8), [u8; 32]>>,
    recorded: Vec<Rc<[u8]>>,
    /// What colluding nodes answered already: the node, the author and the statement.
    answered: BTreeSet<(usize, usize, [u8; Statement::LEN])>,
    pub report: Report,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// Runs a plan: chaos for a while, then a network that works. Returns what went wrong, if anything.
pub fn run(plan: &Plan) -> Result<Report, String> {
    Simulation::new(plan).run()
}

impl Simulation {
    fn new(plan: &Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let loss = [0, 100, 300][rng.below(3) as usize];
        let heals_at = DELAY * (20 + rng.below(80) as u32);
        let mut simulation = Self {
            plan: plan.clone(),
            rng,
            now: Duration::ZERO,
            heals_at,
            queue: BinaryHeap::new(),
            pushed: 0,
            nodes: Vec::new(),
            side: vec![false; plan.nodes],
            is_split: false,
            loss,
            signed: vec![BTreeMap::new(); plan.nodes],
            recorded: Vec::new(),
            answered: BTreeSet::new(),
            report: Report::default(),
        };
        for index in 0..plan.nodes {
            let fault = plan.faults.get(index).copied();
            let engine = Some(simulation.build(index, 0, None));
            simulation.nodes.push(Node { engine, disk: Disk::default(), fault, timer_at: None });
        }
        simulation
    }

    fn build(&self, index: usize, height: u64, saved: Option<&[u8]>) -> Engine {
        let count = self.plan.nodes;
        let ids: Vec<_> = (0..count).map(validator).collect();
        let validators: Vec<_> = ids.iter().map(|id| (*id, 10)).collect();
        let setup = BftSetup {
            config: BftConfig::new(DELAY),
            genesis: GENESIS,
            height,
            validators: &validators,
            selector: RoundRobin::new(ids),
            keys: TestKeys(validator(index)),
        };
        let storage = BftSlots {
            validators: vec![PeerSlot::EMPTY; count],
            votes: vec![VoteSlot::EMPTY; count * VoteSlot::PER_VALIDATOR],
        };
        match saved {
            Some(saved) => Bft::resume(setup, storage, saved).expect("what was saved"),
            None => Bft::new(setup, storage).expect("a valid setup"),
        }
    }

    fn run(mut self) -> Result<Report, String> {
        for index in 0..self.plan.nodes {
            self.drain(index)?;
        }
        let end = self.heals_at + DELAY * 400;
        while !self.is_done() {
            let Some(Scheduled { at, arrival, .. }) = self.queue.pop() else {
                return Err("the queue is empty before all have decided".into());
            };
            if at > end {
                return Err(format!("not decided at {at:?}: {}", self.progress()));
            }
            self.now = self.now.max(at);
            self.arrive(arrival)?;
            self.disturb();
        }
        Ok(self.report)
    }

    fn is_done(&self) -> bool {
        let mut honest = self.nodes.iter().filter(|node| node.fault.is_none());
        honest.all(|node| node.disk.decisions.len() as u64 >= self.plan.heights)
    }

    fn progress(&self) -> String {
        let show = |node: &Node| {
            let state = node.engine.as_ref().map(|it| (it.height(), *it.round_state()));
            format!("{:?} {:?} {state:?}\n", node.fault, node.disk.decisions.len())
        };
        self.nodes.iter().map(show).collect()
    }

    /// Loss, partitions and crashes, until the network heals.
    fn disturb(&mut self) {
        if self.now >= self.heals_at {
            self.loss = 0;
            self.is_split = false;
            return;
        }
        if self.rng.below(200) == 0 {
            self.is_split = !self.is_split;
            for side in &mut self.side {
                *side = self.rng.below(2) == 0;
            }
        }
        if self.rng.below(150) == 0 {
            let index = self.rng.below(self.plan.nodes as u64) as usize;
            self.crash(index);
        }
    }

    fn crash(&mut self, index: usize) {
        if self.nodes[index].engine.take().is_some() {
            self.report.crashes += 1;
            let pause = DELAY * self.rng.below(10) as u32;
            self.push(self.now + pause, Arrival::Restart(index));
        }
    }

    fn push(&mut self, at: Duration, arrival: Arrival) {
        let number = self.pushed;
        self.pushed += 1;
        self.queue.push(Scheduled { at, number, arrival });
    }

    fn arrive(&mut self, arrival: Arrival) -> Result<(), String> {
        let now = self.now;
        match arrival {
            Arrival::Datagram { to, bytes } => {
                if self.nodes[to].fault == Some(Fault::Colluding) {
                    self.collude(to, &bytes);
                }
                let Some(engine) = &mut self.nodes[to].engine else { return Ok(()) };
                self.report.delivered += 1;
                match engine.handle_datagram(now, &bytes) {
                    Err(error @ (DatagramError::Malformed(_) | DatagramError::Forged(_))) => {
                        Err(format!("{error}"))
                    }
                    _ => self.drain(to),
                }
            }
            Arrival::Timer(index) => {
                if self.nodes[index].timer_at != Some(now) {
                    return Ok(()); // an earlier one took its place
                }
                self.nodes[index].timer_at = None;
                let Some(engine) = &mut self.nodes[index].engine else { return Ok(()) };
                engine.handle_timeout(now);
                self.drain(index)
            }
            Arrival::Restart(index) => {
                let disk = &self.nodes[index].disk;
                let height = disk.decisions.len() as u64;
                let saved = disk.state.clone();
                self.nodes[index].engine = Some(self.build(index, height, saved.as_deref()));
                self.nodes[index].timer_at = None;
                self.timeout(index);
                self.drain(index)
            }
        }
    }

    fn timeout(&mut self, index: usize) {
        let now = self.now;
        if let Some(engine) = &mut self.nodes[index].engine {
            engine.handle_timeout(now);
        }
    }

    /// Polls an engine until it is silent.
    fn drain(&mut self, index: usize) -> Result<(), String> {
        loop {
            let Some(engine) = &mut self.nodes[index].engine else { return Ok(()) };
            if let Some(event) = engine.poll_event() {
                self.handle_event(index, &event)?;
                continue;
            }
            let mut buf = [0; SignedStatement::LEN];
            let sent = engine.poll_transmit(&mut buf).expect("the buffer is large enough");
            if sent.is_none() {
                break;
            }
            self.send(index, &buf)?;
        }
        let node = &mut self.nodes[index];
        let at = node.engine.as_ref().and_then(Engine::poll_timeout);
        if let Some(at) = at.filter(|at| Some(*at) != node.timer_at) {
            node.timer_at = Some(at);
            self.push(at, Arrival::Timer(index));
        }
        Ok(())
    }

    fn handle_event(&mut self, index: usize, event: &BftEvent) -> Result<(), String> {
        let now = self.now;
        let may_crash = now < self.heals_at;
        let salt = self.rng.next_u64();
        let node = &mut self.nodes[index];
        let Some(engine) = &mut node.engine else { return Ok(()) };
        match *event {
            BftEvent::Save { token } => {
                let mut buf = vec![0; 4096];
                let len = engine.encode_state(&mut buf).expect("it fits");
                buf.truncate(len);
                let moment = if may_crash { salt % 64 } else { 2 };
                if moment == 0 {
                    self.crash(index); // before the disk has it
                    return Ok(());
                }
                if self.plan.saves && node.fault != Some(Fault::Amnesiac) {
                    node.disk.state = Some(buf);
                }
                if moment == 1 {
                    self.crash(index); // before the engine knows
                    return Ok(());
                }
                engine.handle_saved(now, token).expect("the token is known");
            }
            BftEvent::Propose { height, round } => {
                let value = faults::value(node.fault, height, round, index, salt);
                engine.propose(now, &value).expect("it is wanted");
            }
            BftEvent::Check { height, value } => {
                engine.handle_checked(now, &value, faults::is_valid(&value, height));
            }
            BftEvent::Decided { height, round, value } => {
                self.report.rounds = self.report.rounds.max(round);
                let certificate: Vec<_> = engine.certificate().collect();
                if height + 1 < self.plan.heights {
                    engine.next_height(now).expect("decided");
                }
                if node.fault.is_none() && self.plan.checks_certificates {
                    check_certificate(&certificate, height, &value, self.plan.nodes)?;
                }
                if node.disk.decisions.len() as u64 == height {
                    node.disk.decisions.push(Decision { value, certificate });
                }
                return self.compare(index, height, &value);
            }
            BftEvent::Equivocated(ref evidence) => {
                let offender = evidence.offender();
                let honest = self.nodes.iter().enumerate().filter(|(_, node)| node.fault.is_none());
                for (other, _) in honest {
                    if validator(other) == offender && self.plan.saves {
                        return Err(format!("evidence against an honest node: {evidence}"));
                    }
                }
                self.report.evidence += 1;
            }
            BftEvent::PeerBehind { peer, height } => {
                let decision = node.disk.decisions.get(height as usize).cloned();
                let to = peer.0[0] as usize - 1;
                for signed in decision.iter().flat_map(|decision| &decision.certificate) {
                    self.deliver(index, to, &faults::encode(signed));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// No two honest nodes decide differently, and nobody decides what is invalid.
    fn compare(&self, index: usize, height: u64, value: &[u8; 32]) -> Result<(), String> {
        if self.nodes[index].fault.is_some() {
            return Ok(());
        }
        if !faults::is_valid(value, height) {
            return Err(format!("node {index} decided an invalid value at height {height}"));
        }
        for (other, node) in self.nodes.iter().enumerate().filter(|(_, it)| it.fault.is_none()) {
            let decision = node.disk.decisions.get(height as usize);
            if decision.is_some_and(|decision| decision.value != *value) {
                return Err(format!("nodes {index} and {other} disagree at height {height}"));
            }
        }
        Ok(())
    }

    /// Sends a datagram of a node to all others, as its fault requires.
    fn send(&mut self, from: usize, bytes: &[u8]) -> Result<(), String> {
        let (signed, _) = SignedStatement::decode(bytes).expect("an engine sends what decodes");
        let is_own = signed.author == validator(from);
        if let Some(fault) = self.nodes[from].fault {
            self.send_faulty(fault, from, &signed, is_own);
            return Ok(());
        }
        if is_own {
            self.check_honest(from, &signed.statement)?;
        }
        let bytes: Rc<[u8]> = bytes.into();
        if self.recorded.len() < 500 {
            self.recorded.push(Rc::clone(&bytes));
        }
        (0..self.plan.nodes).for_each(|to| self.deliver(from, to, &bytes));
        Ok(())
    }

    /// An honest node never contradicts itself, not even after a crash.
    fn check_honest(&mut self, from: usize, statement: &Statement) -> Result<(), String> {
        let kind = statement.to_bytes()[2];
        let place = (statement.slot, statement.round, kind);
        let first = *self.signed[from].entry(place).or_insert(statement.digest);
        if first == statement.digest {
            return Ok(());
        }
        Err(format!("honest node {from} contradicts itself: {statement}"))
    }

    fn deliver(&mut self, from: usize, to: usize, bytes: &Rc<[u8]>) {
        let colludes = |node: usize| self.nodes[node].fault == Some(Fault::Colluding);
        let is_cut =
            self.is_split && self.side[from] != self.side[to] && !colludes(from) && !colludes(to);
        if from == to || is_cut || self.rng.chance(self.loss) {
            return;
        }
        let copies = if self.rng.below(20) == 0 { 2 } else { 1 };
        for _ in 0..copies {
            let delay = DELAY.mul_f64(0.1 + self.rng.below(1000) as f64 / 1200.0);
            self.push(self.now + delay, Arrival::Datagram { to, bytes: Rc::clone(bytes) });
        }
    }
}
