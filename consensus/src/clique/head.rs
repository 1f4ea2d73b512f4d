//! The choice of the head (EIP-3436).

use core::cmp::Ordering;

/// The last block of a chain, as the choice among chains sees it (EIP-3436). The greater one is better:
///
/// 1. the larger total difficulty,
/// 2. then the lower number,
/// 3. then the larger (number - index of the signer) mod n: the signer whose turn is the longest ago,
/// 4. then the lower hash.
///
/// All nodes choose the same head in any order of arrival. With the old rule, the heaviest and then the first seen, eight
/// authorities can stop for ever.
///
/// ```
/// use consensus::clique::CliqueHead;
///
/// // Forks 1,3,5 and 2,4,6 of eight authorities: equally heavy, equally long.
/// let odd = CliqueHead::new(3, 17, 4, 8, [0xFF; 32]).unwrap();
/// let even = CliqueHead::new(3, 17, 5, 8, [0x00; 32]).unwrap();
/// assert!(odd > even, "5 mod 8 is more than 4 mod 8");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CliqueHead {
    total_difficulty: u64,
    number: u64,
    distance: u64,
    hash: [u8; 32],
}

const NUMBER_BITS: u32 = 48;
const DISTANCE_BITS: u32 = 16;

impl CliqueHead {
    /// Describes a block whose signer has this index among `signers` authorities. `None` if there is no authority.
    #[must_use]
    pub fn new(
        total_difficulty: u64,
        number: u64,
        signer_index: usize,
        signers: usize,
        hash: [u8; 32],
    ) -> Option<Self> {
        let signers = u64::try_from(signers).ok()?;
        let index = u64::try_from(signer_index).ok()?.checked_rem(signers)?;
        let number_in_turn = number.checked_rem(signers)?;
        let distance = number_in_turn.saturating_add(signers).saturating_sub(index);
        let distance = distance.checked_rem(signers)?;
        Some(Self { total_difficulty, number, distance, hash })
    }

    /// Returns rules 1 to 3 as one number, the larger the better: 64 bits of total difficulty, 48 bits of the inverted
    /// number, 16 bits of the distance. Chains of up to 2^48 blocks and 2^16 authorities.
    #[must_use]
    pub fn weight(&self) -> u128 {
        let last = (1_u64 << NUMBER_BITS).saturating_sub(1);
        let number = last.saturating_sub(self.number.min(last));
        let distance = self.distance.min(u64::from(u16::MAX));
        let lower = (number << DISTANCE_BITS) | distance;
        (u128::from(self.total_difficulty) << 64) | u128::from(lower)
    }

    /// Returns the total difficulty of a [`weight`](Self::weight).
    #[must_use]
    pub fn total_difficulty_of(weight: u128) -> u64 {
        u64::try_from(weight >> 64).unwrap_or(u64::MAX)
    }
}

impl Ord for CliqueHead {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_difficulty = self.total_difficulty.cmp(&other.total_difficulty);
        by_difficulty
            .then_with(|| other.number.cmp(&self.number))
            .then_with(|| self.distance.cmp(&other.distance))
            .then_with(|| other.hash.cmp(&self.hash))
    }
}

impl PartialOrd for CliqueHead {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
