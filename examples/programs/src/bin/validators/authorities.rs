//! Authorities that extend the best chain that they know, on a network in virtual time.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use consensus::{Ed25519Key, EquivocationDetector, Keys as _, Offence, StatementSlot, ValidatorId};
use examples::cli::{self, Exit};
use examples::{progress, report};

use crate::chain::{Block, Inserted, Rules, SignedBlock, Tree};
use crate::net::{Net, SILENCE};
use crate::run::Args;

/// Virtual time without a new head after which the authorities are taken to be stuck.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often an authority sends its head again: others may have been cut off.
const ANNOUNCE: Duration = Duration::from_secs(10);
/// How soon it asks again for a missing block.
const RETRY: Duration = Duration::from_secs(1);
/// The blocks of an answer to an authority that is behind.
const ANSWER: usize = 16;
/// The slots for whose statements a detector has room, for each authority.
const WINDOW: u64 = 8;

const BLOCK: u8 = 1;
const WANT: u8 = 2;

struct World<'a, R: Rules> {
    args: &'a Args,
    ids: Vec<ValidatorId>,
    nodes: Vec<Node<R>>,
    net: Net,
    offences: BTreeSet<Offence>,
    finals: BTreeMap<u64, [u8; 32]>,
    changed_at: Duration,
}

struct Node<R: Rules> {
    key: Ed25519Key,
    tree: Tree<R>,
    detector: EquivocationDetector<Vec<StatementSlot>>,
    /// The last slot for which it signed a block. It signs none twice.
    signed: Option<u64>,
    announce_at: Duration,
    /// The last block that it holds final.
    final_until: u64,
    /// The missing block for which it asked last, and when.
    asked: Option<([u8; 32], Duration)>,
}

/// Runs an engine from the state before the first block.
pub fn run<R: Rules>(args: &Args, start: &R) -> cli::Result {
    let mut world = World::new(args, start);
    let mut now = Duration::ZERO;
    while !world.is_done(now) {
        if now > world.changed_at + PATIENCE {
            report!("no block for {} s: nobody may sign; the chain halts", PATIENCE.as_secs());
            return Ok(Exit::Failure);
        }
        world.step(now)?;
        let next = world.next_at(now).ok_or(SILENCE)?;
        now = next.max(now + Duration::from_millis(1));
        progress::show(|| format!("{} s", now.as_secs()));
    }
    report!("{} blocks, equal at all honest validators, in {} s", args.blocks, now.as_secs());
    Ok(Exit::Success)
}

impl<'a, R: Rules> World<'a, R> {
    fn new(args: &'a Args, start: &R) -> Self {
        let keys = args.keys();
        let ids: Vec<_> = keys.iter().map(Ed25519Key::id).collect();
        let slots = vec![StatementSlot::EMPTY; ids.len() * WINDOW as usize];
        let nodes = keys.into_iter().map(|key| Node {
            key,
            tree: Tree::new(start.clone()),
            detector: EquivocationDetector::new(slots.clone()),
            signed: None,
            announce_at: ANNOUNCE,
            final_until: 0,
            asked: None,
        });
        let nodes = nodes.collect();
        let net = Net::new(args.seed, args.partition());
        let changed_at = args.partition().end;
        let finals = BTreeMap::new();
        Self { args, ids, nodes, net, offences: BTreeSet::new(), finals, changed_at }
    }

    /// Returns whether all honest authorities have the blocks, and the same ones.
    fn is_done(&self, now: Duration) -> bool {
        let honest = self.nodes.iter().enumerate().filter(|(index, _)| {
            !self.args.is_dead(*index, now) && self.args.equivocate != Some(*index)
        });
        let mut last = honest.map(|(_, node)| node.tree.at(self.args.blocks));
        let first = last.next().flatten();
        first.is_some() && last.all(|id| id == first)
    }

    fn step(&mut self, now: Duration) -> cli::Result<()> {
        while let Some(arrival) = self.net.next(now) {
            if self.args.is_dead(arrival.to, now) {
                continue;
            }
            match arrival.bytes.split_first() {
                Some((&BLOCK, bytes)) => self.receive(arrival.to, arrival.from, now, bytes)?,
                Some((&WANT, id)) => self.answer(arrival.to, arrival.from, now, id),
                _ => {}
            }
        }
        for index in 0..self.nodes.len() {
            if self.args.is_dead(index, now) {
                continue;
            }
            if self.turn(index, now).is_some_and(|at| at <= now) {
                self.sign(index, now)?;
            }
            let node = &mut self.nodes[index];
            if node.announce_at <= now {
                node.announce_at = now + ANNOUNCE;
                let head = node.tree.chain(node.tree.head, 1).next();
                for to in 0..self.ids.len() {
                    self.send(index, to, now, head.as_ref());
                }
            }
        }
        Ok(())
    }

