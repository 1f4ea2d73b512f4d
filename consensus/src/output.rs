//! What the machines hand out besides their events.

/// Names a request to save.
#[expect(clippy::exhaustive_structs, reason = "a number of the engine")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SaveToken(pub u64);

/// A datagram to every other validator.
#[expect(clippy::exhaustive_structs, reason = "a length")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Transmit {
    /// The length in bytes.
    pub len: usize,
}
