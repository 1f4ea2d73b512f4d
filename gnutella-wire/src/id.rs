//! Names: of messages, of servents, of links.

use core::fmt;

/// Names a message: 16 random bytes, the same in an answer as in the question (0.4, 2.2).
///
/// Any 16 bytes are legal; real servents keep none of the rules about bytes 8 and 15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

/// Names a servent for as long as it runs: the last 16 bytes of its hits, the first of a push.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServentId(pub [u8; 16]);

/// Names a connection to a neighbour. The caller chooses the numbers, for example the index of the
/// socket, and may use one again once the connection that had it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

impl Guid {
    /// The length on the wire, in bytes.
    pub const LEN: usize = 16;

    /// Makes 16 random bytes a GUID of a modern servent: byte 8 is `FF`, byte 15 is `00` (0.6,
    /// 2.1.1).
    #[must_use]
    pub const fn from_random(random: [u8; 16]) -> Self {
        let mut guid = random;
        let [_, _, _, _, _, _, _, _, eighth, .., last] = &mut guid;
        (*eighth, *last) = (0xFF, 0);
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
                return None; // `from_str_radix` would take a sign
            }
            *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(id))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

impl fmt::Display for ServentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

impl fmt::Debug for ServentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServentId({self})")
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

/// Prints bytes in hexadecimal; as many as the precision says, or all.
fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let most = f.precision().unwrap_or(bytes.len());
    bytes.iter().take(most).try_for_each(|byte| write!(f, "{byte:02x}"))
}
