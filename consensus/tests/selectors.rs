//! Selectors: published rotations, exact frequencies, and two draws that agree.

mod heap;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use consensus::select::{BesuRotation, SeededDraw, StakeTree};
use consensus::{
    Authorities, AuthoritySlot, RoundRobin, Selector, ValidatorArray, ValidatorError, ValidatorId,
    ValidatorSet,
};
use heap::heap;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn id(n: u64) -> ValidatorId {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&(n as u16).to_be_bytes());
    ValidatorId(id)
}

/// 72 rows of Besu's rule, with proposers that are validators and proposers that are not.
#[test]
fn rotation_matches_besu() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bft_rotation.txt");
    let text = fs::read_to_string(path).expect("the rows");
    let validators = [10, 20, 30, 40].map(id);
    let mut rows = 0;
    for row in text.lines().filter(|line| !line.starts_with('#')) {
        let numbers: Vec<u64> =
            row.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [last, round, changes, expected] = numbers[..] else { panic!("{row}") };
        let turns = BesuRotation::new(validators, id(last), changes == 1);
        assert_eq!(turns.select(7, round as u32), Some(id(expected)), "{row}");
        rows += 1;
    }
    assert_eq!(rows, 72);
    assert_eq!(BesuRotation::new([], id(1), true).select(0, 0), None);
}

/// Over a full period every validator is chosen exactly once, and in each round another.
#[test]
fn a_full_rotation_chooses_each_validator_once() {
    let ids: Vec<_> = (1..=7).map(id).collect();
    let mut authorities = Authorities::new([AuthoritySlot::EMPTY; 7]);
    for id in &ids {
        authorities.insert(*id).expect("there is room");
    }
    let turns = RoundRobin::new(ids.clone());
    for start in [0, 5, u64::MAX - 20] {
        let mut counts = BTreeMap::new();
        for slot in start..start + 14 {
            *counts.entry(turns.select(slot, 0)).or_insert(0) += 1;
            assert_eq!(turns.select(slot, 0), authorities.select(slot, 0));
        }
        assert!(counts.len() == 7 && counts.values().all(|count| *count == 2));
        let mut rounds: Vec<_> = (0..7).map(|round| turns.select(start, round)).collect();
        rounds.sort();
        rounds.dedup();
        assert_eq!(rounds.len(), 7);
        assert_eq!(turns.select(start, 6), authorities.select(start, 6));
    }
    assert_eq!(turns.select(u64::MAX, u32::MAX), turns.select(u64::MAX % 7, u32::MAX % 7));
    assert_eq!(RoundRobin::new([]).select(1, 1), None);
}

/// 60,000 draws of each set: Pearson's statistic against the exact probabilities stays below its quantile at 1e-6.
#[test]
fn draws_follow_the_stakes() {
    let cases: [(&[u64], f64); 3] = [
        (&[32, 1], 23.9),                            // 1 degree of freedom
        (&[32, 16, 8, 8], 30.7),                     // 3
        (&[32, 32, 16, 16, 8, 8, 4, 4, 2, 1], 45.1), // 9
    ];
    for (stakes, limit) in cases {
        let mut tree = StakeTree::new(ValidatorArray::<16>::EMPTY);
        for (n, stake) in (1..).zip(stakes) {
            tree.set_stake(id(n), *stake).expect("there is room");
        }
        let draw = SeededDraw::new(&tree, [5; 32]);
        let mut counts = vec![0_u32; stakes.len()];
        let draws = 60_000;
        for slot in 0..draws {
            let ValidatorId([_, n, ..]) = draw.select(slot, 0).expect("there is stake");
            counts[usize::from(n) - 1] += 1;
        }
        let total: u64 = stakes.iter().sum();
        let statistic: f64 = counts
            .iter()
            .zip(stakes)
            .map(|(count, stake)| {
                let expected = draws as f64 * *stake as f64 / total as f64;
                (f64::from(*count) - expected).powi(2) / expected
            })
            .sum();
        assert!(statistic < limit, "{counts:?}: {statistic}");
    }
}

/// The rule of the draw without `usize`: SHA-256 gives 64 bits, the high half of their product with the total is the
/// ticket, and the low halves that would favour some tickets are drawn again.
fn draw_by_16_bits(stakes: &[(ValidatorId, u64)], slot: u64, round: u32) -> Option<ValidatorId> {
    let total: u64 = stakes.iter().map(|(_, stake)| stake).sum();
    let unfair = ((1_u128 << 64) % u128::from(total)) as u64;
    let ticket = (0_u32..).find_map(|attempt| {
        let numbers = [&slot.to_be_bytes()[..], &round.to_be_bytes(), &attempt.to_be_bytes()];
        let digest = Sha256::digest([&[0x44], &[5; 32][..], &numbers.concat()].concat());
        let random = u64::from_be_bytes(digest[..8].try_into().expect("8 bytes"));
        let product = u128::from(random) * u128::from(total);
        (product as u64 >= unfair).then_some((product >> 64) as u64)
    })?;
    let mut end = 0;
    let mut index = 0_u16;
    for (_, stake) in stakes {
        end += stake;
        if ticket < end {
            break;
        }
        index += 1;
    }
    Some(stakes[usize::from(index)].0)
}

