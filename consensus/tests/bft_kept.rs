//! Which statements a BFT engine keeps, checks, sends again and saves.

mod bft_one;

use core::time::Duration;

use bft_one::{
    Engine, GENESIS, NOW, PROPOSE, VALUE, all_say, engine, events, key, sent, settle, setup,
    signed, storage, validators,
};
use consensus::bft::{Bft, BftEvent, BftSetup, DatagramError, RoundValue, Step, VoteSlot};
use consensus::{BufferTooSmall, Keys as _, Statement, StatementKind};

const PREVOTE: StatementKind = StatementKind::Prevote;
const PRECOMMIT: StatementKind = StatementKind::Precommit;
const OTHER: [u8; 32] = [0xCD; 32];
/// Later than the time after which statements are sent again.
const LATER: Duration = Duration::from_secs(60);

fn forged(author: u8, kind: StatementKind, height: u64, round: u32, digest: [u8; 32]) -> [u8; 183] {
    let mut bytes = signed(author, kind, height, round, digest);
    bytes[182] ^= 1;
    bytes
}

/// The heights of the evidence among these events.
fn evidence(events: &[BftEvent]) -> Vec<u64> {
    let of = |event: &BftEvent| match event {
        BftEvent::Equivocated(evidence) => Some(evidence.offence().slot),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// An engine that has locked `VALUE` in round 0, with its own prevote and those of 0 and 2.
fn locked() -> Engine {
    let mut engine = engine(1);
    all_say(&mut engine, [0], PROPOSE, 4, 0, VALUE);
    settle(&mut engine, NOW);
    all_say(&mut engine, [0, 2], PREVOTE, 4, 0, VALUE);
    settle(&mut engine, NOW);
    assert_eq!(engine.round_state().locked, Some(RoundValue { value: VALUE, round: 0 }));
    sent(&mut engine);
    engine
}

/// The length of the saved state without own statements: 66 bytes for each prevote that justifies the valid value.
fn justifying(engine: &Engine) -> usize {
    let mut disk = [0; 1024];
    let len = engine.encode_state(&mut disk).expect("it fits");
    let own = usize::from(disk[2 + 32 + 32 + 8 + 4 + 1 + 2 * 37]);
    (len - 156 - own * 37) / 66
}

/// A signature is checked only where the statement would change something.
#[test]
fn a_forged_repetition_costs_no_check_of_a_signature() {
    let mut engine = engine(1);
    let bad = Err(DatagramError::Forged(key(2).id()));
    let ok = Ok(());
    for (height, round) in [(4, 0), (5, 0), (5, 3)] {
        let found = engine.handle_datagram(NOW, &forged(2, PREVOTE, height, round, VALUE));
        assert_eq!(found, bad, "a new one of height {height}, round {round}");
        all_say(&mut engine, [2], PREVOTE, height, round, VALUE);
        let found = engine.handle_datagram(NOW, &forged(2, PREVOTE, height, round, VALUE));
        assert_eq!(found, ok, "the same again of height {height}, round {round}");
        let found = engine.handle_datagram(NOW, &forged(2, PREVOTE, height, round, OTHER));
        assert_eq!(found, bad, "a contradiction of height {height}, round {round}");
    }
    // Of heights that are too far ahead only the greatest counts.
    all_say(&mut engine, [2], PREVOTE, 9, 0, VALUE);
    for (height, expected) in [(8, ok), (9, ok), (10, bad)] {
        let found = engine.handle_datagram(NOW, &forged(2, PREVOTE, height, 0, VALUE));
        assert_eq!(found, expected, "height {height}");
    }
}

/// A restart forgets the own statements of earlier rounds. They count where others repeat them, and no others do.
#[test]
fn own_statements_of_earlier_rounds_count_after_a_restart() {
    let mut engine = engine(1);
    all_say(&mut engine, [2, 3], PREVOTE, 4, 7, VALUE);
    assert_eq!(engine.round_state().round, Some(7));
    let mut disk = [0; 1024];
    let len = engine.encode_state(&mut disk).expect("it fits");
    let mut engine =
        Bft::resume(setup(&validators(), 1), storage(4, 24), &disk[..len]).expect("its state");
    let mut own =
        |height, round| engine.handle_datagram(NOW, &signed(1, PRECOMMIT, height, round, VALUE));
    assert_eq!(own(4, 7), Err(DatagramError::Echo), "of this round");
    assert_eq!(own(4, 8), Err(DatagramError::Echo), "of a later round");
    assert_eq!(own(5, 0), Err(DatagramError::Echo), "of a later height");
    assert_eq!(own(4, 0), Ok(()));
    assert_eq!(own(4, 0), Err(DatagramError::Echo), "it is known now");
    all_say(&mut engine, [0, 2], PRECOMMIT, 4, 0, VALUE);
    let decided = BftEvent::Decided { height: 4, round: 0, value: VALUE };
    assert!(events(&mut engine).contains(&decided));
}

/// The round of a validator is noted even where none of its slots is free for the statement.
#[test]
fn a_full_set_of_slots_hides_no_later_round() {
    let mut engine = engine(1);
    all_say(&mut engine, [2, 3], PREVOTE, 4, 7, Statement::NIL);
    for round in 0..5 {
        all_say(&mut engine, [2, 3], PRECOMMIT, 4, round, Statement::NIL);
    }
    assert_eq!(engine.round_state().round, Some(7));
    all_say(&mut engine, [2], PREVOTE, 4, 100, Statement::NIL);
    let again = engine.handle_datagram(NOW, &forged(2, PREVOTE, 4, 100, Statement::NIL));
    assert_eq!(again, Ok(()), "noted and not kept: again it changes nothing");
    assert_eq!(engine.round_state().round, Some(7));
    all_say(&mut engine, [3], PREVOTE, 4, 100, Statement::NIL);
    assert_eq!(engine.round_state().round, Some(100));
}

/// No round follows the one with the highest number: its timeouts start no other.
#[test]
fn the_last_round_has_no_next() {
    let mut engine = engine(1);
    all_say(&mut engine, [2, 3], PRECOMMIT, 4, u32::MAX, Statement::NIL);
    assert_eq!(engine.round_state().round, Some(u32::MAX));
    for later in 1..5 {
        let now = Duration::from_secs(1 << 50) * later;
        all_say(&mut engine, [0], PRECOMMIT, 4, u32::MAX, Statement::NIL);
        engine.handle_timeout(now);
        settle(&mut engine, now);
        assert_eq!(engine.round_state().round, Some(u32::MAX));
    }
    assert!(engine.round_state().precommit_timeout_scheduled);
    all_say(&mut engine, [0, 2, 3], PRECOMMIT, 4, u32::MAX, VALUE);
    let decided = BftEvent::Decided { height: 4, round: u32::MAX, value: VALUE };
    assert!(settle(&mut engine, NOW).contains(&decided));
}

/// Of the prevotes that justify the valid value none is replaced by one that contradicts it. Every other one is.
#[test]
fn prevotes_that_justify_the_value_stay() {
    let mut engine = locked();
    assert_eq!(justifying(&engine), 3);
    all_say(&mut engine, [2], PREVOTE, 4, 0, OTHER);
    assert_eq!(justifying(&engine), 3, "it stays");
    all_say(&mut engine, [3], PREVOTE, 4, 0, OTHER);
    assert_eq!(justifying(&engine), 3, "for another value");
    all_say(&mut engine, [3], PREVOTE, 4, 0, VALUE);
    assert_eq!(justifying(&engine), 4, "the later one counts");

    // A precommit never justifies: the later one counts, and decides.
    let mut engine = locked();
    all_say(&mut engine, [2, 3], PRECOMMIT, 4, 0, VALUE);
    let decided = |value| BftEvent::Decided { height: 4, round: 0, value };
    assert_eq!(settle(&mut engine, NOW), [decided(VALUE)]);
    let mut engine = locked();
    all_say(&mut engine, [0, 2, 3], PRECOMMIT, 4, 0, Statement::NIL);
    assert!(!settle(&mut engine, NOW).contains(&decided(VALUE)));
    all_say(&mut engine, [2, 3], PRECOMMIT, 4, 0, VALUE);
    assert!(settle(&mut engine, NOW).contains(&decided(VALUE)), "the contradictions complete it");

    // A prevote of another round for the same value, and one of the same round for another, justify nothing.
    let mut engine = locked();
    all_say(&mut engine, [0, 2], PREVOTE, 4, 1, VALUE);
    all_say(&mut engine, [0, 2], PREVOTE, 4, 1, Statement::NIL);
    settle(&mut engine, NOW);
    engine.handle_timeout(LATER);
    settle(&mut engine, LATER);
    all_say(&mut engine, [3], PREVOTE, 4, 1, Statement::NIL);
    settle(&mut engine, LATER);
    let precommit = Statement::new(GENESIS, PRECOMMIT, 4, 1, Statement::NIL);
    assert!(sent(&mut engine).contains(&precommit), "three later prevotes are for nil");
}

/// Two statements that contradict each other are evidence, whatever came between them, and once in a height.
#[test]
fn evidence_survives_repetitions_and_the_change_of_height() {
    // The first again: the halves of the evidence remain different.
    let mut engine = engine(1);
    for digest in [VALUE, OTHER, VALUE] {
        all_say(&mut engine, [3], PRECOMMIT, 4, 0, digest);
    }
    assert_eq!(evidence(&events(&mut engine)), [4]);
    all_say(&mut engine, [3], PRECOMMIT, 4, 0, OTHER);
    all_say(&mut engine, [3], PREVOTE, 4, 0, OTHER);
    all_say(&mut engine, [3], PREVOTE, 4, 0, VALUE);
    assert_eq!(evidence(&events(&mut engine)), [] as [u64; 0], "once in a height");

    // Beside other statements of the same round, of the same kind, and of the next height.
    let mut engine = bft_one::engine(1);
    all_say(&mut engine, [3], PRECOMMIT, 4, 0, VALUE);
    all_say(&mut engine, [3], PREVOTE, 5, 0, VALUE);
    all_say(&mut engine, [3], PREVOTE, 4, 1, VALUE);
    all_say(&mut engine, [3], PREVOTE, 4, 0, VALUE);
    all_say(&mut engine, [3], PREVOTE, 4, 0, OTHER);
    all_say(&mut engine, [0, 2], PRECOMMIT, 4, 0, VALUE);
    assert_eq!(engine.round_state().step, Step::Commit);
    engine.next_height(NOW).expect("decided");
    all_say(&mut engine, [3], PREVOTE, 5, 0, OTHER);
    let mut found = evidence(&events(&mut engine));
    found.sort_unstable();
    assert_eq!(found, [4, 5]);
    all_say(&mut engine, [3], PRECOMMIT, 5, 0, VALUE);
    all_say(&mut engine, [3], PRECOMMIT, 5, 0, OTHER);
    assert_eq!(evidence(&events(&mut engine)), [] as [u64; 0], "once in a height");
    // A contradiction of the next height, not polled before it begins, is that of the height.
    let mut engine = bft_one::engine(1);
    all_say(&mut engine, [3], PREVOTE, 5, 0, VALUE);
    all_say(&mut engine, [3], PREVOTE, 5, 0, OTHER);
    all_say(&mut engine, [0, 2, 3], PRECOMMIT, 4, 0, VALUE);
    engine.next_height(NOW).expect("decided");
    all_say(&mut engine, [3], PRECOMMIT, 5, 0, VALUE);
    all_say(&mut engine, [3], PRECOMMIT, 5, 0, OTHER);
    assert_eq!(evidence(&events(&mut engine)), [5]);
}

/// A height begins in the round that the statements kept for it have reached, not in that of the height before.
#[test]
fn a_height_begins_in_its_own_round() {
    let mut engine = engine(1);
    for digest in [VALUE, OTHER] {
        all_say(&mut engine, [2, 3], PREVOTE, 4, 9, digest); // evidence that nobody polls
    }
    assert_eq!(engine.round_state().round, Some(9));
    all_say(&mut engine, [0, 2, 3], PRECOMMIT, 4, 9, VALUE);
    engine.next_height(NOW).expect("decided");
    assert_eq!(engine.round_state().round, Some(0));

    let mut engine = bft_one::engine(1);
    all_say(&mut engine, [2, 3], PREVOTE, 5, 6, VALUE);
    assert_eq!(engine.round_state().round, Some(0));
    all_say(&mut engine, [0, 2, 3], PRECOMMIT, 4, 0, VALUE);
    engine.next_height(NOW).expect("decided");
    assert_eq!(engine.round_state().round, Some(6));

    // A quorum of precommits that was kept decides at once.
    let mut engine = bft_one::engine(1);
    all_say(&mut engine, [0, 2, 3], PRECOMMIT, 5, 2, OTHER);
    all_say(&mut engine, [0, 2, 3], PRECOMMIT, 4, 0, VALUE);
    settle(&mut engine, NOW);
    engine.next_height(NOW).expect("decided");
    let decided = BftEvent::Decided { height: 5, round: 2, value: OTHER };
    assert_eq!(settle(&mut engine, NOW), [decided]);
}

/// Half of a contradiction is not sent again, and statements are sent again until the decision, by validators only.
#[test]
fn what_counts_is_sent_again() {
    let mut engine = engine(1);
    let vote = |digest| Statement::new(GENESIS, PREVOTE, 4, 0, digest);
    all_say(&mut engine, [3], PREVOTE, 4, 0, VALUE);
    assert_eq!(sent(&mut engine), [], "that of another");
    let resend = engine.poll_timeout().map(|_| LATER).expect("a deadline");
    engine.handle_timeout(resend);
    settle(&mut engine, resend);
    // It is about to be sent again when its author contradicts it.
    all_say(&mut engine, [3], PREVOTE, 4, 0, OTHER);
    assert!(!sent(&mut engine).contains(&vote(VALUE)));
    engine.handle_timeout(resend * 2);
    settle(&mut engine, resend * 2);
    let again = sent(&mut engine);
    assert!(again.contains(&vote(OTHER)) && !again.contains(&vote(VALUE)), "{again:?}");
    all_say(&mut engine, [0, 2, 3], PRECOMMIT, 4, 0, VALUE);
    assert_eq!(sent(&mut engine), []);
    assert_eq!(engine.poll_timeout(), None, "nothing is due after a decision");
    engine.handle_timeout(resend * 3);
    assert_eq!(sent(&mut engine), []);

    let validators = validators();
    let observer = BftSetup { keys: key(7), ..setup(&validators, 0) };
    let mut observer = Bft::new(observer, storage(4, 24)).expect("valid");
    all_say(&mut observer, [3], PREVOTE, 4, 0, VALUE);
    observer.handle_timeout(resend);
    assert_eq!(sent(&mut observer), []);
    assert!(!events(&mut observer).iter().any(|event| matches!(event, BftEvent::Save { .. })));
}

/// Validators in this round that have not prevoted do not start the timeout of line 34.
#[test]
fn a_validator_in_the_same_round_has_not_voted_yet() {
    let mut engine = engine(1);
    all_say(&mut engine, [0], PROPOSE, 4, 0, VALUE);
    settle(&mut engine, NOW);
    assert_eq!(engine.round_state().step, Step::Prevote);
    all_say(&mut engine, [2, 3], PRECOMMIT, 4, 0, Statement::NIL);
    assert!(!engine.round_state().prevote_timeout_scheduled);
    all_say(&mut engine, [2, 3], PREVOTE, 4, 0, Statement::NIL);
    assert!(engine.round_state().prevote_timeout_scheduled);
}

/// A quorum for what was not proposed, or for a block that the application rejects, locks nothing and is never valid.
#[test]
fn a_quorum_for_a_block_without_a_proposal_locks_nothing() {
    let mut engine = engine(1);
    all_say(&mut engine, [0], PROPOSE, 4, 0, VALUE);
    settle(&mut engine, NOW);
    all_say(&mut engine, [0, 2, 3], PREVOTE, 4, 0, OTHER);
    settle(&mut engine, NOW);
    assert_eq!(engine.round_state().locked, None);
    engine.handle_timeout(LATER); // precommits nil
    settle(&mut engine, LATER);
    assert_eq!(engine.round_state().valid, None);

    let mut engine = bft_one::engine(1);
    all_say(&mut engine, [0], PROPOSE, 4, 0, VALUE);
    let asked = events(&mut engine);
    assert_eq!(asked, [BftEvent::Check { height: 4, value: VALUE }]);
    assert_eq!(engine.round_state().step, Step::Propose, "it waits for the verdict");
    engine.handle_checked(NOW, &OTHER, true);
    assert_eq!(engine.round_state().step, Step::Propose, "of another block");
    engine.handle_checked(NOW, &VALUE, false);
    settle(&mut engine, NOW);
    assert_eq!(sent(&mut engine), [Statement::new(GENESIS, PREVOTE, 4, 0, Statement::NIL)]);
    all_say(&mut engine, [0, 2, 3], PREVOTE, 4, 0, VALUE);
    settle(&mut engine, NOW);
    assert_eq!(engine.round_state().locked, None);
}

/// Lines 36 and 42-43: prevotes that arrive after the precommit make the value valid without a lock.
#[test]
fn a_late_quorum_makes_the_value_valid() {
    let mut engine = engine(1);
    all_say(&mut engine, [0], PROPOSE, 4, 0, VALUE);
    settle(&mut engine, NOW);
    all_say(&mut engine, [0], PREVOTE, 4, 0, VALUE);
    all_say(&mut engine, [2], PREVOTE, 4, 0, Statement::NIL);
    let due = engine.poll_timeout().expect("line 34");
    engine.handle_timeout(due);
    settle(&mut engine, due);
    assert_eq!(engine.round_state().step, Step::Precommit);
    assert_eq!(engine.round_state().valid, None);
    all_say(&mut engine, [3], PREVOTE, 4, 0, VALUE);
    assert_eq!(engine.round_state().valid, Some(RoundValue { value: VALUE, round: 0 }));
    assert_eq!(engine.round_state().locked, None);
}

/// The saved state has the lock, the valid value with the prevotes that justify it, and the own statements of the round.
#[test]
fn a_locked_engine_continues_where_it_saved() {
    let engine = locked();
    let mut disk = [0; 1024];
    let len = engine.encode_state(&mut disk).expect("it fits");
    assert_eq!(len, 156 + 2 * 37 + 3 * 66);
    for short in 0..len {
        let small = BufferTooSmall { needed: len };
        assert_eq!(engine.encode_state(&mut [0; 1024][..short]), Err(small), "{short} bytes");
    }
    assert_eq!(engine.encode_state(&mut [0; 1024][..len]), Ok(len));
    let resume = |disk: &[u8]| Bft::resume(setup(&validators(), 1), storage(4, 24), disk);
    let mut resumed = resume(&disk[..len]).expect("its state");
    assert_eq!(resumed.round_state().locked, engine.round_state().locked);
    assert_eq!(resumed.round_state().valid, engine.round_state().valid);
    assert_eq!(resumed.round_state().step, Step::Precommit);
    let mut again = [0; 1024];
    assert_eq!(resumed.encode_state(&mut again), Ok(len));
    assert_eq!(again, disk);
    // Each of the four statements is sent again once: two own ones, two prevotes of others.
    let own = [PREVOTE, PRECOMMIT].map(|kind| Statement::new(GENESIS, kind, 4, 0, VALUE));
    assert!(own.iter().all(|statement| sent(&mut resumed.clone()).contains(statement)));
    resumed.handle_timeout(LATER);
    assert_eq!(sent(&mut resumed).len(), 4);

    // A prevote whose signature is not that of its author is left out.
    disk[len - 1] ^= 1;
    let resumed = resume(&disk[..len]).expect("its state");
    assert_eq!(justifying(&resumed), 2);
}

/// What a slot holds can be read in a trace.
#[test]
fn a_slot_shows_its_statement() {
    let mut engine = engine(1);
    all_say(&mut engine, [2], PREVOTE, 4, 3, VALUE);
    let votes = engine.into_storage().votes;
    let used: Vec<_> = votes.iter().filter(|slot| **slot != VoteSlot::EMPTY).collect();
    let shown = format!("{:?}", used[0]);
    assert!(shown.contains("Prevote") && shown.contains("abababab"), "{shown}");
    assert_eq!(format!("{:?}", VoteSlot::EMPTY), "Free");
}
