//! The nonces of a search: each is handed out once, in order, whatever the slices.

use core::ops::RangeInclusive;

use crate::Step;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonces {
    next: u64,
    last: u64,
    stride: u64,
    exhausted: bool, // a range may end at the greatest nonce, so `next > last` cannot say it
    tried: u64,
}

impl Nonces {
    pub(crate) const fn new(next: u64, last: u64) -> Self {
        Self { next, last, stride: 1, exhausted: next > last, tried: 0 }
    }

    /// Hands out only every `stride`-th nonce.
    pub(crate) const fn with_stride(self, stride: u64) -> Self {
        Self { stride, ..self }
    }

    /// Goes on with other nonces; the count of those tried and the stride stay.
    pub(crate) fn turn_to(&mut self, next: u64, last: u64) {
        *self = Self { next, last, exhausted: next > last, ..*self };
    }

    /// Tries up to `hashes` nonces and stops at the first that `counts`.
    pub(crate) fn step(&mut self, hashes: u32, mut counts: impl FnMut(u64) -> bool) -> Step {
        for _ in 0..hashes {
            if self.exhausted {
                return Step::Exhausted;
            }
            let nonce = self.next;
            self.move_on(nonce.checked_add(self.stride), 1);
            if counts(nonce) {
                return Step::Found(nonce);
            }
        }
        if self.exhausted { Step::Exhausted } else { Step::Working }
    }

    /// Returns how far from the next nonce the last of `count` is, if there are as many.
    pub(crate) fn reach(&self, count: u32) -> Option<u64> {
        let reach = self.stride.checked_mul(u64::from(count).saturating_sub(1))?;
        let last = self.next.checked_add(reach)?;
        (!self.exhausted && last <= self.last).then_some(reach)
    }

    /// Leaves out as many nonces, which were tried otherwise. There must be as many.
    pub(crate) fn pass(&mut self, count: u32) {
        let count = u64::from(count);
        let next = self.stride.checked_mul(count).and_then(|by| self.next.checked_add(by));
        self.move_on(next, count);
    }

    /// Goes on at `next`, unless it is beyond the range, after as many more were tried.
    fn move_on(&mut self, next: Option<u64>, tried: u64) {
        match next.filter(|next| *next <= self.last) {
            Some(next) => self.next = next,
            None => self.exhausted = true,
        }
        self.tried = self.tried.saturating_add(tried);
    }

    /// Hands out no more.
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
