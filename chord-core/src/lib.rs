#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
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

/// What a [`NodeStorage`] of your own has to provide, and the views and iterators that methods return.
pub mod parts {
    pub use crate::fingers::Fingers;
    pub use crate::node::{NodeParts, NodePartsRef};
    pub use crate::routing::RoutingTableRef;
    pub use crate::successors::Identifiers;
}

/// The states of a node as a table: what leads from which to which.
pub mod transitions {
    pub use crate::node::{Input, TRANSITIONS};
}

mod config;
mod contacts;
mod error;
mod event;
mod fingers;
#[cfg(any(
    feature = "can",
    feature = "freenet",
    feature = "kademlia",
    feature = "pastry",
    feature = "tapestry"
))]
pub mod geometry;
mod hex;
mod id;
mod invariant;
mod list;
mod lookup;
mod lookup_slot;
mod message;
mod node;
mod peer;
mod relay;
#[cfg(feature = "reload")]
pub mod reload;
mod request;
mod rng;
mod routing;
mod slots;
mod successors;
mod time;
mod wire;

pub use config::{Config, Style};
pub use contacts::ContactSlot;
pub use error::{BufferTooSmall, ConfigError, DatagramError, DecodeError, Full, StartError};
pub use event::{Event, JoinFailure, LookupFailure, LookupId};
pub use fingers::{FingerSlot, FingerTable};
pub use id::{Id, Id64, Id128, Id160, Id256, Identifier, KeyRange, Word};
pub use list::List;
pub use lookup_slot::LookupSlot;
pub use message::Message;
pub use node::{Node, NodeArrays, NodeSlots, NodeStorage, State, Transmit};
#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
pub use node::{NodeLimits, NodeVec};
pub use peer::{Peer, Virtual};
#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
pub use routing::RoutingTableVec;
pub use routing::{Route, RoutingTable};
pub use successors::SuccessorList;
pub use wire::{Address, SharedKey, Unauthenticated, Wire};
