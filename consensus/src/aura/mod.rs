//! Aura (authority round): one authority for each step of time.

mod credits;
mod finality;
#[cfg(feature = "ledger")]
mod seal;
mod step;

pub use credits::CreditSlot;
pub use finality::{FinalityError, FinalizedBlocks, RollingFinality};
#[cfg(feature = "ledger")]
pub use seal::{AuraSeal, AuraSealError};
pub use step::{difficulty, step_of};
