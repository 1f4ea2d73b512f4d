//! Validators with a proposer drawn for each slot, and finality by Casper FFG.

use core::time::Duration;
use std::collections::BTreeSet;

use consensus::select::SeededDraw;
use consensus::slot::{AttesterSlot, Checkpoint, Ffg, FfgConfig, FfgEvent, FfgSetup};
use consensus::{
    Ed25519Key, Keys as _, Offence, Selector as _, SignedStatement, Statement, ValidatorId,
    ValidatorSet, ValidatorVec,
};
use examples::cli::{self, Exit, sentence};
use examples::{progress, report};

use crate::net::{Net, SILENCE};
use crate::run::{Args, block};

const GENESIS: [u8; 32] = [0xC0; 32];
const SEED: [u8; 32] = [7; 32];
const SLOT: Duration = Duration::from_secs(3);
/// Slots that may follow until the last block is final.
const PATIENCE: u64 = 20;

type Draw = SeededDraw<ValidatorSet<ValidatorVec>>;
type Machine = Ffg<Draw, Ed25519Key, Vec<AttesterSlot>>;

/// Runs the engine: blocks travel at once, attestations as datagrams.
pub fn run(args: &Args) -> cli::Result {
    let keys = args.keys();
    let stakes: Vec<_> = (1_u64..).zip(&keys).map(|(n, key)| (key.id(), 10 * n)).collect();
    let mut machines = machines(args, &keys, &stakes)?;
    let mut net = Net::new(args.seed, args.partition());
    let mut head = GENESIS;
    let mut finalized = Checkpoint { slot: 0, id: GENESIS };
    let mut offences = BTreeSet::new();
    let mut now = SLOT;
    let end =
        SLOT * u32::try_from(args.blocks + PATIENCE).unwrap_or(u32::MAX) + args.partition().end;
    while finalized.slot < args.blocks {
        if now > end {
            report!("final until slot {} only", finalized.slot);
            return Ok(Exit::Failure);
        }
        while let Some(arrival) = net.next(now) {
            if let Some(machine) = &mut machines[arrival.to] {
                let _ = machine.handle_datagram(now, &arrival.bytes); // a late or repeated one is dropped
            }
        }
        for index in 0..args.validators {
            if args.is_dead(index, now) {
                machines[index] = None;
            }
            let Some(machine) = &mut machines[index] else { continue };
            machine.handle_head(now, &head); // before the attestation, which is for it
            while let Some(event) = machine.poll_event() {
                match event {
                    FfgEvent::Propose { slot } => {
                        let id = block(slot, index, 0);
                        machine.propose(now, &id).map_err(sentence)?;
                    }
                    FfgEvent::Save { token } => {
                        machine.handle_saved(now, token).map_err(sentence)?;
                    }
                    FfgEvent::Proposed { block, .. } => {
                        report!("slot {:>3}  block of validator {index}", block.slot);
                        if args.explain {
                            explain(args, &stakes, block.slot);
                        }
                        head = block.id;
                    }
                    FfgEvent::Finalized(checkpoint) if checkpoint.slot > finalized.slot => {
                        finalized = checkpoint;
                        report!("          final until slot {}", checkpoint.slot);
                    }
                    FfgEvent::Equivocated(evidence) => report(&mut offences, evidence.offence()),
                    _ => {}
                }
            }
            let mut buf = [0; SignedStatement::LEN];
            while machine.poll_transmit(&mut buf).map_err(sentence)?.is_some() {
                send(args, &keys[index], &mut net, (now, index), &buf)?;
            }
        }
        progress::show(|| format!("{} s, final until slot {}", now.as_secs(), finalized.slot));
        let timers = machines.iter().flatten().filter_map(Machine::poll_timeout);
        now = timers.chain(net.next_at()).min().ok_or(SILENCE)?.max(now);
    }
    report!("final until slot {} after {} s", finalized.slot, now.as_secs());
    Ok(Exit::Success)
}

fn machines(
    args: &Args,
    keys: &[Ed25519Key],
    stakes: &[(ValidatorId, u64)],
) -> cli::Result<Vec<Option<Machine>>> {
    let machine = |index: usize| {
        let setup = FfgSetup {
            config: FfgConfig::new(SLOT),
            genesis: GENESIS,
            validators: stakes,
            selector: draw(stakes)?,
            keys: keys[index].clone(),
        };
        Ffg::new(setup, vec![AttesterSlot::EMPTY; stakes.len()]).map(Some).map_err(sentence)
    };
    (0..args.validators).map(machine).collect()
}

fn draw(stakes: &[(ValidatorId, u64)]) -> cli::Result<Draw> {
    let slots = ValidatorVec::new(stakes.len());
    let set = ValidatorSet::from_sorted(slots, stakes.iter().copied()).map_err(sentence)?;
    Ok(SeededDraw::new(set, SEED))
}

/// Prints the share of each validator, and which one the draw of a slot gave.
fn explain(args: &Args, stakes: &[(ValidatorId, u64)], slot: u64) {
    let Ok(draw) = draw(stakes) else { return };
    let total: u64 = stakes.iter().map(|(_, stake)| stake).sum();
    let chosen = draw.select(slot, 0);
    let mut start = 0;
    for (index, (id, stake)) in stakes.iter().enumerate() {
        if chosen == Some(*id) {
            report!(
                "          the hash of seed and slot {slot} picked a coin from {start} to {} of {total}: those of validator {index} of {}",
                start + stake - 1,
                args.validators
            );
        }
        start += stake;
    }
}

fn report(offences: &mut BTreeSet<Offence>, offence: Offence) {
    if offences.insert(offence) {
        report!("          evidence: {offence}");
    }
}

/// Sends an attestation to all others; an equivocating validator attests to another block before every second one.
fn send(
    args: &Args,
    key: &Ed25519Key,
    net: &mut Net,
    (now, from): (Duration, usize),
    bytes: &[u8],
) -> cli::Result<()> {
    let (signed, _) = SignedStatement::decode(bytes).map_err(sentence)?;
    let mut other = bytes.to_vec();
    if args.equivocate == Some(from) && signed.author == key.id() {
        let statement =
            Statement { digest: block(signed.statement.slot, from, 1), ..signed.statement };
        let signature = key.sign(&statement.to_bytes());
        let lie = SignedStatement { statement, author: key.id(), signature };
        lie.encode(&mut other).map_err(sentence)?;
        for to in (1..args.validators).step_by(2) {
            net.send(now, from, to, bytes); // these receive both, and prove the offence
        }
    }
    for to in 0..args.validators {
        let bytes = if to % 2 == 0 { bytes } else { &other };
        net.send(now, from, to, bytes);
    }
    Ok(())
}
