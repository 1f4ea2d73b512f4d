//! Which groups a key may lie in.

use super::slot::Kind;
use crate::rng::Rng;

/// The groups that a key may lie in, and its tag there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) first: usize,
    pub(super) second: usize,
    pub(super) tag: u8, // not 0
}

/// Decides which groups a key may lie in: multilinear hashing (Lemire and Kaser 2014, "Strongly universal string
/// hashing is fast"), by which no two keys that a stranger chooses meet more often than chance has it, unless he knows the
/// seed; then a permutation that is not linear, or keys of equal distances would fill some groups and leave others empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hasher([u64; 6]);

impl Hasher {
    pub(crate) const fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self([
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
        ])
    }

    /// Returns where a key may lie among this many groups.
    pub(super) fn places(&self, groups: usize, kind: Kind, id: u128) -> Places {
        let hash = self.hash(kind, id);
        let [_, _, _, _, tag, ..] = hash.to_le_bytes();
        Places {
            first: scale(hash >> 32, groups),
            second: scale(hash & 0xFFFF_FFFF, groups),
            tag: tag.max(1),
        }
    }

    fn hash(&self, kind: Kind, id: u128) -> u64 {
        let Self([sum, of_kind, of_id @ ..]) = *self;
        let mut sum = sum.wrapping_add(of_kind.wrapping_mul(kind.number().into()));
        let id = id.to_le_bytes();
        for (factor, word) in of_id.into_iter().zip(id.as_chunks().0) {
            let word = u64::from(u32::from_le_bytes(*word));
            sum = sum.wrapping_add(factor.wrapping_mul(word));
        }
        let product = (sum ^ sum >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        product ^ product >> 32
    }
}

/// Returns a number below `groups`. The high word of a product spreads as evenly as a remainder, without a division.
fn scale(hash: u64, groups: usize) -> usize {
    let groups = u64::try_from(groups).unwrap_or(0);
    usize::try_from(hash.saturating_mul(groups) >> 32).unwrap_or(0)
}
