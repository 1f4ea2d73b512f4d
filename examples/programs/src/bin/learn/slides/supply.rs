//! The supply of coins of Bitcoin.

use ledger_core::Rules;

use super::{Fact, equal, fact};

const BITCOIN: Rules = Rules::BITCOIN_SUPPLY;

pub const FACTS: &[Fact] = &[
    fact(
        "C-SUP-01",
        "50 coins for each of the first 210,000 blocks, then 25, then 12.5; in satoshi",
        "ledger_core::Rules::subsidy_at",
        "BAUN Bitcoin - P2P-based Money",
        || {
            let at = [0, 209_999, 210_000, 420_000].map(|height| BITCOIN.subsidy_at(height));
            equal(at, [5_000_000_000, 5_000_000_000, 2_500_000_000, 1_250_000_000])
        },
    ),
    fact(
        "C-SUP-02",
        "the last block with a reward is No. 6,929,999",
        "ledger_core::Rules::subsidy_at",
        "BAUN Bitcoin - P2P-based Money",
        || equal([6_929_999, 6_930_000].map(|height| BITCOIN.subsidy_at(height)), [1, 0]),
    )
    .but("E-41"),
    fact(
        "C-SUP-03",
        "approximately 21 million coins in all, in satoshi",
        "ledger_core::Rules::supply_before",
        "BAUN Bitcoin - P2P-based Money",
        || equal(BITCOIN.supply_before(u64::MAX), Some(2_099_999_997_690_000)),
    ),
    fact(
        "C-SUP-04",
        "November 2013: 11.9 million, after 266,000 blocks",
        "ledger_core::Rules::supply_before",
        "BAUN Bitcoin - P2P-based Money",
        || equal(BITCOIN.supply_before(266_000), Some(1_190_000_000_000_000)),
    ),
    fact(
        "C-SUP-05",
        "growth is halved every four years: the supply at the ends of four eras, in coins",
        "ledger_core::Rules::supply_before",
        "BAUN Bitcoin - P2P-based Money",
        || {
            let at = [1, 2, 3, 4]
                .map(|era| BITCOIN.supply_before(era * 210_000).map(|all| all as f64 / 1e8));
            equal(at, [10_500_000.0, 15_750_000.0, 18_375_000.0, 19_687_500.0].map(Some))
        },
    ),
    fact(
        "C-SUP-06",
        "eight decimal digits: satoshi in the first reward of 50 coins",
        "ledger_core::Rules",
        "BAUN Bitcoin - P2P-based Money",
        || equal(BITCOIN.subsidy_at(0) / 50, 100_000_000),
    ),
    fact(
        "C-SUP-07",
        "6.25 as of 11 May 2020, block 630,000",
        "ledger_core::Rules::subsidy_at",
        "DT Blockchain (Bitcoin)",
        || equal(BITCOIN.subsidy_at(630_000), 625_000_000),
    ),
];