    /// Returns when an authority may make its next block.
    fn turn(&self, index: usize, now: Duration) -> Option<Duration> {
        let node = &self.nodes[index];
        node.tree.state().turn(node.tree.head(), self.ids[index], node.signed, now)
    }

    fn next_at(&self, now: Duration) -> Option<Duration> {
        let alive = (0..self.nodes.len()).filter(|index| !self.args.is_dead(*index, now));
        let timers = alive.flat_map(|index| {
            [self.turn(index, now), Some(self.nodes[index].announce_at)].into_iter().flatten()
        });
        timers.chain(self.net.next_at()).min()
    }

    /// Makes a block and sends it; an equivocating authority sends another one to every second.
    fn sign(&mut self, index: usize, now: Duration) -> cli::Result<()> {
        let node = &self.nodes[index];
        let parent = *node.tree.head();
        let time = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let block = Block { number: parent.number + 1, time, parent: parent.id(), variant: 0 };
        report!("{time:>6} ms  {}", node.tree.state().describe(&parent, &block, index));
        if self.args.explain {
            let is_silent = |index| self.args.is_dead(index, now);
            for line in node.tree.state().explain(&parent, &block, &is_silent) {
                report!("           {line}");
            }
        }
        let signed = SignedBlock::new::<R>(block, &node.key);
        let other = (self.args.equivocate == Some(index))
            .then(|| SignedBlock::new::<R>(Block { variant: 1, ..block }, &node.key));
        self.nodes[index].signed = Some(R::slot(&block)); // saved to a disk here, before it is sent
        for to in 0..self.ids.len() {
            self.send(index, to, now, Some(&signed));
            if to % 2 == 1 {
                self.send(index, to, now, other.as_ref()); // these prove the offence
            }
        }
        self.insert(index, now, signed)
    }

    fn send(&mut self, from: usize, to: usize, now: Duration, block: Option<&SignedBlock>) {
        if let Some(block) = block {
            self.net.send(now, from, to, &[&[BLOCK], &block.encode()[..]].concat());
        }
    }

    fn receive(&mut self, to: usize, from: usize, now: Duration, bytes: &[u8]) -> cli::Result<()> {
        let Some(block) = SignedBlock::decode(bytes) else { return Ok(()) };
        let signed = block.signed::<R>();
        if !self.ids.contains(&block.author) || signed.verify().is_err() {
            return Ok(());
        }
        let node = &mut self.nodes[to];
        let latest = R::latest(node.tree.head(), now);
        node.detector.set_window(&crate::chain::GENESIS, latest.saturating_sub(WINDOW)..=latest);
        let found = node.detector.observe(&signed, |_| true);
        if let Some(offence) = found.ok().flatten().map(|evidence| evidence.offence())
            && self.offences.insert(offence)
        {
            report!("{:>6} ms  evidence: {offence}", now.as_millis());
        }
        self.insert(to, now, block)?;
        let node = &mut self.nodes[to];
        let missing = node.tree.missing(&block.block);
        let is_asked = node.asked.is_some_and(|(id, at)| missing == Some(id) && now < at + RETRY);
        if let Some(id) = missing.filter(|_| !is_asked) {
            node.asked = Some((id, now));
            self.net.send(now, to, from, &[&[WANT], &id[..]].concat());
        }
        Ok(())
    }

    /// Sends a block and those before it.
    fn answer(&mut self, from: usize, to: usize, now: Duration, id: &[u8]) {
        let Ok(id) = id.try_into() else { return };
        let blocks: Vec<_> = self.nodes[from].tree.chain(id, ANSWER).collect();
        for block in &blocks {
            self.send(from, to, now, Some(block));
        }
    }

    fn insert(&mut self, index: usize, now: Duration, block: SignedBlock) -> cli::Result<()> {
        let tree = &mut self.nodes[index].tree;
        let Inserted::Head { left } = tree.insert(block) else { return Ok(()) };
        self.changed_at = self.changed_at.max(now);
        if left > 0 {
            report!(
                "{:>6} ms  validator {index} leaves {left} blocks for the better chain of block {}",
                now.as_millis(),
                tree.head().number
            );
        }
        let node = &mut self.nodes[index];
        let first = node.final_until + 1;
        node.final_until = node.tree.state().finalized().unwrap_or(0).max(node.final_until);
        for number in first..=node.final_until {
            let id = node.tree.at(number).ok_or("a final block is missing")?;
            match self.finals.insert(number, id) {
                None => report!("{:>6} ms  block {number} is final", now.as_millis()),
                Some(known) if known != id => {
                    return Err(format!("validators hold different blocks {number} final"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
