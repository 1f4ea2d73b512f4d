//! Transactions that wait for a block, in caller-provided slots.
//!
//! A table, not a machine: it has no clock. Transactions expire by the height of the chain.
//!
//! - The sequence numbers of each lane of an account follow each other without a gap, beginning with the one that the
//!   state expects.
//! - The order is that of the fee per byte, compared without rounding; among equals the lower id comes first.
//! - In a full table a transaction that comes before the last of the order pushes out the last one of the lane of that one: what
//!   follows a cheap transaction cannot come into a block before it, whatever it pays.
//! - A transaction replaces the one with the same account, lane and sequence number if it pays at least one eighth more,
//!   both in coins and per byte.
//! - Keys are ids that cover no signatures: signing anew makes no second entry.
//! - One account has at most [`MempoolConfig::max_per_account`] slots.
//!
//! ```
//! use ledger_core::ledger::Standard;
//! use ledger_core::mempool::{ChunkSlot, Insertion, Mempool, MempoolConfig, MempoolSlot, MempoolSlots};
//! use ledger_core::{Action, Body, Chain, ChainSlots, ChainSpec, KeyPair, Rules, Transaction};
//! # use ledger_core::{Ancestry, Engine, Hash, Header, JournalSlot, Refused, Slot, Weight};
//! # #[derive(Clone)] struct Open;
//! # impl Engine for Open {
//! #     type Error = core::convert::Infallible;
//! #     fn digest(&self) -> Hash { Hash::of(b"open") }
//! #     fn check(&self, _: &dyn Ancestry, _: &Header, _: &[u8], _: u64)
//! #         -> Result<Weight, Refused<Self::Error>> { Ok(Weight(1)) }
//! # }
//!
//! let ann = KeyPair::from_secret(&[1; 32]);
//! let ben = KeyPair::from_secret(&[2; 32]);
//! let allocation = [(ann.account(), 100)];
//! let spec = ChainSpec { name: "demo", rules: Rules::SMALL, time: 0, allocation: &allocation };
//! let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
//! let chain = Chain::new(&spec, Open, Standard, storage)?;
//!
//! let storage = MempoolSlots { slots: [MempoolSlot::EMPTY; 8], chunks: [ChunkSlot::EMPTY; 16] };
//! let mut mempool = Mempool::new(MempoolConfig::new(*chain.genesis_id(), 0x5EED), storage)?;
//!
//! let mut pay = Transaction::new(ann.account(), 0, Action::Pay { to: ben.account(), amount: 30 });
//! pay.fee = 2;
//! let mut buf = [0; Transaction::MAX_LEN];
//! let signed = pay.sign(chain.genesis_id(), &ann, &mut buf)?;
//! assert_eq!(mempool.insert(&signed, &chain.state(), chain.tip().height)?, Insertion::Added);
//!
//! let mut out = [0; 1024];
//! let len = mempool.template(&mut out);
//! let body = Body::from_bytes(&out[..len])?;
//! println!("{} of {} coins are reserved", mempool.reserved(&ann.account()), chain.state().balance(&ann.account()));
//! assert_eq!(body.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod index;
mod slot;
mod storage;
mod table;
mod template;

pub use config::{Insertion, MempoolConfig, MempoolError};
pub use slot::{ChunkSlot, MempoolSlot};
#[cfg(feature = "alloc")]
pub use storage::{MempoolLimits, MempoolVec};
pub use storage::{MempoolSlots, MempoolStorage};
pub use table::Mempool;
