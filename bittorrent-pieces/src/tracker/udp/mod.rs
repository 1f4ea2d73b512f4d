//! The packets of the UDP tracker protocol (BEP 15), big-endian, one in each datagram.
//!
//! Packets longer than stated are accepted; what is behind an announce request are the options of
//! BEP 41.

mod options;
mod request;
mod response;

use core::fmt;

use thiserror::Error;

pub use options::{Options, OptionsIter, UdpOption, encode_url_data, url_data_len};
pub use request::{Hashes, Request};
pub use response::{Response, Scrapes};

/// What a connect request begins with instead of a connection id.
pub const PROTOCOL_ID: u64 = 0x0417_2710_1980;
/// The most info-hashes in one scrape (BEP 15).
pub const MAX_SCRAPE: usize = 74;

pub(super) const CONNECT: u32 = 0;
pub(super) const ANNOUNCE: u32 = 1;
pub(super) const SCRAPE: u32 = 2;
pub(super) const ERROR: u32 = 3;

/// Ties an answer to its request; the client draws it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub u32);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// What a tracker gives to an address, to see that answers to it arrive there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A datagram that is no packet of this protocol: the sender's fault, to be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Too short for its action.
    #[error("{len} bytes where at least {needed} are needed")]
    Short {
        /// How many there are.
        len: usize,
        /// How many this action takes.
        needed: usize,
    },
    /// A connect request that does not begin with [`PROTOCOL_ID`].
    #[error("a connect request for protocol {0:#x}")]
    Protocol(u64),
    /// No action of this direction.
    #[error("action {0} is unknown")]
    Action(u32),
    /// An announce for an unknown event.
    #[error("event {0} is unknown")]
    Event(u32),
}

/// Takes a field of `N` bytes off the front of a packet that needs `needed`.
fn take<const N: usize>(
    bytes: &mut &[u8],
    len: usize,
    needed: usize,
) -> Result<[u8; N], PacketError> {
    let (field, rest) = bytes.split_first_chunk().ok_or(PacketError::Short { len, needed })?;
    *bytes = rest;
    Ok(*field)
}
