#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![doc = include_str!("../README.md")]

mod authority;
mod evidence;
mod statement;
mod validator;
mod watch;

#[cfg(feature = "ledger")]
mod seal;

pub use authority::{Authorities, AuthorityError, AuthoritySlot, Turn};
pub use evidence::{Equivocation, EvidenceError};
pub use statement::{BufferTooSmall, DecodeError, SignedStatement, Statement};
pub use validator::{ValidatorError, ValidatorId, ValidatorSet, ValidatorSlot};
pub use watch::{Watch, WatchSlot};

#[cfg(feature = "ledger")]
pub use seal::{AuthoritySeal, SLASH, SealError, StakeSeal, statement_of, validator_id};
