//! Weighted round robin against CometBFT's own output, and its invariants.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

mod json;

use consensus::select::{Change, Prioritized, UpdateError, WeightedRoundRobin};
use consensus::{ValidatorArray, ValidatorId};
use json::Json;
use proptest::prelude::*;

type Set = WeightedRoundRobin<ValidatorArray<64>>;

fn id(name: &str) -> ValidatorId {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    ValidatorId(bytes)
}

fn numbered(n: u8, power: u64) -> Change {
    Change { id: ValidatorId([n; 32]), power }
}

fn set(changes: &[Change]) -> Result<Set, UpdateError> {
    WeightedRoundRobin::new(ValidatorArray::<64>::EMPTY, changes)
}

fn changes(step: &Json) -> Vec<Change> {
    let changes = step.get("changes").expect("changes").list().iter();
    let change = |change: &Json| Change {
        id: id(change.list()[0].text()),
        power: change.list()[1].number() as u64,
    };
    changes.map(change).collect()
}

/// Returns the number of rejected updates.
fn run(script: &Json) -> u32 {
    let mut current: Option<Set> = None;
    let mut rejected = 0;
    for step in script.get("steps").expect("steps").list() {
        let before = current.clone();
        let error = match step.get("op").expect("an operation").text() {
            "new" => set(&changes(step)).map(|set| current = Some(set)).err(),
            "inc" => {
                let times = step.get("times").expect("times").number() as u32;
                current.as_mut().expect("a set").advance(times);
                None
            }
            "update" => {
                let changes = changes(step);
                let mut turned = changes.clone();
                turned.reverse();
                let mut other = current.clone().expect("a set");
                let result = current.as_mut().expect("a set").update(&changes);
                assert_eq!(other.update(&turned).is_ok(), result.is_ok());
                assert_eq!(Some(&other), current.as_ref(), "the order makes no difference");
                result.err()
            }
            other => panic!("{other}"),
        };
        let kind = match error {
            None => None,
            Some(UpdateError::UnknownRemoval(_)) => Some("unknown_removal"),
            Some(UpdateError::Duplicate(_)) => Some("duplicate"),
            Some(UpdateError::Empty) => Some("empty_set"),
            Some(error) => panic!("{error}"),
        };
        assert_eq!(kind, step.get("err").map(Json::text));
        if error.is_some() {
            assert_eq!(current, before, "rejected: unchanged");
            rejected += 1;
            continue;
        }
        let set = current.as_ref().expect("a set");
        let expected = step.get("vals").expect("validators").list().iter().map(|row| {
            let [name, power, priority] = row.list() else { panic!("three columns") };
            let power = power.number() as u64;
            Prioritized { id: id(name.text()), power, priority: priority.number() }
        });
        assert_eq!(set.iter().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        assert_eq!(set.proposer(), Some(id(step.get("proposer").expect("one").text())));
    }
    rejected
}

/// Script 0 of the file below.
const SCRIPT: &str = r#"{"script":0,"steps":[{"op":"new","changes":[["v00",3],["v01",8],["v02",5]],"vals":[["v01",8,-8],["v02",5,5],["v00",3,3]],"proposer":"v01"},{"op":"inc","times":5,"vals":[["v01",8,0],["v02",5,-2],["v00",3,2]],"proposer":"v01"},{"op":"inc","times":6,"vals":[["v01",8,0],["v02",5,-4],["v00",3,4]],"proposer":"v02"},{"op":"update","changes":[["v11",6]],"vals":[["v01",8,6],["v11",6,-18],["v02",5,2],["v00",3,10]],"proposer":"v02"},{"op":"update","changes":[["v02",9]],"vals":[["v02",9,2],["v01",8,6],["v11",6,-18],["v00",3,10]],"proposer":"v02"}]}"#;

#[test]
fn one_script_matches_cometbft() {
    assert_eq!(run(&Json::parse(&mut { SCRIPT })), 0);
}

/// Source: the output of CometBFT's own functions (`types/validator_set.go`), 60 scripts of 15 steps.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn sixty_scripts_match_cometbft() {
    let folder = std::env::var("VECTORS_DIR").expect("VECTORS_DIR names the folder");
    let path = Path::new(&folder).join("consensus/cometbft_scripts.jsonl");
    let text = fs::read_to_string(path).expect("the file");
    let rejected: Vec<u32> = text.lines().map(|line| run(&Json::parse(&mut { line }))).collect();
    assert_eq!((rejected.len(), rejected.iter().sum::<u32>()), (60, 112));
}

