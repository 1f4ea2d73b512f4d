//! New coins and the first allocation: what a block issues by itself, and which allocations no chain can begin with.

mod common;

use common::{Checksum, GENESIS_TIME, World, key, ledgers, storage_of};
use ledger_core::{Chain, ChainSpec, ConfigError, Rules};

fn rules(subsidy: u64, max_writes: u32) -> Rules {
    let mut rules = common::rules();
    rules.subsidy = subsidy;
    rules.max_writes = max_writes;
    rules
}

/// A block without transactions issues its subsidy, and the books have it.
#[test]
fn an_empty_block_issues_its_subsidy() {
    let mut world = World::with_rules(rules(50, 64));
    let before = world.chain.state().issued();
    for block in 1..=3 {
        world.append();
        assert_eq!(world.chain.state().issued(), before + 50 * block);
        assert_eq!(world.chain.state().balance(&key(9).account()), 50 * block);
    }
}

/// Without a subsidy an empty block writes nothing, so that it needs no room and keeps the state.
#[test]
fn an_empty_block_without_a_subsidy_writes_nothing() {
    let mut world = World::with_rules(rules(0, 0));
    let before = world.chain.tip().state;
    world.append();
    assert_eq!(world.chain.tip().state, before);
    assert_eq!(world.chain.tip().height.0, 1);
    // Anything that is written is one write too many.
    let mut world = World::with_rules(rules(1, 0));
    assert!(world.try_seal().is_err());
}

/// The allocation of a chain that cannot begin, and why.
#[test]
fn an_allocation_that_is_too_much_is_refused() {
    let begin = |coins: &[u64], subsidy: u64, halving_interval: u64, deposit: u64, entries: u32| {
        let mut rules = rules(subsidy, 64);
        rules.halving_interval = halving_interval;
        rules.deposit = deposit;
        rules.max_entries = entries;
        let allocation: Vec<_> =
            (0..).zip(coins).map(|(n, coins)| (key(n).account(), *coins)).collect();
        let spec = ChainSpec { name: "test", rules, time: GENESIS_TIME, allocation: &allocation };
        let storage = storage_of(entries as usize, 65);
        Chain::new(&spec, Checksum, ledgers(), storage).map(|_| ()).err()
    };
    assert_eq!(begin(&[u64::MAX], 0, 0, 0, 16), None);
    assert_eq!(begin(&[u64::MAX, 1], 0, 0, 0, 16), Some(ConfigError::TooManyCoins));
    assert_eq!(begin(&[u64::MAX - 10], 10, 0, 0, 16), None, "without an end it is checked later");
    assert_eq!(begin(&[u64::MAX - 10], 5, 1, 0, 16), None, "5, 2 and 1 coins");
    assert_eq!(begin(&[u64::MAX - 7], 5, 1, 0, 16), Some(ConfigError::TooManyCoins));
    assert_eq!(begin(&[1], 1 << 62, 2, 0, 16), None, "2^64 - 2 coins and one");
    assert_eq!(begin(&[2], 1 << 62, 2, 0, 16), Some(ConfigError::TooManyCoins));
    assert_eq!(begin(&[], 1 << 63, 2, 0, 16), Some(ConfigError::TooManyCoins));
    let below = ConfigError::AllocationBelowDeposit { coins: 4, deposit: 5 };
    assert_eq!(begin(&[5], 0, 0, 5, 16), None);
    assert_eq!(begin(&[5, 4], 0, 0, 5, 16), Some(below));
    let entries = ConfigError::TooManyEntries { max_entries: 3 };
    assert_eq!(begin(&[5, 5], 0, 0, 0, 3), None, "one entry is for bookkeeping");
    assert_eq!(begin(&[5, 5, 5], 0, 0, 0, 3), Some(entries));
}
