//! Cases that other projects got wrong, each in its smallest form. Larger tests of the same rules are in the files of
//! their parts.

use core::ops::RangeInclusive;

use consensus::aura::{CreditSlot, FinalityError, RollingFinality, step_of};
use consensus::bft::{Bft, BftConfig, BftSetup, BftSlots, PeerSlot, VoteSlot};
use consensus::clique::{
    CandidateSlot, Clique, CliqueBlock, CliqueConfig, CliqueHead, CliqueSetupError, CliqueSlots,
    RecentSlot, SignerSlot,
};
use consensus::guard::{CompleteGuard, GuardError, MinimalGuard, Permit, RecordSlot};
use consensus::quorum::{OverHalf, OverTwoThirds, Quorum as _, TwoThirds};
use consensus::select::{
    AdvanceError, BesuRotation, Change, StakeTree, UpdateError, WeightedRoundRobin,
};
use consensus::slot::{AttesterSlot, Checkpoint, Ffg, FfgConfig, FfgSetup};
use consensus::stake::{BondError, BondSlot, SlashError, StakeBook, StakeConfig};
use consensus::{
    Authorities, AuthorityError, AuthoritySlot, ConfigError, Ed25519Key, Equivocation,
    EquivocationDetector, EvidenceError, Keys as _, Offence, OffenceKind, RoundRobin,
    Selector as _, SignedStatement, Statement, StatementKind, StatementSlot, ValidatorArray,
    ValidatorError, ValidatorId, ValidatorSet,
};

const GENESIS: [u8; 32] = [0xC0; 32];

fn id(n: u8) -> ValidatorId {
    ValidatorId([n; 32])
}

fn change(n: u8, power: u64) -> Change {
    Change { id: id(n), power }
}

fn sign(key: &Ed25519Key, statement: Statement) -> SignedStatement {
    let signature = key.sign(&statement.to_bytes());
    SignedStatement { statement, author: key.id(), signature }
}

fn key(n: u8) -> Ed25519Key {
    Ed25519Key::from_secret(&[n; 32])
}

/// All orders of five.
fn orders() -> Vec<[usize; 5]> {
    let all = (0..5_usize.pow(5)).map(|n| [0, 1, 2, 3, 4].map(|digit| n / 5_usize.pow(digit) % 5));
    let permutations: Vec<_> =
        all.filter(|order| (0..5).all(|item| order.contains(&item))).collect();
    assert_eq!(permutations.len(), 120);
    permutations
}

/// The larger difficulty, the shorter chain, the larger distance, the lower hash; the same head in any order of arrival.
#[test]
fn case_1_the_head_of_clique_does_not_depend_on_the_order_of_arrival() {
    let head = |total, number, index, hash| {
        CliqueHead::new(total, number, index, 8, [hash; 32]).expect("signers")
    };
    // From the best to the worst; the distances of number 16 are 16 - index mod 8.
    let heads = [
        head(30, 17, 0, 9),
        head(29, 15, 0, 9),
        head(29, 16, 3, 9),
        head(29, 16, 4, 1),
        head(29, 16, 4, 2),
    ];
    assert!(heads.is_sorted_by(|better, worse| better > worse));
    for order in orders() {
        let mut chosen = heads[order[0]];
        for arrived in order {
            chosen = chosen.max(heads[arrived]);
        }
        assert_eq!(chosen, heads[0]);
    }
}

/// Eight signers, forks 1,3,5 and 2,4,6 after blocks of 8 and 7: by "heaviest, then first seen" nobody may sign again.
#[test]
fn case_2_eight_signers_leave_the_deadlock_by_the_fork_1_3_5() {
    type Chain = Clique<CliqueSlots<[SignerSlot; 8], [RecentSlot; 5], [CandidateSlot; 8]>>;
    let ids = [1, 2, 3, 4, 5, 6, 7, 8].map(id);
    let storage = CliqueSlots {
        signers: [SignerSlot::EMPTY; 8],
        recents: [RecentSlot::EMPTY; 5],
        votes: [CandidateSlot::EMPTY; 8],
    };
    let start: Chain = Clique::new(CliqueConfig::new(), &ids, storage).expect("valid");
    let extend = |from: &Chain, signers: &[u8]| {
        let mut chain = from.clone();
        let mut total = 0;
        let mut head = None;
        for signer in signers {
            let block = CliqueBlock { number: chain.number() + 1, signer: id(*signer), vote: None };
            total += u64::from(chain.check(&block).expect("it may sign").difficulty());
            head = chain.head(&block.signer, total, [*signer; 32]);
            chain.apply(&block).expect("it may sign");
        }
        (chain, head.expect("a block"), total)
    };
    let may_sign = |chain: &Chain, signers: [u8; 3]| {
        let number = chain.number() + 1;
        let can = |signer: &u8| {
            chain.check(&CliqueBlock { number, signer: id(*signer), vote: None }).is_ok()
        };
        signers.iter().filter(|signer| can(signer)).count()
    };
    let (common, ..) = extend(&start, &[7, 8, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 8, 7]);
    let (odd, odd_head, odd_total) = extend(&common, &[1, 3, 5]);
    let (even, even_head, even_total) = extend(&common, &[2, 4, 6]);
    assert_eq!(odd_total, even_total);
    assert_eq!(may_sign(&odd, [1, 3, 5]) + may_sign(&even, [2, 4, 6]), 0, "the old rule halts");
    assert!(odd_head > even_head);
    assert_eq!(may_sign(&odd, [2, 4, 6]), 3, "the other half goes on");
}

