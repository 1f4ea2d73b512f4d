//! A guide to running sums: the first place at which each of equally wide ranges of coins can lie.
//!
//! The ranges are a power of two wide, so that a shift finds the range of a coin. There are one to two ranges for every
//! eight sums: a draw reads one entry of the guide, and on average the next four to eight sums (Chen and Asau, "On generating
//! random variates from an empirical distribution", 1974). Halving ends it, so that no distribution costs more than
//! O(log n).

/// Sums for one word of the guide, which holds two entries.
pub(crate) const SHARE: usize = 8;
/// Sums that are compared at once: a cache line.
const LINE: usize = 8;

/// Rebuilds the guide for these sums, which ascend. Costs O(n).
pub(crate) fn rebuild(index: &mut [u64], sums: &[u64]) {
    let words = sums.len().div_ceil(SHARE);
    if let Some(unused) = index.get_mut(words) {
        *unused = 0; // one validator was removed
    }
    let Some(index) = index.get_mut(..words) else { return };
    let total = sums.last().copied().unwrap_or(0);
    let shift = shift(total, words);
    let mut at = 0_usize;
    let mut first_coin = 0_u64;
    for word in index {
        let mut entries = [0; 2];
        for entry in &mut entries {
            while sums.get(at).is_some_and(|sum| *sum <= first_coin) {
                at = at.saturating_add(1);
            }
            *entry = u32::try_from(at).unwrap_or(u32::MAX);
            first_coin = first_coin.saturating_add(1_u64.checked_shl(shift).unwrap_or(u64::MAX));
        }
        let [even, odd] = entries;
        *word = u64::from(even) | u64::from(odd) << 32;
    }
}

/// Returns the position of the first sum that is greater than `coin`, or `None` if there is none.
pub(crate) fn position(index: &[u64], sums: &[u64], coin: u64) -> Option<usize> {
    let total = *sums.last()?;
    if coin >= total {
        return None; // the guide does not cover it
    }
    let words = sums.len().div_ceil(SHARE);
    let index = index.get(..words)?;
    let range = coin >> shift(total, words);
    let first = entry(index, range).unwrap_or(0);
    let rest = sums.get(first..)?;
    let Some(line) = rest.first_chunk::<LINE>() else {
        return Some(first.saturating_add(rest.partition_point(|sum| *sum <= coin)));
    };
    let passed = line.iter().map(|sum| usize::from(*sum <= coin)).sum::<usize>();
    if passed < LINE {
        return Some(first.saturating_add(passed));
    }
    let last = entry(index, range.saturating_add(1)).filter(|last| *last >= first);
    let last = last.map_or(sums.len(), |last| last.saturating_add(1)).min(sums.len());
    let window = sums.get(first..last)?;
    Some(first.saturating_add(window.partition_point(|sum| *sum <= coin)))
}

/// Returns the binary logarithm of the width of a range: at most two ranges for each word.
fn shift(total: u64, words: usize) -> u32 {
    let bits = u64::BITS.saturating_sub(total.leading_zeros());
    let ranges = words.checked_ilog2().map_or(0, |log| log.saturating_add(1));
    bits.saturating_sub(ranges)
}

/// Returns the position of the first sum that a coin of this range may need, or `None` if the guide does not say.
fn entry(index: &[u64], range: u64) -> Option<usize> {
    let word = index.get(usize::try_from(range / 2).ok()?)?;
    let half = if range & 1 == 0 { *word } else { *word >> 32 };
    let low = u32::try_from(half & u64::from(u32::MAX)).ok()?;
    (low < u32::MAX).then_some(usize::try_from(low).ok()?)
}
