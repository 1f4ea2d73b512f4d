#![no_std]
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
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod action;
mod asset;
mod block;
mod body_tree;
mod branch;
mod buckets;
mod chain;
mod codec;
mod conn;
mod domain;
mod engine;
mod error;
mod execute;
pub mod gossip;
mod groups;
mod hash;
mod hasher;
mod header;
mod hex;
mod invariant;
mod keys;
pub mod ledger;
pub mod log;
pub mod mempool;
pub mod merkle;
pub mod node;
mod policy;
mod propose;
mod queries;
mod spec;
pub mod state;
mod stateless;
mod times;
mod transaction;

pub use action::{Action, MAX_PAYLOAD_LEN};
pub use asset::AssetId;
pub use block::{AssembleError, Block, Body, SealedHeader, Transactions};
pub use branch::{BlockError, ReplayError};
#[cfg(feature = "alloc")]
pub use chain::ChainVec;
pub use chain::{Chain, ChainSlots, ChainStorage};
pub use conn::ConnId;
pub use engine::{Ancestry, Engine, Refused, Tip, Weight};
pub use error::{BufferTooSmall, ConfigError, DecodeError, Full};
pub use groups::GroupHasher;
pub use hash::{BlockId, GenesisId, Hash, TxId};
pub use hasher::WithHasher;
pub use header::{Claim, ClaimKind, Header, HeaderPreimage, Height};
pub use keys::{BadSignature, KeyPair, PublicKey, Signable, Signature};
pub use merkle::{
    Consistency, Inclusion, MerkleTree, ProofError, TreeHead, prove_consistency, prove_inclusion,
};
pub use policy::{Account, Policy, PolicyError, Threshold};
pub use queries::State;
pub use spec::{ChainSpec, Rules};
pub use state::{Effect, Effects, JournalSlot, Slot, TransactionError};
pub use stateless::StatelessChain;
pub use transaction::{SignError, SignedTransaction, Transaction, TransactionStatement};