#[test]
fn case_3_one_offence_for_all_pairs_and_errors_for_the_old_the_early_and_strangers() {
    let ben = key(2);
    let headers = [1, 2, 3].map(|digest| Statement::propose(GENESIS, 9, 0, [digest; 32]));
    let headers = headers.map(|statement| sign(&ben, statement));
    let mut detector = EquivocationDetector::new([StatementSlot::EMPTY; 4]);
    detector.set_window(&GENESIS, 5..=9);
    let is_ben = |author: &ValidatorId| *author == ben.id();
    let mut offences: Vec<_> = headers
        .iter()
        .filter_map(|signed| detector.observe(signed, is_ben).expect("signed"))
        .map(|evidence| evidence.offence())
        .collect();
    assert_eq!(offences.len(), 2, "the second and the third contradict the first");
    offences.dedup();
    let expected = Offence { author: ben.id(), kind: OffenceKind::DoubleProposal, slot: 9 };
    assert_eq!(offences, [expected]);
    let slot = |slot| sign(&ben, Statement::propose(GENESIS, slot, 0, [1; 32]));
    let expired = EvidenceError::Expired { slot: 4, first: 5 };
    assert_eq!(detector.observe(&slot(4), is_ben), Err(expired));
    let not_yet = EvidenceError::NotYet { slot: 10, last: 9 };
    assert_eq!(detector.observe(&slot(10), is_ben), Err(not_yet));
    let stranger = Err(EvidenceError::Stranger(ben.id()));
    assert_eq!(detector.observe(&slot(8), |_| false), stranger);

    let mut config = StakeConfig::new();
    config.unbonding = 10;
    let mut book = StakeBook::new(config, [BondSlot::EMPTY; 2]);
    book.bond(ben.id(), 1000).expect("a slot");
    book.advance(20);
    assert_eq!(book.slash(&expected, 9), Err(SlashError::Expired { oldest: 10 }));
    assert_eq!(
        book.slash(&expected, 19),
        Err(SlashError::NotMember(ben.id())),
        "active from 20 on"
    );
    assert!(book.slash(&expected, 20).is_ok());
    assert_eq!(book.slash(&expected, 20), Err(SlashError::AlreadySlashed));
}

#[test]
fn case_4_updates_are_a_set_and_steps_at_once_differ_from_single_ones() {
    let slots = ValidatorArray::<8>::EMPTY;
    let base = [change(1, 10), change(2, 1), change(3, 1)];
    let start = WeightedRoundRobin::new(slots, &base).expect("small");
    let mut set = start.clone();
    let twice = set.update(&[change(4, 5), change(1, 3), change(4, 6)]);
    assert_eq!(twice, Err(UpdateError::Duplicate(id(4))));
    assert_eq!(set, start, "unchanged");

    let changes = [change(4, 5), change(1, 3), change(2, 0), change(5, 7), change(3, 9)];
    let mut expected = start.clone();
    expected.update(&changes).expect("small");
    for order in orders() {
        let mut set = start.clone();
        set.update(&order.map(|at| changes[at])).expect("small");
        assert_eq!(set, expected);
    }

    let mut single = start.clone();
    single.update(&[change(1, 0)]).expect("two remain");
    assert_eq!(single.proposer(), Some(id(1)), "a removed proposer stays until the next step");
    assert_ne!(single.try_advance(1), Ok(id(1)));

    // Priorities are rescaled and centred once a call. That acts after powers have shrunk.
    let mut differences = 0;
    for powers in (0..64).map(|n| [n % 4 + 1, n / 4 % 4 + 1, n / 16 + 1]) {
        let mut set =
            WeightedRoundRobin::new(slots, &base.map(|it| change(it.id.0[0], it.power * 99)));
        let set = set.as_mut().expect("small");
        set.update(&[change(1, powers[0]), change(2, powers[1]), change(3, powers[2])])
            .expect("small");
        let mut other = set.clone();
        assert!(set.try_advance(2).is_ok());
        assert!(other.try_advance(1).is_ok() && other.try_advance(1).is_ok());
        differences += usize::from(*set != other);
    }
    assert!(differences > 0, "two steps at once are not two single steps");
}

