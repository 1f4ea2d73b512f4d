//! Slots: proposals, attestations, checkpoints and what makes them final.

mod ffg_machine;

use core::time::Duration;

use consensus::slot::{
    AttesterSlot, CallError, Checkpoint, DatagramError, Ffg, FfgConfig, FfgEvent, FfgSetup,
    ResumeError,
};
use consensus::{
    ConfigError, Keys as _, OffenceKind, RoundRobin, SaveToken, SignedStatement, Statement,
    StatementKind, ValidatorId,
};
use ffg_machine::{GENESIS, Machine, SLOT, at, attest, events, keys, machine, machine_with, sent};
use sim::Rng;

#[test]
fn two_thirds_justify_a_checkpoint_and_the_next_slot_finalizes_it() {
    let keys = keys(3);
    let mut observer = machine(&keys, 0);
    let feed = |observer: &mut Machine, author: usize, source, target, digest| {
        let bytes = attest(&keys[author], source, target, digest);
        observer.handle_datagram(at(9, 0), &bytes).expect("valid");
    };
    feed(&mut observer, 1, 0, 1, 0xA1);
    assert_eq!(observer.justified().slot, 0, "one of three");
    feed(&mut observer, 2, 0, 1, 0xA1);
    let first = Checkpoint { slot: 1, id: [0xA1; 32] };
    assert_eq!(observer.justified(), first);
    assert_eq!(observer.finalized().slot, 0);
    // A link that skips slot 2 justifies, and does not finalize.
    feed(&mut observer, 1, 1, 3, 0xA3);
    feed(&mut observer, 2, 1, 3, 0xA3);
    let third = Checkpoint { slot: 3, id: [0xA3; 32] };
    assert_eq!(observer.justified(), third);
    assert_eq!(observer.finalized().slot, 0);
    feed(&mut observer, 1, 3, 4, 0xA4);
    feed(&mut observer, 2, 3, 4, 0xA4);
    assert_eq!(observer.finalized(), third);
    let reported = events(&mut observer);
    assert!(reported.contains(&FfgEvent::Finalized(third)), "{reported:?}");
}

#[test]
fn nothing_is_signed_before_it_is_saved_and_nothing_twice_after_a_crash() {
    let keys = keys(4);
    let mut machine = machine(&keys, 1); // slot 1 is its own
    machine.handle_timeout(at(1, 0));
    assert_eq!(events(&mut machine), [FfgEvent::Propose { slot: 1 }]);
    machine.propose(at(1, 0), &[7; 32]).expect("wanted");
    assert_eq!(machine.propose(at(1, 0), &[8; 32]), Err(CallError::NotProposing));
    let token = SaveToken(1);
    assert_eq!(events(&mut machine), [FfgEvent::Save { token }]);
    machine.handle_timeout(at(1, 1));
    assert_eq!(sent(&mut machine), [], "the attestation waits for the proposal");
    let unknown = SaveToken(9);
    assert_eq!(machine.handle_saved(at(1, 1), unknown), Err(CallError::UnknownToken(unknown)));
    machine.handle_saved(at(1, 1), token).expect("known");
    let block = Checkpoint { slot: 1, id: [7; 32] };
    let reported = events(&mut machine);
    let [FfgEvent::Save { token }, FfgEvent::Proposed { block: proposed, .. }] = reported[..]
    else {
        panic!("{reported:?}")
    };
    assert_eq!(proposed, block);
    let mut disk = [0; 256];
    let len = machine.encode_state(&mut disk).expect("it fits");
    assert_eq!(sent(&mut machine), []);

    // The power fails before the engine knows that the disk has it: the slot is lost, and no second signature is made.
    let mut resumed = machine_with(&keys, 1, Some(&disk[..len])).expect("its state");
    resumed.handle_timeout(at(1, 1));
    assert_eq!(events(&mut resumed), [FfgEvent::Propose { slot: 1 }]);
    let refused = resumed.propose(at(1, 1), &[8; 32]);
    assert!(matches!(refused, Err(CallError::Guard(_))), "{refused:?}");
    assert_eq!(sent(&mut resumed), []);

    machine.handle_saved(at(1, 1), token).expect("known");
    let vote = Statement::new(GENESIS, StatementKind::Attest { source: 0 }, 1, 0, GENESIS);
    assert_eq!(sent(&mut machine), [vote]);
    machine.handle_timeout(at(1, 2));
    assert_eq!(sent(&mut machine), [vote], "again, once");
    machine.handle_timeout(at(1, 2));
    assert_eq!(sent(&mut machine), []);

    let other = machine_with(&keys, 2, Some(&disk[..len]));
    assert_eq!(other.err(), Some(ResumeError::OtherValidator));
    let torn = machine_with(&keys, 1, Some(&disk[..len - 1]));
    assert!(matches!(torn.err(), Some(ResumeError::Decode(_))));
}

