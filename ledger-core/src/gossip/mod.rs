//! Gossip between the nodes of a chain, a machine over byte streams: it decides which peer to ask for headers, blocks
//! and transactions, and what to announce.
//!
//! It stands beside a [`Node`](crate::node::Node) and a [`Mempool`](crate::mempool::Mempool), and holds neither blocks nor
//! transactions. Its caller moves them: from [`handle_bytes`](Gossip::handle_bytes) to the node, and the verdict of the
//! node back.
//!
//! | from | to |
//! |---|---|
//! | [`Message::Headers`] | [`Presync::handle_headers`], then [`Node::handle_header`](crate::node::Node::handle_header), then [`handle_header_checked`](Gossip::handle_header_checked) |
//! | [`Node::needed_ahead`](crate::node::Node::needed_ahead) | [`want_blocks`](Gossip::want_blocks) |
//! | [`Message::Block`] | [`Node::handle_block`](crate::node::Node::handle_block), or a store until it is needed |
//! | the event `Invalid` of the node | [`handle_block_checked`](Gossip::handle_block_checked) |
//! | the events `Connected` and `Disconnected` of the node | [`handle_tip`](Gossip::handle_tip), and [`forget_transaction`](Gossip::forget_transaction) for what is confirmed |
//! | [`Event::Unavailable`] | [`Node::give_up`](crate::node::Node::give_up) |
//! | [`Join::next_key`](crate::node::Join::next_key) | [`want_snapshot`](Gossip::want_snapshot) |
//! | [`Message::Snapshot`] | [`Join::handle_chunk`](crate::node::Join::handle_chunk), and [`handle_block_checked`](Gossip::handle_block_checked) if it is refused |
//! | [`Message::Transaction`] | [`Mempool::insert`](crate::mempool::Mempool::insert), then [`handle_transaction_checked`](Gossip::handle_transaction_checked) |
//!
//! - **Headers first.** Each peer whose tip differs is asked for its headers, one request at a time. A node that has no
//!   room for more lets the peers wait until its chain has grown.
//! - **Low work.** A [`Presync`] for each peer weighs headers before they are stored: a flood of headers without weight
//!   costs no memory.
//! - **Blocks** are fetched from several peers at a time. A block that does not come in time is asked for elsewhere. A
//!   peer that stalls again and again is disconnected, unless it is the only one: one honest peer is enough to catch up.
//! - **Transactions** are announced by id, asked for once, and never sent to a peer that has them.
//! - **Snapshots.** Peers announce the block whose state they hand out. Chunks are asked for one after the other, each from
//!   the best peer that has them; a peer that sends a wrong one is disconnected, and the next peer goes on.
//! - **Limits.** A peer has at most 32 transactions and one request for headers on their way. It announces more once these
//!   are delivered, and its announcements are counted per second. What nobody asked for is dropped and punished; time forgives.
//! - **Verdicts.** Only what can never be valid disconnects a peer as [`CloseReason::Invalid`]. A header that is early,
//!   an orphan or without room costs the peer nothing.
//!
//! ```
//! use core::time::Duration;
//! use ledger_core::gossip::{
//!     BlockRequest, Event, Gossip, GossipConfig, GossipSlots, Message, PeerSlot, TransactionSlot,
//! };
//! use ledger_core::{ConnId, GenesisId};
//!
//! let new = |seed| {
//!     let storage = GossipSlots {
//!         peers: [PeerSlot::EMPTY; 4],
//!         blocks: [BlockRequest::EMPTY; 4],
//!         transactions: [TransactionSlot::EMPTY; 64],
//!     };
//!     Gossip::new(GossipConfig::new(GenesisId::default(), 4096, seed), storage)
//! };
//! let (mut ann, mut ben) = (new(1)?, new(2)?);
//! let (now, conn) = (Duration::from_secs(1000), ConnId(0));
//! ann.handle_connected(now, conn, true)?;
//! ben.handle_connected(now, conn, false)?;
//!
//! let mut buf = [0; Message::MAX_CONTROL_LEN];
//! while let Some(transmit) = ann.poll_transmit(&mut buf)? {
//!     println!("ann sends {}", Message::decode(&buf[..transmit.len])?.0);
//!     ben.handle_bytes(now, conn, &buf[..transmit.len])?; // over a socket
//! }
//! assert_eq!(ben.poll_event(), Some(Event::Connected { conn }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asking;
mod bits;
mod blocks;
mod chunk_request;
mod commitments;
mod config;
mod frame;
mod headers;
mod inner;
mod machine;
mod message;
mod moment;
mod peer;
mod presync;
mod receive;
mod snapshots;
mod storage;
mod timers;
mod transactions;
mod transmit;
mod types;

pub use blocks::BlockRequest;
pub use config::{GossipConfig, Timer};
pub use frame::{FRAME_LEN, MessageError, VERSION};
pub use headers::{Headers, HeadersIter, HeadersWriter, MAX_HEADERS};
pub use machine::{Gossip, Peer};
pub use message::{BlockIds, Hello, MAX_IDS, Message, NotFound, SnapshotPlace, Status, TxIds};
pub use peer::PeerSlot;
pub use presync::Presync;
#[cfg(feature = "alloc")]
pub use storage::{GossipLimits, GossipVec};
pub use storage::{GossipParts, GossipPartsRef, GossipSlots, GossipStorage};
pub use transactions::TransactionSlot;
pub use types::{
    BlockVerdict, CloseReason, Event, NotConnected, Received, TransactionVerdict, Transmit,
};
