//! What an FFG machine keeps of each validator, when it acts, and what it sends again.

mod ffg_machine;

use core::time::Duration;

use consensus::slot::{
    AttesterSlot, CallError, Checkpoint, Ffg, FfgConfig, FfgEvent, FfgSetup, ResumeError,
};
use consensus::{DecodeError, Ed25519Key, Keys as _, SaveToken, Statement, StatementKind};
use ffg_machine::{GENESIS, Machine, at, attest, events, keys, machine, machine_with, sent, setup};

fn feed(machine: &mut Machine, key: &Ed25519Key, source: u64, target: u64, digest: u8) {
    let bytes = attest(key, source, target, digest);
    machine.handle_datagram(at(20, 0), &bytes).expect("valid");
}

fn link(source: u64, target: u64, digest: u8) -> Statement {
    Statement::new(GENESIS, StatementKind::Attest { source }, target, 0, [digest; 32])
}

/// The statements that are reported to contradict each other.
fn evidence(machine: &mut Machine) -> Vec<[Statement; 2]> {
    let found = events(machine).into_iter().filter_map(|event| match event {
        FfgEvent::Equivocated(evidence) => Some(evidence.statements().map(|it| it.statement)),
        _ => None,
    });
    found.collect()
}

/// Every third of a slot is a deadline, rounded up to what a clock of nanoseconds can show.
#[test]
fn each_third_of_a_slot_is_a_deadline() {
    let keys = keys(1);
    let validators = [(keys[0].id(), 1)];
    let mut config = FfgConfig::new(Duration::from_nanos(10));
    config.start = Duration::from_secs(100);
    let setup = FfgSetup { config, ..setup(&validators, &keys, &keys[0]) };
    let mut machine = Ffg::new(setup, vec![AttesterSlot::EMPTY; 1]).expect("valid");
    let start = config.start;
    let nanos = |nanos| start + Duration::from_nanos(nanos);
    machine.handle_timeout(Duration::from_secs(3));
    assert_eq!(machine.poll_timeout(), Some(start), "slot 0 has not begun");
    for (now, next) in [(0, 4), (3, 4), (4, 7), (6, 7), (7, 10), (9, 10), (10, 14), (15, 17)] {
        machine.handle_timeout(nanos(now));
        assert_eq!(machine.poll_timeout(), Some(nanos(next)), "after {now} ns");
    }
    machine.handle_timeout(Duration::MAX);
    assert_eq!(machine.poll_timeout(), None, "no later time can be written");
}

/// A checkpoint is reported once when it is justified, and once when it is final.
#[test]
fn checkpoints_are_reported_once() {
    let keys = keys(4);
    let mut machine = machine(&keys, 0);
    let checkpoint = |slot| Checkpoint { slot, id: [slot as u8; 32] };
    for slot in 1..=2 {
        for key in &keys[1..] {
            feed(&mut machine, key, slot - 1, slot, slot as u8);
        }
        let reported = events(&mut machine);
        let facts: Vec<_> = reported
            .into_iter()
            .filter(|event| matches!(event, FfgEvent::Justified(_) | FfgEvent::Finalized(_)))
            .collect();
        if slot == 1 {
            assert_eq!(facts, [FfgEvent::Justified(checkpoint(1))]);
        } else {
            let expected = [FfgEvent::Justified(checkpoint(2)), FfgEvent::Finalized(checkpoint(1))];
            assert_eq!(facts, expected);
        }
    }
    assert_eq!(events(&mut machine), []);
}

/// A validator whose turn it is proposes once in its slot, after what it has begun is saved and taken.
#[test]
fn a_proposal_waits_for_the_signature_before_it() {
    let keys = keys(1);
    let mut machine = machine(&keys, 0);
    machine.handle_timeout(at(1, 1));
    let token = SaveToken(1);
    assert_eq!(events(&mut machine), [FfgEvent::Save { token }, FfgEvent::Propose { slot: 1 }]);
    let busy = machine.propose(at(1, 1), &[7; 32]);
    assert_eq!(busy, Err(CallError::NotProposing), "the attestation is not saved");
    machine.handle_saved(at(1, 1), token).expect("known");
    machine.propose(at(1, 1), &[7; 32]).expect("wanted");
    let token = SaveToken(2);
    assert_eq!(events(&mut machine)[0], FfgEvent::Save { token });
    machine.handle_saved(at(1, 1), token).expect("known");

    machine.handle_timeout(at(2, 0));
    let busy = machine.propose(at(2, 0), &[8; 32]);
    assert_eq!(busy, Err(CallError::NotProposing), "the proposal of slot 1 was not taken");
    let reported = events(&mut machine);
    let [FfgEvent::Proposed { block, .. }, .., FfgEvent::Propose { slot: 2 }] = reported[..] else {
        panic!("{reported:?}")
    };
    assert_eq!(block, Checkpoint { slot: 1, id: [7; 32] });
    machine.propose(at(2, 0), &[8; 32]).expect("it is taken");
    let late = machine.propose(at(3, 0), &[9; 32]);
    assert_eq!(late, Err(CallError::NotProposing), "slot 2 is over, and slot 3 was not asked for");
}

