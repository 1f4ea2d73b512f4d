//! A guide to running sums: the first place at which each of equally wide ranges of coins can lie.
//!
//! There is one range for every four sums, so that a draw reads one entry of the guide and, on average over all coins, at
//! most the next five sums (Chen and Asau, "On generating random variates from an empirical distribution", 1974). Halving ends
//! it, so that no distribution costs more than O(log n).

use core::hint::select_unpredictable;

use super::ticket::widening_mul;

/// Sums for one word of the guide, which holds two entries.
pub(crate) const SHARE: usize = 8;
/// Sums that are compared at once: as many as a cache line has.
const LINE: usize = 8;

/// How the coins are divided into ranges. The entries are in words of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guide {
    /// Leading zeros of the total.
    zeros: u32,
    /// 2^64 times the number of ranges, by the total without its leading zeros.
    multiplier: u64,
}

impl Guide {
    pub(crate) const EMPTY: Self = Self { zeros: 0, multiplier: 0 };

    /// Builds the guide for these sums, which ascend. Costs O(n).
    pub(crate) fn build(index: &mut [u64], sums: &[u64]) -> Self {
        let words = words_of(sums.len());
        if let Some(unused) = index.get_mut(words) {
            *unused = 0; // one validator was removed
        }
        let index = index.get_mut(..words).unwrap_or_default();
        index.fill(0);
        let guide = Self::new(sums.last().copied().unwrap_or(0), words);
        let mut next = 0; // the first range without an entry
        for (at, sum) in sums.iter().enumerate() {
            let last = guide.range(sum.saturating_sub(1)); // of the last coin of this validator
            while next <= last {
                set_entry(index, next, at);
                next = next.saturating_add(1);
            }
        }
        guide
    }

    fn new(total: u64, words: usize) -> Self {
        let zeros = total.leading_zeros();
        let ranges = u128::try_from(words).unwrap_or(0).saturating_mul(2);
        let greatest = u128::from(total.checked_shl(zeros).unwrap_or(0));
        let multiplier = (ranges << 64).checked_div(greatest).unwrap_or(0);
        Self { zeros, multiplier: u64::try_from(multiplier).unwrap_or(0) }
    }

    /// Returns the position of the first sum that is greater than `coin`, or `None` if there is none.
    pub(crate) fn position(self, index: &[u64], sums: &[u64], coin: u64) -> Option<usize> {
        if coin >= *sums.last()? {
            return None; // the guide does not cover it
        }
        let range = self.range(coin);
        let first = entry(index, range).unwrap_or(0);
        let rest = sums.get(first..)?;
        if let Some(line) = rest.first_chunk::<LINE>() {
            let [.., last] = line;
            if *last > coin {
                return Some(first.saturating_add(passed_in_line(line, coin)));
            }
        }
        let end = entry(index.get(..words_of(sums.len()))?, range.saturating_add(1));
        let window = end.and_then(|end| sums.get(first..=end)).unwrap_or(rest);
        Some(first.saturating_add(window.partition_point(|sum| *sum <= coin)))
    }

    /// Returns the range of a coin that is below the total.
    fn range(self, coin: u64) -> u64 {
        let (_, range) = widening_mul(coin.checked_shl(self.zeros).unwrap_or(0), self.multiplier);
        range
    }
}

/// Returns the number of sums of a line that are not greater than the coin; the last one is greater. By halves, without
/// branches, since none could be predicted.
fn passed_in_line(line: &[u64; LINE], coin: u64) -> usize {
    let [first, second, third, fourth, fifth, sixth, seventh, _] = *line;
    let is_upper = fourth <= coin;
    let is_late = select_unpredictable(is_upper, sixth, second) <= coin;
    let lower = select_unpredictable(is_late, third, first);
    let upper = select_unpredictable(is_late, seventh, fifth);
    let is_last = select_unpredictable(is_upper, upper, lower) <= coin;
    let passed = usize::from(is_upper).wrapping_mul(4);
    passed.wrapping_add(usize::from(is_late).wrapping_mul(2)).wrapping_add(usize::from(is_last))
}

const fn words_of(sums: usize) -> usize {
    sums.div_ceil(SHARE)
}

/// Returns the position of the first sum that a coin of this range may need, or `None` if the guide does not say.
fn entry(index: &[u64], range: u64) -> Option<usize> {
    let word = index.get(usize::try_from(range / 2).ok()?)?;
    let half = *word >> if range & 1 == 0 { 0 } else { 32 };
    let low = u32::try_from(half & u64::from(u32::MAX)).ok()?;
    if low == u32::MAX { None } else { usize::try_from(low).ok() }
}

fn set_entry(index: &mut [u64], range: u64, at: usize) {
    let entry = u64::from(u32::try_from(at).unwrap_or(u32::MAX));
    let word = usize::try_from(range / 2).ok().and_then(|at| index.get_mut(at));
    if let Some(word) = word {
        *word |= entry << if range & 1 == 0 { 0 } else { 32 };
    }
}
