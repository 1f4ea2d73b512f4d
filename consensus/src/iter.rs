//! Iterators over the tables at the root of the crate.

pub use crate::authority::AuthorityIds;
pub use crate::set::validators::Validators;
pub use crate::vote::detector::Statements;
pub use crate::vote::offence::SkippedTurns;
