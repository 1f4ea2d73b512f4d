//! Configuration, outcomes and errors.

use thiserror::Error;

use crate::error::ConfigError;
use crate::hash::{GenesisId, TxId};
use crate::header::Height;

/// How a [`Mempool`](super::Mempool) treats its senders. Nodes of one chain may differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct MempoolConfig {
    /// The chain whose transactions are kept.
    pub genesis: GenesisId,
    /// The slots that one account may have. A few dozen lets a busy account prepare a block ahead.
    pub max_per_account: u16,
    /// The lowest fee in coins for 1,000 bytes, rounded up. 0 lets spam without fees compete for free slots.
    pub min_fee_per_1000: u64,
    /// Decides where ids lie in the index. Random and secret, so that no sender can slow down the look-ups.
    pub seed: u64,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no other way in")]
pub enum Insertion {
    /// It is kept.
    Added,
    /// It was kept already.
    Known,
    /// It took the place of a cheaper one with the same sequence number.
    Replaced(TxId),
    /// It is kept, and another was pushed out: the last one of the lane of the one with the lowest fee per byte.
    PushedOut(TxId),
}

/// Why a transaction is not kept. The table is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MempoolError {
    /// It is not signed by its source for this chain. The sender's fault.
    #[error("not signed by the source for this chain")]
    BadSignature,
    /// Its sequence number is used already.
    #[error("sequence {found} is used; {next} is the next one")]
    Used {
        /// The sequence number of the transaction.
        found: u64,
        /// The one that the state expects.
        next: u64,
    },
    /// A transaction before it is missing.
    #[error("sequence {found} leaves a gap after {missing}")]
    Gap {
        /// The sequence number of the transaction.
        found: u64,
        /// The one that has to come first.
        missing: u64,
    },
    /// Its last block has passed.
    #[error("expired after block {valid_until}")]
    Expired {
        /// The last block that could contain it.
        valid_until: Height,
    },
    /// The account cannot pay it beside what waits already.
    #[error("{needed} coins needed, {balance} confirmed, of which {reserved} are reserved")]
    NotEnough {
        /// The coins of the account.
        balance: u64,
        /// The coins that its waiting transactions need.
        reserved: u64,
        /// The coins that this one needs.
        needed: u64,
    },
    /// The fee is below the minimum, or below what a replacement or a full table asks for.
    #[error("a fee of {fee} is too low; {needed} would do")]
    FeeTooLow {
        /// The fee.
        fee: u64,
        /// The fee that suffices.
        needed: u64,
    },
    /// The account has all the slots it may have.
    #[error("the account has all {max} slots that it may have")]
    TooManyOfAccount {
        /// The limit in the configuration.
        max: u16,
    },
    /// All slots are in use, and nothing can be pushed out.
    #[error("mempool full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
}

impl MempoolConfig {
    /// Returns a configuration for a chain: 64 slots for an account, no minimum fee.
    #[must_use]
    pub const fn new(genesis: GenesisId, seed: u64) -> Self {
        Self { genesis, max_per_account: 64, min_fee_per_1000: 0, seed }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.max_per_account == 0 { Err(ConfigError::NoSlotsPerAccount) } else { Ok(()) }
    }
}
