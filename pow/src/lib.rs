#![no_std]
#![cfg_attr(not(feature = "simd"), forbid(unsafe_code))]
#![cfg_attr(feature = "simd", deny(unsafe_code))]
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

mod chain;
mod compact;
mod difficulty;
mod header;
mod kernel;
mod miner;
mod nonces;
pub mod pool;
mod puzzle;
mod ratio;
mod stamp;
mod target;
mod template;
mod u256;
mod work;

#[cfg(feature = "ledger")]
mod seal;
#[cfg(feature = "simd")]
mod simd;

pub use chain::{HeaderChain, HeaderError, MedianTime};
pub use compact::{CompactError, CompactTarget, RawCompact};
pub use difficulty::{
    Asert, Difficulty, DifficultyError, Fixed, History, Lwma, Past, Recent, Retarget,
};
pub use header::{BufferTooSmall, DecodeError, Header, HeaderId};
pub use kernel::Kernel;
pub use miner::{Miner, Step};
pub use puzzle::{HashFunction, NonceField, NonceFormat, Puzzle, PuzzleError};
pub use ratio::Ratio;
pub use stamp::{Counter, Stamp, StampError, StampMiner, leading_zero_bits};
pub use target::{BigEndian, ByteOrder, LittleEndian, Reading, Target};
pub use template::{Coinbase, HeaderMiner, HeaderStep, Solution};
pub use u256::U256;
pub use work::Work;

#[cfg(feature = "ledger")]
pub use seal::{WorkError, WorkSeal};
