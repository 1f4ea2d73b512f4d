//! Which account is trusted most: a tournament through the accounts, so that the best of all others is found in as
//! many steps as the number of accounts has bits.
//!
//! Account `n` stands above the accounts `2n + 1` and `2n + 2`, and names the one with the highest
//! [`trust`](AccountSlot::trust) among itself and all accounts below it.

use super::accounts::AccountSlot;

/// Begins with accounts that nobody uses.
pub(super) fn clear(accounts: &mut [AccountSlot]) {
    for (index, account) in (0..=u16::MAX).zip(accounts) {
        *account = AccountSlot::EMPTY;
        account.set_best(index);
    }
}

/// Notes that the trust of an account may have changed.
pub(super) fn update(accounts: &mut [AccountSlot], index: usize) {
    let mut node = index;
    loop {
        let Some(best) = best(accounts, node) else { return };
        let Some(account) = accounts.get_mut(node) else { return };
        let is_same = account.best() == best && usize::from(best) != index;
        account.set_best(best);
        match node.checked_sub(1) {
            Some(below) if !is_same => node = below / 2,
            _ => return,
        }
    }
}

/// Returns the highest trust of all accounts but one.
pub(super) fn best_of_others(accounts: &[AccountSlot], index: usize) -> Option<i64> {
    let of_tree = |node: usize| of(accounts, usize::from(accounts.get(node)?.best()));
    let left = index.saturating_mul(2).saturating_add(1);
    let mut found = of_tree(left).max(of_tree(left.saturating_add(1)));
    let mut node = index;
    while let Some(before) = node.checked_sub(1) {
        // An odd account is the left one of two.
        let sibling = if before & 1 == 0 { node.saturating_add(1) } else { before };
        node = before / 2;
        found = found.max(of(accounts, node)).max(of_tree(sibling));
    }
    found
}

/// Returns the account with the highest trust of one and those below it, by the entries right below.
fn best(accounts: &[AccountSlot], node: usize) -> Option<u16> {
    let left = node.checked_mul(2)?.checked_add(1)?;
    let below = accounts.get(left..).unwrap_or_default().iter().take(2).map(AccountSlot::best);
    below.chain([u16::try_from(node).ok()?]).max_by_key(|best| of(accounts, usize::from(*best)))
}

fn of(accounts: &[AccountSlot], index: usize) -> Option<i64> {
    accounts.get(index)?.trust()
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_best_of_others_is_the_highest(
            len in 1_usize..40,
            changes in prop::collection::vec((0_usize..40, 0_u64..50, 0_u64..120, any::<bool>()), 0..100),
        ) {
            let mut accounts = vec![AccountSlot::EMPTY; len];
            clear(&mut accounts);
            for (index, proved, left, connects) in changes {
                let Some(account) = accounts.get_mut(index) else { continue };
                if connects { account.add_connection() } else { account.remove_connection() }
                account.accept(proved);
                account.leave_unproved(left);
                update(&mut accounts, index);
                for index in 0..len {
                    let others = (0..len).filter(|other| *other != index);
                    let highest = others.filter_map(|other| accounts[other].trust()).max();
                    prop_assert_eq!(best_of_others(&accounts, index), highest);
                }
            }
        }
    }
}
