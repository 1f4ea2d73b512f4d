//! A node's chain, a machine: it knows several branches, follows the best one, and changes over to a better one wholly or
//! not at all.
//!
//! 1. [`handle_header`](Node::handle_header) adds headers to a tree. Those that come before their parents, or too early,
//!    are kept until they can be checked.
//! 2. [`Event::Need`] asks for the next body of the best branch; [`handle_block`](Node::handle_block) takes it, and
//!    [`work`](Node::work) validates it in slices.
//! 3. [`Event::Keep`] asks to store the block. Only after [`handle_saved`](Node::handle_saved) is it
//!    [`Connected`](Event::Connected): others may rely on it then.
//!
//! Until a branch is better than the chain, whole and saved, the chain is the old one. If one of its blocks proves
//! invalid, the old branch is restored from the journal, without any block's bytes, and the invalid block is remembered
//! with all that follow it, as long as the tree has room.
//!
//! | status of a header | becomes | when |
//! |---|---|---|
//! | checked | under trial | its body is executed |
//! | checked | given up | its body does not come in time |
//! | given up | checked | the missing body comes later |
//! | under trial | active | it is saved, and the branch is better than the chain |
//! | under trial | checked | a later block of the branch is invalid |
//! | checked | invalid | its body is invalid, or that of an ancestor |
//! | active | checked | a better branch takes over |
//! | active | final, and out of the tree | it is deep enough, or the engine says so |
//!
//! A new node need not execute all blocks: it follows the headers by [`HeaderFollower`]s, takes the state after one that is
//! deep enough by [`Join`], and goes on from there. [`SnapshotSource`] hands that state out.
//!
//! Time is counted from the Unix epoch, since headers carry times. What is not polled stops the node and grows nothing:
//! events are derived from the state, not queued.
//!
//! ```
//! use core::time::Duration;
//! use ledger_core::ledger::Standard;
//! use ledger_core::node::{Event, HeaderSlot, Node, NodeConfig, NodeSlots, OrphanSlot, Progress};
//! use ledger_core::{Account, Block, Body, ChainSpec, Claim, ConnId, JournalSlot, Rules, Slot};
//! # use ledger_core::{Ancestry, Engine, Hash, Header, Refused, Weight};
//! # #[derive(Clone, Debug)] struct Open;
//! # impl Engine for Open {
//! #     type Error = core::convert::Infallible;
//! #     fn digest(&self) -> Hash { Hash::of(b"open") }
//! #     fn check(&self, _: &dyn Ancestry, _: &Header, _: &[u8], _: u64)
//! #         -> Result<Weight, Refused<Self::Error>> { Ok(Weight(1)) }
//! # }
//!
//! let spec = ChainSpec { name: "demo", rules: Rules::SMALL, time: 0, allocation: &[] };
//! let config = NodeConfig::new(2, 0x5EED); // 2 blocks can be taken back
//! let storage = NodeSlots {
//!     entries: [Slot::EMPTY; 16],
//!     journal: [JournalSlot::EMPTY; 5 * 65],
//!     headers: [HeaderSlot::EMPTY; 8],
//!     orphans: [OrphanSlot::EMPTY; 4],
//!     block: [0; 4096],
//! };
//! let mut node = Node::new(&spec, config, Open, Standard, storage)?;
//!
//! // A block arrives: here one of our own, without transactions.
//! let now = Duration::from_secs(60);
//! let header = node.propose(now.as_secs(), Account::default(), &Body::default(), Claim::NONE)?;
//! let mut block = [0; 256];
//! let len = Block::new(header, &[], Body::default())?.encode(&mut block)?;
//! node.handle_block(now, ConnId(0), &block[..len])?;
//!
//! while node.work(100) == Progress::Pending {}
//! while let Some(event) = node.poll_event() {
//!     match event {
//!         Event::Keep { id, .. } => node.handle_saved(now, &id), // once it is on the disk
//!         Event::Connected { id, height } => println!("block {height} {id:.8}"),
//!         _ => {}
//!     }
//! }
//! assert_eq!(node.tip().height.0, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ancestors;
mod chunk;
mod config;
mod engines;
mod event;
mod events;
mod headers;
mod history;
mod inner;
mod join;
mod machine;
mod orphans;
mod recent;
mod slot;
mod snapshot;
mod source;
mod start;
mod storage;
mod timers;
mod tree;
mod trial;
mod validate;

pub use config::{NodeConfig, Timer};
pub use event::{Accepted, Event, Progress};
pub use join::{ChunkError, HeaderFollower, Join, JoinBase};
pub use machine::Node;
pub use orphans::OrphanSlot;
pub use slot::HeaderSlot;
pub use snapshot::{ResumeError, SnapshotError};
pub use source::SnapshotSource;
#[cfg(feature = "alloc")]
pub use storage::{NodeLimits, NodeVec};
pub(crate) use storage::{NodeParts, NodePartsRef};
pub use storage::{NodeSlots, NodeStorage};
