//! The parts of a file that a source has (PFSP).

use crate::head::Head;
use crate::http::AvailableRanges;

/// More parts than this are not remembered.
const MOST: usize = 8;

/// The parts of a file that a source has, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranges {
    spans: [(u64, u64); MOST], // first and last byte
    count: Option<u8>,         // none: all of it
}

impl Ranges {
    pub(super) const ALL: Self = Self { spans: [(0, 0); MOST], count: None };

    /// Reads the header of a head: without it the source has the whole file.
    pub(super) fn of_head(head: &Head<'_>, size: u64) -> Self {
        if head.header("X-Available-Ranges").is_none() {
            return Self::ALL;
        }
        let last_byte = size.saturating_sub(1);
        let mut ranges = Self { count: Some(0), ..Self::ALL };
        let found = AvailableRanges::of_head(head).filter(|(first, _)| *first <= last_byte);
        for (slot, (first, last)) in ranges.spans.iter_mut().zip(found) {
            *slot = (first, last.min(last_byte));
            ranges.count = ranges.count.map(|count| count.saturating_add(1));
        }
        ranges
    }

    /// Returns whether the source has all bytes from `first` to before `end`.
    pub(super) fn has(&self, first: u64, end: u64) -> bool {
        let Some(count) = self.count else { return true };
        let mut spans = self.spans.iter().take(usize::from(count));
        let last = end.saturating_sub(1);
        spans.any(|(begin, stop)| *begin <= first && last <= *stop)
    }
}
