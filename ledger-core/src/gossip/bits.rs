//! A set of slots.

const WORDS: usize = 16;
const WORD_BITS: usize = 64;

/// The numbers of slots below [`Bits::CAPACITY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bits([u64; WORDS]);

impl Bits {
    pub(super) const CAPACITY: usize = WORDS * WORD_BITS;
    pub(super) const NONE: Self = Self([0; WORDS]);

    /// Adds or removes a slot.
    pub(super) fn set(&mut self, at: usize, is_in: bool) {
        if let Some(word) = self.0.get_mut(at / WORD_BITS) {
            let bit = 1 << (at % WORD_BITS);
            *word = if is_in { *word | bit } else { *word & !bit };
        }
    }

    /// Returns the slots, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + use<> {
        let mut words = self.0;
        let mut index = 0_usize;
        core::iter::from_fn(move || {
            loop {
                let word = words.get_mut(index)?;
                if *word != 0 {
                    let bit = usize::try_from(word.trailing_zeros()).unwrap_or(0);
                    *word &= word.wrapping_sub(1);
                    return Some(index.saturating_mul(WORD_BITS).saturating_add(bit));
                }
                index = index.saturating_add(1);
            }
        })
    }

    /// Returns the first slot that is not in the set.
    pub(super) fn first_unset(&self) -> Option<usize> {
        let index = self.0.iter().position(|word| *word != u64::MAX)?;
        let bit = self.0.get(index).map_or(0, |word| word.trailing_ones());
        let bit = usize::try_from(bit).unwrap_or(0);
        Some(index.saturating_mul(WORD_BITS).saturating_add(bit))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::Bits;

    /// A set: adding twice is adding once, and what is outside of it changes nothing.
    #[test]
    fn bits_are_a_set() {
        let mut bits = Bits::NONE;
        for at in [0, 5, 63, 64, 5, Bits::CAPACITY - 1, Bits::CAPACITY, usize::MAX] {
            bits.set(at, true);
        }
        bits.set(64, true);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 5, 63, 64, Bits::CAPACITY - 1]);
        bits.set(5, false);
        bits.set(6, false);
        bits.set(Bits::CAPACITY, false);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 64, Bits::CAPACITY - 1]);
    }
}
