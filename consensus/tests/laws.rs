//! Properties and worked examples of selection, turns and evidence.

mod bodies;

use core::ops::RangeInclusive;

use consensus::{
    Authorities, AuthorityError, AuthoritySlot, Equivocation, EquivocationDetector, EvidenceError,
    Full, Offence, OffenceKind, SignedStatement, Statement, StatementSlot, Turn, ValidatorArray,
    ValidatorError, ValidatorId, ValidatorSet,
};
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_bytes_hold(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for (_, body) in bodies::BODIES {
            body(&bytes);
        }
    }

    /// Long runs beside the plain models, which short inputs leave before much is decided.
    #[test]
    fn long_runs_equal_the_plain_models(bytes in proptest::collection::vec(any::<u8>(), 500..1500)) {
        bodies::bft_rules::bft_rules(&bytes);
        bodies::ffg_rules::ffg_rules(&bytes);
    }

    /// Evidence is the same in any order of arrival, and any changed byte makes it worthless.
    #[test]
    fn evidence_is_order_free_and_tamper_proof(at in 0_usize..Equivocation::LEN, flip in 1_u8..) {
        let one = signed(1, 5, 0, [1; 32]);
        let two = signed(1, 5, 0, [2; 32]);
        let evidence = Equivocation::prove(&one, &two).expect("a contradiction");
        prop_assert_eq!(Equivocation::prove(&two, &one), Ok(evidence));
        let mut bytes = [0; Equivocation::LEN];
        evidence.encode(&mut bytes).expect("LEN suffices");
        prop_assert_eq!(Equivocation::decode(&bytes).map(|(e, _)| e), Ok(evidence));
        bytes[at] ^= flip;
        prop_assert!(Equivocation::decode(&bytes).is_err());
        prop_assert!(Equivocation::decode(&bytes[..at]).is_err());
    }
}

fn signed(key: u8, slot: u64, round: u32, digest: [u8; 32]) -> SignedStatement {
    let key = SigningKey::from_bytes(&[key; 32]);
    let statement = Statement::propose([1; 32], slot, round, digest);
    SignedStatement {
        statement,
        author: ValidatorId(key.verifying_key().to_bytes()),
        signature: key.sign(&statement.to_bytes()).to_bytes(),
    }
}

#[test]
fn statements_without_a_contradiction_are_not_evidence() {
    let base = signed(1, 5, 0, [1; 32]);
    let prove = |other: &SignedStatement| Equivocation::prove(&base, other);
    assert_eq!(prove(&base), Err(EvidenceError::NoContradiction));
    assert_eq!(prove(&signed(1, 6, 0, [2; 32])), Err(EvidenceError::NoContradiction));
    assert_eq!(prove(&signed(1, 5, 1, [2; 32])), Err(EvidenceError::NoContradiction));
    let other = signed(2, 5, 0, [2; 32]);
    assert_eq!(prove(&other), Err(EvidenceError::DifferentAuthors(base.author, other.author)));
    // Framing: a statement of one key with the name of another.
    let framed = SignedStatement { author: base.author, ..other };
    assert_eq!(prove(&framed), Err(EvidenceError::Forged(base.author)));
}

/// Over many slots the draw follows the stakes: Pearson's statistic stays below its 1e-6 quantile. The
/// rows are those for which sampling by acceptance, as Ethereum does it, is visibly off.
#[test]
fn the_draw_is_proportional_to_stake() {
    for (stakes, quantile) in [
        (&[32, 1][..], 23.93),
        (&[32, 16, 8, 8], 30.67),
        (&[32, 32, 16, 16, 8, 8, 4, 4, 2, 1], 45.08),
        (&[u64::MAX / 2, u64::MAX / 4, u64::MAX / 4], 27.63),
    ] {
        let mut set = ValidatorSet::new(ValidatorArray::<12>::EMPTY);
        set.set_stake(ValidatorId([99; 32]), 0).expect("nothing to do");
        for (stake, n) in stakes.iter().zip(0_u8..) {
            set.set_stake(ValidatorId([n; 32]), *stake).expect("there is room");
        }
        let draws = 6000_u32;
        let mut counts = vec![0_u32; stakes.len()];
        for slot in 0..draws {
            let ValidatorId([n, ..]) =
                set.draw(&[7; 32], u64::from(slot), 0).expect("there is stake");
            counts[usize::from(n)] += 1;
        }
        let total: f64 = stakes.iter().map(|stake| *stake as f64).sum();
        let statistic: f64 = counts
            .iter()
            .zip(stakes)
            .map(|(count, stake)| {
                let expected = f64::from(draws) * *stake as f64 / total;
                (f64::from(*count) - expected).powi(2) / expected
            })
            .sum();
        assert!(statistic < quantile, "{stakes:?}: {counts:?} gives {statistic}");
    }
}