/// What a light client relies on: more than a third and more than two thirds, without the exact fraction.
#[test]
fn case_5_a_repeated_signature_and_an_exact_fraction_are_refused() {
    let two_of_three = |weight, total| OverTwoThirds::is_reached(weight, total);
    assert!(!two_of_three(6, 9) && two_of_three(7, 9));
    assert!(!two_of_three(u64::MAX / 3 * 2, u64::MAX), "u64::MAX is divisible by 3");
    assert!(two_of_three(u64::MAX / 3 * 2 + 1, u64::MAX));
    // One validator of three repeats its precommit, and spells it with another round.
    let keys = sorted_keys(3);
    let mut engine = bft(&keys, 0).expect("valid");
    let one = Statement::new(GENESIS, StatementKind::Precommit, 1, 0, [9; 32]);
    let mut bytes = [0; SignedStatement::LEN];
    for round in [0, 0, 1, 0] {
        let statement = Statement { round, ..one };
        sign(&keys[1], statement).encode(&mut bytes).expect("LEN suffices");
        let _ = engine.handle_datagram(core::time::Duration::ZERO, &bytes); // a repetition is dropped
        assert_eq!(engine.certificate().count(), 0, "no decision");
    }
}

#[test]
fn case_6_the_guards_give_no_second_signature_after_a_crash() {
    let mut complete = CompleteGuard::new([RecordSlot::EMPTY; 4]);
    assert_eq!(complete.sign_block(7, [1; 32]), Ok(Permit::New));
    assert_eq!(complete.sign_block(7, [1; 32]), Ok(Permit::Repeated), "the same root");
    assert_eq!(complete.sign_block(7, [2; 32]), Err(GuardError::DoubleProposal));
    let mut minimal = MinimalGuard::EMPTY;
    assert_eq!(minimal.sign_block(7), Ok(()));
    assert_eq!(minimal.sign_block(7), Err(GuardError::BelowMinimum { minimum: 8 }));
    let flash = minimal.to_bytes(); // saved before the signature leaves; then a crash
    let mut restarted = MinimalGuard::from_bytes(&flash);
    assert_eq!(restarted.sign_block(7), Err(GuardError::BelowMinimum { minimum: 8 }));
    assert_eq!(restarted.sign_block(8), Ok(()));
}

/// That a step of the future is `NotYet` is a test of `AuraSeal`, in `engines.rs`.
#[test]
fn case_7_two_blocks_of_one_aura_step_are_an_offence_and_a_skipped_one_is_benign() {
    let ann = key(1);
    let blocks = [1, 2].map(|digest| Statement::propose(GENESIS, 41, 0, [digest; 32]));
    let [one, two] = blocks.map(|statement| sign(&ann, statement));
    let offence = Equivocation::prove(&one, &two).expect("two blocks in a step").offence();
    assert_eq!((offence.kind, offence.slot), (OffenceKind::DoubleProposal, 41));
    let turns = RoundRobin::new([1, 2, 3].map(id));
    let skipped: Vec<_> = Offence::skipped(&turns, 41, 44).collect();
    assert_eq!(skipped.len(), 2, "steps 42 and 43");
    assert!(skipped.iter().all(|offence| !offence.kind.is_slashable()));
    assert_eq!(skipped[0].author, id(1), "42 mod 3");
}

