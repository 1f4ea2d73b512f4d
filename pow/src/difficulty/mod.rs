//! Difficulty rules: which target the next header must claim, given those before it.

mod asert;
mod lwma;
mod recent;
mod retarget;
mod rule;

pub use asert::Asert;
pub use lwma::Lwma;
pub use recent::Recent;
pub use retarget::Retarget;
pub use rule::{Difficulty, DifficultyError, Fixed, HeaderInfo, History};
