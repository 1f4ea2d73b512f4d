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

mod chain;
mod compact;
mod difficulty;
mod header;
mod miner;
mod nonces;
mod puzzle;
mod ratio;
mod stamp;
mod target;
mod u256;
mod work;

#[cfg(feature = "ledger")]
mod seal;

pub use chain::{HeaderChain, HeaderError, MedianTime};
pub use compact::{CompactError, CompactTarget, RawCompact};
pub use difficulty::{
    Asert, Difficulty, DifficultyError, Fixed, History, Lwma, Past, Recent, Retarget,
};
pub use header::{BufferTooSmall, DecodeError, Header, HeaderId};
pub use miner::{Miner, Step};
pub use puzzle::{HashFunction, NonceField, NonceFormat, Puzzle, PuzzleError};
pub use ratio::Ratio;
pub use stamp::{Counter, Stamp, StampError, StampMiner, leading_zero_bits};
pub use target::{BigEndian, LittleEndian, Reading, Target};
pub use u256::U256;
pub use work::Work;

#[cfg(feature = "ledger")]
pub use seal::{WorkError, WorkSeal};
