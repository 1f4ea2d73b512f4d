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
pub mod guard;
mod hex;
mod id;
mod invariant;
pub mod iter;
mod output;
pub mod quorum;
pub mod select;
mod set;
pub mod slot;
mod sort;
pub mod stake;
mod vote;

#[cfg(feature = "ledger")]
mod digest;
#[cfg(feature = "ledger")]
mod proof_votes;
#[cfg(feature = "ledger")]
mod seal;

pub use authority::{Authorities, AuthorityError, AuthoritySlot, Turn};
pub use error::{BufferTooSmall, ConfigError, DecodeError, Full};
pub use id::ValidatorId;
pub use output::{SaveToken, Transmit};
pub use select::rotation::RoundRobin;
pub use select::selector::Selector;
pub use set::storage::{
    ValidatorArray, ValidatorParts, ValidatorPartsRef, ValidatorSlots, ValidatorStorage,
};
pub use set::validators::{ValidatorError, ValidatorSet};
pub use vote::detector::{EquivocationDetector, StatementSlot};
pub use vote::evidence::{Equivocation, EvidenceError};
pub use vote::offence::{Offence, OffenceKind};
pub use vote::statement::{BadSignature, SignedStatement, Statement, StatementKind};
pub use vote::verify::{Ed25519, Ed25519Key, Keys, Verify};

#[cfg(feature = "alloc")]
pub use set::storage::ValidatorVec;

#[cfg(feature = "ledger")]
pub use seal::{AuthoritySeal, SLASH, SealError, StakeSeal, statement_of, validator_id};
