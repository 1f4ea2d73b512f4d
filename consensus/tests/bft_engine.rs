//! One BFT engine among statements that the test signs: what it saves, sends and reports.

mod bft_one;

use core::time::Duration;

use bft_one::{
    Engine, GENESIS, NOW, PROPOSE, VALUE, engine, events, key, sent, setup, signed, storage,
    validators,
};
use consensus::bft::{
    Bft, BftConfig, BftEvent, BftSetup, CallError, DatagramError, ResumeError, Step,
};
use consensus::{
    ConfigError, Keys as _, OffenceKind, SaveToken, Statement, StatementKind, ValidatorId,
};

/// A vote is decided on, saved, and only then sent and counted; after a crash in between, the same vote leaves.
#[test]
fn nothing_leaves_before_it_is_saved() {
    let mut engine = engine(0);
    assert_eq!(events(&mut engine), [BftEvent::Propose { height: 4, round: 0 }]);
    engine.propose(NOW, &VALUE).expect("wanted");
    assert_eq!(engine.propose(NOW, &VALUE), Err(CallError::NotProposing), "once");
    let token = SaveToken(1);
    assert_eq!(events(&mut engine), [BftEvent::Save { token }]);
    assert_eq!(sent(&mut engine), []);
    let mut disk = [0; 1024];
    let len = engine.encode_state(&mut disk).expect("it fits");
    let unknown = SaveToken(9);
    assert_eq!(engine.handle_saved(NOW, unknown), Err(CallError::UnknownToken(unknown)));
    assert_eq!(sent(&mut engine), []);

    // The power fails before the engine knows that the disk has it. Another value would be a contradiction.
    let mut engine =
        Bft::resume(setup(&validators(), 0), storage(4, 24), &disk[..len]).expect("its state");
    let proposal = Statement::propose(GENESIS, 4, 0, VALUE);
    assert_eq!(sent(&mut engine), [proposal]);
    assert!(!events(&mut engine).contains(&BftEvent::Propose { height: 4, round: 0 }));

    // The state belongs to this validator, this chain and this height.
    let other = Bft::resume(setup(&validators(), 1), storage(4, 24), &disk[..len]);
    assert_eq!(other.err(), Some(ResumeError::OtherValidator));
    let list = validators();
    let earlier = BftSetup { height: 3, ..setup(&list, 0) };
    let earlier = Bft::resume(earlier, storage(4, 24), &disk[..len]);
    assert_eq!(earlier.err(), Some(ResumeError::LaterHeight(4)));
    let later = BftSetup { height: 5, ..setup(&list, 0) };
    let later = Bft::resume(later, storage(4, 24), &disk[..len]).expect("it no longer binds");
    assert_eq!(later.height(), 5);
    let torn = Bft::resume(setup(&list, 0), storage(4, 24), &disk[..len - 1]);
    assert!(matches!(torn.err(), Some(ResumeError::Decode(_))));
}

/// A validator that restarts before it voted proposes if it is its turn, and otherwise waits no longer than its timer
/// for the proposal.
#[test]
fn a_restart_before_a_vote_continues_the_round() {
    let mut disk = [0; 1024];
    let len = engine(0).encode_state(&mut disk).expect("it fits");
    let mut proposer =
        Bft::resume(setup(&validators(), 0), storage(4, 24), &disk[..len]).expect("its state");
    assert_eq!(events(&mut proposer), [BftEvent::Propose { height: 4, round: 0 }]);
    proposer.propose(NOW, &VALUE).expect("wanted");
    assert!(matches!(events(&mut proposer)[..], [BftEvent::Save { .. }]));

    let len = engine(1).encode_state(&mut disk).expect("it fits");
    let mut other =
        Bft::resume(setup(&validators(), 1), storage(4, 24), &disk[..len]).expect("its state");
    assert_eq!(events(&mut other), []);
    let due = other.poll_timeout().expect("the proposal is awaited");
    assert!(due > NOW);
    other.handle_timeout(due);
    for event in events(&mut other) {
        let BftEvent::Save { token } = event else { panic!("{event}") };
        other.handle_saved(due, token).expect("known");
    }
    let nil = Statement::new(GENESIS, StatementKind::Prevote, 4, 0, Statement::NIL);
    assert_eq!(sent(&mut other), [nil]);
}

