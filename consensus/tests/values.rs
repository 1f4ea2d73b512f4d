//! Small facts of the sets: capacity, length, difficulty, and how identifiers print.

use consensus::bft::BftEvent;
use consensus::quorum::{OverHalf, Tally};
use consensus::select::{Draw, SeededDraw, StakeTree, WeightedRoundRobin};
use consensus::slot::{Checkpoint, FfgEvent};
use consensus::{
    Authorities, AuthoritySlot, Ed25519Key, Equivocation, Keys as _, RoundRobin, SaveToken,
    Selector, SignedStatement, Statement, StatementKind, Turn, ValidatorArray, ValidatorId,
    ValidatorSet,
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
    let stakes = set.iter();
    let tree = StakeTree::from_sorted(ValidatorArray::<8>::EMPTY, stakes).unwrap();
    assert_eq!(tree.stake(&ValidatorId([3; 32])), 300);
    assert_eq!(tree.stake(&ValidatorId([9; 32])), 0);
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
    let peer = ValidatorId([0xCD; 32]);
    for (event, expected) in [
        (BftEvent::Save { token }, "SAVE 5"),
        (BftEvent::Propose { height: 4, round: 1 }, "PROPOSE height=4 round=1"),
        (BftEvent::Check { height: 4, value: block }, "CHECK height=4 block=abababababababab"),
        (
            BftEvent::Decided { height: 4, round: 1, value: block },
            "DECIDED height=4 round=1 block=abababababababab",
        ),
        (BftEvent::PeerBehind { peer, height: 3 }, "PEER cdcdcdcdcdcdcdcd at height=3"),
        (BftEvent::Behind { height: 9 }, "BEHIND others at height=9"),
    ] {
        assert_eq!(event.to_string(), expected);
    }
}

#[test]
fn a_tally_and_a_signature_print_what_they_say() {
    let mut tally = Tally::<OverHalf>::new(9);
    tally.add(4);
    assert_eq!(tally.to_string(), "4 of 9 does not decide");
    tally.add(1);
    assert_eq!(tally.to_string(), "5 of 9 decides");
    let statement = Statement::new([7; 32], StatementKind::Prevote, 12, 3, Statement::NIL);
    let author = ValidatorId([0xAB; 32]);
    let signed = SignedStatement { statement, author, signature: [0; 64] };
    assert_eq!(signed.to_string(), format!("{statement} by abababababababab"));
}

/// A key in a log is its public half.
#[test]
fn a_key_shows_its_id_and_not_its_secret() {
    let key = Ed25519Key::from_secret(&[0x5E; 32]);
    let shown = format!("{key:?}");
    assert!(shown.contains(&format!("{:.8}", key.id())), "{shown}");
    assert!(!shown.contains("5e5e5e") && !shown.contains("94, 94"), "{shown}");
}

/// Lengths of the formats: what a caller provides as a buffer.
#[test]
fn lengths_are_those_of_the_formats() {
    // Tag, version, genesis, kind, slot, round, source or valid round, digest; then author and signature.
    assert_eq!(Statement::LEN, 87);
    assert_eq!(SignedStatement::LEN, Statement::LEN + 32 + 64);
    assert_eq!(Equivocation::LEN, 2 * Statement::LEN + 32 + 2 * 64);
}

/// A set of stakes draws as it does itself, whether it is owned or borrowed; so does a selector.
#[test]
fn what_is_borrowed_selects_as_its_owner() {
    fn by_trait(draw: impl Draw, slot: u64) -> Option<ValidatorId> {
        draw.draw(&[7; 32], slot, 1)
    }
    fn select(selector: impl Selector, slot: u64) -> Option<ValidatorId> {
        selector.select(slot, 1)
    }
    let mut set = ValidatorSet::new(ValidatorArray::<3>::EMPTY);
    for n in 1..=3 {
        set.set_stake(ValidatorId([n; 32]), 10).unwrap();
    }
    let turns = RoundRobin::new([1, 2, 3].map(|n| ValidatorId([n; 32])));
    for slot in 0..20 {
        let drawn = set.draw(&[7; 32], slot, 1);
        assert!(drawn.is_some());
        assert_eq!(by_trait(&set, slot), drawn);
        assert_eq!(by_trait(set.clone(), slot), drawn);
        assert_eq!(select(SeededDraw::new(&set, [7; 32]), slot), drawn);
        let borrowed = <&RoundRobin<_> as Selector>::select(&&turns, slot, 1);
        assert_eq!(borrowed, turns.select(slot, 1));
        assert!(borrowed.is_some());
    }
}

/// `new` clears the storage, whatever it held.
#[test]
fn sets_begin_with_clear_storage() {
    let empty = ValidatorArray::<8>::EMPTY;
    let id = |n| ValidatorId([n; 32]);
    let mut set = ValidatorSet::new(empty);
    (1..=8).for_each(|n| set.set_stake(id(n), 10).unwrap());
    let used = set.into_storage();
    assert_ne!(used, empty);
    assert_eq!(ValidatorSet::new(used).into_storage(), empty);
    assert_eq!(StakeTree::new(used).into_storage(), empty);
    assert_eq!(WeightedRoundRobin::new(used, &[]).unwrap().into_storage(), empty);
}
