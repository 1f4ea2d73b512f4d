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

#[cfg(test)]
extern crate std;

mod config;
mod error;
mod event;
mod fingers;
#[cfg(any(feature = "can", feature = "kademlia", feature = "pastry", feature = "tapestry"))]
pub mod geometry;
mod id;
mod list;
mod lookup;
mod message;
mod node;
mod peer;
mod relay;
#[cfg(feature = "reload")]
pub mod reload;
mod request;
mod rng;
mod routing;
mod successors;
mod time;

pub use config::{Config, Style};
pub use error::{Backlog, BufferTooSmall, DatagramError, DecodeError, Full, StartError};
pub use event::{Event, JoinFailure, LookupFailure};
pub use fingers::FingerTable;
pub use id::{Bits, Id, Id64, Id128, Id160, Id256, Identifier, KeyRange, Word};
pub use list::List;
pub use lookup::{LookupId, LookupSlot};
pub use message::{AVOIDED, Message, WAY_BACK};
pub use node::{Input, Node, NodeView, State, TRANSITIONS, Transmit};
pub use peer::{Address, Peer, Virtual, Wire};
pub use routing::{Route, RoutingTable};
pub use successors::{MAX_SUCCESSORS, SuccessorList};
