//! Ids of unique assets.

use crate::domain;
use crate::hash::{GenesisId, Hash, bytes32};
use crate::policy::Account;

bytes32! {
    /// Names a unique asset: the hash of chain, minter and salt. Nobody can mint the asset of someone else.
    AssetId
}

impl AssetId {
    /// Returns the id of the asset that `minter` creates with this salt on this chain.
    #[must_use]
    pub fn new(genesis: &GenesisId, minter: &Account, salt: &[u8; 32]) -> Self {
        let parts: [&[u8]; 4] = [domain::ASSET, genesis.as_bytes(), minter.as_bytes(), salt];
        Self::from_bytes(*Hash::of_parts(&parts).as_bytes())
    }
}
