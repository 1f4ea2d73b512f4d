//! Difficulty rules: which target the next header must claim, given those before it.

mod asert;
mod lwma;
mod recent;
mod retarget;

use thiserror::Error;

use crate::{CompactError, CompactTarget};

pub use asert::Asert;
pub use lwma::Lwma;
pub use recent::Recent;
pub use retarget::Retarget;

/// What a rule wants to know of a header that is already in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Past {
    /// The number of headers before it.
    pub height: u64,
    /// Its time stamp in seconds, of any epoch as long as it is the same one.
    pub time: i64,
    /// The target it claims.
    pub bits: CompactTarget,
}

/// Read access to the headers of one chain. Whoever keeps them all answers from a table; a slice of
/// consecutive headers is a history too, and so is [`Recent`], which keeps a few.
pub trait History {
    /// Returns the header at a height, or `None` if it is not kept.
    fn at(&self, height: u64) -> Option<Past>;

    /// Returns the latest header at `from` or below that is `wanted`, or `None` if that is not kept.
    ///
    /// It asks for one header after the other unless it is overridden by who remembers the answer.
    fn latest(&self, from: u64, wanted: &dyn Fn(&Past) -> bool) -> Option<Past> {
        let mut height = from;
        loop {
            let past = self.at(height)?;
            if wanted(&past) {
                return Some(past);
            }
            height = height.checked_sub(1)?;
        }
    }
}

/// A rule that says which target the next header must claim. Integer arithmetic only, so that all machines
/// agree; no panic and no overflow for any numbers.
pub trait Difficulty {
    /// Returns the compact target that the header after `parent`, with this time stamp, must claim.
    ///
    /// # Errors
    ///
    /// [`DifficultyError`] if the history lacks a header or one of the targets is none.
    fn required(
        &self,
        parent: &Past,
        time: i64,
        history: &dyn History,
    ) -> Result<CompactTarget, DifficultyError>;

    /// Returns which headers a rule looks up however far back they are: whether this one is the first of a
    /// period, and whether it is [what the walk back stops at](Retarget::minimum_difficulty). [`Recent`]
    /// keeps the latest of either kind. Neither, unless overridden.
    fn marks(&self, _past: &Past) -> [bool; 2] {
        [false; 2]
    }

    /// Returns the earliest time stamp that the header after `parent` may have, apart from the median of
    /// those before it. None, unless overridden.
    fn earliest_time(&self, _parent: &Past) -> Option<i64> {
        None
    }
}

/// One target for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fixed(pub CompactTarget);

/// Why a rule cannot say what is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DifficultyError {
    /// The history does not hold this height or, in a walk back from it, does not hold where the walk ends:
    /// the caller's mistake.
    #[error("no header of height {0} is kept")]
    Missing(u64),
    /// A header of the history, or the rule itself, has a target that is none.
    #[error(transparent)]
    Compact(#[from] CompactError),
}

impl Past {
    /// What an unused slot holds.
    pub const EMPTY: Self = Self { height: 0, time: 0, bits: CompactTarget(0) };
}

impl Difficulty for Fixed {
    fn required(
        &self,
        _: &Past,
        _: i64,
        _: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        Ok(self.0)
    }
}

impl<D: Difficulty + ?Sized> Difficulty for &D {
    fn required(
        &self,
        parent: &Past,
        time: i64,
        history: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        D::required(self, parent, time, history)
    }

    fn marks(&self, past: &Past) -> [bool; 2] {
        D::marks(self, past)
    }

    fn earliest_time(&self, parent: &Past) -> Option<i64> {
        D::earliest_time(self, parent)
    }
}

impl History for &[Past] {
    /// Looks up in headers of consecutive heights, the lowest first.
    fn at(&self, height: u64) -> Option<Past> {
        let distance = height.checked_sub(self.first()?.height)?;
        let past = self.get(usize::try_from(distance).ok()?)?;
        (past.height == height).then_some(*past)
    }
}

/// Looks up a header that may be the parent itself, so that a history need not hold it.
fn lookup(parent: &Past, height: u64, history: &dyn History) -> Result<Past, DifficultyError> {
    if height == parent.height {
        return Ok(*parent);
    }
    history.at(height).ok_or(DifficultyError::Missing(height))
}