/// Source: the test `TestProposerSelection1` of CometBFT.
#[test]
fn first_proposers_match_the_example_of_cometbft() {
    let changes = [("foo", 1000), ("bar", 300), ("baz", 330)];
    let mut set = set(&changes.map(|(name, power)| Change { id: id(name), power })).expect("small");
    let expected =
        "foo baz foo bar foo foo baz foo bar foo foo baz foo foo bar foo baz foo foo bar";
    for name in expected.split(' ') {
        assert_eq!(set.proposer(), Some(id(name)));
        set.advance(1);
    }
}

#[test]
fn empty_sets_and_zero_steps_do_not_panic() {
    let mut empty = set(&[]).expect("an empty set");
    assert_eq!((empty.advance(1), empty.proposer(), empty.total_power()), (None, None, 0));
    let max = WeightedRoundRobin::MAX_POWER;
    let too_much = Err(UpdateError::TooMuchPower);
    assert_eq!(empty.update(&[numbered(1, max + 1)]), too_much);
    assert_eq!(empty.update(&[numbered(1, max), numbered(2, 1)]), too_much);
    assert_eq!(empty.update(&[numbered(1, max)]), Ok(()));
    assert_eq!(empty.update(&[numbered(2, 1)]), too_much);
    // The sum counts after the removal.
    assert_eq!(empty.update(&[numbered(2, 1), numbered(1, 0)]), Ok(()));
    assert_eq!(empty.advance(0), None);
    assert_eq!(empty.update(&[numbered(2, 0)]), Err(UpdateError::Empty));
    let full = UpdateError::Full { capacity: 1 };
    let two = [numbered(1, 1), numbered(2, 1)];
    assert_eq!(WeightedRoundRobin::new(ValidatorArray::<1>::EMPTY, &two), Err(full));
    let mut one = WeightedRoundRobin::new(ValidatorArray::<1>::EMPTY, &two[..1]).expect("a slot");
    assert_eq!(one.update(&[two[1]]), Err(full));
    assert_eq!(one.update(&[two[1], numbered(1, 0)]), Ok(()), "one for the other");
    let none = WeightedRoundRobin::new(ValidatorArray::<0>::EMPTY, &two[..1]);
    assert_eq!(none, Err(UpdateError::Full { capacity: 0 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Without changes, over as many steps as the total power, each validator proposes as often as its power
    /// says; priorities stay centred and within twice the total power.
    #[test]
    fn proposals_are_exactly_proportional(powers in proptest::collection::vec(1_u64..40, 1..12)) {
        let changes: Vec<_> = powers.iter().zip(1..).map(|(power, n)| numbered(n, *power)).collect();
        let mut set = set(&changes).expect("small");
        let total = set.total_power();
        let mut counts = BTreeMap::new();
        for _ in 0..total {
            *counts.entry(set.advance(1).expect("not empty")).or_insert(0_u64) += 1;
            let sum: i64 = set.iter().map(|validator| validator.priority).sum();
            prop_assert!(sum.unsigned_abs() < set.len() as u64 + total);
            let priorities = || set.iter().map(|validator| validator.priority);
            let spread = priorities().max().expect("one") - priorities().min().expect("one");
            prop_assert!(spread <= 2 * total as i64);
        }
        for change in changes {
            prop_assert_eq!(counts[&change.id], change.power);
        }
    }

    /// Any changes: no panic, rejected ones change nothing, a copy from storage continues alike.
    #[test]
    fn a_refused_update_of_powers_changes_nothing(steps in proptest::collection::vec(
        (proptest::collection::vec((0_u8..6, prop_oneof![Just(0), 1_u64..9, any::<u64>()]), 0..4), 0_u32..4),
        0..20))
    {
        let mut set = WeightedRoundRobin::new(ValidatorArray::<4>::EMPTY, &[]).expect("empty");
        for (changes, advance) in steps {
            let changes: Vec<_> = changes.into_iter().map(|(n, power)| numbered(n, power)).collect();
            let before = set.clone();
            if set.update(&changes).is_err() {
                prop_assert_eq!(&set, &before);
            } else if changes.is_empty() {
                prop_assert_eq!(&set, &before);
            } else {
                let total: u128 = set.iter().map(|validator| u128::from(validator.power)).sum();
                prop_assert_eq!(total, u128::from(set.total_power()));
                prop_assert!(!set.is_empty());
                for change in &changes {
                    let found = set.iter().find(|validator| validator.id == change.id);
                    prop_assert_eq!(found.map_or(0, |validator| validator.power), change.power);
                }
            }
            let proposer = set.advance(advance);
            prop_assert_eq!(proposer.is_some(), advance > 0 && !set.is_empty());
            prop_assert_eq!(set.digest() == before.digest(), set == before || set.iter().eq(before.iter()));
        }
    }
}

/// The proposers of the first steps.
fn proposers(set: &mut Set, count: usize) -> Vec<u8> {
    let mut out = vec![set.proposer().expect("somebody").0[0]];
    out.extend((1..count).map(|_| set.advance(1).expect("somebody").0[0]));
    out
}

/// CometBFT: of equal priorities the lower address proposes, whatever its power.
#[test]
fn the_lower_id_proposes_among_equals() {
    let mut equal = set(&[3, 1, 2].map(|n| numbered(n, 7))).expect("small");
    assert_eq!(proposers(&mut equal, 6), [1, 2, 3, 1, 2, 3]);
    // After the first step both have priority 2.
    let mut low = set(&[numbered(2, 3), numbered(1, 1)]).expect("small");
    assert_eq!(proposers(&mut low, 8), [2, 1, 2, 2, 2, 1, 2, 2]);
    let mut high = set(&[numbered(1, 3), numbered(2, 1)]).expect("small");
    assert_eq!(proposers(&mut high, 8), [1, 1, 2, 1, 1, 1, 2, 1]);
}

/// A known validator needs no further slot, and a new one takes that of a removed one.
#[test]
fn a_full_set_can_change() {
    let two = [numbered(1, 5), numbered(2, 5)];
    let full = || WeightedRoundRobin::new(ValidatorArray::<2>::EMPTY, &two).expect("small");
    assert_eq!(full().update(&[numbered(1, 9)]), Ok(()));
    assert_eq!(full().update(&[numbered(1, 9), numbered(2, 1)]), Ok(()));
    assert_eq!(full().update(&[numbered(1, 0), numbered(3, 1)]), Ok(()));
    let error = Err(UpdateError::Full { capacity: 2 });
    assert_eq!(full().update(&[numbered(3, 1)]), error);
    assert_eq!(full().update(&[numbered(1, 9), numbered(3, 1)]), error);
}

/// A new validator begins at -1.125 times the total with the changes and before the removals, as in CometBFT; then all are
/// moved so that their average is 0, rounded down.
#[test]
fn a_new_validator_waits_by_the_total_before_removals() {
    let mut changed = set(&[numbered(1, 40), numbered(2, 30), numbered(3, 10)]).expect("small");
    // 1 has proposed: its priority is 40 - 80, those of 2 and 3 are 30 and 10.
    changed.update(&[numbered(2, 0), numbered(4, 20)]).expect("small");
    // The total before the removal is 100, after it 70: 4 begins at -112, and the least is 122 below the greatest.
    let priorities: Vec<_> = changed.iter().map(|it| (it.id.0[0], it.priority)).collect();
    assert_eq!(priorities, [(1, 8), (4, -64), (3, 58)]);
    assert_eq!(changed.total_power(), 70);
}