/// A target has to descend from its source. What the machine took for the head before a restart, or before it heard of a newer
/// checkpoint, may not; the checkpoint itself always does.
#[test]
fn the_head_is_the_justified_checkpoint_until_the_application_reports_another() {
    let keys = keys(3);
    let mut machine = machine(&keys, 0);
    machine.handle_head(at(5, 0), &[0xA0; 32]);
    for author in [1, 2] {
        let bytes = attest(&keys[author], 0, 4, 0xB4); // another branch than that of the head
        machine.handle_datagram(at(5, 0), &bytes).expect("valid");
    }
    assert_eq!(machine.justified(), Checkpoint { slot: 4, id: [0xB4; 32] });
    machine.handle_timeout(at(5, 1));
    let token = SaveToken(1);
    let mut disk = [0; 256];
    let len = machine.encode_state(&mut disk).expect("it fits");
    machine.handle_saved(at(5, 1), token).expect("known");
    let link = |slot, digest| {
        let kind = StatementKind::Attest { source: 4 };
        Statement::new(GENESIS, kind, slot, 0, [digest; 32])
    };
    assert_eq!(sent(&mut machine), [link(5, 0xB4)]);
    machine.handle_head(at(6, 0), &[0xB6; 32]);
    machine.handle_timeout(at(6, 1));
    machine.handle_saved(at(6, 1), SaveToken(2)).expect("known");
    assert_eq!(sent(&mut machine), [link(6, 0xB6)]);

    let mut resumed = machine_with(&keys, 0, Some(&disk[..len])).expect("its state");
    resumed.handle_timeout(at(7, 1));
    resumed.handle_saved(at(7, 1), token).expect("known");
    assert_eq!(sent(&mut resumed), [link(7, 0xB4)], "not block 0");
}

