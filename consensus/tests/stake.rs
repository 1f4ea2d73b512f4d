//! The life of a stake at its boundaries, and for any order of calls.

use consensus::stake::{BondError, BondSlot, BondState, SlashError, StakeBook, StakeConfig};
use consensus::{Offence, OffenceKind, ValidatorId};
use proptest::prelude::*;

fn id(n: u8) -> ValidatorId {
    ValidatorId([n; 32])
}

fn book(churn: u32, capacity: usize) -> StakeBook<Vec<BondSlot>> {
    let mut config = StakeConfig::new();
    config.churn = churn;
    config.unbonding = 10;
    StakeBook::new(config, vec![BondSlot::EMPTY; capacity])
}

fn double(author: u8, slot: u64) -> Offence {
    Offence { author: id(author), kind: OffenceKind::DoubleProposal, slot }
}

/// The queue is first come, first served, and the churn limits each epoch.
#[test]
fn stakes_become_active_in_the_order_of_bonding() {
    let mut book = book(2, 8);
    for n in [5, 3, 9, 1, 7] {
        book.bond(id(n), 100).expect("a slot");
    }
    let active = |book: &StakeBook<Vec<BondSlot>>| {
        let mut ids: Vec<_> = book.active().map(|(ValidatorId([n, ..]), _)| n).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(active(&book), []);
    book.advance(1);
    assert_eq!(active(&book), [3, 5]);
    book.advance(1);
    assert_eq!(active(&book), [3, 5], "the same epoch again");
    book.advance(3);
    assert_eq!(active(&book), [1, 3, 5, 7, 9]);
}

#[test]
fn offences_are_slashed_within_the_unbonding_window_only() {
    let mut book = book(4, 4);
    book.bond(id(1), 1001).expect("a slot");
    assert_eq!(book.slash(&double(1, 0), 0), Err(SlashError::NotMember(id(1))), "it waits");
    book.advance(5);
    assert_eq!(book.slash(&double(2, 0), 5), Err(SlashError::NotMember(id(2))));
    assert_eq!(book.slash(&double(1, 0), 4), Err(SlashError::NotMember(id(1))), "before it began");
    assert_eq!(book.slash(&double(1, 0), 6), Err(SlashError::NotMember(id(1))), "the future");
    let skipped = Offence { kind: OffenceKind::Skipped, ..double(1, 0) };
    assert_eq!(book.slash(&skipped, 5), Err(SlashError::Benign));
    book.advance(8);
    book.unbond(&id(1)).expect("active");
    assert_eq!(book.unbond(&id(1)), Err(BondError::Unknown(id(1))));
    assert_eq!(book.slash(&double(1, 0), 8), Err(SlashError::NotMember(id(1))), "it has left");
    assert_eq!(book.withdraw(&id(1)), Err(BondError::Unbonding { at: 18 }));
    book.advance(17);
    assert_eq!(book.slash(&double(1, 0), 6), Err(SlashError::Expired { oldest: 7 }));
    assert_eq!(book.slash(&double(1, 0), 7), Ok(50), "a twentieth of 1001, rounded down");
    assert_eq!(book.slash(&double(1, 0), 7), Err(SlashError::AlreadySlashed));
    assert_eq!(book.slash(&double(1, 9), 7), Err(SlashError::AlreadySlashed));
    book.advance(18);
    assert_eq!(book.withdraw(&id(1)), Ok(951));
    assert_eq!(book.withdraw(&id(1)), Err(BondError::Unknown(id(1))));
}

#[test]
fn extreme_amounts_do_not_overflow() {
    let mut none = book(1, 0);
    assert_eq!(none.bond(id(1), 1), Err(BondError::Full { capacity: 0 }));
    let mut book = book(u32::MAX, 3);
    assert_eq!(book.bond(id(1), 0), Err(BondError::TooSmall { minimum: 1 }));
    book.bond(id(1), u64::MAX).expect("a slot");
    assert_eq!(book.bond(id(1), 1), Err(BondError::Bonded(id(1))));
    assert_eq!(book.bond(id(2), 1), Err(BondError::TooMuchStake));
    book.advance(u64::MAX);
    assert_eq!(book.slash(&double(1, 0), u64::MAX), Ok(u64::MAX / 20));
    assert!(size_of::<BondSlot>() <= 80); // less where words of 64 bits are aligned to 4 bytes
}

proptest! {
    /// Nothing is lost or made: what was bonded is bonded, withdrawn or slashed; a refused call changes nothing; nobody is
    /// slashed twice in one life of its stake.
    #[test]
    fn no_stake_is_lost_or_made_by_any_acts(acts in proptest::collection::vec((0_u8..5, 0_u8..4, 0_u64..40), 0..60)) {
        let mut book = book(1, 3);
        let mut expected = 0_u64;
        let mut epoch = 0;
        for (act, who, number) in acts {
            let before = book.clone();
            let result = match act {
                0 => book.bond(id(who), number).map(|()| expected += number).is_ok(),
                1 => book.unbond(&id(who)).is_ok(),
                2 => book.withdraw(&id(who)).map(|stake| expected -= stake).is_ok(),
                3 => {
                    epoch += number / 4;
                    book.advance(epoch);
                    true
                }
                _ => {
                    let taken = book.slash(&double(who, number), epoch.saturating_sub(number));
                    if taken.is_ok() {
                        let again = book.slash(&double(who, number), epoch.saturating_sub(number));
                        prop_assert_eq!(again, Err(SlashError::AlreadySlashed));
                        let state = book.bond_of(&id(who)).map(|(state, _)| state);
                        prop_assert!(matches!(state, Some(BondState::Unbonding { .. })), "{state:?}");
                    }
                    taken.map(|taken| expected -= taken).is_ok()
                }
            };
            prop_assert!(result || book == before);
            prop_assert_eq!(book.total(), expected);
        }
    }
}