/// A whole height with the statements of the other three; each vote is saved before the next step.
#[test]
fn a_proposal_becomes_a_decision() {
    let mut engine = engine(1);
    let mut sent_all = Vec::new();
    let mut decided = None;
    let drain = |engine: &mut Engine, sent_all: &mut Vec<Statement>, decided: &mut Option<_>| {
        for event in events(engine) {
            match event {
                BftEvent::Save { token } => engine.handle_saved(NOW, token).expect("known"),
                BftEvent::Check { value, .. } => engine.handle_checked(NOW, &value, true),
                BftEvent::Decided { value, round, .. } => *decided = Some((value, round)),
                other => panic!("{other}"),
            }
        }
        sent_all.extend(sent(engine));
    };
    let step =
        |engine: &mut Engine, bytes: &[u8]| engine.handle_datagram(NOW, bytes).expect("valid");
    step(&mut engine, &signed(0, PROPOSE, 4, 0, VALUE));
    for _ in 0..2 {
        drain(&mut engine, &mut sent_all, &mut decided);
    }
    let prevote = Statement::new(GENESIS, StatementKind::Prevote, 4, 0, VALUE);
    assert_eq!(sent_all, [prevote]);
    step(&mut engine, &signed(0, StatementKind::Prevote, 4, 0, VALUE));
    step(&mut engine, &signed(2, StatementKind::Prevote, 4, 0, VALUE));
    drain(&mut engine, &mut sent_all, &mut decided);
    let precommit = Statement::new(GENESIS, StatementKind::Precommit, 4, 0, VALUE);
    assert_eq!(sent_all, [prevote, precommit]);
    assert_eq!(engine.round_state().locked.map(|it| it.value), Some(VALUE));
    assert_eq!(engine.next_height(NOW), Err(CallError::Undecided(4)));
    step(&mut engine, &signed(2, StatementKind::Precommit, 4, 0, VALUE));
    step(&mut engine, &signed(3, StatementKind::Precommit, 4, 0, VALUE));
    drain(&mut engine, &mut sent_all, &mut decided);
    assert_eq!(decided, Some((VALUE, 0)));
    let authors: Vec<_> = engine.certificate().map(|signed| signed.author).collect();
    assert_eq!(authors.len(), 3);
    assert!(engine.certificate().all(|signed| signed.verify().is_ok()));

    // A validator that is still at this height is reported, once in a while.
    let late = signed(0, StatementKind::Precommit, 4, 0, VALUE);
    engine.handle_datagram(NOW, &late).expect("valid");
    let peer = key(0).id();
    assert_eq!(events(&mut engine), [BftEvent::PeerBehind { peer, height: 4 }]);
    assert_eq!(engine.handle_datagram(NOW, &late), Err(DatagramError::OldHeight(4)));
    engine.next_height(NOW).expect("decided");
    assert_eq!(engine.certificate().count(), 0);
    assert_eq!(engine.round_state().step, Step::Propose);
}

/// Two votes of one validator are evidence, once; and it does not keep the others from deciding.
#[test]
fn a_contradiction_is_reported_once() {
    let mut engine = engine(1);
    for digest in [[1; 32], [2; 32], [3; 32], [1; 32]] {
        let vote = signed(3, StatementKind::Precommit, 4, 0, digest);
        engine.handle_datagram(NOW, &vote).expect("a validator");
    }
    let found = events(&mut engine);
    let [BftEvent::Equivocated(evidence)] = found[..] else { panic!("{found:?}") };
    assert_eq!(evidence.offender(), key(3).id());
    assert_eq!(evidence.offence().kind, OffenceKind::DoubleVote);
    assert!(evidence.statements().iter().all(|signed| signed.verify().is_ok()));
    // Its latest vote, for 1, counts.
    for author in [0, 2] {
        let vote = signed(author, StatementKind::Precommit, 4, 0, [1; 32]);
        engine.handle_datagram(NOW, &vote).expect("a validator");
    }
    let decided = BftEvent::Decided { height: 4, round: 0, value: [1; 32] };
    assert_eq!(events(&mut engine), [decided]);
}

