//! A chain of headers, checked one by one in bounded memory.

use thiserror::Error;

use crate::compact::{CompactError, CompactTarget};
use crate::difficulty::{Difficulty, DifficultyError, HeaderInfo, Recent};
use crate::header::{Header, HeaderId};
use crate::kernel::headers::GROUP;
use crate::kernel::{BATCHES, Kernel};
use crate::target::Target;
use crate::work::Work;

/// The number of time stamps whose median counts (BIP 113).
const WINDOW: usize = 11;

/// The median of the time stamps of a header and its ten ancestors (BIP 113). `Default` is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MedianTime {
    times: [u32; WINDOW], // the latest first
    len: usize,
}

/// Checks a chain of Bitcoin headers one by one in bounded memory.
///
/// It keeps the last header, eleven time stamps, the total work, and the headers that the difficulty rule
/// looks up ([`Recent`] lists the slots that each rule needs).
///
/// It follows one branch. If rule and slots are `Copy`, so is the chain: to follow two branches, keep a copy
/// from before the fork, and switch when the other branch has more [`work`](Self::work).
///
/// ```
/// use pow::{Header, HeaderChain, HeaderError, Retarget};
///
/// // A private test network: every second hash meets the target.
/// let genesis = Header { bits: Retarget::REGTEST.limit, ..Header::default() };
/// let mut chain = HeaderChain::new(Retarget::REGTEST, &genesis, [])?;
/// let next = Header { previous: chain.tip(), time: 1, ..genesis };
/// let mined = (0..99).map(|nonce| Header { nonce, ..next }).find(Header::has_valid_work).unwrap();
/// let unix_seconds = 1; // the caller's clock
/// chain.append(unix_seconds, &mined)?;
/// assert_eq!(chain.tip_info().height, 1);
/// assert_eq!(chain.append(unix_seconds, &mined), Err(HeaderError::Unlinked(mined.previous)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderChain<D, S> {
    rule: D,
    tip: HeaderId,
    tip_info: HeaderInfo,
    // The target and the work of a header with `tip_info.bits`: most headers claim what their parent claimed.
    target: Target,
    target_work: Work,
    work: Work,
    times: MedianTime,
    recent: Recent<S>,
}

/// Why a header is refused: the sender's fault, except for [`Difficulty`](Self::Difficulty).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HeaderError {
    /// It does not follow the last header.
    #[error("header follows {0}, which is not the tip")]
    Unlinked(HeaderId),
    /// It claims another target than the rule requires.
    #[error("wrong target {found}, expected {expected}")]
    WrongTarget {
        /// The target that the rule requires.
        expected: CompactTarget,
        /// The target that the header claims.
        found: CompactTarget,
    },
    /// Its time stamp is not after the median of the last eleven, or too far before its parent (BIP 94).
    #[error("time stamp {time} is before {earliest}")]
    TooEarly {
        /// The time stamp in Unix seconds.
        time: u32,
        /// The earliest that is allowed.
        earliest: i64,
    },
    /// Its time stamp is too far ahead of the clock. It may be valid later.
    #[error("time stamp {time} is after {latest}")]
    TooLate {
        /// The time stamp in Unix seconds.
        time: u32,
        /// The latest that is allowed now.
        latest: u64,
    },
    /// Its hash exceeds the target.
    #[error("hash {0} exceeds the target")]
    NotEnoughWork(HeaderId),
    /// The rule cannot decide which target is required.
    #[error(transparent)]
    Difficulty(#[from] DifficultyError),
}

/// Why [`HeaderChain::append_all`] stopped.
#[expect(clippy::exhaustive_structs, reason = "where and why")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("header {appended} of the batch: {error}")]
pub struct BatchError {
    /// The number of headers that were appended: the index of the refused one.
    pub appended: usize,
    /// Why that one is refused.
    pub error: HeaderError,
}

/// No time stamp is valid yet: the latest headers are dated ahead of the clock.
#[expect(clippy::exhaustive_structs, reason = "one fact")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("no time stamp is valid before {valid_from}")]
pub struct NotYet {
    /// The time of the clock from which on one is valid, in Unix seconds. `u64::MAX` if 32 bits cannot hold
    /// a valid one.
    pub valid_from: u64,
}

