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
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod bencode;
mod bitfield;
mod choker;
mod compact;
#[cfg(feature = "dht")]
pub mod dht;
mod error;
mod fetch;
mod geometry;
mod hash;
mod hex;
mod host;
mod id;
mod invariant;
pub mod magnet;
pub mod merkle;
pub mod metainfo;
mod picker;
mod priority;
mod received;
mod rng;
mod small;
mod text;
mod torrent;
pub mod tracker;
pub mod wire;

pub use bitfield::{Bitfield, BitfieldError, Ones};
pub use choker::{Candidate, Choker, ChokerPolicy, Luck, Rank, Slots};
pub use compact::{CompactPeers, Family, PeersIter};
pub use error::{BufferTooSmall, ConfigError, ConnectError, Full, NotConnected};
pub use fetch::{FetchConfig, FetchEvent, FetchHandled, FetchSlot, MetadataFetch};
pub use geometry::{BLOCK_LEN, Block, Geometry, PieceIndex, V2File};
pub use hash::{PieceHasher, PieceHashes};
pub use host::Host;
pub use id::{ConnId, InfoHash, InfoHashV2, PeerId};
pub use metainfo::Metainfo;
pub use picker::{
    BlockSlot, Failure, Holds, Order, PartialSlot, Picker, PieceSlot, PieceState, Playback, Policy,
    Priority, RareSlot, ReceivedBlock, Want, Weights, block_slots, piece_slots, rare_slots,
};
pub use priority::{crc32c, peer_priority};
pub use received::Received;
pub use torrent::{
    Config, Event, HASHES_LEN, Handled, LostReason, Memory, NotVerifying, Padding, Peer, PeerError,
    PeerSlot, PieceCheck, Regions, RegionsMut, RegionsRef, RequestSlot, Side, Torrent, Traffic,
    Transmit, Verdict, bits_len, receive_len, requests_len, transmit_len,
};
