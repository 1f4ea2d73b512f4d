//! What makes a chain: its rules, its engine, its first owners. All of it is hashed into the genesis id.

use sha2::{Digest as _, Sha256};

use crate::domain;
use crate::error::ConfigError;
use crate::hash::{GenesisId, Hash};
use crate::policy::Account;

const MAX_NAME_LEN: usize = 64;

/// Everything that all nodes of a chain agree on before its first block.
///
/// Its hash, together with the parameters of engine and ledger, is the [`GenesisId`]. Nodes that differ in any of it
/// have different chains, and nothing signed for one is valid on the other.
///
/// ```
/// use ledger_core::{ChainSpec, Hash, Rules};
///
/// let spec = ChainSpec { name: "demo", rules: Rules::SMALL, time: 0, allocation: &[] };
/// let renamed = ChainSpec { name: "demo 2", ..spec };
/// let ids = [spec, renamed].map(|spec| spec.genesis_id(&Hash::of(b"engine"), &Hash::of(b"ledger")));
/// assert_ne!(ids[0], ids[1]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct ChainSpec<'a> {
    /// A name that tells chains with equal rules apart, at most 64 bytes.
    pub name: &'a str,
    /// The rules.
    pub rules: Rules,
    /// The time of block 0, in Unix seconds.
    pub time: u64,
    /// The accounts that own coins from the start. An account may stand there several times.
    pub allocation: &'a [(Account, u64)],
}

/// The numbers that every node of a chain must agree on.
///
/// ```
/// use ledger_core::Rules;
///
/// let mut rules = Rules::SMALL;
/// rules.subsidy = 50;
/// rules.halving_interval = 10;
/// assert_eq!((rules.subsidy_at(1), rules.subsidy_at(11)), (50, 25));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Rules {
    /// Coins that the author of a block receives at first. 0 makes a chain without new coins.
    pub subsidy: u64,
    /// The subsidy is halved after this many blocks, again and again. 0 means never.
    pub halving_interval: u64,
    /// Coins that each entry of the state locks until it is removed. Above 0, nobody can fill the state for nothing.
    pub deposit: u64,
    /// The largest number of entries of the state, one for bookkeeping included. Each node must provide that many
    /// slots, whatever its other memory, so that all accept the same blocks.
    pub max_entries: u32,
    /// The largest number of writes to the state in a block. Each node must provide a journal of that many slots.
    pub max_writes: u32,
    /// The largest length of a block in bytes.
    pub max_block_len: u32,
}

impl ChainSpec<'_> {
    /// Returns the genesis id of a chain with this specification, for an engine and a ledger with these digests.
    ///
    /// [`Chain::genesis_id`](crate::Chain::genesis_id) is the usual way to get it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NameTooLong`] if the name is longer than 64 bytes.
    pub fn genesis_id(&self, engine: &Hash, ledger: &Hash) -> Result<GenesisId, ConfigError> {
        let name_len = u8::try_from(self.name.len())
            .ok()
            .filter(|len| usize::from(*len) <= MAX_NAME_LEN)
            .ok_or(ConfigError::NameTooLong(self.name.len()))?;
        let rules = &self.rules;
        let mut sha = Sha256::new();
        sha.update(domain::SPEC);
        sha.update([1, name_len]); // version 1
        sha.update(self.name);
        sha.update(rules.subsidy.to_be_bytes());
        sha.update(rules.halving_interval.to_be_bytes());
        sha.update(rules.deposit.to_be_bytes());
        sha.update(rules.max_entries.to_be_bytes());
        sha.update(rules.max_writes.to_be_bytes());
        sha.update(rules.max_block_len.to_be_bytes());
        sha.update(engine.as_bytes());
        sha.update(ledger.as_bytes());
        sha.update(self.time.to_be_bytes());
        let count = u64::try_from(self.allocation.len()).unwrap_or(u64::MAX);
        sha.update(count.to_be_bytes());
        for (account, coins) in self.allocation {
            sha.update(account.as_bytes());
            sha.update(coins.to_be_bytes());
        }
        Ok(GenesisId::from_bytes(sha.finalize().into()))
    }
}

impl Rules {
    /// No new coins and no deposits; up to 65,536 entries, 16,384 writes a block and blocks of 1 MiB.
    pub const DEFAULT: Self = Self {
        subsidy: 0,
        halving_interval: 0,
        deposit: 0,
        max_entries: 1 << 16,
        max_writes: 1 << 14,
        max_block_len: 1 << 20,
    };

    /// For small devices and first steps: 16 entries, 64 writes a block and blocks of 4 KiB.
    pub const SMALL: Self =
        Self { max_entries: 16, max_writes: 64, max_block_len: 4096, ..Self::DEFAULT };

    /// Bitcoin's schedule in satoshi: 50 coins of 10^8, halved every 210,000 blocks.
    pub const BITCOIN_SUPPLY: Self =
        Self { subsidy: 5_000_000_000, halving_interval: 210_000, ..Self::DEFAULT };

    /// Returns the coins that the author of the block at `height` may create.
    ///
    /// The subsidy shifts right once per interval and is 0 from the 64th halving on.
    #[must_use]
    pub fn subsidy_at(&self, height: u64) -> u64 {
        let Some(era) = height.checked_div(self.halving_interval) else { return self.subsidy };
        u32::try_from(era).ok().and_then(|era| self.subsidy.checked_shr(era)).unwrap_or(0)
    }

    /// Returns the coins created by all blocks below `height`, or `None` above 2^64 - 1. As in Bitcoin, block 0 counts, though
    /// nobody gets its subsidy.
    #[must_use]
    pub fn supply_before(&self, height: u64) -> Option<u64> {
        if self.halving_interval == 0 {
            return self.subsidy.checked_mul(height);
        }
        let mut supply = 0_u64;
        let mut from = 0_u64;
        while from < height && self.subsidy_at(from) > 0 {
            let blocks = self.halving_interval.min(height.saturating_sub(from));
            supply = supply.checked_add(self.subsidy_at(from).checked_mul(blocks)?)?;
            from = from.saturating_add(self.halving_interval);
        }
        Some(supply)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::DEFAULT
    }
}
