//! The parameters of a Clique chain, the content of its blocks, and why they are refused.

use thiserror::Error;

use crate::id::ValidatorId;

/// Parameters of a chain: the same on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CliqueConfig {
    /// Open votes end at every block whose number is a multiple of this. At least 1.
    pub epoch: u64,
    /// The number of open votes that one authority may have. EIP-225 knows no limit; without one a single authority
    /// could fill the memory of all.
    pub votes_per_signer: usize,
}

/// The content of a block.
#[expect(clippy::exhaustive_structs, reason = "the fields of EIP-225")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CliqueBlock {
    /// Its number: one more than that of the block before.
    pub number: u64,
    /// The authority that signed it.
    pub signer: ValidatorId,
    /// The vote of the authority.
    pub vote: Option<CliqueVote>,
}

/// A vote on an authority.
#[expect(clippy::exhaustive_structs, reason = "the fields of EIP-225")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CliqueVote {
    /// The authority, or the candidate.
    pub target: ValidatorId,
    /// Whether to add it. Otherwise it is dropped.
    pub authorize: bool,
}

/// Why a block is refused. The state is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CliqueError {
    /// The block does not follow the last one.
    #[error("block {found}, but {expected} follows")]
    WrongNumber {
        /// The number of the block that follows.
        expected: u64,
        /// The number of this block.
        found: u64,
    },
    /// The signer is not an authority.
    #[error("{0:.16} is not an authority")]
    Unauthorized(ValidatorId),
    /// The signer signed one of the latest blocks.
    #[error("{signer:.16} signed recently; it may sign again at {next}")]
    RecentlySigned {
        /// The signer.
        signer: ValidatorId,
        /// The next number that it may sign.
        next: u64,
    },
    /// The first block of an epoch votes.
    #[error("a vote in the first block of an epoch")]
    VoteAtCheckpoint,
    /// The signer has as many open votes as it may have. It withdraws one by the opposite vote.
    #[error("{signer:.16} has {limit} open votes; withdraw one first")]
    TooManyVotes {
        /// The signer.
        signer: ValidatorId,
        /// The number allowed.
        limit: usize,
    },
    /// The vote adds an authority for which there is no slot.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
}

/// Why a chain cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CliqueSetupError {
    /// The epoch has no block.
    #[error("the epoch is 0; choose at least 1")]
    ZeroEpoch,
    /// There is no signer.
    #[error("no signers; name at least one")]
    NoSigners,
    /// A signer is named twice.
    #[error("{0:.16} is named twice")]
    Duplicate(ValidatorId),
    /// A region of the storage is too small.
    #[error("{found} slots for {region}; provide {needed}")]
    TooFewSlots {
        /// The name of the region.
        region: &'static str,
        /// The number of slots.
        found: usize,
        /// The number required.
        needed: usize,
    },
}

impl CliqueConfig {
    /// The values of EIP-225: epochs of 30,000 blocks. Each authority may have one open vote.
    #[must_use]
    pub const fn new() -> Self {
        Self { epoch: 30_000, votes_per_signer: 1 }
    }
}

impl Default for CliqueConfig {
    fn default() -> Self {
        Self::new()
    }
}
