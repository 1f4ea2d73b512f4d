//! What every packet has in common.

use core::fmt;

use thiserror::Error;

/// The number at the start of a connect request, in place of a connection id.
pub const PROTOCOL_ID: u64 = 0x0417_2710_1980;
/// The maximum number of info-hashes in one scrape (BEP 15).
pub const MAX_SCRAPE: usize = 74;

pub(super) const CONNECT: u32 = 0;
pub(super) const ANNOUNCE: u32 = 1;
pub(super) const SCRAPE: u32 = 2;
pub(super) const ERROR: u32 = 3;

/// Matches a response to its request; drawn by the client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct TransactionId(pub u32);

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransactionId({self})")
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Issued by a tracker to an address: it proves that responses arrive there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct ConnectionId(pub u64);

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A datagram that is not a packet of this protocol: the sender's fault, to be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketError {
    /// Too short for its action.
    #[error("{len} bytes where at least {needed} are needed")]
    Short {
        /// The length of the packet.
        len: usize,
        /// The minimum length for this action.
        needed: usize,
    },
    /// A connect request that does not begin with [`PROTOCOL_ID`].
    #[error("a connect request for protocol {0:#x}")]
    Protocol(u64),
    /// Not an action of this direction.
    #[error("action {0} is unknown")]
    Action(u32),
}

/// Takes a field of `N` bytes off the front of a packet that needs `needed`.
pub(super) fn take<const N: usize>(
    bytes: &mut &[u8],
    len: usize,
    needed: usize,
) -> Result<[u8; N], PacketError> {
    let (field, rest) = bytes.split_first_chunk().ok_or(PacketError::Short { len, needed })?;
    *bytes = rest;
    Ok(*field)
}
