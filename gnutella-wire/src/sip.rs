//! `SipHash`, a keyed hash of short inputs (Aumasson and Bernstein 2012).

/// A hash with `C` rounds for each word and `D` at the end: `SipHash-C-D`. The caller pads: the high byte of the last word is
/// the length of the input in bytes.
pub(crate) struct Sip<const C: usize, const D: usize>([u64; 4]);

impl<const C: usize, const D: usize> Sip<C, D> {
    pub(crate) const fn new(low: u64, high: u64) -> Self {
        Self([
            low ^ 0x736F_6D65_7073_6575,
            high ^ 0x646F_7261_6E64_6F6D,
            low ^ 0x6C79_6765_6E65_7261,
            high ^ 0x7465_6462_7974_6573,
        ])
    }

    /// Adds eight bytes of the input, read in little-endian order.
    pub(crate) fn absorb(&mut self, word: u64) {
        let [.., v3] = &mut self.0;
        *v3 ^= word;
        (0..C).for_each(|_| self.round());
        let [v0, ..] = &mut self.0;
        *v0 ^= word;
    }

    pub(crate) fn finish(mut self) -> u64 {
        let [_, _, v2, _] = &mut self.0;
        *v2 ^= 0xFF;
        (0..D).for_each(|_| self.round());
        self.0.iter().fold(0, |hash, word| hash ^ word)
    }

    const fn round(&mut self) {
        let [v0, v1, v2, v3] = &mut self.0;
        *v0 = v0.wrapping_add(*v1);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v3);
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.wrapping_add(*v3);
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.wrapping_add(*v1);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v2 = v2.rotate_left(32);
    }
}
