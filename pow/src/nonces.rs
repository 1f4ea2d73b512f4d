//! The nonces of a search: each is tried once, in order, for any slices.

use core::ops::RangeInclusive;

use crate::invariant::invariant;

/// Result of one slice of a search.
#[expect(clippy::exhaustive_enums, reason = "a slice ends in one of these ways")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// This nonce meets the target. Further steps look for the next one.
    Found(u64),
    /// All nonces of the range were tried. The message has to change for more.
    Exhausted,
    /// The slice is used up; nonces remain.
    Working,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonces {
    next: u64,
    last: u64,
    stride: u64,
    exhausted: bool, // a range may end at u64::MAX, where `next > last` cannot occur
    tried: u64,
}

impl Nonces {
    pub(crate) const fn new(next: u64, last: u64) -> Self {
        Self { next, last, stride: 1, exhausted: next > last, tried: 0 }
    }

    /// Tries only every `stride`-th nonce.
    pub(crate) const fn with_stride(self, stride: u64) -> Self {
        Self { stride, ..self }
    }

    /// Continues with other nonces. The count of those tried and the stride stay.
    pub(crate) fn restart(&mut self, next: u64, last: u64) {
        *self = Self { next, last, exhausted: next > last, ..*self };
    }

    /// Tries up to `hashes` nonces and stops at the first one for which `meets_target` is true.
    pub(crate) fn step(&mut self, hashes: u32, mut meets_target: impl FnMut(u64) -> bool) -> Step {
        for _ in 0..hashes {
            if self.exhausted {
                return Step::Exhausted;
            }
            let nonce = self.next;
            self.advance(nonce.checked_add(self.stride), 1);
            if meets_target(nonce) {
                return Step::Found(nonce);
            }
        }
        if self.exhausted { Step::Exhausted } else { Step::Working }
    }

    /// Returns the distance from the next nonce to the last of `count`, if that many remain.
    pub(crate) fn reach(&self, count: u32) -> Option<u64> {
        let reach = self.stride.checked_mul(u64::from(count).saturating_sub(1))?;
        let last = self.next.checked_add(reach)?;
        (!self.exhausted && last <= self.last).then_some(reach)
    }

    /// Skips `count` nonces that were tried in a batch. That many must remain.
    pub(crate) fn skip(&mut self, count: u32) {
        invariant!(self.reach(count).is_some(), "fewer than {count} nonces remain");
        let count = u64::from(count);
        let next = self.stride.checked_mul(count).and_then(|by| self.next.checked_add(by));
        self.advance(next, count);
    }

    /// Continues at `next` unless it is beyond the range, after `tried` more nonces were tried.
    fn advance(&mut self, next: Option<u64>, tried: u64) {
        match next.filter(|next| *next <= self.last) {
            Some(next) => self.next = next,
            None => self.exhausted = true,
        }
        self.tried = self.tried.saturating_add(tried);
    }

    /// Ends the search.
    pub(crate) fn cancel(&mut self) {
        self.exhausted = true;
    }

    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    pub(crate) const fn stride(&self) -> u64 {
        self.stride
    }

    pub(crate) fn remaining(&self) -> Option<RangeInclusive<u64>> {
        (!self.exhausted).then_some(self.next..=self.last)
    }

    pub(crate) const fn tried(&self) -> u64 {
        self.tried
    }
}
