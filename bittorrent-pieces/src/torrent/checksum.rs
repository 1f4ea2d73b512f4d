//! The checksums of received blocks, by which the block of a liar is told from the right one.

use crate::index::{count, slot};
use crate::rng::{Rng, mix};

/// The chains of products: one product does not wait for that of another chain.
const CHAINS: usize = 4;
/// The bytes that all chains take at a time.
const STRIDE: usize = 16 * CHAINS;

/// Returns a checksum by which two different blocks can be told apart. Peers do not know its key. It is that of the
/// data and `padding` zeros.
///
/// Each step multiplies two words of data, each combined with a number that peers do not know, to 128 bits, and folds
/// the product. A multiplication by a constant would not do: of a word whose highest bit changes, it changes
/// one bit that is known, which another change can take back.
pub(super) fn checksum(seed: u64, data: &[u8], padding: u32) -> u32 {
    let mut rng = Rng::new(seed);
    let key = rng.next_u64() | 1; // a factor of 0 would be the end of all differences
    let mut chains: [u64; CHAINS] = core::array::from_fn(|_| rng.next_u64());
    let (strides, rest) = data.as_chunks::<STRIDE>();
    for stride in strides {
        step(key, &mut chains, stride);
    }
    // What is left is cut as if the zeros had been sent.
    let len = data.len().saturating_add(slot(padding));
    let mut last = [0; STRIDE];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    for _ in strides.len()..len.div_ceil(STRIDE) {
        step(key, &mut chains, &last);
        last = [0; STRIDE];
    }
    let sum = chains.iter().fold(u64::from(count(len)), |sum, chain| fold(sum ^ chain, key));
    let [a, b, c, d, ..] = mix(sum).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Passes each chain its 16 bytes.
fn step(key: u64, chains: &mut [u64; CHAINS], bytes: &[u8; STRIDE]) {
    let (words, _) = bytes.as_chunks::<8>();
    let (pairs, _) = words.as_chunks::<2>();
    for (chain, [one, other]) in chains.iter_mut().zip(pairs) {
        *chain = fold(u64::from_le_bytes(*one) ^ key, u64::from_le_bytes(*other) ^ *chain);
    }
}

/// Returns both halves of the product of two words, combined.
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one).wrapping_mul(u128::from(other));
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
    half(product) ^ half(product >> 64)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;

    fn data() -> [u8; 1_000] {
        core::array::from_fn(|at| [at.to_le_bytes()[0], at.to_le_bytes()[1]][at % 2])
    }

    #[test]
    fn every_bit_and_the_order_of_words_count() {
        // The last two are the seeds whose first numbers are 0 and 1.
        for seed in [0, 1, u64::MAX, 0x61C8_8646_80B5_83EB, 0xF836_4607_E9C9_49BD] {
            every_bit_counts(seed, &data());
            every_bit_counts(seed, &[0; 1_000]);
        }
        words_have_an_order(1, &data());
    }

    fn every_bit_counts(seed: u64, data: &[u8; 1_000]) {
        let sum = checksum(seed, data, 0);
        assert_ne!(sum, checksum(seed ^ 2, data, 0));
        for bit in 0..8 * data.len() {
            let mut other = *data;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(sum, checksum(seed, &other, 0), "bit {bit} for {seed}");
        }
    }

    fn words_have_an_order(seed: u64, data: &[u8; 1_000]) {
        let sum = checksum(seed, data, 0);
        for (one, other) in [(0, 8), (0, 16), (0, 64), (8, 72), (512, 0)] {
            let mut moved = *data;
            moved[one..one + 8].copy_from_slice(&data[other..other + 8]);
            moved[other..other + 8].copy_from_slice(&data[one..one + 8]);
            assert_ne!(sum, checksum(seed, &moved, 0), "{one} and {other}");
        }
    }

    /// If a peer knew two changes that cancel out, whatever the key, it could send bad blocks without ever being banned.
    #[test]
    fn no_change_of_two_bits_is_taken_back_for_all_keys() {
        let data: [u8; 128] = core::array::from_fn(|at| at.to_le_bytes()[0]);
        let bits = 8 * data.len();
        let sums = [1, 2, 3].map(|seed| checksum(seed, &data, 0));
        for one in 0..bits {
            for other in one + 1..bits.min(one + 200) {
                let mut changed = data;
                changed[one / 8] ^= 1 << (one % 8);
                changed[other / 8] ^= 1 << (other % 8);
                let mut sums = (1..).zip(sums);
                let is_found = sums.any(|(seed, sum)| checksum(seed, &changed, 0) != sum);
                assert!(is_found, "{one} and {other}");
            }
        }
    }

    #[test]
    fn padding_counts_as_zeros_that_were_sent() {
        let data = data();
        for len in [0, 1, 7, 8, 15, 16, 63, 64, 65, 127, 128, 200] {
            for padding in [1, 8, 63, 64, 65, 300] {
                let mut sent = [0; 1_000];
                sent[..len].copy_from_slice(&data[..len]);
                let padded = checksum(5, &data[..len], padding);
                assert_eq!(padded, checksum(5, &sent[..len + slot(padding)], 0), "{len} {padding}");
                assert_ne!(padded, checksum(5, &data[..len], padding + 1), "the length");
            }
        }
    }
}
