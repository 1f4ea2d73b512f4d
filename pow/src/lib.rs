#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "simd"), forbid(unsafe_code))]
#![cfg_attr(feature = "simd", deny(unsafe_code))]
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
extern crate std;

pub mod chain;
pub mod compact;
mod conn;
#[allow(dead_code, reason = "the same file in every crate with connections")]
mod conn_index;
pub mod difficulty;
mod error;
mod header;
mod hex;
mod invariant;
pub mod kernel;
mod miner;
mod nonces;
pub mod pool;
mod puzzle;
mod ratio;
#[allow(dead_code, reason = "the same file in every crate with connections")]
mod ready;
mod sha256;
pub mod stamp;
mod target;
pub mod template;
mod u256;
mod work;

#[cfg(feature = "ledger")]
mod pairs;
#[cfg(feature = "ledger")]
mod seal;

#[doc(inline)]
pub use chain::{HeaderChain, HeaderError};
#[doc(inline)]
pub use compact::CompactTarget;
pub use conn::{ConnId, Received};
#[doc(inline)]
pub use difficulty::Retarget;
pub use error::{BufferTooSmall, ConfigError, ConnectError, DecodeError, Field, NotConnected};
pub use header::{Header, HeaderId};
#[doc(inline)]
pub use kernel::Kernel;
pub use miner::Miner;
pub use nonces::Step;
pub use puzzle::{HashFunction, NonceField, NonceFormat, Puzzle, PuzzleError};
pub use ratio::Ratio;
pub use target::{BigEndian, ByteOrder, DigestOrder, LittleEndian, Target};
pub use u256::U256;
pub use work::Work;

#[cfg(feature = "ledger")]
pub use seal::{WorkError, WorkSeal};
