//! The guard before a signature (EIP-3076): what one key has signed, so that it never contradicts itself.

pub(crate) mod complete;
pub(crate) mod error;
pub(crate) mod minimal;
