//! Median time past (BIP 113).

/// How many blocks the median of their times is taken over.
pub(crate) const MEDIAN_SPAN: usize = 11;

/// The times of the last blocks, for their median.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    ring: [u64; MEDIAN_SPAN],
    len: usize,
}

impl Times {
    pub(crate) fn starting_at(time: u64) -> Self {
        let mut times = Self { ring: [0; MEDIAN_SPAN], len: 0 };
        times.push(time);
        times
    }

    /// Returns these times, the newest first; at most eleven.
    pub(crate) fn of(newest_first: &[u64]) -> Self {
        let mut times = Self { ring: [0; MEDIAN_SPAN], len: 0 };
        newest_first.iter().rev().for_each(|time| times.push(*time));
        times
    }

    /// Returns the times before the last one was added, as far as they are known.
    pub(crate) fn before(&self) -> Option<Self> {
        let (_, before) = self.as_slice().split_first()?;
        Some(Self::of(before))
    }

    /// Returns the times, the newest first.
    pub(crate) fn as_slice(&self) -> &[u64] {
        self.ring.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, time: u64) {
        self.ring.rotate_right(1);
        if let Some(first) = self.ring.first_mut() {
            *first = time;
        }
        self.len = self.len.saturating_add(1).min(MEDIAN_SPAN);
    }

    /// The upper median where the number is even (BIP 113).
    pub(crate) fn median(&self) -> u64 {
        let mut sorted = self.ring;
        let Some(known) = sorted.get_mut(..self.len) else { return 0 };
        known.sort_unstable();
        known.get(known.len() / 2).copied().unwrap_or(0)
    }
}
