//! Small facts of the sets: capacity, length, difficulty, and how identifiers print.

use consensus::select::{StakeTree, WeightedRoundRobin};
use consensus::slot::{Checkpoint, FfgEvent};
use consensus::{
    Authorities, AuthoritySlot, SaveToken, Statement, StatementKind, Turn, ValidatorArray,
    ValidatorId, ValidatorSet,
};

#[test]
fn a_precision_limits_the_hexadecimal_digits() {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&[0x12, 0x34, 0xAB, 0xCD]);
    let id = ValidatorId(bytes);
    let digits = [(0, ""), (1, "1"), (2, "12"), (3, "123"), (7, "1234abc"), (8, "1234abcd")];
    for (precision, expected) in digits {
        assert_eq!(format!("{id:.precision$}"), expected);
    }
    assert_eq!(id.to_string(), format!("1234abcd{}", "0".repeat(56)));
}

/// EIP-225: `DIFF_INTURN` and `DIFF_NOTURN`.
#[test]
fn a_block_in_turn_is_twice_as_difficult() {
    assert_eq!(Turn::In.difficulty(), 2);
    assert_eq!(Turn::Out.difficulty(), 1);
}

#[test]
fn the_capacity_is_the_number_of_slots() {
    for slots in [0, 1, 5] {
        let mut authorities = Authorities::new(vec![AuthoritySlot::EMPTY; slots]);
        assert_eq!(authorities.capacity(), slots);
        let fits = (0..10).take_while(|n| authorities.insert(ValidatorId([*n; 32])).is_ok());
        assert_eq!(fits.count(), slots);
        assert_eq!(authorities.len(), slots);
        assert_eq!(authorities.is_empty(), slots == 0);
    }
}

#[test]
fn a_rotation_counts_its_validators() {
    let changes: Vec<_> = (1..=3).map(|n| change(n, 10)).collect();
    let mut rotation = WeightedRoundRobin::new(ValidatorArray::<4>::EMPTY, &changes).unwrap();
    assert_eq!(rotation.len(), 3);
    rotation.update(&[change(2, 0)]).unwrap();
    assert_eq!(rotation.len(), 2);
    assert_eq!(rotation.capacity(), 4);
    assert_eq!(rotation.total_power(), 20);
}

fn change(n: u8, power: u64) -> consensus::select::Change {
    consensus::select::Change { id: ValidatorId([n; 32]), power }
}

#[test]
fn the_stake_of_each_validator_is_found_and_iterators_know_their_length() {
    let mut set = ValidatorSet::new(ValidatorArray::<3>::EMPTY);
    for n in 1..=3 {
        set.set_stake(ValidatorId([n; 32]), u64::from(n) * 100).unwrap();
    }
    assert_eq!(set.stake(&ValidatorId([2; 32])), 200);
    assert_eq!(set.stake(&ValidatorId([9; 32])), 0);
    assert_eq!(set.iter().size_hint(), (3, Some(3)));
    let mut authorities = Authorities::new(vec![AuthoritySlot::EMPTY; 4]);
    for n in 0..4 {
        authorities.insert(ValidatorId([n; 32])).unwrap();
    }
    assert_eq!(authorities.iter().size_hint(), (4, Some(4)));
}

#[test]
fn what_is_empty_has_no_member() {
    let mut rotation = WeightedRoundRobin::new(ValidatorArray::<4>::EMPTY, &[]).unwrap();
    assert!(rotation.is_empty());
    rotation.update(&[change(2, 10)]).unwrap();
    assert!(!rotation.is_empty());

    let mut set = ValidatorSet::new(ValidatorArray::<3>::EMPTY);
    assert!(set.is_empty());
    set.set_stake(ValidatorId([1; 32]), 100).unwrap();
    assert_eq!((set.is_empty(), set.len()), (false, 1));

    let mut tree = StakeTree::new(ValidatorArray::<3>::EMPTY);
    assert!(tree.is_empty());
    tree.set_stake(ValidatorId([1; 32]), 100).unwrap();
    assert_eq!((tree.is_empty(), tree.len()), (false, 1));
    tree.set_stake(ValidatorId([1; 32]), 0).unwrap();
    assert_eq!((tree.is_empty(), tree.len()), (false, 1), "one without stake is a member");
}

/// A trace has one line for each statement and event.
#[test]
fn traces_name_the_fields() {
    let block = [0xAB; 32];
    let rows = [
        (StatementKind::Propose { valid_round: None }, block, "PROPOSE", " block=abababababababab"),
        (
            StatementKind::Propose { valid_round: Some(2) },
            block,
            "PROPOSE",
            " valid=2 block=abababababababab",
        ),
        (StatementKind::Prevote, Statement::NIL, "PREVOTE", " nil"),
        (StatementKind::Precommit, block, "PRECOMMIT", " block=abababababababab"),
        (StatementKind::Attest { source: 8 }, block, "ATTEST", " source=8 block=abababababababab"),
    ];
    for (kind, digest, name, end) in rows {
        let statement = Statement::new([7; 32], kind, 12, 3, digest);
        let expected = format!("{name} chain=07070707 slot=12 round=3{end}");
        assert_eq!(statement.to_string(), expected);
    }
    let checkpoint = Checkpoint { slot: 4, id: block };
    let token = SaveToken(5);
    for (event, expected) in [
        (FfgEvent::Save { token }, "SAVE 5"),
        (FfgEvent::Propose { slot: 4 }, "PROPOSE slot=4"),
        (FfgEvent::Justified(checkpoint), "JUSTIFIED slot=4 block=abababababababab"),
        (FfgEvent::Finalized(checkpoint), "FINALIZED slot=4 block=abababababababab"),
    ] {
        assert_eq!(event.to_string(), expected);
    }
}
