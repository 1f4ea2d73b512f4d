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

mod block;
mod chain;
mod codec;
mod error;
mod hash;
mod header;
mod hex;
mod keys;
pub mod merkle;
mod rules;
mod seal;
mod state;
mod times;
mod transaction;

pub use block::{Block, Body, Transactions};
pub use chain::{BlockError, Chain, Fault, Genesis, Tip};
pub use error::{BufferTooSmall, ConfigError, DecodeError, Full};
pub use hash::Hash;
pub use header::{ChainId, Header, Height, SealKind};
pub use keys::{Account, BadSignature, KeyPair, Signature};
pub use merkle::{
    Consistency, Inclusion, MerkleTree, ProofError, TreeHead, prove_consistency, prove_inclusion,
};
pub use rules::Rules;
pub use seal::{Seal, Weight};
pub use state::{AssetId, Slot, State, TransactionError};
pub use transaction::{Action, MAX_RECORD_LEN, SignedTransaction, Transaction};