impl<D: Difficulty, S: AsRef<[HeaderInfo]> + AsMut<[HeaderInfo]>> HeaderChain<D, S> {
    /// Starts at the first header of a chain, which is trusted.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if its target is invalid.
    pub fn new(rule: D, genesis: &Header, slots: S) -> Result<Self, CompactError> {
        Self::from_checkpoint(rule, 0, Work::ZERO, genesis, slots)
    }

    /// Starts at a trusted header, with its height and the work of all headers before it.
    ///
    /// For [`Retarget`](crate::Retarget) it must be the first of a period, or the first header of the next
    /// period cannot be checked. The median time is checked from the eleventh header on.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if its target is invalid.
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
            tip_info: HeaderInfo::EMPTY,
            target,
            target_work: target.work(),
            work: work_before,
            times: MedianTime::default(),
            recent: Recent::new(slots),
        };
        chain.extend(height, header, header.id());
        Ok(chain)
    }

    /// Checks the link, target, time stamp and work of the next header, and appends it. `now` is the clock in
    /// Unix seconds; `u64::MAX` turns the check against the clock off.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if the header is refused. The chain is unchanged.
    pub fn append(&mut self, now: u64, header: &Header) -> Result<HeaderId, HeaderError> {
        self.append_with(now, header, || header.id())
    }

    /// Checks and appends encoded headers, as a `headers` message lists them, until one is refused. The
    /// result is that of [`append`](Self::append) for one after the other, but many are hashed at once where
    /// that is faster.
    ///
    /// # Errors
    ///
    /// [`BatchError`] if a header is refused. Those before it are appended, the others are not looked at.
    pub fn append_all<'h>(
        &mut self,
        now: u64,
        headers: impl IntoIterator<Item = &'h [u8; Header::LEN]>,
    ) -> Result<(), BatchError> {
        let mut headers = headers.into_iter();
        let mut appended = 0_usize;
        if !BATCHES {
            // A group would only take room on the stack.
            for header in headers {
                self.append_with(now, &Header::from_bytes(header), || HeaderId::of(header))
                    .map_err(|error| BatchError { appended, error })?;
                appended = appended.saturating_add(1);
            }
            return Ok(());
        }
        loop {
            let mut group = [[0; Header::LEN]; GROUP];
            let mut len = 0_usize;
            for (slot, header) in group.iter_mut().zip(&mut headers) {
                *slot = *header;
                len = len.saturating_add(1);
            }
            let mut ids = [[0; 32]; GROUP];
            let many = len == GROUP;
            if many {
                Kernel::best().header_ids(&group, &mut ids);
            }
            for (bytes, id) in group.iter().zip(&ids).take(len) {
                let header = Header::from_bytes(bytes);
                let id = || if many { HeaderId(*id) } else { HeaderId::of(bytes) };
                self.append_with(now, &header, id)
                    .map_err(|error| BatchError { appended, error })?;
                appended = appended.saturating_add(1);
            }
            if len < GROUP {
                return Ok(());
            }
        }
    }

    fn append_with(
        &mut self,
        now: u64,
        header: &Header,
        id: impl FnOnce() -> HeaderId,
    ) -> Result<HeaderId, HeaderError> {
        if header.previous != self.tip {
            return Err(HeaderError::Unlinked(header.previous));
        }
        let expected = self.required(header.time)?;
        let found = header.bits;
        if expected != found {
            return Err(HeaderError::WrongTarget { expected, found });
        }
        let same = expected == self.tip_info.bits;
        let target = if same {
            self.target
        } else {
            expected.to_target().map_err(DifficultyError::Compact)?
        };
        self.check_time(now, header.time)?;
        let id = id();
        if !id.meets(target) {
            return Err(HeaderError::NotEnoughWork(id));
        }
        if !same {
            self.target = target;
            self.target_work = target.work();
        }
        self.extend(self.tip_info.height.saturating_add(1), header, id);
        Ok(id)
    }

    /// Returns the target that the next header must claim if it has this time stamp.
    ///
    /// # Errors
    ///
    /// [`DifficultyError`] if the rule cannot decide.
    pub fn required(&self, time: u32) -> Result<CompactTarget, DifficultyError> {
        self.rule.required(&self.tip_info, i64::from(time), &self.recent)
    }

    /// Returns the id of the last header.
    #[must_use]
    pub const fn tip(&self) -> HeaderId {
        self.tip
    }

    /// Returns height, time stamp and target of the last header.
    #[must_use]
    pub const fn tip_info(&self) -> HeaderInfo {
        self.tip_info
    }

    /// Returns the work of all headers. The valid chain is the one with the most work; of equals, the one seen
    /// first.
    #[must_use]
    pub const fn work(&self) -> Work {
        self.work
    }

    /// Returns the median time of the last header, in Unix seconds, if its ten ancestors are known.
    #[must_use]
    pub fn median_time(&self) -> Option<u32> {
        self.times.median().filter(|_| self.knows_median())
    }

    fn knows_median(&self) -> bool {
        self.times.len == WINDOW
            || u64::try_from(self.times.len).is_ok_and(|len| len > self.tip_info.height)
    }

    /// Returns a time stamp for the next header that [`append`](Self::append) accepts: that of the clock, or
    /// the earliest after it. `now` is the clock in Unix seconds.
    ///
    /// # Errors
    ///
    /// [`NotYet`] if every time stamp is too early or too far ahead of the clock.
    pub fn next_time(&self, now: u64) -> Result<u32, NotYet> {
        let earliest = self.earliest_time().and_then(|time| u64::try_from(time).ok()).unwrap_or(0);
        let valid_from = earliest.saturating_sub(self.rule.future_limit());
        let time = u32::try_from(now.max(earliest)).map_err(|_| NotYet { valid_from: u64::MAX })?;
        if now < valid_from { Err(NotYet { valid_from }) } else { Ok(time) }
    }

    fn earliest_time(&self) -> Option<i64> {
        let after_median = self.median_time().map(|median| i64::from(median).saturating_add(1));
        after_median.max(self.rule.earliest_time(&self.tip_info))
    }

    fn check_time(&self, now: u64, time: u32) -> Result<(), HeaderError> {
        if !self.is_late_enough(time) {
            let earliest = self.earliest_time().unwrap_or(i64::MIN);
            return Err(HeaderError::TooEarly { time, earliest });
        }
        let latest = now.saturating_add(self.rule.future_limit());
        if u64::from(time) > latest {
            return Err(HeaderError::TooLate { time, latest });
        }
        Ok(())
    }

    /// Returns whether a time stamp is not before [`earliest_time`](Self::earliest_time), without sorting.
    fn is_late_enough(&self, time: u32) -> bool {
        let by_rule = self.rule.earliest_time(&self.tip_info);
        let by_median = !self.knows_median() || self.times.is_before(time);
        by_median && by_rule.is_none_or(|earliest| i64::from(time) >= earliest)
    }

    fn extend(&mut self, height: u64, header: &Header, id: HeaderId) {
        self.tip_info = HeaderInfo { height, time: i64::from(header.time), bits: header.bits };
        self.tip = id;
        self.work = self.work.saturating_add(self.target_work);
        self.times.push(header.time);
        self.recent.push(&self.rule, self.tip_info);
    }
}

impl<D, S> HeaderChain<D, S> {
    /// Returns the rule and the slots.
    pub fn into_parts(self) -> (D, S)
    where
        S: AsRef<[HeaderInfo]> + AsMut<[HeaderInfo]>,
    {
        (self.rule, self.recent.into_storage())
    }
}

impl MedianTime {
    /// Adds the time stamp of the next header, in Unix seconds, and removes the twelfth.
    pub fn push(&mut self, time: u32) {
        self.times.rotate_right(1);
        let [latest, ..] = &mut self.times;
        *latest = time;
        self.len = self.len.saturating_add(1).min(WINDOW);
    }

    /// Returns the median, of an even number of time stamps the upper one, or `None` if there are none.
    #[must_use]
    pub fn median(&self) -> Option<u32> {
        let mut sorted = self.times;
        let known = sorted.get_mut(..self.len)?;
        known.sort_unstable();
        known.get(self.len >> 1).copied()
    }

    /// Returns whether the median is before `time`: more than half of the time stamps are.
    fn is_before(&self, time: u32) -> bool {
        let known = self.times.iter().take(self.len);
        let before = known.filter(|known| **known < time).count();
        before > self.len >> 1
    }
}
