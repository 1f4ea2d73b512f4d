//! Proof of stake in slots of time: draw, seal, attest.
//!
//! In each slot one validator is drawn to propose, and all attest to the block that they see as the head. An attestation
//! links the last justified checkpoint to the head of its slot. Two thirds of the stake justify a checkpoint; a
//! justified checkpoint is final when the one of the next slot is justified by a link from it (Casper FFG; Buterin and
//! Griffith, "Casper the Friendly Finality Gadget", arXiv 1710.09437).
//!
//! [`Ffg`] is the machine of one validator. `SlotSeal` (feature `ledger`) checks the blocks.

mod config;
mod event;
mod machine;
mod receive;
mod saved;
#[cfg(feature = "ledger")]
mod seal;
mod state;
mod storage;
mod timers;

pub use config::{FfgConfig, FfgSetup};
pub use event::{CallError, Checkpoint, DatagramError, FfgEvent, ResumeError};
pub use machine::Ffg;
#[cfg(feature = "ledger")]
pub use seal::{SlotSeal, SlotSealError};
pub use storage::AttesterSlot;
pub use timers::Timer;
