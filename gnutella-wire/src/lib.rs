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

pub mod datagram;
#[cfg(feature = "deflate")]
pub mod deflate;
pub mod election;
pub mod ggep;
pub mod handshake;
pub mod head;
pub mod hosts;
pub mod http;
pub mod huge;
#[cfg(feature = "opennap")]
pub mod opennap;
pub mod qrp;
pub mod routes;
pub mod servent;
#[cfg(feature = "transfer")]
pub mod thex;
#[cfg(feature = "transfer")]
pub mod transfer;
pub mod wire;

mod conn_index;
mod error;
mod fixed_codes;
mod hex;
mod id;
mod invariant;
mod machine;
mod opening;
mod place;
mod rng;
mod sip;
mod text;
mod writer;

pub use error::{BufferTooSmall, ConfigError, DecodeError};
pub use id::{Guid, ServentId};
pub use machine::{ConnId, ConnectError, NotConnected, Received, Transmit};
pub use opening::Opening;
pub use servent::{
    CloseReason, CommandError, Config, ConnSlot, Dispatch, Event, Neighbour, Role, Servent,
    ServentSlots,
};
#[cfg(feature = "alloc")]
pub use servent::{ServentLimits, ServentVec};
pub use text::Text;
