//! Identifiers of messages and of servents.

use core::fmt;

use crate::hex::Hex;

/// Identifies a message: 16 random bytes. An answer carries the GUID of its request (0.4, 2.2).
///
/// Any 16 bytes are valid: servents in use ignore the rules about bytes 8 and 15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the bytes are the identifier")]
pub struct Guid(pub [u8; 16]);

/// Identifies a servent while it runs: the last 16 bytes of its hits, the first of a push.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the bytes are the identifier")]
pub struct ServentId(pub [u8; 16]);

impl Guid {
    /// The length on the wire, in bytes.
    pub const LEN: usize = 16;

    /// Makes 16 random bytes the GUID of a modern servent: byte 8 is `FF`, byte 15 is `00` (0.6,
    /// 2.1.1).
    #[must_use]
    pub const fn from_random(random: [u8; 16]) -> Self {
        let mut guid = random;
        let [_, _, _, _, _, _, _, _, eighth, .., last] = &mut guid;
        *eighth = 0xFF;
        *last = 0;
        Self(guid)
    }

    /// Returns the bytes in wire order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl ServentId {
    /// The length on the wire, in bytes.
    pub const LEN: usize = 16;

    /// Returns the bytes in wire order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 hexadecimal digits of either case.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
        let pairs: &[[u8; 2]; 16] = pairs.try_into().ok()?;
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(pairs) {
            if !pair.iter().all(u8::is_ascii_hexdigit) {
                return None; // `from_str_radix` would accept a sign
            }
            *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(id))
    }
}

impl ServentId {
    /// Returns a part of it that spreads seeds.
    pub(crate) const fn seed(self) -> u64 {
        match self.0.first_chunk() {
            Some(first) => u64::from_le_bytes(*first),
            None => 0, // never: there are 16 bytes
        }
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

impl fmt::Display for ServentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for ServentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServentId({self})")
    }
}
