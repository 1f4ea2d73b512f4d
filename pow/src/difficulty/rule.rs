//! What all difficulty rules share.

use thiserror::Error;

use crate::compact::{CompactError, CompactTarget};

/// The part of a header in the chain that difficulty rules use.
#[expect(clippy::exhaustive_structs, reason = "the three inputs of every rule")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HeaderInfo {
    /// The number of headers before it.
    pub height: u64,
    /// Its time stamp in seconds. All headers of a chain count from the same epoch.
    pub time: i64,
    /// The target it claims.
    pub bits: CompactTarget,
}

/// Read access to the earlier headers of one chain. A slice of consecutive headers is a history, and so is
/// [`Recent`](super::Recent), which keeps the few that a rule looks up.
pub trait History {
    /// Returns the header at a height, or `None` if it is not kept.
    fn at(&self, height: u64) -> Option<HeaderInfo>;

    /// Returns the latest header at `from` or below for which `wanted` is true, or `None` if it is not kept.
    ///
    /// The provided implementation walks back header by header.
    fn latest(&self, from: u64, wanted: &dyn Fn(&HeaderInfo) -> bool) -> Option<HeaderInfo> {
        let mut height = from;
        loop {
            let header = self.at(height)?;
            if wanted(&header) {
                return Some(header);
            }
            height = height.checked_sub(1)?;
        }
    }
}

/// A rule that decides which target the next header must claim. Rules use integer arithmetic only, so that
/// all machines agree, and neither panic nor overflow for any input.
pub trait Difficulty {
    /// Returns the compact target that the header after `parent`, with this time stamp, must claim.
    ///
    /// # Errors
    ///
    /// [`DifficultyError`] if the history lacks a header or one of the targets is invalid.
    fn required(
        &self,
        parent: &HeaderInfo,
        time: i64,
        history: &dyn History,
    ) -> Result<CompactTarget, DifficultyError>;

    /// Returns whether the rule looks up this header however far back it is: as the first of a period, and as
    /// the header where the [walk back](super::Retarget::minimum_difficulty) ends.
    /// [`Recent`](super::Recent) keeps the latest of either kind. The provided implementation returns
    /// neither.
    fn marks(&self, _header: &HeaderInfo) -> [bool; 2] {
        [false; 2]
    }

    /// Returns the earliest time stamp that the rule allows for the header after `parent`, in addition to
    /// the median of those before it. The provided implementation returns `None`.
    fn earliest_time(&self, _parent: &HeaderInfo) -> Option<i64> {
        None
    }

    /// Returns the number of seconds that a time stamp may be ahead of the clock. The provided
    /// implementation returns Bitcoin's two hours.
    ///
    /// A rule that follows time stamps closely needs less, since headers dated ahead change the next target.
    fn future_limit(&self) -> u64 {
        7200
    }
}

/// The same target for every header.
#[expect(clippy::exhaustive_structs, reason = "its only parameter")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fixed(pub CompactTarget);

/// Why a rule cannot decide which target is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DifficultyError {
    /// The history does not hold this height or, in a walk back from it, the header where the walk ends: the
    /// caller's mistake.
    #[error("the header at height {0} is not in the history")]
    Missing(u64),
    /// A header of the history, or the rule itself, has an invalid target.
    #[error(transparent)]
    Compact(#[from] CompactError),
}

impl HeaderInfo {
    /// An unused slot.
    pub const EMPTY: Self = Self { height: 0, time: 0, bits: CompactTarget(0) };
}

impl Difficulty for Fixed {
    fn required(
        &self,
        _: &HeaderInfo,
        _: i64,
        _: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        Ok(self.0)
    }
}

impl<D: Difficulty + ?Sized> Difficulty for &D {
    fn required(
        &self,
        parent: &HeaderInfo,
        time: i64,
        history: &dyn History,
    ) -> Result<CompactTarget, DifficultyError> {
        D::required(self, parent, time, history)
    }

    fn marks(&self, header: &HeaderInfo) -> [bool; 2] {
        D::marks(self, header)
    }

    fn earliest_time(&self, parent: &HeaderInfo) -> Option<i64> {
        D::earliest_time(self, parent)
    }

    fn future_limit(&self) -> u64 {
        D::future_limit(self)
    }
}

impl History for &[HeaderInfo] {
    /// Looks up a header among consecutive ones, the lowest first.
    fn at(&self, height: u64) -> Option<HeaderInfo> {
        let distance = height.checked_sub(self.first()?.height)?;
        let header = self.get(usize::try_from(distance).ok()?)?;
        (header.height == height).then_some(*header)
    }
}

/// Looks up a header that may be the parent itself, so that a history need not hold it.
pub(super) fn lookup(
    parent: &HeaderInfo,
    height: u64,
    history: &dyn History,
) -> Result<HeaderInfo, DifficultyError> {
    if height == parent.height {
        return Ok(*parent);
    }
    history.at(height).ok_or(DifficultyError::Missing(height))
}
