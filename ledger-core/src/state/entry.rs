//! Keys and values.

use core::fmt;

use crate::domain;
use crate::hash::{Hash, bytes32};
use crate::hex::Hex;

const MAX_LEN: usize = 48;

bytes32! {
    /// The key of an entry: the hash of a name space and a subject, so that nobody can choose where it lies.
    Key
}

/// The value of an entry: up to 48 bytes. What is longer is kept by its hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Value {
    len: u8,
    bytes: [u8; MAX_LEN],
}

impl Key {
    /// No key is larger.
    pub(crate) const LARGEST: Self = Self::from_bytes([0xFF; 32]);

    /// Returns the key of `subject` in a name space. The name spaces below 64 belong to this crate; a ledger of your
    /// own takes its number.
    #[must_use]
    pub fn new(name_space: u8, subject: &[u8]) -> Self {
        let hash = Hash::of_parts(&[domain::KEY, &[name_space], subject]);
        Self::from_bytes(*hash.as_bytes())
    }

    /// Returns bit `at`, counted from the most significant bit of byte 0.
    pub(crate) fn bit(&self, at: u8) -> bool {
        let byte = self.as_bytes().get(usize::from(at / 8)).copied().unwrap_or(0);
        byte & (0x80 >> (at % 8)) != 0
    }

    /// Returns the first bit in which two keys differ.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<u8> {
        let mut pairs = self.as_bytes().iter().zip(other.as_bytes());
        let byte = pairs.position(|(one, two)| one != two)?;
        let one = self.as_bytes().get(byte)?;
        let two = other.as_bytes().get(byte)?;
        let within = (one ^ two).leading_zeros();
        u8::try_from(byte).ok()?.checked_mul(8)?.checked_add(u8::try_from(within).ok()?)
    }
}

impl Value {
    /// The largest length in bytes.
    pub const MAX_LEN: usize = MAX_LEN;
    pub(crate) const EMPTY: Self = Self { len: 0, bytes: [0; MAX_LEN] };

    /// Wraps up to [`Self::MAX_LEN`] bytes, or returns `None` if there are more.
    #[must_use]
    pub fn new(content: &[u8]) -> Option<Self> {
        let mut value = Self { len: u8::try_from(content.len()).ok()?, ..Self::EMPTY };
        value.bytes.get_mut(..content.len())?.copy_from_slice(content);
        Some(value)
    }

    /// Wraps fields of fixed lengths, concatenated. What exceeds [`Self::MAX_LEN`] bytes is cut off.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut value = Self::EMPTY;
        let mut len = 0_u8;
        for (place, byte) in value.bytes.iter_mut().zip(parts.iter().copied().flatten()) {
            *place = *byte;
            len = len.saturating_add(1);
        }
        value.len = len;
        value
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Returns the hash that stands in the leaf.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of_short(&[domain::VALUE, self.as_bytes()])
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Hex(self.as_bytes()), f)
    }
}
