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
