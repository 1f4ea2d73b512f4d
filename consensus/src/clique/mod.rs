//! Clique (EIP-225): authorities in turn, who vote on each other.

mod block;
mod head;
#[cfg(feature = "ledger")]
mod seal;
mod storage;
mod voting;

pub use block::{CliqueBlock, CliqueConfig, CliqueError, CliqueSetupError, CliqueVote};
pub use head::CliqueHead;
#[cfg(feature = "ledger")]
pub use seal::{CliqueSeal, CliqueSealError};
pub use storage::{
    CandidateSlot, CliqueParts, CliquePartsRef, CliqueSlots, CliqueStorage, RecentSlot, SignerSlot,
};
pub use voting::{Clique, Signers};
