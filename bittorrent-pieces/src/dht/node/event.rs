//! What a node returns: outcomes, events, datagrams, errors.

use core::net::SocketAddr;

use thiserror::Error;

use super::found::FoundPeers;
use crate::dht::id::NodeId;
use crate::dht::item::ItemError;
use crate::dht::krpc::KrpcError;
use crate::id::InfoHash;

/// The number of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct LookupId(pub u32);

/// The result of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DhtOutcome<'a> {
    /// The datagram was a query, or a response with nothing for the caller.
    Handled,
    /// Peers of a torrent that is looked up. They are not verified and may repeat.
    Peers {
        /// The lookup.
        lookup: LookupId,
        /// The torrent.
        torrent: InfoHash,
        /// The peers.
        peers: FoundPeers<'a>,
    },
    /// An item that is looked up (BEP 44): its hash, or its signature, is verified. Of a mutable item, only versions that
    /// are newer than those before are reported, and of an immutable one the first.
    Item {
        /// The lookup.
        lookup: LookupId,
        /// The value, bencoded.
        value: &'a [u8],
        /// Sequence number and signature of a mutable item.
        signed: Option<(i64, [u8; 64])>,
    },
    /// The reply queue is full, or the share of the sender in it: the query was dropped, as if it were lost.
    Busy,
}

/// A fact that the caller may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DhtEvent {
    /// A lookup ended.
    Finished {
        /// The lookup.
        lookup: LookupId,
        /// The torrent.
        torrent: InfoHash,
        /// The number of peers that were reported, some perhaps twice.
        peers: u32,
        /// The number of nodes that answered.
        answers: usize,
        /// The number of nodes that we announced ourselves to.
        announces: usize,
    },
    /// A lookup of an item ended (BEP 44).
    ItemFinished {
        /// The lookup.
        lookup: LookupId,
        /// Where the item is stored.
        target: NodeId,
        /// The number of versions that were reported; 0 if the item was not found, or was put.
        found: u32,
        /// The number of nodes that answered.
        answers: usize,
        /// The number of nodes that stored our item.
        stored: usize,
        /// The code of the last error of a node that refused it: 301 if its sequence number is not `cas`.
        refused: Option<i64>,
    },
}

/// An item is not looked up or put. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ItemLookupError {
    /// The name is not valid.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// All lookups are in use.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of lookups.
        capacity: usize,
    },
    /// All slots for items hold items of ours, or the table has no slots.
    #[error("no room for another item of ours in {capacity} slots")]
    ItemsFull {
        /// The number of slots.
        capacity: usize,
    },
    /// We store an item of the same name that is as new or newer.
    #[error("the stored item is as new or newer")]
    Old,
}

/// A datagram to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the same fields in every crate")]
pub struct Transmit {
    /// The destination.
    pub to: SocketAddr,
    /// The length of the datagram in bytes.
    pub len: usize,
}

/// A datagram that was dropped. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DatagramError {
    /// Not a valid message.
    #[error(transparent)]
    Krpc(#[from] KrpcError),
    /// No query with this transaction id is in flight to this address.
    #[error("response to an unknown transaction")]
    Unexpected,
    /// The address is of the other version of IP.
    #[error("address of the other IP version")]
    Family,
}

/// An address was not added. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AddError {
    /// All places for addresses to be pinged are in use; try again after the next transmits.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of places.
        capacity: usize,
    },
    /// The address is of the other version of IP.
    #[error("address of the other IP version")]
    Family,
    /// The port is 0.
    #[error("port 0 is not valid")]
    Port,
}
