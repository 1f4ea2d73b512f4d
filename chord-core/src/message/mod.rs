//! The messages, one per datagram.

mod codec;
mod kinds;

pub use kinds::Message;
pub(crate) use kinds::{AMPLIFICATION, AVOIDED, WAY_BACK};
