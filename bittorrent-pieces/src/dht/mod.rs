//! The trackerless DHT (Kademlia; BEP 5, 32, 42, 43): who has a torrent, asked of nodes that nobody runs
//! for it.
//!
//! [`DhtNode`] is the machine. It is made of values that stand alone: [`krpc`] is the codec,
//! [`RoutingTable`] the nodes that are known, [`Tokens`] what proves that an address was ours to answer.
//!
//! ```
//! use bittorrent_pieces::dht::*;
//! use bittorrent_pieces::InfoHash;
//! use core::time::Duration;
//!
//! let memory = DhtMemory {
//!     routes: [RouteSlot::EMPTY; 64],
//!     lookups: [LookupSlot::EMPTY; 2],
//!     peers: [StoredPeer::EMPTY; 16],
//! };
//! let mut node = DhtNode::new(DhtConfig::new(NodeId([1; 20]), [7; 16]), memory);
//! node.add(Duration::ZERO, "192.0.2.1:6881".parse().unwrap());
//! node.find_peers(Duration::ZERO, InfoHash([9; 20]), None)?;
//! let mut buf = [0; MAX_LEN];
//! let sent = node.poll_transmit(&mut buf)?.unwrap();
//! assert!(buf[..sent.len].starts_with(b"d1:ad2:id20:")); // a query to the node that was added
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod id;
pub mod krpc;
mod lookup;
mod node;
mod store;
mod table;
mod tokens;

pub use id::NodeId;
pub use lookup::LookupSlot;
pub use node::{
    DhtConfig, DhtError, DhtEvent, DhtHandled, DhtMemory, DhtNode, DhtTransmit, LookupId,
    LookupsFull,
};
pub use store::StoredPeer;
pub use table::{Contact, Health, RouteSlot, RoutingTable};
pub use tokens::{Token, Tokens};

/// The most bytes of a datagram that a [`DhtNode`] sends.
pub const MAX_LEN: usize = 1_024;
/// How many nodes a bucket holds, and an answer names (BEP 5).
pub const K: usize = 8;
