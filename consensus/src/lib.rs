#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![doc = include_str!("../README.md")]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate self as consensus;
#[cfg(test)]
extern crate std;

pub mod aura;
mod authority;
pub mod bft;
pub mod clique;
mod error;
mod hex;
mod id;
mod invariant;
mod round_robin;
mod select;
mod stake;
mod validator;
mod vote;

#[cfg(feature = "ledger")]
mod seal;

pub use authority::{Authorities, AuthorityError, AuthorityIds, AuthoritySlot, Turn};
pub use error::{BufferTooSmall, DecodeError, Full};
pub use id::ValidatorId;
pub use round_robin::{
    Change, Prioritized, PrioritizedIter, PrioritySlot, UpdateError, WeightedRoundRobin,
};
pub use select::rotation::{BesuRotation, RoundRobin};
pub use select::stake_tree::{SeededDraw, StakeSlot, StakeTree};
pub use select::{Draw, Selector};
pub use stake::{ActiveStakes, BondError, BondSlot, BondState, SlashError, StakeBook, StakeConfig};
pub use validator::{ValidatorError, ValidatorSet, ValidatorSlot, Validators};
pub use vote::detector::{EquivocationDetector, StatementSlot, Statements};
pub use vote::evidence::{Equivocation, EvidenceError};
pub use vote::guard::complete::{
    CompleteGuard, Permit, RecordSlot, SignedAttestations, SignedBlocks,
};
pub use vote::guard::error::GuardError;
pub use vote::guard::minimal::MinimalGuard;
pub use vote::offence::{Offence, OffenceKind};
pub use vote::quorum::{OverHalf, OverThird, OverTwoThirds, Quorum, Tally, TwoThirds};
pub use vote::statement::{BadSignature, SignedStatement, Statement, StatementKind};
pub use vote::verify::{Ed25519, Ed25519Key, Keys, Verify};

#[cfg(feature = "ledger")]
pub use seal::{AuthoritySeal, SLASH, SealError, StakeSeal, statement_of, validator_id};
