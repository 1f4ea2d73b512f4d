//! Validators that agree on each block before the next: Tendermint.

use core::time::Duration;
use std::collections::BTreeSet;

use consensus::bft::{Bft, BftConfig, BftEvent, BftLimits, BftSetup, BftVec, VoteSlot};
use consensus::{
    Ed25519Key, Keys as _, Offence, RoundRobin, SignedStatement, Statement, ValidatorId,
};
use examples::cli::{self, Exit, sentence};
use examples::{progress, report};

use crate::net::{DELAY, Net, SILENCE};
use crate::run::{Args, block};

const GENESIS: [u8; 32] = [0xC0; 32];
/// Virtual time without a decision after which the validators are taken to be stuck.
const PATIENCE: Duration = Duration::from_secs(120);

type Machine = Bft<RoundRobin<Vec<ValidatorId>>, Ed25519Key, BftVec>;

struct World<'a> {
    args: &'a Args,
    ids: Vec<ValidatorId>,
    keys: Vec<Ed25519Key>,
    machines: Vec<Option<Machine>>,
    net: Net,
    /// The blocks that each validator has decided.
    decided: Vec<Vec<[u8; 32]>>,
    /// What each decided height is proved by, for validators that are behind.
    certificates: Vec<Vec<SignedStatement>>,
    offences: BTreeSet<Offence>,
    decided_at: Duration,
}

/// Runs the engine.
pub fn run(args: &Args) -> cli::Result {
    let mut world = World::new(args)?;
    let mut now = Duration::ZERO;
    while !world.is_done() {
        if now > world.decided_at + PATIENCE {
            let height = world.certificates.len() + 1;
            report!("no decision on block {height} for {} s", PATIENCE.as_secs());
            return Ok(Exit::Failure);
        }
        for index in 0..args.validators {
            if args.is_dead(index, now) {
                world.machines[index] = None;
            }
            world.drive(index, now)?;
        }
        now = world.next_at().ok_or(SILENCE)?.max(now);
        world.step(now);
        progress::show(|| format!("{} s", now.as_secs()));
    }
    report!("{} blocks, equal at all honest validators, in {} s", args.blocks, now.as_secs());
    Ok(Exit::Success)
}

impl<'a> World<'a> {
    fn new(args: &'a Args) -> cli::Result<Self> {
        let keys = args.keys();
        let ids: Vec<_> = keys.iter().map(Ed25519Key::id).collect();
        let validators: Vec<_> = ids.iter().map(|id| (*id, 1)).collect();
        let limits =
            BftLimits { validators: ids.len(), votes_per_validator: VoteSlot::PER_VALIDATOR };
        let machine = |index: usize| -> cli::Result<Option<Machine>> {
            let setup = BftSetup {
                config: BftConfig::new(DELAY),
                genesis: GENESIS,
                height: 1,
                validators: &validators,
                selector: RoundRobin::new(ids.clone()),
                keys: keys[index].clone(),
            };
            Bft::new(setup, BftVec::new(limits)).map(Some).map_err(sentence)
        };
        let machines = (0..args.validators).map(machine).collect::<cli::Result<_>>()?;
        let net = Net::new(args.seed, args.partition());
        let decided = vec![Vec::new(); args.validators];
        let certificates = Vec::new();
        let offences = BTreeSet::new();
        let decided_at = args.partition().end;
        Ok(Self { args, ids, keys, machines, net, decided, certificates, offences, decided_at })
    }

    fn is_done(&self) -> bool {
        let mut all = self.machines.iter().zip(&self.decided).enumerate();
        all.all(|(index, (machine, decided))| {
            let is_faulty = machine.is_none() || self.args.equivocate == Some(index);
            is_faulty || decided.len() as u64 >= self.args.blocks
        })
    }

    /// Returns when the next timer or datagram is due.
    fn next_at(&self) -> Option<Duration> {
        let timers = self.machines.iter().flatten().filter_map(Machine::poll_timeout);
        timers.chain(self.net.next_at()).min()
    }

    fn step(&mut self, now: Duration) {
        while let Some(arrival) = self.net.next(now) {
            if let Some(machine) = &mut self.machines[arrival.to] {
                let _ = machine.handle_datagram(now, &arrival.bytes); // a late or repeated one is dropped
            }
        }
        for machine in self.machines.iter_mut().flatten() {
            if machine.poll_timeout().is_some_and(|at| at <= now) {
                machine.handle_timeout(now);
            }
        }
    }

