//! A count of bytes in six bytes of memory.

/// A number below 2^48, the most significant part first. More are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Counter([u16; 3]);

impl Counter {
    pub(super) const ZERO: Self = Self([0; 3]);

    pub(super) fn get(self) -> u64 {
        let [high, middle, low] = self.0.map(u64::from);
        high << 32 | middle << 16 | low
    }

    pub(super) fn add(&mut self, bytes: u64) {
        let sum = self.get().saturating_add(bytes);
        let part = |shift: u32| u16::try_from(sum >> shift & 0xFFFF).unwrap_or(u16::MAX);
        self.0 = if sum >> 48 == 0 { [part(32), part(16), part(0)] } else { [u16::MAX; 3] };
    }
}

#[cfg(test)]
mod tests {
    use super::Counter;

    #[test]
    fn a_counter_adds_across_its_parts_and_ends_at_48_bits() {
        let mut counter = Counter::ZERO;
        for bytes in [0xFFFF, 1, 0xFFFF_FFFF, 5] {
            counter.add(bytes);
        }
        assert_eq!(counter.get(), 0x1_0000 + 0xFFFF_FFFF + 5);
        counter.add(u64::MAX);
        assert_eq!(counter.get(), (1 << 48) - 1);
    }
}
