//! Work shared out in ranges: a pool leases nonces to workers and credits their shares.
//!
//! ```
//! use core::num::NonZeroU64;
//! use core::time::Duration;
//! use pow::pool::{
//!     AccountSlot, ConnSlot, Event, Job, LeaseSlot, Pool, PoolConfig, PoolSlots, Worker, WorkerId,
//! };
//! use pow::{ByteOrder, ConnId, HashFunction, NonceField, NonceFormat, Target};
//!
//! let storage = PoolSlots {
//!     leases: [LeaseSlot::EMPTY; 4],
//!     connections: [ConnSlot::EMPTY; 2],
//!     accounts: [AccountSlot::EMPTY; 2],
//!     message: [0; 64],
//! };
//! let config = PoolConfig::new(NonZeroU64::new(4096).unwrap(), Duration::from_secs(60));
//! let mut pool = Pool::new(config, storage)?;
//! let job = Job {
//!     function: HashFunction::Sha256,
//!     order: ByteOrder::Big,
//!     message: b"shared among many: ________",
//!     nonce: NonceField { offset: 19, format: NonceFormat::U64Be },
//!     target: Target::from_zero_bits(255),
//!     share: Target::from_zero_bits(7),
//! };
//! let now = Duration::ZERO;
//! pool.set_job(now, &job, 0..=9999)?;
//! pool.handle_connected(now, ConnId(1), WorkerId(33))?;
//!
//! // One worker in the same process; the bytes could as well cross a network.
//! let mut worker = Worker::new();
//! let mut buf = [0; 256];
//! while pool.poll_event() != Some(Event::Exhausted) {
//!     while let Some(transmit) = pool.poll_transmit(&mut buf)? {
//!         worker.handle_bytes(&buf[..transmit.len]);
//!     }
//!     worker.step(1000);
//!     while let Some(len) = worker.poll_transmit(&mut buf)? {
//!         pool.handle_bytes(now, ConnId(1), &buf[..len])?;
//!     }
//! }
//! assert_eq!(pool.split(1000).collect::<Vec<_>>(), [(WorkerId(33), 1000)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accounts;
mod assign;
mod config;
mod conn_slot;
mod connections;
mod error;
mod event;
mod inner;
mod judge;
mod leases;
mod machine;
mod message;
mod storage;
mod trust;
mod waiting;
mod worker;

pub use accounts::{Account, AccountSlot, Accounts, Split, WorkerId};
pub use config::{Job, PoolConfig};
pub use conn_slot::ConnSlot;
pub use error::{JobError, ShareError};
pub use event::{CloseReason, Event, Share, Transmit, WorkerCloseReason, WorkerEvent};
pub use leases::LeaseSlot;
pub use machine::Pool;
pub use message::{Lease, LeaseId, PoolMessage};
#[cfg(feature = "alloc")]
pub use storage::{PoolLimits, PoolVec};
pub use storage::{PoolSlots, PoolStorage};
pub use worker::Worker;