    /// Does what a validator asks for, and sends what it signs.
    fn drive(&mut self, index: usize, now: Duration) -> cli::Result<()> {
        let mut buf = [0; SignedStatement::LEN];
        // A validator that is alone decides block after block without waiting.
        while !self.is_done() {
            let Some(machine) = &mut self.machines[index] else { return Ok(()) };
            if let Some(event) = machine.poll_event() {
                self.handle(index, now, &event)?;
            } else if machine.poll_transmit(&mut buf).map_err(sentence)?.is_some() {
                self.send(index, now, &buf)?;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    fn handle(&mut self, index: usize, now: Duration, event: &BftEvent) -> cli::Result<()> {
        let Some(machine) = &mut self.machines[index] else { return Ok(()) };
        match *event {
            // The state would be written to a disk here.
            BftEvent::Save { token } => machine.handle_saved(now, token).map_err(sentence)?,
            BftEvent::Propose { height, .. } => {
                machine.propose(now, &block(height, index, 0)).map_err(sentence)?;
            }
            BftEvent::Check { height, value } => {
                let is_valid = value[..8] == height.to_be_bytes();
                machine.handle_checked(now, &value, is_valid);
            }
            BftEvent::Decided { height, round, value } => {
                let certificate: Vec<_> = machine.certificate().collect();
                machine.next_height(now).map_err(sentence)?;
                self.decided[index].push(value);
                self.decide(index, now, height, round, value, certificate)?;
            }
            BftEvent::PeerBehind { peer, height } => {
                let to = self.ids.iter().position(|id| *id == peer).unwrap_or(index);
                let known = usize::try_from(height).ok().and_then(|height| height.checked_sub(1));
                let certificate = known.and_then(|at| self.certificates.get(at)).cloned();
                for signed in certificate.unwrap_or_default() {
                    let mut bytes = [0; SignedStatement::LEN];
                    signed.encode(&mut bytes).map_err(sentence)?;
                    self.net.send(now, index, to, &bytes);
                }
            }
            BftEvent::Equivocated(ref evidence) => {
                let offence = evidence.offence();
                if self.offences.insert(offence) {
                    report!("{:>5} ms  evidence: {evidence}", now.as_millis());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn decide(
        &mut self,
        index: usize,
        now: Duration,
        height: u64,
        round: u32,
        value: [u8; 32],
        certificate: Vec<SignedStatement>,
    ) -> cli::Result<()> {
        let others = self.decided.iter().filter_map(|blocks| blocks.get(height as usize - 1));
        if self.args.equivocate != Some(index) && others.clone().any(|other| *other != value) {
            return Err(format!("validators decided differently on block {height}"));
        }
        if self.certificates.len() as u64 >= height {
            return Ok(());
        }
        self.decided_at = self.decided_at.max(now);
        let votes = certificate.len();
        let author = usize::from(value[8]) - 1;
        let count = self.args.validators;
        report!(
            "{:>5} ms  block {height} of validator {author}, decided in round {round} by {votes} of {count}",
            now.as_millis()
        );
        if self.args.explain {
            self.explain(height, round);
        }
        self.certificates.push(certificate);
        Ok(())
    }

    fn explain(&self, height: u64, round: u32) {
        let count = self.args.validators as u64;
        for round in 0..=u64::from(round) {
            let chosen = (height + round) % count;
            let is_silent = self.machines[chosen as usize].is_none();
            let silent = if is_silent { ", which is silent" } else { "" };
            report!(
                "          round {round}: (height {height} + round {round}) mod {count} = validator {chosen}{silent}"
            );
        }
    }

    /// Sends a statement to all others; an equivocating validator sends every second one another statement.
    fn send(&mut self, from: usize, now: Duration, bytes: &[u8]) -> cli::Result<()> {
        let (signed, _) = SignedStatement::decode(bytes).map_err(sentence)?;
        let is_own = signed.author == self.ids[from];
        let mut other = bytes.to_vec();
        if is_own && self.args.equivocate == Some(from) {
            let mut digest = block(signed.statement.slot, from, 1);
            digest[9] = u8::from(signed.statement.is_nil());
            let statement = Statement { digest, ..signed.statement };
            let signature = self.keys[from].sign(&statement.to_bytes());
            let lie = SignedStatement { statement, author: signed.author, signature };
            lie.encode(&mut other).map_err(sentence)?;
        }
        for to in 0..self.args.validators {
            let bytes = if to % 2 == 0 { bytes } else { &other };
            self.net.send(now, from, to, bytes);
        }
        Ok(())
    }
}
