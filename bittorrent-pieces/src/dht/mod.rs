//! The trackerless DHT (Kademlia; BEP 5, 32, 33, 42, 43, 44, 51): nodes store which peers have a torrent.
//!
//! [`DhtNode`] is the machine. Its parts can be used alone: [`krpc`] is the codec, [`RoutingTable`] the known
//! nodes, [`Tokens`] proves that an announce comes from an address that was answered, [`BloomFilter`] counts
//! peers.
//!
//! # Defences
//!
//! | against | rule |
//! |---|---|
//! | one address that poses as many nodes | one node per network (IPv4 /24, IPv6 /64) in each bucket and in each lookup |
//! | nodes that only claim to exist | a node enters the table after it has answered a query, and replaces no node that answers |
//! | chosen ids | where a bucket is full, ids that fit their address (BEP 42) replace those that do not |
//! | floods of announces | a quota of stored peers per network, random replacement, random samples in answers |
//! | floods of items | a quota of stored items per network, random replacement; a put needs the token of a get |
//! | amplification | an address that has proved nothing receives at most three times the bytes it sent |

mod bloom;
mod id;
mod item;
mod items;
pub mod krpc;
mod limits;
mod lookup;
mod node;
mod peers;
mod short_bytes;
mod table;
mod tokens;

pub use bloom::BloomFilter;
pub use id::NodeId;
pub use item::{Item, ItemError, ItemName, MAX_SALT_LEN, MAX_VALUE_LEN, Signed};
pub use items::ItemSlot;
pub use limits::{K, MAX_LEN};
pub use lookup::LookupSlot;
pub use node::{
    AddError, ConfigError, DatagramError, DhtConfig, DhtEvent, DhtNode, DhtOutcome, DhtParts,
    DhtPartsRef, DhtSlots, DhtStorage, FoundPeers, FoundPeersIter, ItemLookupError, LookupId,
    Transmit,
};
#[cfg(feature = "alloc")]
pub use node::{DhtLimits, DhtVec};
pub use peers::StoredPeerSlot;
pub use table::{Contact, Contacts, Health, Nearest, RouteSlot, RoutingTable};
pub use tokens::{Token, Tokens};
