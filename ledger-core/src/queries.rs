//! What the state says: balances, sequence numbers, owners.

use crate::asset::AssetId;
use crate::ledger::{owner_key, parse_owner};
use crate::policy::Account;
use crate::state::{
    Key, TrieRef, Value, account_key, lane_key, meta_key, parse_account, split_u64,
};

/// The state after the last block of a chain.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    trie: TrieRef<'a>,
}

impl<'a> State<'a> {
    pub(crate) const fn new(trie: TrieRef<'a>) -> Self {
        Self { trie }
    }

    /// Returns the coins of an account, in base units.
    #[must_use]
    pub fn balance(&self, account: &Account) -> u64 {
        self.account(account).0
    }

    /// Returns the sequence number that the next transaction of an account must have in lane 0.
    #[must_use]
    pub fn sequence(&self, account: &Account) -> u64 {
        self.account(account).1
    }

    /// Returns the sequence number that the next transaction of an account must have in a lane.
    #[must_use]
    pub fn lane_sequence(&self, account: &Account, lane: u16) -> u64 {
        if lane == 0 {
            return self.sequence(account);
        }
        self.value(&lane_key(account, lane)).map_or(0, |value| split_u64(value.as_bytes()).0)
    }

    /// Returns the owner of an asset.
    #[must_use]
    pub fn owner_of(&self, asset: &AssetId) -> Option<Account> {
        parse_owner(&self.value(&owner_key(asset))?)
    }

    /// Returns the value of any key.
    #[must_use]
    pub fn value(&self, key: &Key) -> Option<Value> {
        self.trie.get(key)
    }

    /// Returns the coins that were ever issued: balances, deposits and what ledgers hold together.
    #[must_use]
    pub fn issued(&self) -> u64 {
        let meta = self.value(&meta_key()).unwrap_or_default();
        let (_, coins) = split_u64(meta.as_bytes());
        split_u64(coins).0
    }

    /// Returns the number of entries, one for bookkeeping included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trie.len()
    }

    /// Returns whether there is no entry. There always is one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn account(&self, account: &Account) -> (u64, u64) {
        self.value(&account_key(account)).map_or((0, 0), |value| parse_account(&value))
    }
}
