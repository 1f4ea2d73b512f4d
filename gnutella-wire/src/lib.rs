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

#[cfg(feature = "deflate")]
pub mod deflate;
pub mod ggep;
pub mod handshake;
pub mod http;
pub mod huge;
#[cfg(feature = "opennap")]
pub mod opennap;
pub mod qrp;
pub mod wire;

mod error;
mod head;
mod hosts;
mod id;
mod opening;
mod rng;
mod routes;
mod servent;
mod text;
mod writer;

pub use error::{BufferTooSmall, DecodeError};
pub use head::{Head, HeadLimits, Header, Headers};
pub use hosts::{Host, HostCache, HostSlot};
pub use id::{Guid, LinkId, ServentId};
pub use opening::Opening;
pub use routes::{Key, Learnt, Lifetimes, Route, RouteSlot, RouteTable, Via};
pub use servent::{
    Caches, Candidate, CommandError, Config, ConnectError, Dispatch, Election, Event, Forward,
    Handled, LinkSlot, Neighbour, QuerySlot, Reason, Role, Servent, Stats, Target, Targets,
    Transmit, UnknownLink, flood_bound, horizon,
};
pub use text::Text;
