//! The private pseudo-random generator. It is not secret: it breaks ties and draws samples.

/// `SplitMix64` (Steele, Lea and Flood 2014).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Returns a number below `bound`, or 0 if `bound` is 0.
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next_u64()).wrapping_mul(u128::from(bound)) >> 64;
        u64::try_from(product).unwrap_or(0)
    }
}

/// Spreads the bits of a word.
#[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
pub(crate) const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the authors' `splitmix64.c` for this seed.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut rng = Rng::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| rng.next_u64()), expected);
    }

    #[test]
    fn numbers_below_a_bound_are_all_drawn() {
        let mut rng = Rng::new(7);
        let numbers: [u64; 1_000] = core::array::from_fn(|_| rng.below(5));
        for number in 0..5 {
            let count = numbers.iter().filter(|drawn| **drawn == number).count();
            assert!((150..250).contains(&count), "{number}: {count} times");
        }
        assert!(numbers.iter().all(|drawn| *drawn < 5));
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }
}
