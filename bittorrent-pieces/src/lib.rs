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

pub mod bencode;
pub mod bitfield;
mod block;
pub mod choker;
pub mod compact;
mod compact_time;
#[allow(dead_code, reason = "the same file in every crate with connections")]
mod conn_index;
#[cfg(feature = "dht")]
pub mod dht;
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
pub mod encryption;
mod error;
pub mod fetch;
mod geometry;
mod hash;
mod hex;
mod host;
mod id;
mod index;
mod invariant;
pub mod magnet;
pub mod merkle;
pub mod metainfo;
mod network;
pub mod peer_book;
pub mod picker;
pub mod priority;
mod ready;
mod received;
mod rng;
mod text;
pub mod torrent;
pub mod tracker;
#[cfg(feature = "utp")]
#[cfg_attr(docsrs, doc(cfg(feature = "utp")))]
pub mod utp;
pub mod web_seed;
pub mod wire;

pub use bitfield::Bitfield;
pub use block::{BLOCK_LEN, Block, PieceIndex};
pub use choker::{Choker, ChokerPolicy};
pub use compact::{CompactPeers, Family};
pub use error::{BufferTooSmall, ConfigError, ConnectError, Full, NotConnected};
pub use fetch::{FetchConfig, MetadataFetch};
pub use geometry::{Geometry, V2File};
pub use hash::{HashRuns, PieceHasher, PieceHashes};
pub use host::Host;
pub use id::{ConnId, InfoHash, InfoHashV2, PeerId};
pub use metainfo::Metainfo;
pub use peer_book::PeerBook;
pub use picker::{Picker, Policy, Priority};
pub use received::Received;
pub use torrent::{
    CloseReason, Config, Event, Outcome, Padding, PeerError, PieceCheck, Side, Torrent,
    TorrentContent, TorrentSetup, TorrentSlots, TorrentStorage, Transmit, Verdict,
};
#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
pub use torrent::{TorrentLimits, TorrentVec};