/// A change of seed, slot or round changes the outcome; the same arguments never do.
#[test]
fn draws_equal_the_pinned_values() {
    let mut set = ValidatorSet::new(ValidatorArray::<100>::EMPTY);
    for n in 0..100 {
        set.set_stake(ValidatorId([n; 32]), 1 + u64::from(n)).expect("there is room");
    }
    let name = |seed: u8, slot, round| {
        set.draw(&[seed; 32], slot, round).map(|ValidatorId([n, ..])| n).expect("there is stake")
    };
    let first: Vec<u8> = (0..8).map(|slot| name(1, slot, 0)).collect();
    assert_eq!(first, PINNED, "another outcome splits every chain that runs");
    assert_ne!(first, (0..8).map(|slot| name(2, slot, 0)).collect::<Vec<_>>());
    assert_ne!(first, (0..8).map(|slot| name(1, slot, 1)).collect::<Vec<_>>());
}

/// Recomputed with an independent big-integer script from the rule in the documentation.
const PINNED: [u8; 8] = [88, 59, 31, 42, 87, 11, 45, 64];

/// Four authorities, limit floor(4/2) + 1 = 3 (EIP-225).
#[test]
fn authorities_take_turns() {
    let id = |n| ValidatorId([n; 32]);
    let mut list = Authorities::new([AuthoritySlot::EMPTY; 4]);
    for n in [3, 1, 4, 2] {
        list.insert(id(n)).expect("there is room");
    }
    assert_eq!(list.insert(id(5)), Err(Full { capacity: 4 }));
    assert_eq!(list.insert(id(4)), Ok(()), "it is one already");
    assert_eq!(list.signer_limit(), 3);
    for (height, turn_of) in [(4, 1), (5, 2), (6, 3), (7, 4), (8, 1)] {
        assert_eq!(list.in_turn(height), Some(id(turn_of)));
    }
    assert_eq!(list.turn(&id(9), 4), Err(AuthorityError::Unauthorized(id(9))));
    assert_eq!(list.turn(&id(1), 4), Ok(Turn::In));
    list.record_signature(&id(1), 4);
    let wait = Err(AuthorityError::RecentlySigned { id: id(1), next: 7 });
    assert_eq!((list.turn(&id(1), 5), list.turn(&id(1), 6)), (wait, wait));
    assert_eq!(list.turn(&id(1), 7), Ok(Turn::Out));
    assert_eq!(list.turn(&id(3), 5), Ok(Turn::Out), "it steps in for 2");
    list.remove(&id(1)).expect("it is one");
    assert_eq!(list.turn(&id(1), 8), Err(AuthorityError::Unauthorized(id(1))));
    assert_eq!(list.signer_limit(), 2);
}

/// Recent signatures belong to heights: leaving and returning forgets none.
#[test]
fn an_authority_that_returns_is_still_recent() {
    let id = |n| ValidatorId([n; 32]);
    let mut list = Authorities::new([AuthoritySlot::EMPTY; 4]);
    for n in [1, 2, 3, 4] {
        list.insert(id(n)).expect("there is room");
    }
    list.record_signature(&id(2), 9);
    list.remove(&id(2)).expect("it is one");
    list.insert(id(2)).expect("there is room");
    let wait = AuthorityError::RecentlySigned { id: id(2), next: 12 };
    assert_eq!(list.turn(&id(2), 10), Err(wait));
    let offence = Offence { author: id(2), kind: OffenceKind::SignedRecently, slot: 10 };
    assert_eq!(wait.offence(10), Some(offence));
    assert_eq!(AuthorityError::Unauthorized(id(9)).offence(10), None);
    assert_eq!(list.turn(&id(2), 12), Ok(Turn::Out));
    assert!(list.iter().eq([1, 2, 3, 4].map(id)));
}

/// Where two heights share a slot the later signature is kept, in whatever order they are recorded.
#[test]
fn the_latest_signatures_are_kept() {
    let id = |n| ValidatorId([n; 32]);
    let mut list = Authorities::new([AuthoritySlot::EMPTY; 4]);
    (1..=4).for_each(|n| list.insert(id(n)).expect("there is room"));
    list.record_signature(&id(1), 9);
    list.record_signature(&id(2), 5);
    let wait = AuthorityError::RecentlySigned { id: id(1), next: 12 };
    assert_eq!(list.turn(&id(1), 10), Err(wait), "height 5 is over");
    list.record_signature(&id(2), 13);
    let wait = AuthorityError::RecentlySigned { id: id(2), next: 16 };
    assert_eq!(list.turn(&id(2), 14), Err(wait));
    list.record_signature(&id(3), 13);
    let wait = AuthorityError::RecentlySigned { id: id(3), next: 16 };
    assert_eq!(list.turn(&id(3), 14), Err(wait), "another block of one height");
}