#[test]
fn a_validator_that_contradicts_itself_is_reported_once() {
    let keys = keys(4);
    let mut machine = machine(&keys, 0);
    let mut feed = |source, target, digest| {
        machine
            .handle_datagram(at(20, 0), &attest(&keys[2], source, target, digest))
            .expect("valid");
        events(&mut machine)
    };
    assert_eq!(feed(2, 9, 1).len(), 1, "it is this validator's slot");
    assert_eq!(feed(2, 9, 1), []);
    let found = feed(3, 5, 1);
    let [FfgEvent::Equivocated(evidence)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(evidence.offender(), keys[2].id());
    assert_eq!(evidence.offence().kind, OffenceKind::Surround);
    assert_eq!(feed(3, 9, 2), [], "one for each validator");
}

#[test]
fn invalid_datagrams_and_setups_are_refused_with_the_reason() {
    let keys = keys(5);
    let mut machine = machine(&keys[..4], 0);
    let before = format!("{machine:?}");
    let now = at(3, 0);
    let good = attest(&keys[1], 0, 3, 1);
    let mut forged = good;
    forged[150] ^= 1;
    let mut other_chain = good;
    other_chain[10] ^= 1;
    let long = [&good[..], &[0]].concat();
    for (bytes, error) in [
        (&attest(&keys[1], 0, 4, 1)[..], DatagramError::NotYet(4)),
        (&attest(&keys[1], 3, 3, 1), DatagramError::Unexpected),
        (&attest(&keys[4], 0, 3, 1), DatagramError::Stranger(keys[4].id())),
        (&forged, DatagramError::Forged(keys[1].id())),
        (&other_chain, DatagramError::OtherChain),
        (&long, DatagramError::TrailingBytes(1)),
    ] {
        assert_eq!(machine.handle_datagram(now, bytes), Err(error));
        assert_eq!(format!("{machine:?}"), before);
    }
    assert_eq!(machine.handle_datagram(now, &good), Ok(()));

    let id = keys[0].id();
    let new = |validators: &[(ValidatorId, u64)], slots: usize, slot| {
        let setup = FfgSetup {
            config: FfgConfig::new(slot),
            genesis: GENESIS,
            validators,
            selector: RoundRobin::new([id]),
            keys: keys[0].clone(),
        };
        Ffg::new(setup, vec![AttesterSlot::EMPTY; slots]).map(|_| ())
    };
    assert_eq!(new(&[], 1, SLOT), Err(ConfigError::NoValidators));
    assert_eq!(new(&[(id, 0)], 1, SLOT), Err(ConfigError::NoPower(id)));
    assert_eq!(new(&[(id, 1), (id, 1)], 2, SLOT), Err(ConfigError::Duplicate(id)));
    let few = ConfigError::TooManyValidators { found: 1, capacity: 0 };
    assert_eq!(new(&[(id, 1)], 0, SLOT), Err(few));
    assert_eq!(new(&[(id, 1)], 1, Duration::from_nanos(2)), Err(ConfigError::ZeroTimeout));
    assert_eq!(new(&[(id, 1)], 1, Duration::from_nanos(3)), Ok(()));
    assert!(size_of::<AttesterSlot>() <= 640, "{}", size_of::<AttesterSlot>());
}

/// Seven validators on a network that loses and splits; two of them attest to both branches of a fork. Blocks are named by
/// their slot and branch, and each half follows its own branch while the network is split.
fn run(seed: u64, lossy_slots: u32, slots: u32) -> Vec<Checkpoint> {
    let keys = keys(7);
    let mut rng = Rng::new(seed);
    let mut machines: Vec<_> = (0..7).map(|me| machine(&keys, me)).collect();
    let mut finals: Vec<Vec<Checkpoint>> = vec![Vec::new(); 7];
    let mut split = false;
    let mut branch = 1_u8;
    for (slot, third) in (1..slots).flat_map(|slot| (0..3).map(move |third| (slot, third))) {
        let now = at(slot, third);
        let is_lossy = slot < lossy_slots;
        if third == 0 {
            split = is_lossy && rng.below(3) == 0;
            branch = rng.below(2) as u8; // what both halves follow once they are one again
        }
        let mut datagrams = Vec::new();
        for (me, machine) in machines.iter_mut().enumerate() {
            machine.handle_timeout(now);
            let side = if split { (me % 2) as u8 } else { branch };
            let justified = machine.justified().id;
            let head = if split || justified == GENESIS { side } else { justified[1] };
            let mut id = [0x11; 32];
            id[0] = slot as u8;
            id[1] = head;
            machine.handle_head(now, &id);
            while let Some(event) = machine.poll_event() {
                match event {
                    FfgEvent::Save { token } => machine.handle_saved(now, token).expect("known"),
                    FfgEvent::Finalized(checkpoint) => finals[me].push(checkpoint),
                    FfgEvent::Propose { .. } => machine.propose(now, &id).expect("wanted"),
                    FfgEvent::Equivocated(evidence) => {
                        let offender = evidence.offender();
                        assert!(offender == keys[0].id() || offender == keys[1].id());
                    }
                    _ => {}
                }
            }
            let mut buf = [0; SignedStatement::LEN];
            while machine.poll_transmit(&mut buf).expect("LEN suffices").is_some() {
                datagrams.push((me, buf));
            }
        }
        for (from, bytes) in datagrams {
            for (to, machine) in machines.iter_mut().enumerate().filter(|(to, _)| *to != from) {
                let is_lost = is_lossy && rng.below(4) == 0;
                let is_cut = split && from % 2 != to % 2;
                if from < 2 && split {
                    // A faulty validator attests to the branch of the receiver.
                    let (signed, _) = SignedStatement::decode(&bytes).expect("it decodes");
                    let StatementKind::Attest { source } = signed.statement.kind else { continue };
                    let mut digest = signed.statement.digest;
                    digest[1] = (to % 2) as u8;
                    let kind = StatementKind::Attest { source };
                    let lie = Statement::new(GENESIS, kind, signed.statement.slot, 0, digest);
                    let signature = keys[from].sign(&lie.to_bytes());
                    let signed =
                        SignedStatement { statement: lie, author: keys[from].id(), signature };
                    let mut bytes = [0; SignedStatement::LEN];
                    signed.encode(&mut bytes).expect("LEN suffices");
                    let _ = machine.handle_datagram(now, &bytes);
                } else if !is_lost && !is_cut {
                    machine.handle_datagram(now, &bytes).expect("honest");
                }
            }
        }
    }
    // What one holds final, no other excludes.
    let mut all: Vec<_> = finals.into_iter().flatten().collect();
    all.sort_by_key(|checkpoint| checkpoint.slot);
    for pair in all.windows(2) {
        if pair[0].slot == pair[1].slot {
            assert_eq!(pair[0], pair[1], "seed {seed}");
        }
    }
    all
}

#[test]
fn honest_validators_never_finalize_two_checkpoints_of_one_slot() {
    for seed in 0..6 {
        let finals = run(seed, 12, 24);
        let last = finals.last().expect("something is final");
        assert!(last.slot >= 20, "seed {seed}: final until {last} only");
    }
}
