//! One bit of a keyed hash for each header, or for some, in constant memory.

use crate::hash::{BlockId, Hash};

const WORDS: usize = 64;
const BITS: u64 = 64 * 64;

/// The bits of the headers after a height. When all bits are used, every second one is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Commitments {
    seed: u64,
    start: u64,    // the height before the first header
    count: u64,    // headers
    interval: u64, // headers a bit
    words: [u64; WORDS],
}

impl Commitments {
    pub(super) fn new(seed: u64, start: u64) -> Self {
        Self { seed, start, count: 0, interval: 1, words: [0; WORDS] }
    }

    /// Returns the height of the last header.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.count)
    }

    /// Returns whether there may be a bit for this height.
    pub(super) fn covers(&self, height: u64) -> bool {
        height > self.start && height <= self.end()
    }

    /// Remembers a bit of the next header.
    pub(super) fn push(&mut self, id: &BlockId) {
        if self.place(self.count) == Some(BITS) {
            self.forget_half();
        }
        if let Some(place) = self.place(self.count) {
            let bit = self.bit_of(id);
            self.set(place, bit);
        }
        self.count = self.count.saturating_add(1);
    }

    /// Returns whether a header may be the one that was weighed at this height.
    pub(super) fn allows(&self, height: u64, id: &BlockId) -> bool {
        if !self.covers(height) {
            return true;
        }
        let index = height.saturating_sub(self.start).saturating_sub(1);
        self.place(index).is_none_or(|place| self.get(place) == self.bit_of(id))
    }

    /// Returns the place of the bit for the header with this number, if it has one.
    fn place(&self, index: u64) -> Option<u64> {
        let rest = index.checked_rem(self.interval)?;
        if rest == 0 { index.checked_div(self.interval) } else { None }
    }

    fn forget_half(&mut self) {
        for place in 0..BITS / 2 {
            let bit = self.get(place.saturating_mul(2));
            self.set(place, bit);
        }
        self.interval = self.interval.saturating_mul(2);
    }

    fn get(&self, place: u64) -> bool {
        let word = usize::try_from(place / 64).ok().and_then(|at| self.words.get(at));
        word.is_some_and(|word| word.wrapping_shr(shift(place)) & 1 == 1)
    }

    fn set(&mut self, place: u64, bit: bool) {
        let word = usize::try_from(place / 64).ok().and_then(|at| self.words.get_mut(at));
        if let Some(word) = word {
            let mask = 1_u64.wrapping_shl(shift(place));
            *word = if bit { *word | mask } else { *word & !mask };
        }
    }

    fn bit_of(&self, id: &BlockId) -> bool {
        let hash = Hash::of_parts(&[&self.seed.to_be_bytes(), id.as_bytes()]);
        hash.as_bytes().first().is_some_and(|byte| byte & 1 == 1)
    }
}

fn shift(place: u64) -> u32 {
    u32::try_from(place % 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{BITS, Commitments};
    use crate::hash::BlockId;

    fn id(n: u64) -> BlockId {
        let mut bytes = [0; 32];
        for (byte, value) in bytes.iter_mut().zip(n.to_be_bytes()) {
            *byte = value;
        }
        BlockId::from_bytes(bytes)
    }

    /// A bit names every header, then every second one, then every fourth: that header is always allowed, and another one at
    /// its height in half of the cases.
    #[test]
    fn half_of_the_headers_that_were_not_weighed_are_refused() {
        const START: u64 = 100;
        const OTHERS: u64 = 1 << 32;
        let mut bits = Commitments::new(7, START);
        let mut count = 0;
        for (total, interval) in [
            (1, 1),
            (10, 1),
            (BITS, 1),
            (BITS + 1, 2),
            (BITS * 2, 2),
            (BITS * 2 + 1, 4),
            (12_000, 4),
        ] {
            while count < total {
                bits.push(&id(count));
                count += 1;
            }
            assert_eq!(bits.end(), START + total);
            let height = |n: u64| START + n + 1;
            assert!((0..total).all(|n| bits.allows(height(n), &id(n))), "{total} headers");
            let refused = |n: &u64| !bits.allows(height(*n), &id(OTHERS + *n));
            assert!((0..total).filter(refused).all(|n| n % interval == 0), "{total} headers");
            let with_a_bit = total.div_ceil(interval);
            let count_of_refused = (0..total).filter(refused).fold(0, |count, _| count + 1);
            if with_a_bit > 1_000 {
                let expected = with_a_bit * 45 / 100..=with_a_bit * 55 / 100;
                assert!(expected.contains(&count_of_refused), "{count_of_refused} of {with_a_bit}");
            }
            for outside in [0, START, START + total + 1, u64::MAX] {
                assert!(!bits.covers(outside));
                assert!(bits.allows(outside, &id(OTHERS)), "nothing is known of it");
            }
            assert!(bits.covers(START + 1) && bits.covers(START + total));
        }
    }

    /// A sender that does not know the seed cannot choose headers that pass.
    #[test]
    fn the_bits_depend_on_the_seed() {
        let [one, two] = [1, 2].map(|seed| Commitments::new(seed, 0));
        let differ = (0..1_000).filter(|n| one.bit_of(&id(*n)) != two.bit_of(&id(*n))).count();
        assert!((400..600).contains(&differ), "{differ} of 1000");
    }
}
