//! The nonces of a search: each is handed out once, in order, whatever the slices.

use core::ops::RangeInclusive;

use crate::Step;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonces {
    next: u64,
    last: u64,
    exhausted: bool, // a range may end at the greatest nonce, so `next > last` cannot say it
    tried: u64,
}

impl Nonces {
    pub(crate) const fn new(next: u64, last: u64) -> Self {
        Self { next, last, exhausted: next > last, tried: 0 }
    }

    /// Tries up to `hashes` nonces and stops at the first that `counts`.
    pub(crate) fn step(&mut self, hashes: u32, mut counts: impl FnMut(u64) -> bool) -> Step {
        for _ in 0..hashes {
            if self.exhausted {
                return Step::Exhausted;
            }
            let nonce = self.next;
            match nonce.checked_add(1).filter(|next| *next <= self.last) {
                Some(next) => self.next = next,
                None => self.exhausted = true,
            }
            self.tried = self.tried.saturating_add(1);
            if counts(nonce) {
                return Step::Found(nonce);
            }
        }
        if self.exhausted { Step::Exhausted } else { Step::Working }
    }

    pub(crate) fn remaining(&self) -> Option<RangeInclusive<u64>> {
        (!self.exhausted).then_some(self.next..=self.last)
    }

    pub(crate) const fn tried(&self) -> u64 {
        self.tried
    }
}
