//! Aura: the figures of other implementations, and finality in little memory.

mod json;

use std::fs;
use std::path::Path;

use consensus::ValidatorId;
use consensus::aura::{CreditSlot, FinalityError, RollingFinality, difficulty, step_of};
use consensus::quorum::{OverHalf, OverTwoThirds, Quorum};
use json::Json;
use proptest::prelude::*;

fn id(n: i64) -> ValidatorId {
    ValidatorId([n as u8; 32])
}

fn data() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/aura.json");
    Json::of(&fs::read_to_string(path).expect("the data"))
}

fn run<Q: Quorum>(case: &Json) {
    let count = case.at("signers").number() as u64;
    let mut finality = RollingFinality::<_, Q>::new(count, vec![CreditSlot::EMPTY; 32]);
    let pushes = case.at("push").list().iter().zip(case.at("finalized_after").list());
    for (number, (signers, expected)) in (0..).zip(pushes) {
        let signers: Vec<_> = signers.list().iter().map(|it| id(it.number())).collect();
        let finalized = finality.push(number, &signers).expect("the next block");
        let expected = expected.list().iter().map(|it| it.number() as u64);
        assert!(finalized.clone().eq(expected), "block {number}: {finalized:?} in {case:?}");
    }
}

/// Numbers of openethereum's rolling-finality tests.
#[test]
fn finality_matches_openethereum() {
    for case in data().at("finality").list() {
        match case.at("rule").text() {
            "1/2" => run::<OverHalf>(case),
            "2/3" => run::<OverTwoThirds>(case),
            other => panic!("{other}"),
        }
    }
}

/// The formula of openethereum and Nethermind.
#[test]
fn difficulty_matches_openethereum() {
    for case in data().at("difficulty").list() {
        let number = |key: &str| case.at(key).number() as u64;
        let found = difficulty(number("parent_step"), number("step"), number("empty_steps"));
        assert_eq!(found.to_string(), case.at("difficulty").text());
    }
    assert_eq!(difficulty(5, 3, 0), u128::MAX, "no step passed");
    assert_eq!(difficulty(0, u64::MAX, u64::MAX), u128::MAX);
    assert_eq!(step_of(17, 5), Some(3));
    assert_eq!(step_of(17, 0), None);
}

#[test]
fn gaps_and_unsigned_blocks_are_refused() {
    let mut finality = RollingFinality::<_>::new(3, [CreditSlot::EMPTY; 2]);
    assert_eq!(finality.push(7, &[]), Err(FinalityError::NoSigner));
    let three = [1, 2, 3].map(id);
    assert_eq!(finality.push(7, &three), Err(FinalityError::Full { capacity: 2 }));
    assert!(finality.push(7, &[id(1)]).is_ok());
    let wrong = FinalityError::WrongNumber { expected: 8, found: 9 };
    assert_eq!(finality.push(9, &[id(1)]), Err(wrong));
    let mut none = RollingFinality::<_>::new(3, [CreditSlot::EMPTY; 0]);
    assert_eq!(none.push(1, &[id(1)]), Err(FinalityError::Full { capacity: 0 }));
    let mut last = RollingFinality::<_>::new(1, [CreditSlot::EMPTY; 1]);
    assert!(last.push(u64::MAX, &[id(1)]).is_ok_and(|blocks| blocks.eq([u64::MAX])));
    assert!(last.push(u64::MAX, &[id(1)]).is_err());
}

/// Thirty thousand blocks that wait, and all their signers in one queue: a cost in proportion to the queue for each block
/// would be half a billion comparisons.
#[test]
fn a_long_unfinalized_end_costs_little() {
    let signer = |n: u32| {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        ValidatorId(id)
    };
    let count = 30_000;
    let mut finality = RollingFinality::<_>::new(2 * count - 1, vec![CreditSlot::EMPTY; 40_000]);
    for round in 0..2 {
        for n in 1..count {
            let number = round * (count - 1) + n;
            assert!(finality.push(number, &[signer(n as u32)]).expect("the next").eq([]));
        }
    }
    let last = 2 * count - 1;
    // The last quorum needs the oldest signatures that are kept; the blocks before them are final with the first of them.
    let finalized = finality.push(last, &[signer(0)]).expect("the next");
    assert!(finalized.eq(1..=last - count + 1));
    assert_eq!(finality.finalized(), Some(last - count + 1));
}

proptest! {
    /// Little memory delays finality and never invents it: a block is final only if it is with unlimited memory, every
    /// block is reported once and in order, and the authorities that built on it are a quorum.
    #[test]
    fn little_memory_delays_finality(
        capacity in 1_usize..8,
        authorities in 1_u64..6,
        signers in proptest::collection::vec(0_i64..6, 1..40),
    ) {
        let mut small = RollingFinality::<_>::new(authorities, vec![CreditSlot::EMPTY; capacity]);
        let mut large = RollingFinality::<_>::new(authorities, vec![CreditSlot::EMPTY; 64]);
        let mut reported = 0;
        for (number, signer) in (0_u64..).zip(&signers) {
            let few = small.push(number, &[id(*signer)]).expect("the next block");
            large.push(number, &[id(*signer)]).expect("the next block");
            for block in few {
                prop_assert_eq!(block, reported);
                reported += 1;
            }
            prop_assert!(small.finalized() <= large.finalized());
            if let Some(last) = large.finalized() {
                let mut built: Vec<_> = signers[last as usize..=number as usize].to_vec();
                built.sort_unstable();
                built.dedup();
                prop_assert!(built.len() as u64 * 2 > authorities);
            }
        }
    }
}

/// A block is forgotten only where its slots are needed.
#[test]
fn a_block_stays_while_its_slots_are_not_needed() {
    let mut finality = RollingFinality::<_, OverTwoThirds>::new(4, [CreditSlot::EMPTY; 3]);
    for (number, is_final) in [(1, false), (2, false), (3, true)] {
        let finalized = finality.push(number, &[id(number as i64)]).expect("the next block");
        let expected = if is_final { vec![1] } else { vec![] };
        assert_eq!(finalized.collect::<Vec<_>>(), expected, "block {number}: three of four");
    }
    assert_eq!(finality.finalized(), Some(1));
    finality.set_authorities(2);
    let finalized = finality.push(4, &[id(4)]).expect("the next block");
    assert_eq!(finalized.collect::<Vec<_>>(), [2, 3], "two of two");
}
