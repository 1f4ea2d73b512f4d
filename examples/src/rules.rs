//! The error of chains that mix work with stake or authority.

use core::fmt;

use consensus::SealError;
use pow::WorkError;

/// Why a block does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleError {
    /// By the rules of work.
    Work(WorkError),
    /// By those of stake or authority.
    Seal(SealError),
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work(error) => error.fmt(f),
            Self::Seal(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RuleError {}
