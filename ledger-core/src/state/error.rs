//! Why a transaction cannot be applied.

use thiserror::Error;

use super::effect::MAX_EFFECTS;
use super::store::StoreError;
use crate::header::Height;

/// A transaction cannot be applied. The state is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TransactionError {
    /// The keys of the source did not sign it for this chain.
    #[error("not signed by the source for this chain")]
    BadSignature,
    /// It was executed already, or an earlier one of its lane is missing.
    #[error("sequence {found}, but {expected} is next")]
    WrongSequence {
        /// The next sequence number of the lane.
        expected: u64,
        /// The one in the transaction.
        found: u64,
    },
    /// Its last block has passed.
    #[error("expired after block {valid_until}")]
    Expired {
        /// The last block that could contain it.
        valid_until: Height,
    },
    /// The account does not own enough coins, deposits included.
    #[error("{needed} coins needed, {balance} available")]
    NotEnough {
        /// The balance.
        balance: u64,
        /// The coins needed.
        needed: u64,
    },
    /// A sum exceeds 64 bits.
    #[error("a sum exceeds 64 bits")]
    Overflow,
    /// The asset or entry exists already.
    #[error("it exists already")]
    AlreadyExists,
    /// The asset or entry does not exist.
    #[error("it does not exist")]
    Unknown,
    /// It belongs to another account.
    #[error("it belongs to another account")]
    NotOwner,
    /// No ledger of this chain handles it.
    #[error("no ledger of this chain handles it")]
    UnknownLedger,
    /// The payload of a call is malformed.
    #[error("malformed payload")]
    MalformedPayload,
    /// The conditions of a contract are not met.
    #[error("the conditions are not met")]
    ConditionsNotMet,
    /// The state has as many entries as the rules allow.
    #[error("the state has all {max_entries} entries that the rules allow")]
    TooManyEntries {
        /// The limit.
        max_entries: u32,
    },
    /// The block writes more often than the rules allow.
    #[error("the block makes more than {max_writes} writes")]
    TooManyWrites {
        /// The limit.
        max_writes: u32,
    },
    /// The block puts more facts before the engine than it may.
    #[error("the block has more than {MAX_EFFECTS} effects")]
    TooManyEffects,
    /// The store cannot answer. It says nothing about the transaction.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal is full. It says nothing about the transaction.
    #[error("journal full: all {capacity} slots are in use")]
    JournalFull {
        /// The number of slots.
        capacity: usize,
    },
}
