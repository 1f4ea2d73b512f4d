//! Names of files by what is in them.

#![expect(clippy::exhaustive_structs, reason = "the bytes are the value")]

use core::fmt::{self, Write as _};

use super::base32;
use crate::qrp::KeywordHash;

/// What stands before a hash in base 32.
const SHA1: &[u8] = b"urn:sha1:";
const BITPRINT: &[u8] = b"urn:bitprint:";
/// How many characters a SHA-1 hash takes. They are whole bytes, so any of the alphabet are a hash.
const SHA1_LEN: usize = 32;

/// A SHA-1 hash, printed as 32 characters of base 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha1(pub [u8; 20]);

/// The root of a tree of Tiger hashes, printed as 39 characters of base 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TigerRoot(pub [u8; 24]);

/// The name of a file: the same file has the same name everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Urn {
    /// `urn:sha1:` and the hash.
    Sha1(Sha1),
    /// `urn:bitprint:`, the hash, a full stop, and the root.
    Bitprint(Sha1, TigerRoot),
}

impl Urn {
    /// Reads a whole string of either case; `None` if it is another. `urn:` and `urn:sha1:` alone,
    /// with which a query asks for such names, are others.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if let Some(hash) = after(text, SHA1) {
            return Sha1::parse(hash).map(Self::Sha1);
        }
        let print = after(text, BITPRINT)?;
        let (hash, rest) = print.split_first_chunk::<SHA1_LEN>()?;
        let (stop, root) = rest.split_first()?;
        let sha1 = Sha1::parse(hash).filter(|_| *stop == b'.')?;
        Some(Self::Bitprint(sha1, TigerRoot::parse(root)?))
    }

    /// Returns the SHA-1 hash, which both forms have.
    #[must_use]
    pub const fn sha1(&self) -> Sha1 {
        match self {
            Self::Sha1(sha1) | Self::Bitprint(sha1, _) => *sha1,
        }
    }

    /// Returns what stands for the file in a query-routing table: the hash of its `urn:sha1:` form.
    #[must_use]
    pub fn keyword_hash(&self) -> KeywordHash {
        // Not what its `Display` prints: a device need not link formatting.
        let hash = base32::of_hash(&self.sha1().0);
        KeywordHash::of_units(SHA1.iter().chain(&hash).map(|byte| u16::from(*byte)))
    }
}

/// Returns the [`Urn::keyword_hash`] of a whole string, without reading its hash; `None` if it is another. The root of
/// a bitprint is not looked at.
pub(crate) fn keyword_hash(text: &[u8]) -> Option<KeywordHash> {
    let hash = after(text, SHA1).or_else(|| {
        let (hash, root) = after(text, BITPRINT)?.split_at_checked(SHA1_LEN)?;
        root.starts_with(b".").then_some(hash)
    })?;
    let is_hash = hash.len() == SHA1_LEN && hash.iter().all(|byte| base32::is_character(*byte));
    let bytes = SHA1.iter().chain(hash).map(|byte| u16::from(*byte));
    is_hash.then(|| KeywordHash::of_units(bytes))
}

impl Sha1 {
    /// Reads 32 characters of either case.
    #[must_use]
    pub fn parse(characters: &[u8]) -> Option<Self> {
        let mut hash = [0; 20];
        base32::decode(characters, &mut hash)?;
        Some(Self(hash))
    }
}

impl TigerRoot {
    /// Reads 39 characters of either case.
    #[must_use]
    pub fn parse(characters: &[u8]) -> Option<Self> {
        let mut root = [0; 24];
        base32::decode(characters, &mut root)?;
        Some(Self(root))
    }
}

/// Returns what follows `prefix` of either case.
fn after<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn print(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    base32::characters(bytes).try_for_each(|character| f.write_char(char::from(character)))
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, &self.0)
    }
}

impl fmt::Debug for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha1({self})")
    }
}

impl fmt::Display for TigerRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, &self.0)
    }
}

impl fmt::Debug for TigerRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TigerRoot({self})")
    }
}

/// Prints the URN as it stands in an area.
impl fmt::Display for Urn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha1(sha1) => write!(f, "urn:sha1:{sha1}"),
            Self::Bitprint(sha1, root) => write!(f, "urn:bitprint:{sha1}.{root}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_word_is_that_of_the_urn_that_was_read() {
        let sha1 = "PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB";
        let root = "LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ";
        let texts = [
            std::format!("urn:sha1:{sha1}"),
            std::format!("URN:SHA1:{}", sha1.to_lowercase()),
            std::format!("urn:bitprint:{sha1}.{root}"),
            std::format!("urn:sha1:{sha1}A"),
            std::format!("urn:sha1:{}", sha1.replace('P', "1")),
            std::format!("urn:bitprint:{sha1}-{root}"),
            std::format!("urn:bitprint:{sha1}"),
            "urn:sha1:".into(),
            "urn:".into(),
            std::string::String::new(),
        ];
        let known: [bool; 10] = core::array::from_fn(|at| at < 3);
        for (text, is_urn) in texts.iter().zip(known) {
            let hash = Urn::parse(text.as_bytes()).map(|urn| urn.keyword_hash());
            assert_eq!(keyword_hash(text.as_bytes()), hash, "{text}");
            assert_eq!(hash.is_some(), is_urn, "{text}");
        }
    }
}
