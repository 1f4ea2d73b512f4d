//! Median time past (BIP 113).

/// How many blocks the median of their times is taken over.
const MEDIAN_SPAN: usize = 11;

/// The times of the last blocks, for their median.
#[derive(Debug, Clone, Copy)]
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
