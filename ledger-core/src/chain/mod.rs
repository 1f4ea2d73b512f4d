//! The easy chain, without branches.

mod storage;
mod table;

#[cfg(feature = "alloc")]
pub use storage::ChainVec;
pub(crate) use storage::{ChainParts, check_capacity};
pub use storage::{ChainSlots, ChainStorage};
pub use table::Chain;
