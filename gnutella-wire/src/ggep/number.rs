//! Integers in extensions.

/// An integer as extensions have it: little-endian, in as few bytes as it needs; 0 needs none.
///
/// ```
/// use gnutella_wire::ggep::Number;
///
/// assert_eq!(Number::new(0xABCD).as_bytes(), [0xCD, 0xAB]);
/// assert_eq!(Number::decode(&[0xCD, 0xAB]).map(Number::value), Some(0xABCD));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number([u8; 8]);

impl Number {
    /// Takes a number to write.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value.to_le_bytes())
    }

    /// Reads a whole value. Zeros at its end, which should not be there, are forgiven; `None` if the
    /// number takes more than 64 bits.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let significant = trimmed(bytes);
        let mut number = [0; 8];
        number.get_mut(..significant.len())?.copy_from_slice(significant);
        Some(Self(number))
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> u64 {
        u64::from_le_bytes(self.0)
    }

    /// Returns the bytes to write.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        trimmed(&self.0)
    }
}

/// Returns the bytes without the zeros at their end.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let [rest @ .., 0] = bytes {
        bytes = rest;
    }
    bytes
}
