//! What the detector of contradictions remembers when its slots are full, and what it takes for a repetition.

use consensus::{
    Ed25519Key, EquivocationDetector, Keys as _, Offence, OffenceKind, RoundRobin, SignedStatement,
    Statement, StatementKind, StatementSlot,
};

const GENESIS: [u8; 32] = [7; 32];

fn signed(author: u8, kind: StatementKind, slot: u64, round: u32, digest: u8) -> SignedStatement {
    let key = Ed25519Key::from_secret(&[author; 32]);
    let statement = Statement::new(GENESIS, kind, slot, round, [digest; 32]);
    SignedStatement { statement, author: key.id(), signature: key.sign(&statement.to_bytes()) }
}

fn detector(capacity: usize) -> EquivocationDetector<Vec<StatementSlot>> {
    EquivocationDetector::new(vec![StatementSlot::EMPTY; capacity])
}

/// Kind and round of what is remembered, in order.
fn known(detector: &EquivocationDetector<Vec<StatementSlot>>) -> Vec<(StatementKind, u32)> {
    let statements = detector.iter().map(|known| &known.statement);
    let mut known: Vec<_> = statements.map(|it| (it.kind, it.round)).collect();
    known.sort_by_key(|(_, round)| *round);
    known
}

/// Whatever contradicts neither of two statements alike needs one of them only.
#[test]
fn a_repetition_takes_no_second_slot() {
    let propose = |valid_round| StatementKind::Propose { valid_round };
    for (one, two, is_repeated) in [
        (signed(1, propose(None), 5, 1, 1), signed(1, propose(None), 5, 1, 1), true),
        (signed(1, propose(None), 5, 1, 1), signed(1, propose(Some(0)), 5, 1, 1), true),
        (
            signed(1, StatementKind::Prevote, 5, 1, 1),
            signed(1, StatementKind::Prevote, 5, 1, 1),
            true,
        ),
        (
            signed(1, StatementKind::Attest { source: 2 }, 5, 1, 1),
            signed(1, StatementKind::Attest { source: 2 }, 5, 3, 1),
            true, // rounds mean nothing there
        ),
        (signed(1, propose(None), 5, 1, 1), signed(1, propose(None), 5, 2, 1), false),
        (signed(1, propose(None), 5, 1, 1), signed(1, propose(None), 6, 1, 1), false),
        (signed(1, propose(None), 5, 1, 1), signed(2, propose(None), 5, 1, 1), false),
        (
            signed(1, StatementKind::Prevote, 5, 1, 1),
            signed(1, StatementKind::Precommit, 5, 1, 1),
            false,
        ),
        (
            signed(1, StatementKind::Attest { source: 2 }, 5, 0, 1),
            signed(1, StatementKind::Attest { source: 2 }, 6, 0, 1),
            false,
        ),
    ] {
        for pair in [[one, two], [two, one]] {
            let mut detector = detector(4);
            for signed in pair {
                assert_eq!(detector.observe(&signed, |_| true), Ok(None));
            }
            let expected = if is_repeated { 1 } else { 2 };
            assert_eq!(detector.iter().count(), expected, "{} and {}", pair[0], pair[1]);
        }
    }
    // The same for another chain is another statement.
    let one = signed(1, StatementKind::Prevote, 5, 1, 1);
    let key = Ed25519Key::from_secret(&[1; 32]);
    let statement = Statement { genesis: [8; 32], ..one.statement };
    let other = SignedStatement { statement, signature: key.sign(&statement.to_bytes()), ..one };
    let mut detector = detector(4);
    assert_eq!(detector.capacity(), 4);
    for signed in [one, other, one, other] {
        assert_eq!(detector.observe(&signed, |_| true), Ok(None));
    }
    assert_eq!(detector.iter().count(), 2);
}

/// A validator that fills the detector alone replaces its own statements, and only by those of earlier rounds.
#[test]
fn the_earliest_rounds_of_a_validator_stay() {
    let mut detector = detector(2);
    let vote = |kind, round| signed(1, kind, 5, round, 1);
    for round in [4, 2, 9, 3] {
        assert_eq!(detector.observe(&vote(StatementKind::Prevote, round), |_| true), Ok(None));
    }
    let prevotes = [2, 3].map(|round| (StatementKind::Prevote, round));
    assert_eq!(known(&detector), prevotes);
    // Of the same round and slot the one that came first.
    assert_eq!(detector.observe(&vote(StatementKind::Precommit, 3), |_| true), Ok(None));
    assert_eq!(known(&detector), prevotes);
    // Another validator takes a slot from the one with most, and not the last one.
    let other = signed(2, StatementKind::Prevote, 5, 8, 1);
    assert_eq!(detector.observe(&other, |_| true), Ok(None));
    assert_eq!(known(&detector), [(StatementKind::Prevote, 2), (StatementKind::Prevote, 8)]);
    let third = signed(2, StatementKind::Prevote, 5, 9, 1);
    assert_eq!(detector.observe(&third, |_| true), Ok(None));
    assert_eq!(known(&detector), [(StatementKind::Prevote, 2), (StatementKind::Prevote, 8)]);
}

/// Only a block in a slot of another validator is out of turn.
#[test]
fn a_block_in_the_slot_of_another_is_out_of_turn() {
    let ids = [1, 2].map(|n| Ed25519Key::from_secret(&[n; 32]).id());
    let turns = RoundRobin::new(ids);
    for (slot, owner) in [(4, 0), (5, 1), (6, 0)] {
        for author in ids {
            let offence = Offence::out_of_turn(&turns, author, slot);
            let kind = OffenceKind::OutOfTurn;
            let expected = (author != ids[owner]).then_some(Offence { author, kind, slot });
            assert_eq!(offence, expected);
        }
    }
}
