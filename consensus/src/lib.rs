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

mod authority;
mod detector;
mod error;
mod evidence;
mod hex;
mod id;
mod round_robin;
mod statement;
mod validator;

#[cfg(feature = "ledger")]
mod seal;

pub use authority::{Authorities, AuthorityError, AuthorityIds, AuthoritySlot, Turn};
pub use detector::{EquivocationDetector, StatementSlot, Statements};
pub use error::{BufferTooSmall, DecodeError, Full};
pub use evidence::{Equivocation, EvidenceError};
pub use id::ValidatorId;
pub use round_robin::{
    Change, Prioritized, PrioritizedIter, PrioritySlot, UpdateError, WeightedRoundRobin,
};
pub use statement::{BadSignature, SignedStatement, Statement};
pub use validator::{ValidatorError, ValidatorSet, ValidatorSlot, Validators};

#[cfg(feature = "ledger")]
pub use seal::{AuthoritySeal, SLASH, SealError, StakeSeal, statement_of, validator_id};