/// What is not for this engine is dropped, and changes nothing.
#[test]
fn invalid_datagrams_are_dropped_with_the_reason() {
    let mut engine = engine(1);
    let before = *engine.round_state();
    let vote = signed(0, StatementKind::Prevote, 4, 0, VALUE);
    let mut drop = |bytes: &[u8]| engine.handle_datagram(NOW, bytes).expect_err("dropped");
    assert!(matches!(drop(&vote[..182]), DatagramError::Malformed(_)));
    assert_eq!(drop(&[&vote[..], &[0]].concat()), DatagramError::TrailingBytes(1));
    let mut forged = vote;
    forged[182] ^= 1;
    assert_eq!(drop(&forged), DatagramError::Forged(key(0).id()));
    let mut elsewhere = vote;
    elsewhere[3] ^= 1;
    assert_eq!(drop(&elsewhere), DatagramError::OtherChain);
    let stranger = signed(9, StatementKind::Prevote, 4, 0, VALUE);
    assert_eq!(drop(&stranger), DatagramError::Stranger(key(9).id()));
    let proposal = signed(2, PROPOSE, 4, 0, VALUE);
    assert_eq!(drop(&proposal), DatagramError::NotProposer(key(2).id()));
    let attestation = signed(0, StatementKind::Attest { source: 1 }, 4, 0, VALUE);
    assert_eq!(drop(&attestation), DatagramError::Unexpected);
    let later = StatementKind::Propose { valid_round: Some(0) };
    assert!(matches!(drop(&signed(0, later, 4, 0, VALUE)), DatagramError::Malformed(_)));
    let own = signed(1, StatementKind::Prevote, 4, 0, VALUE);
    assert_eq!(drop(&own), DatagramError::Echo);
    assert_eq!(*engine.round_state(), before);
}

/// One faulty validator that claims great heights and rounds moves nobody; two of four do.
#[test]
fn claims_of_more_than_a_third_count() {
    let mut engine = engine(1);
    let claim =
        |author, height, round| signed(author, StatementKind::Prevote, height, round, VALUE);
    engine.handle_datagram(NOW, &claim(3, 4, u32::MAX)).expect("valid");
    engine.handle_datagram(NOW, &claim(3, u64::MAX, 0)).expect("valid");
    assert_eq!(events(&mut engine), []);
    assert_eq!(engine.round_state().round, Some(0));
    engine.handle_datagram(NOW, &claim(2, 4, 7)).expect("valid");
    assert_eq!(engine.round_state().round, Some(7));
    engine.handle_datagram(NOW, &claim(2, 9, 0)).expect("valid");
    let behind = events(&mut engine);
    assert!(behind.contains(&BftEvent::Behind { height: 9 }), "{behind:?}");
}

/// Two of four have prevoted, and a third is in a later round: its prevote may never arrive, and the timeout starts.
#[test]
fn a_validator_in_a_later_round_counts_for_the_timeout() {
    let mut engine = engine(1);
    let at = Duration::from_millis(300);
    engine.handle_timeout(at);
    let token = SaveToken(1);
    assert_eq!(events(&mut engine), [BftEvent::Save { token }]);
    engine.handle_saved(at, token).expect("known");
    let prevote = |author, round| signed(author, StatementKind::Prevote, 4, round, Statement::NIL);
    engine.handle_datagram(at, &prevote(2, 0)).expect("valid");
    assert!(!engine.round_state().prevote_timeout_scheduled);
    engine.handle_datagram(at, &prevote(3, 2)).expect("valid");
    assert!(engine.round_state().prevote_timeout_scheduled);
    engine.handle_timeout(at + Duration::from_millis(200));
    assert_eq!(engine.round_state().step, Step::Precommit);
}

#[test]
fn invalid_setups_are_refused() {
    let list = validators();
    let new = |list: &[(ValidatorId, u64)], peers, votes| {
        Bft::new(setup(list, 0), storage(peers, votes)).map(|_| ())
    };
    assert_eq!(new(&[], 4, 24), Err(ConfigError::NoValidators));
    let few = ConfigError::TooManyValidators { found: 4, capacity: 3 };
    assert_eq!(new(&list, 3, 24), Err(few));
    assert_eq!(new(&list, 4, 23), Err(ConfigError::TooFewVotes { found: 23, needed: 24 }));
    let id = list[0].0;
    assert_eq!(new(&[(id, 1), (id, 1)], 4, 24), Err(ConfigError::Duplicate(id)));
    assert_eq!(new(&[(id, 0)], 4, 24), Err(ConfigError::NoPower(id)));
    let heavy = [(id, u64::MAX), (list[1].0, 1)];
    assert_eq!(new(&heavy, 4, 24), Err(ConfigError::TooMuchPower));
    let mut config = BftConfig::new(Duration::from_millis(1));
    config.growth = Duration::ZERO;
    let zero = BftSetup { config, ..setup(&list, 0) };
    assert_eq!(Bft::new(zero, storage(4, 24)).err(), Some(ConfigError::ZeroTimeout));
}
