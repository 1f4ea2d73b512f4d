//! What tables have in common whose index lies in their slots: slot `n` holds the first entry of bucket `n`.

/// The index of a slot, or `NONE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link(u32);

impl Link {
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// Links to a slot. Above 2^32 - 2 it is `NONE`.
    pub(crate) fn to(index: usize) -> Self {
        u32::try_from(index).map_or(Self::NONE, Self)
    }

    pub(crate) fn from_option(index: Option<usize>) -> Self {
        index.map_or(Self::NONE, Self::to)
    }

    pub(crate) fn get(self) -> Option<usize> {
        if self == Self::NONE { None } else { usize::try_from(self.0).ok() }
    }
}

/// Returns the bucket of an id, or `None` if there are no buckets. A sender that does not know the seed cannot fill one
/// bucket: each word is multiplied by a number that depends on the seed, and both halves of the product count.
pub(crate) fn bucket(seed: u64, id: &[u8; 32], buckets: usize) -> Option<usize> {
    let factor = u128::from(seed.rotate_left(32) ^ 0x9E37_79B9_7F4A_7C15 | 1);
    let mut hash = seed;
    for chunk in id.as_chunks::<8>().0 {
        let product = u128::from(hash ^ u64::from_le_bytes(*chunk)).wrapping_mul(factor);
        let folded = (product ^ product >> 64) & u128::from(u64::MAX);
        hash = u64::try_from(folded).unwrap_or(0);
    }
    let bucket = hash.checked_rem(u64::try_from(buckets).ok()?)?;
    usize::try_from(bucket).ok()
}

#[cfg(test)]
mod tests {
    use super::bucket;

    /// Ids that differ in few bits, in any of their words, spread over the buckets, otherwise with another seed.
    #[test]
    fn ids_that_differ_little_spread() {
        const BUCKETS: usize = 64;
        const IDS: u32 = 6_400;
        let place = |seed, n: u32, at: usize| {
            let mut id = [0; 32];
            for (byte, value) in id.iter_mut().skip(at).zip(n.to_le_bytes()) {
                *byte = value;
            }
            bucket(seed, &id, BUCKETS)
        };
        for at in [0, 1, 7, 8, 14, 16, 24, 28] {
            for seed in [0, 1, u64::MAX] {
                let mut counts = [0; BUCKETS];
                for n in 0..IDS {
                    let count = place(seed, n, at).and_then(|place| counts.get_mut(place));
                    if let Some(count) = count {
                        *count += 1;
                    }
                }
                assert_eq!(counts.iter().sum::<u32>(), IDS);
                assert!(counts.iter().all(|count| (30..300).contains(count)), "{at}: {counts:?}");
            }
            let same = (0..IDS).filter(|n| place(7, *n, at) == place(8, *n, at)).count();
            assert!(same < 400, "{same} of {IDS} share a bucket under another seed");
        }
    }

    /// A change of the highest bit of a word changes but the highest bit of each product with an odd number. A sender who
    /// knows that must not be able to undo it in the next word.
    #[test]
    fn changes_of_high_bits_cannot_be_undone_in_the_next_word() {
        const HIGH: u64 = 1 << 63;
        for seed in 0..100 {
            for undo in [HIGH, HIGH | HIGH >> 32, HIGH >> 32, HIGH >> 31] {
                let id = |words: [u64; 4]| {
                    let mut id = [0; 32];
                    for (to, word) in id.as_chunks_mut::<8>().0.iter_mut().zip(words) {
                        *to = word.to_le_bytes();
                    }
                    bucket(seed, &id, 1 << 31)
                };
                assert_ne!(id([1, 2, 3, 4]), id([1 ^ HIGH, 2 ^ undo, 3, 4]), "seed {seed}");
                assert_ne!(id([1, 2, 3, 4]), id([1, 2, 3 ^ HIGH, 4 ^ undo]), "seed {seed}");
            }
        }
    }

    #[test]
    fn without_buckets_there_is_none() {
        assert_eq!(bucket(1, &[2; 32], 0), None);
        assert_eq!(bucket(1, &[2; 32], 1), Some(0));
    }
}