#[test]
fn case_8_two_thirds_justify_and_decide_nothing() {
    assert!(TwoThirds::is_reached(2, 3) && !OverTwoThirds::is_reached(2, 3));
    for weight in [0, 1, u64::MAX] {
        assert!(!TwoThirds::is_reached(weight, 0), "nobody is not a quorum");
        assert!(!OverTwoThirds::is_reached(weight, 0));
        assert!(!OverHalf::is_reached(weight, 0));
    }
    let keys = sorted_keys(3);
    let ids: Vec<_> = keys.iter().map(|key| (key.id(), 32)).collect();
    let setup = FfgSetup {
        config: FfgConfig::new(core::time::Duration::from_secs(3)),
        genesis: GENESIS,
        validators: &ids,
        selector: RoundRobin::new(ids.iter().map(|(id, _)| *id).collect::<Vec<_>>()),
        keys: keys[0].clone(),
    };
    let mut ffg = Ffg::new(setup, [AttesterSlot::EMPTY; 3]).expect("valid");
    let mut engine = bft(&keys, 0).expect("valid");
    let attest = Statement::new(GENESIS, StatementKind::Attest { source: 0 }, 1, 0, [9; 32]);
    let precommit = Statement::new(GENESIS, StatementKind::Precommit, 1, 0, [9; 32]);
    let mut bytes = [0; SignedStatement::LEN];
    for key in &keys[1..] {
        sign(key, attest).encode(&mut bytes).expect("LEN suffices");
        let later = core::time::Duration::from_secs(9);
        ffg.handle_datagram(later, &bytes).expect("valid");
        sign(key, precommit).encode(&mut bytes).expect("LEN suffices");
        engine.handle_datagram(core::time::Duration::ZERO, &bytes).expect("valid");
    }
    assert_eq!(ffg.justified(), Checkpoint { slot: 1, id: [9; 32] });
    assert_eq!(engine.certificate().count(), 0, "two of three are not a quorum");
}

#[test]
fn case_9_a_signature_for_one_chain_is_refused_on_another() {
    let kinds = [
        StatementKind::Propose { valid_round: None },
        StatementKind::Propose { valid_round: Some(0) },
        StatementKind::Prevote,
        StatementKind::Precommit,
        StatementKind::Attest { source: 3 },
    ];
    for kind in kinds {
        let statement = Statement::new(GENESIS, kind, 4, 1, [1; 32]);
        let signed = sign(&key(1), statement);
        assert!(signed.verify().is_ok());
        let moved = Statement { genesis: [0xC1; 32], ..statement };
        assert!(SignedStatement { statement: moved, ..signed }.verify().is_err(), "{kind:?}");
        let other = Statement { digest: [2; 32], ..moved };
        assert_eq!(statement.contradiction(&other), None, "{kind:?}");
    }
}

/// Each of these is a panic, a division by zero or an overflow in a program from which the rules come.
#[test]
fn case_10_empty_sets_zero_times_and_overflow_are_errors() {
    let max = WeightedRoundRobin::MAX_POWER;
    let slots = ValidatorArray::<4>::EMPTY;
    let mut rotation = WeightedRoundRobin::new(slots, &[]).expect("an empty set");
    assert_eq!(rotation.try_advance(1), Err(AdvanceError::NoValidators));
    assert_eq!(rotation.try_advance(0), Err(AdvanceError::NoSteps));
    assert_eq!(rotation.update(&[change(1, max), change(2, 1)]), Err(UpdateError::TooMuchPower));
    assert_eq!(rotation.update(&[change(1, u64::MAX)]), Err(UpdateError::TooMuchPower));
    assert_eq!(rotation.update(&[change(1, max)]), Ok(()));
    assert_eq!(rotation.update(&[change(1, 0)]), Err(UpdateError::Empty));
    let unknown = Err(UpdateError::UnknownRemoval(id(2)));
    assert_eq!(rotation.update(&[change(3, 1), change(2, 0)]), unknown);
    assert_eq!(rotation.try_advance(0), Err(AdvanceError::NoSteps));

    let none: [ValidatorId; 0] = [];
    assert_eq!(RoundRobin::new(none).select(1, 1), None);
    assert_eq!(BesuRotation::new(none, id(1), true).select(0, 5), None);
    let mut set = ValidatorSet::new(ValidatorArray::<2>::EMPTY);
    assert_eq!(set.draw(&[1; 32], 0, 0), None);
    set.set_stake(id(1), u64::MAX).expect("a slot");
    assert_eq!(set.set_stake(id(2), 1), Err(ValidatorError::TooMuchStake));
    let mut tree = StakeTree::new(ValidatorArray::<2>::EMPTY);
    assert_eq!(tree.draw(&[1; 32], 0, 0), None);
    tree.set_stake(id(1), u64::MAX).expect("a slot");
    assert_eq!(tree.set_stake(id(2), 1), Err(ValidatorError::TooMuchStake));
    let mut book = StakeBook::new(StakeConfig::new(), [BondSlot::EMPTY; 2]);
    book.bond(id(1), u64::MAX).expect("a slot");
    assert_eq!(book.bond(id(2), 1), Err(BondError::TooMuchStake));

    let authorities = Authorities::new([AuthoritySlot::EMPTY; 1]);
    assert_eq!(authorities.turn(&id(1), 0), Err(AuthorityError::Unauthorized(id(1))));
    let storage = || CliqueSlots {
        signers: [SignerSlot::EMPTY; 1],
        recents: [RecentSlot::EMPTY; 1],
        votes: [CandidateSlot::EMPTY; 1],
    };
    let no_signers = Clique::new(CliqueConfig::new(), &[], storage()).map(|_| ());
    assert_eq!(no_signers, Err(CliqueSetupError::NoSigners));
    let mut config = CliqueConfig::new();
    config.epoch = 0;
    let no_epoch = Clique::new(config, &[id(1)], storage()).map(|_| ());
    assert_eq!(no_epoch, Err(CliqueSetupError::ZeroEpoch));
    assert_eq!(CliqueHead::new(1, 1, 0, 0, [0; 32]), None);

    assert_eq!(step_of(5, 0), None);
    let mut finality = RollingFinality::<_>::new(0, [CreditSlot::EMPTY; 1]);
    assert_eq!(finality.push(1, &[]), Err(FinalityError::NoSigner));
    assert_eq!(finality.push(u64::MAX, &[id(1)]).map(Iterator::count), Ok(0), "a quorum of nobody");
    let number = FinalityError::WrongNumber { expected: u64::MAX, found: 0 };
    assert_eq!(finality.push(0, &[id(1)]), Err(number), "numbers do not wrap");
    assert_eq!(bft(&[], 0).map(|_| ()), Err(ConfigError::NoValidators));
    let mut detector = EquivocationDetector::new([StatementSlot::EMPTY; 0]);
    let signed = sign(&key(1), Statement::propose(GENESIS, u64::MAX, u32::MAX, [1; 32]));
    assert_eq!(detector.observe(&signed, |_| true), Ok(None));
    detector.set_window(&GENESIS, RangeInclusive::new(u64::MAX, 0));
    assert!(detector.observe(&signed, |_| true).is_err());
}

