//! A chain of headers, checked one by one in bounded memory.

use thiserror::Error;

use crate::{
    CompactError, CompactTarget, Difficulty, DifficultyError, Header, HeaderId, Past, Recent,
    Target, Work,
};

const WINDOW: usize = 11; // time stamps of which the median counts
const FUTURE: u64 = 7200; // seconds that a time stamp may be ahead of the clock

/// The median of the time stamps of a header and its ten ancestors (BIP 113). `Default` has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MedianTime {
    times: [u32; WINDOW], // the latest first
    len: usize,
}

/// Follows a chain of Bitcoin's headers, of which it keeps the last one, eleven time stamps, the work of all,
/// and what the difficulty rule looks up (see [`Recent`] for how many slots that takes).
///
/// It holds one branch. Where rule and slots are `Copy` so is the chain: to follow two branches keep a copy
/// from before the fork, and change over when the other one has more [`work`](Self::work).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderChain<D, S> {
    rule: D,
    tip: HeaderId,
    past: Past, // the tip
    work: Work,
    times: MedianTime,
    recent: Recent<S>,
}

/// Why a header is refused: the fault of whoever sent it, but for [`Difficulty`](Self::Difficulty).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// It does not follow the last header.
    #[error("a header after {0}, which is not the last one")]
    Unlinked(HeaderId),
    /// It claims another target than the rule requires.
    #[error("target {found}, where {expected} is required")]
    WrongTarget {
        /// What the rule requires.
        expected: CompactTarget,
        /// What the header claims.
        found: CompactTarget,
    },
    /// Its time stamp is not after the median of the last eleven, or too far before its parent (BIP 94).
    #[error("time stamp {time}, where {earliest} is the earliest")]
    TooEarly {
        /// The time stamp in Unix seconds.
        time: u32,
        /// The earliest that is allowed.
        earliest: i64,
    },
    /// Its time stamp is more than two hours ahead of the clock; it may be legal later.
    #[error("time stamp {time}, where {latest} is the latest")]
    TooLate {
        /// The time stamp in Unix seconds.
        time: u32,
        /// The latest that is allowed now.
        latest: u64,
    },
    /// Its hash exceeds the target.
    #[error("hash {0} exceeds the target")]
    NotEnoughWork(HeaderId),
    /// The rule cannot say what is required.
    #[error(transparent)]
    Difficulty(#[from] DifficultyError),
}

impl<D: Difficulty, S: AsRef<[Past]> + AsMut<[Past]>> HeaderChain<D, S> {
    /// Begins at the first header of a chain, which is trusted.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if its target is none.
    pub fn new(rule: D, genesis: &Header, slots: S) -> Result<Self, CompactError> {
        Self::from_checkpoint(rule, 0, Work::ZERO, genesis, slots)
    }

    /// Begins at a header that is trusted, with its height and the work of all headers before it. For
    /// [`Retarget`](crate::Retarget) it must be the first of a period, or the first of the next one cannot
    /// be checked. The median of time stamps counts from the eleventh header on.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if its target is none.
    pub fn from_checkpoint(
        rule: D,
        height: u64,
        work_before: Work,
        header: &Header,
        slots: S,
    ) -> Result<Self, CompactError> {
        let target = header.bits.to_target()?;
        let mut chain = Self {
            rule,
            tip: HeaderId::default(),
            past: Past::EMPTY,
            work: work_before,
            times: MedianTime::default(),
            recent: Recent::new(slots),
        };
        chain.extend(height, header, header.id(), target);
        Ok(chain)
    }

    /// Checks the next header and appends it: its link, the target it must claim, its time stamp, its work.
    /// `now` is the clock in Unix seconds; who has none gives `u64::MAX`.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if it is refused; nothing changed.
    pub fn append(&mut self, now: u64, header: &Header) -> Result<HeaderId, HeaderError> {
        if header.previous != self.tip {
            return Err(HeaderError::Unlinked(header.previous));
        }
        let time = i64::from(header.time);
        let (expected, found) = (self.rule.required(&self.past, time, &self.recent)?, header.bits);
        if expected != found {
            return Err(HeaderError::WrongTarget { expected, found });
        }
        let target = expected.to_target().map_err(DifficultyError::Compact)?;
        self.check_time(now, header.time)?;
        let id = header.id();
        if !id.meets(target) {
            return Err(HeaderError::NotEnoughWork(id));
        }
        self.extend(self.past.height.saturating_add(1), header, id, target);
        Ok(id)
    }

    /// Returns the name of the last header.
    #[must_use]
    pub const fn tip(&self) -> HeaderId {
        self.tip
    }

    /// Returns height, time stamp and target of the last header.
    #[must_use]
    pub const fn past(&self) -> Past {
        self.past
    }

    /// Returns the work of all headers, the last one included. The chain with the most counts; of equals the
    /// one seen first.
    #[must_use]
    pub const fn work(&self) -> Work {
        self.work
    }

    /// Returns the median time of the last header, in Unix seconds, if its ten ancestors are known.
    #[must_use]
    pub fn median_time(&self) -> Option<u32> {
        let complete = self.times.len == WINDOW
            || u64::try_from(self.times.len).is_ok_and(|len| len > self.past.height);
        self.times.median().filter(|_| complete)
    }

    fn check_time(&self, now: u64, time: u32) -> Result<(), HeaderError> {
        let after_median = self.median_time().map(|median| i64::from(median).saturating_add(1));
        let earliest = after_median.max(self.rule.earliest_time(&self.past));
        if let Some(earliest) = earliest.filter(|earliest| i64::from(time) < *earliest) {
            return Err(HeaderError::TooEarly { time, earliest });
        }
        let latest = now.saturating_add(FUTURE);
        if u64::from(time) > latest {
            return Err(HeaderError::TooLate { time, latest });
        }
        Ok(())
    }

    fn extend(&mut self, height: u64, header: &Header, id: HeaderId, target: Target) {
        self.past = Past { height, time: i64::from(header.time), bits: header.bits };
        self.tip = id;
        self.work = self.work.saturating_add(target.work());
        self.times.push(header.time);
        self.recent.push(&self.rule, self.past);
    }
}

impl MedianTime {
    /// Adds the time stamp of the next header, in Unix seconds, and forgets the twelfth.
    pub fn push(&mut self, time: u32) {
        self.times.rotate_right(1);
        let [latest, ..] = &mut self.times;
        *latest = time;
        self.len = self.len.saturating_add(1).min(WINDOW);
    }

    /// Returns the median, the upper one of an even number of time stamps, or `None` if there are none.
    #[must_use]
    pub fn median(&self) -> Option<u32> {
        let mut sorted = self.times;
        let known = sorted.get_mut(..self.len)?;
        known.sort_unstable();
        known.get(self.len >> 1).copied()
    }
}