/// A node without stake proposes and attests to nothing, even if the selector names it.
#[test]
fn an_observer_is_not_asked() {
    let keys = keys(4);
    let validators: Vec<_> = keys[..3].iter().map(|key| (key.id(), 1)).collect();
    let setup = setup(&validators, &keys, &keys[3]);
    let mut observer = Ffg::new(setup, vec![AttesterSlot::EMPTY; 3]).expect("valid");
    for third in 0..3 {
        observer.handle_timeout(at(3, third)); // its turn by the selector
        assert_eq!(events(&mut observer), []);
        assert_eq!(sent(&mut observer), []);
    }
}

/// Of each validator the two attestations with the greatest targets are kept, in whatever order they come: one that
/// contradicts them is noticed.
#[test]
fn the_latest_two_attestations_are_kept_in_any_order() {
    let keys = keys(5);
    let mut machine = machine(&keys, 0);
    // In order, then a late one, which displaces neither.
    feed(&mut machine, &keys[1], 4, 5, 1);
    feed(&mut machine, &keys[1], 5, 6, 1);
    feed(&mut machine, &keys[1], 2, 3, 1);
    assert_eq!(evidence(&mut machine), [] as [[Statement; 2]; 0]);
    feed(&mut machine, &keys[1], 4, 5, 2);
    assert_eq!(evidence(&mut machine), [[link(4, 5, 1), link(4, 5, 2)]]);
    // The second before the first.
    feed(&mut machine, &keys[2], 5, 6, 1);
    feed(&mut machine, &keys[2], 4, 5, 1);
    feed(&mut machine, &keys[2], 6, 7, 1);
    assert_eq!(evidence(&mut machine), [] as [[Statement; 2]; 0]);
    feed(&mut machine, &keys[2], 4, 5, 2); // no longer kept
    assert_eq!(evidence(&mut machine), [] as [[Statement; 2]; 0]);
    feed(&mut machine, &keys[2], 5, 6, 2);
    assert_eq!(evidence(&mut machine), [[link(5, 6, 1), link(5, 6, 2)]]);
    // One that contradicts displaces neither of the two.
    feed(&mut machine, &keys[3], 7, 8, 1);
    feed(&mut machine, &keys[3], 7, 8, 2);
    assert_eq!(evidence(&mut machine), [[link(7, 8, 1), link(7, 8, 2)]]);
    feed(&mut machine, &keys[4], 7, 8, 1);
    assert_eq!(machine.justified().slot, 0, "two of five");
}

/// Attestations support one checkpoint only if source, target and block are the same.
#[test]
fn attestations_of_one_block_in_other_links_are_not_added() {
    let keys = keys(3);
    for other in [(0, 2, 1), (1, 2, 1), (0, 1, 2)] {
        let mut machine = machine(&keys, 0);
        feed(&mut machine, &keys[1], 0, 1, 1);
        feed(&mut machine, &keys[2], other.0, other.1, other.2);
        assert_eq!(machine.justified().slot, 0, "{other:?}");
        feed(&mut machine, &keys[0], 0, 1, 1);
        assert_eq!(machine.justified(), Checkpoint { slot: 1, id: [1; 32] }, "{other:?}");
    }
}

/// A validator that attests from before the last justified checkpoint has missed it: it gets the attestations that
/// justified it, and none that contradicts them.
#[test]
fn those_behind_get_the_attestations_that_justify() {
    let keys = keys(3);
    let mut machine = machine(&keys, 0);
    for key in &keys[1..] {
        feed(&mut machine, key, 0, 1, 0xA);
    }
    assert_eq!(machine.justified().slot, 1);
    machine.handle_timeout(at(20, 2));
    assert_eq!(sent(&mut machine), [], "nobody is behind");
    feed(&mut machine, &keys[1], 0, 1, 0xB); // contradicts, and justifies nothing
    feed(&mut machine, &keys[2], 0, 2, 0xC);
    machine.handle_timeout(at(21, 2));
    assert_eq!(sent(&mut machine), [link(0, 1, 0xA), link(0, 1, 0xA)]);
    machine.handle_timeout(at(22, 2));
    assert_eq!(sent(&mut machine), [], "once");
}

/// A saved state ends after 210 bytes, and no checkpoint in it is later than the justified one.
#[test]
fn a_state_with_checkpoints_out_of_order_is_refused() {
    let keys = keys(3);
    let mut disk = [0; 211];
    let len = machine(&keys, 1).encode_state(&mut disk).expect("it fits");
    assert_eq!(len, 210);
    let refused = ResumeError::Decode(DecodeError::Noncanonical);
    assert_eq!(machine_with(&keys, 1, Some(&disk)).err(), Some(refused), "a byte too many");
    // The last bytes of the slots: justified, justified before, final.
    let state = |justified, before, finalized| {
        let mut state = disk;
        state[97] = justified;
        state[137] = before;
        state[177] = finalized;
        machine_with(&keys, 1, Some(&state[..210]))
    };
    for (slots, is_ordered) in [
        ([0, 0, 0], true),
        ([3, 2, 2], true),
        ([3, 3, 3], true),
        ([3, 1, 2], true),
        ([3, 4, 2], false),
        ([3, 2, 4], false),
        ([3, 4, 4], false),
    ] {
        let [justified, before, finalized] = slots;
        let resumed = state(justified, before, finalized);
        assert_eq!(resumed.is_ok(), is_ordered, "{slots:?}");
        if let Ok(resumed) = resumed {
            assert_eq!(resumed.justified().slot, u64::from(justified));
            assert_eq!(resumed.finalized().slot, u64::from(finalized));
        }
    }
}