fn sorted_keys(count: u8) -> Vec<Ed25519Key> {
    let mut keys: Vec<_> = (1..=count).map(key).collect();
    keys.sort_by_key(Ed25519Key::id);
    keys
}

type Engine = Bft<RoundRobin<Vec<ValidatorId>>, Ed25519Key, BftSlots<Vec<PeerSlot>, Vec<VoteSlot>>>;

fn bft(keys: &[Ed25519Key], me: usize) -> Result<Engine, ConfigError> {
    let validators: Vec<_> = keys.iter().map(|key| (key.id(), 1)).collect();
    let setup = BftSetup {
        config: BftConfig::new(core::time::Duration::from_millis(100)),
        genesis: GENESIS,
        height: 1,
        validators: &validators,
        selector: RoundRobin::new(validators.iter().map(|(id, _)| *id).collect()),
        keys: keys.get(me).cloned().unwrap_or_else(|| key(9)),
    };
    let storage = BftSlots {
        validators: vec![PeerSlot::EMPTY; keys.len()],
        votes: vec![VoteSlot::EMPTY; keys.len() * VoteSlot::PER_VALIDATOR],
    };
    Bft::new(setup, storage)
}

/// The least weight that is a quorum of a total, by the names of the quorums.
#[test]
fn quorums_begin_exactly_where_their_names_say() {
    // total, over two thirds, two thirds, over half
    for (total, least) in [
        (1, [1, 1, 1]),
        (2, [2, 2, 2]),
        (3, [3, 2, 2]),
        (4, [3, 3, 3]),
        (5, [4, 4, 3]),
        (6, [5, 4, 4]),
        (7, [5, 5, 4]),
        (9, [7, 6, 5]),
        (10, [7, 7, 6]),
        (u64::MAX, [u64::MAX / 3 * 2 + 1, u64::MAX / 3 * 2, u64::MAX / 2 + 1]),
    ] {
        let quorums: [fn(u64, u64) -> bool; 3] =
            [OverTwoThirds::is_reached, TwoThirds::is_reached, OverHalf::is_reached];
        for (at, (is_reached, least)) in quorums.into_iter().zip(least).enumerate() {
            assert!(is_reached(least, total), "quorum {at}: {least} of {total}");
            assert!(!is_reached(least - 1, total), "quorum {at}: {} of {total}", least - 1);
            assert!(is_reached(total, total) && !is_reached(0, total) && !is_reached(least, 0));
        }
    }
}
