//! Errors that several modules share.

use thiserror::Error;

/// The caller's buffer is too small. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("buffer too small: {needed} bytes needed")]
#[expect(clippy::exhaustive_structs, reason = "it will never say more")]
pub struct BufferTooSmall {
    /// The length in bytes that suffices.
    pub needed: usize,
}

/// All caller-provided slots are in use. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("table full: all {capacity} slots are in use")]
#[expect(clippy::exhaustive_structs, reason = "it will never say more")]
pub struct Full {
    /// The number of slots.
    pub capacity: usize,
}

/// The configuration of a chain cannot work. The caller's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The allocation and the subsidy together exceed 64 bits.
    #[error("allocation and subsidy exceed {} coins", u64::MAX)]
    TooManyCoins,
    /// An allocation does not cover the deposit of its account.
    #[error("an allocation of {coins} coins does not cover the deposit of {deposit}")]
    AllocationBelowDeposit {
        /// The coins allocated.
        coins: u64,
        /// The deposit of an entry.
        deposit: u64,
    },
    /// The allocation needs more entries than the rules allow.
    #[error("the allocation needs more than the {max_entries} entries that the rules allow")]
    TooManyEntries {
        /// The limit in the rules.
        max_entries: u32,
    },
    /// The storage holds fewer entries than the rules allow. The chain would fail later.
    #[error("the rules allow {needed} entries, but the storage has {capacity} slots")]
    TooFewSlots {
        /// The entries that the rules allow.
        needed: usize,
        /// The slots provided.
        capacity: usize,
    },
    /// The journal holds fewer writes than a block may make.
    #[error("{needed} journal slots are needed for what the rules allow, but there are {capacity}")]
    JournalTooSmall {
        /// The writes that the rules allow.
        needed: usize,
        /// The slots provided.
        capacity: usize,
    },
    /// The name of the chain or the parameters of its engine are too long.
    #[error("a name of {0} bytes is too long")]
    NameTooLong(usize),
    /// The tree cannot hold two branches of the configured depth.
    #[error("the depth asks for {needed} header slots, but there are {capacity}")]
    TreeTooSmall {
        /// The slots that suffice.
        needed: usize,
        /// The slots provided.
        capacity: usize,
    },
    /// The buffer cannot hold a block of the length that the rules allow.
    #[error("the rules allow blocks of {needed} bytes, but the buffer has {capacity}")]
    BlockBufferTooSmall {
        /// The length of the longest block, in bytes.
        needed: usize,
        /// The length of the buffer, in bytes.
        capacity: usize,
    },
    /// No block reaches this number of confirmations before it is final, or it is 0.
    #[error("{confirmations} confirmations, but 1 to {most} are possible")]
    WrongConfirmations {
        /// The number in the configuration.
        confirmations: u32,
        /// The depth plus one.
        most: u32,
    },
    /// No account may have a slot of the mempool.
    #[error("max_per_account is 0; let an account have at least one slot")]
    NoSlotsPerAccount,
    /// A timeout is zero.
    #[error("a timeout is zero; choose one that a peer can meet")]
    ZeroTimeout,
}

/// Malformed bytes. The sender's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end too early. The only error that more bytes can cure.
    #[error("incomplete: at least {needed} more bytes needed")]
    Incomplete {
        /// A lower bound of the missing bytes.
        needed: usize,
    },
    /// The version is unknown.
    #[error("unknown version {0}")]
    UnknownVersion(u8),
    /// The kind of action is unknown.
    #[error("unknown action {0}")]
    UnknownAction(u8),
    /// The kind of policy is unknown.
    #[error("unknown policy {0}")]
    UnknownPolicy(u8),
    /// Keys out of order, a threshold out of range, or signatures out of order.
    #[error("malformed policy")]
    MalformedPolicy,
    /// A record or a call is longer than allowed.
    #[error("a payload of {0} bytes is too long")]
    PayloadTooLong(usize),
    /// A claim is longer than 40 bytes.
    #[error("a claim of {0} bytes is too long")]
    ClaimTooLong(u8),
    /// Bytes follow where nothing may follow.
    #[error("{0} trailing bytes")]
    TrailingBytes(usize),
    /// A proof is not in canonical form.
    #[error("malformed proof")]
    MalformedProof,
}
