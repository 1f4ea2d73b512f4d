//! The guard before a signature (EIP-3076): what one key has signed, so that it never contradicts itself.

mod complete;
mod error;
mod minimal;

pub use complete::{CompleteGuard, Permit, RecordSlot, SignedAttestations, SignedBlocks};
pub use error::GuardError;
pub use minimal::MinimalGuard;