/// Every width of `usize` draws the same validator: tickets and sums have 64 bits, and places at most those that the length
/// of the list needs.
#[test]
fn sixteen_bits_of_index_draw_the_same_validators() {
    for count in [1, 2, 3, 255, 256, 257, 300] {
        // Some so large that a guess by proportion is wrong.
        let stake = |n: u16| u64::from(n % 7 + 1) << (n % 50);
        let stakes: Vec<_> = (0..count)
            .map(|n: u16| {
                let mut id = [0; 32];
                id[..2].copy_from_slice(&n.to_be_bytes());
                (ValidatorId(id), stake(n))
            })
            .collect();
        let slots = heap(stakes.len());
        let set = ValidatorSet::from_sorted(slots, stakes.iter().copied()).expect("sorted");
        let slots = heap(stakes.len());
        let tree = StakeTree::from_sorted(slots, stakes.iter().copied()).expect("sorted");
        for slot in (0..200).chain(u64::MAX - 3..=u64::MAX) {
            let expected = draw_by_16_bits(&stakes, slot, 3);
            assert_eq!(set.draw(&[5; 32], slot, 3), expected);
            assert_eq!(tree.draw(&[5; 32], slot, 3), expected);
        }
    }
}

/// Built at once or one by one: the same set, the same tree, the same refusals.
#[test]
fn from_sorted_equals_single_insertions() {
    let stakes = [(1, 5), (2, 0), (3, 7), (9, 1)].map(|(n, stake)| (id(n), stake));
    let set = ValidatorSet::from_sorted(ValidatorArray::<4>::EMPTY, stakes).expect("sorted");
    let tree = StakeTree::from_sorted(ValidatorArray::<4>::EMPTY, stakes).expect("sorted");
    let mut other_set = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
    let mut other_tree = StakeTree::new(ValidatorArray::<4>::EMPTY);
    for (id, stake) in stakes.into_iter().rev() {
        other_set.set_stake(id, stake).expect("there is room");
        other_tree.set_stake(id, stake).expect("there is room");
    }
    assert_eq!(set, other_set);
    assert_eq!(tree, other_tree);
    let build = |stakes: &[(ValidatorId, u64)]| {
        let tree = StakeTree::from_sorted(ValidatorArray::<2>::EMPTY, stakes.iter().copied());
        let set = ValidatorSet::from_sorted(ValidatorArray::<2>::EMPTY, stakes.iter().copied());
        assert_eq!(tree.as_ref().err(), set.as_ref().err());
        set.err()
    };
    assert_eq!(build(&[(id(2), 1), (id(2), 1)]), Some(ValidatorError::Unsorted(id(2))));
    assert_eq!(build(&[(id(1), 1), (id(2), u64::MAX)]), Some(ValidatorError::TooMuchStake));
    let three = [(id(1), 1), (id(2), 1), (id(3), 1)];
    assert_eq!(build(&three), Some(ValidatorError::Full { capacity: 2 }));
}

/// Stakes of every shape: equal, rising, one that outweighs all, and neighbours of powers of two.
fn shapes(count: u64) -> Vec<Vec<u64>> {
    let giant = |at: u64| (0..count).map(|n| if n == at { 1 << 40 } else { 1 }).collect();
    vec![
        vec![1; count as usize],
        (1..=count).collect(),
        (0..count).map(|n| 1 << (n % 31)).collect(),
        (0..count).map(|n| (1 << (n % 13)) - 1).collect(),
        giant(0),
        giant(count / 2),
        giant(count - 1),
        vec![u64::MAX / count; count as usize],
    ]
}

/// The first and the last coin of each validator are its own, in a set and in a tree of any size and shape.
#[test]
fn coins_belong_to_their_owners() {
    for count in (1..40).chain([63, 64, 65, 127, 128, 129, 500]) {
        for stakes in shapes(count) {
            let pairs = (1..).map(id).zip(stakes.iter().copied());
            let slots = heap(stakes.len());
            let set = ValidatorSet::from_sorted(slots.clone(), pairs.clone()).expect("sorted");
            let tree = StakeTree::from_sorted(slots, pairs.clone()).expect("sorted");
            let mut before = 0;
            for (at, (owner, stake)) in pairs.enumerate().filter(|(_, (_, stake))| *stake > 0) {
                for coin in [before, before + stake / 2, before + stake - 1] {
                    assert_eq!(set.owner_of(coin), Some(owner), "coin {coin} of {stakes:?}");
                    assert_eq!(tree.owner_of(coin), Some(owner), "coin {coin} of {stakes:?}");
                    assert_eq!(tree.owner_index(coin), Some(at), "coin {coin} of {stakes:?}");
                    let index = set.owner_index(coin).expect("it has an owner");
                    assert_eq!(set.iter().nth(index), Some((owner, stake)));
                }
                before += stake;
            }
            for coin in [before, before.saturating_add(1), u64::MAX] {
                assert_eq!(set.owner_of(coin), None, "coin {coin} of {stakes:?}");
                assert_eq!(tree.owner_of(coin), None, "coin {coin} of {stakes:?}");
            }
        }
    }
}

proptest! {
    /// The tree and the set draw the same validator after any changes.
    #[test]
    fn the_tree_draws_as_the_set(
        capacity in 0_usize..40,
        changes in proptest::collection::vec((0_u64..48, prop_oneof![0_u64..50, any::<u64>()]), 0..80),
    ) {
        let mut tree = StakeTree::new(heap(capacity));
        let mut set = ValidatorSet::new(heap(capacity));
        for (slot, (n, stake)) in (0..).zip(changes) {
            let before = tree.clone();
            let found = tree.set_stake(id(n), stake);
            if found.is_err() {
                prop_assert_eq!(&tree, &before);
            }
            // The set frees the slot of a validator without stake.
            if found == Ok(()) && stake == 0 {
                tree.remove(&id(n));
            }
            let expected = set.set_stake(id(n), stake);
            if stake > 0 || !matches!(found, Err(ValidatorError::Full { .. })) {
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(tree.total_stake(), set.total_stake());
            prop_assert_eq!(tree.len(), set.len());
            for round in 0..4 {
                prop_assert_eq!(tree.draw(&[3; 32], slot, round), set.draw(&[3; 32], slot, round));
            }
        }
    }
}
