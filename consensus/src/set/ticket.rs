//! A number below a bound, each with the same probability, from a seed, a slot and a round.

use sha2::{Digest, Sha256};

const DRAW_TAG: u8 = 0x44; // 'D'
/// Each attempt is refused in less than half of the cases, so this many never are.
const ATTEMPTS: u32 = 128;

/// Returns a number below `total`, each with the same probability.
///
/// The high half of a 64 x 64 bit product is the number; the few low halves that would favour some numbers
/// are drawn again (Lemire, "Fast random integer generation in an interval", 2019).
pub(crate) fn ticket_below(total: u64, seed: &[u8; 32], slot: u64, round: u32) -> u64 {
    let mut ticket = 0;
    for attempt in 0..ATTEMPTS {
        let (low, high) = widening_mul(random(seed, slot, round, attempt), total);
        ticket = high;
        // The bound is below the total: nearly no draw needs the division.
        if low >= total || low >= total.wrapping_neg().checked_rem(total).unwrap_or(0) {
            break;
        }
    }
    ticket
}

fn random(seed: &[u8; 32], slot: u64, round: u32, attempt: u32) -> u64 {
    let mut sha = Sha256::new();
    sha.update([DRAW_TAG]);
    sha.update(seed);
    sha.update(slot.to_be_bytes());
    sha.update(round.to_be_bytes());
    sha.update(attempt.to_be_bytes());
    let digest: [u8; 32] = sha.finalize().into();
    digest.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// Returns the low and the high half of the product.
pub(crate) fn widening_mul(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a).saturating_mul(u128::from(b)).to_le_bytes();
    let (halves, _) = product.as_chunks::<8>();
    match halves {
        [low, high] => (u64::from_le_bytes(*low), u64::from_le_bytes(*high)),
        _ => (0, 0), // sixteen bytes are two halves
    }
}

#[cfg(test)]
mod tests {
    use super::ticket_below;

    /// Recomputed from the rule with integers of any size. Of totals far above 2^63 about half of the attempts are refused,
    /// of those a little above nearly all that could be.
    #[test]
    fn numbers_are_those_of_the_rule() {
        let half = (1 << 63) + 1;
        let three_quarters = 3 << 62;
        for (total, expected) in [
            (1, [0, 0, 0, 0]),
            (3, [0, 1, 0, 1]),
            (
                half,
                [
                    2_149_046_157_016_921_827,
                    4_126_926_343_573_628_378,
                    3_061_001_761_315_531_378,
                    1_528_608_396_161_942_018, // the third attempt
                ],
            ),
            (
                three_quarters,
                [
                    3_223_569_235_525_382_741,
                    6_190_389_515_360_442_567,
                    4_591_502_641_973_297_067,
                    13_370_330_869_130_815_299, // the second attempt
                ],
            ),
        ] {
            let slots = [0, 1, 2, 3];
            assert_eq!(slots.map(|slot| ticket_below(total, &[7; 32], slot, 2)), expected);
        }
    }
}