#[test]
fn capacities_of_zero_and_one_report_full() {
    let mut none = ValidatorSet::new(ValidatorArray::<0>::EMPTY);
    let full = ValidatorError::Full { capacity: 0 };
    assert_eq!(none.set_stake(ValidatorId([1; 32]), 5), Err(full));
    assert_eq!(none.draw(&[0; 32], 0, 0), None);
    assert_eq!(none.coin(&[0; 32], 0, 0), None, "there is none");
    let mut one = ValidatorSet::new(ValidatorArray::<1>::EMPTY);
    assert_eq!(one.set_stake(ValidatorId([1; 32]), u64::MAX), Ok(()));
    assert_eq!(one.set_stake(ValidatorId([2; 32]), 1), Err(ValidatorError::TooMuchStake));
    assert_eq!(one.draw(&[0; 32], 0, 0), Some(ValidatorId([1; 32])));
    let empty = Authorities::new([AuthoritySlot::EMPTY; 0]);
    assert_eq!(empty.in_turn(5), None);
}

#[test]
fn sizes_are_as_documented() {
    // Less where words of 64 bits are aligned to 4 bytes.
    assert!(size_of::<ValidatorArray<1>>() <= 48);
    assert!(size_of::<AuthoritySlot>() <= 80);
    assert!(size_of::<StatementSlot>() <= 192);
}

/// Strangers are refused before their signature is checked, and a validator that floods displaces only its own
/// statements beyond its share.
#[test]
fn nobody_blinds_the_detector() {
    let mut detector = EquivocationDetector::new([StatementSlot::EMPTY; 6]);
    let is_validator =
        |id: &ValidatorId| [1, 2].map(|key| signed(key, 0, 0, [0; 32]).author).contains(id);
    let honest = signed(1, 5, 0, [1; 32]);
    assert_eq!(detector.observe(&honest, is_validator), Ok(None));
    let stranger = signed(3, u64::MAX, 0, [1; 32]);
    let refused = Err(EvidenceError::Stranger(stranger.author));
    assert_eq!(detector.observe(&stranger, is_validator), refused);
    for height in 100..140 {
        assert_eq!(detector.observe(&signed(2, height, 0, [1; 32]), is_validator), Ok(None));
    }
    let heights: Vec<_> = detector.iter().map(|known| known.statement.slot).collect();
    assert_eq!(heights.len(), 6);
    let contradiction = signed(1, 5, 0, [2; 32]);
    let found = detector.observe(&contradiction, is_validator).expect("a validator");
    assert_eq!(found.map(|evidence| evidence.offender()), Some(honest.author), "{heights:?}");
    // Later statements of the other take slots from the one that has most.
    for height in 6..8 {
        assert_eq!(detector.observe(&signed(1, height, 0, [1; 32]), is_validator), Ok(None));
    }
    let ours = detector.iter().filter(|known| known.author == honest.author).count();
    assert_eq!(ours, 3);
    detector.set_window(&[1; 32], 7..=140);
    let slots: Vec<_> = detector.iter().map(|known| known.statement.slot).collect();
    assert!(!slots.is_empty() && slots.iter().all(|slot| *slot >= 7), "{slots:?}");
    let forgotten = signed(1, 5, 0, [3; 32]);
    let expired = EvidenceError::Expired { slot: 5, first: 7 };
    assert_eq!(detector.observe(&forgotten, is_validator), Err(expired));
}

/// A validator that signs for far slots, for other chains and for many rounds keeps its own contradiction in the detector.
#[test]
fn far_slots_other_chains_and_many_rounds_hide_no_contradiction() {
    let mut detector = EquivocationDetector::new([StatementSlot::EMPTY; 4]);
    detector.set_window(&[1; 32], 3..=5);
    assert_eq!(detector.observe(&signed(1, 5, 0, [1; 32]), |_| true), Ok(None));
    for slot in [6, 7, 1 << 40, u64::MAX] {
        let far = signed(1, slot, 0, [1; 32]);
        let not_yet = EvidenceError::NotYet { slot, last: 5 };
        assert_eq!(detector.observe(&far, |_| panic!("the slot comes first")), Err(not_yet));
    }
    let mut elsewhere = signed(1, 5, 0, [1; 32]);
    elsewhere.statement.genesis = [2; 32];
    assert_eq!(detector.observe(&elsewhere, |_| true), Err(EvidenceError::OtherChain));
    for round in 1..20 {
        assert_eq!(detector.observe(&signed(1, 5, round, [1; 32]), |_| true), Ok(None));
    }
    assert_eq!(detector.observe(&signed(1, 4, 0, [1; 32]), |_| true), Ok(None));
    for slot in [4, 5] {
        let found = detector.observe(&signed(1, slot, 0, [2; 32]), |_| true).expect("signed");
        assert_eq!(found.map(|evidence| evidence.offence().slot), Some(slot));
    }
    // The next slot begins, and what was refused before is accepted.
    detector.set_window(&[1; 32], 4..=6);
    assert_eq!(detector.observe(&signed(1, 6, 0, [1; 32]), |_| true), Ok(None));
    assert!(detector.observe(&signed(1, 6, 0, [2; 32]), |_| true).expect("signed").is_some());
    detector.set_window(&[1; 32], RangeInclusive::new(1, 0));
    assert_eq!(detector.iter().count(), 0);
    assert!(detector.observe(&signed(1, 0, 0, [1; 32]), |_| true).is_err());
}
