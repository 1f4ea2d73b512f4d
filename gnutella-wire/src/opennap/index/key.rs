//! The keys of the table of an index: SipHash-1-3 under the seed of the index.

use core::net::Ipv4Addr;

use crate::sip::Sip;
use crate::text::Text;

/// The most words of a name that are indexed: the last ones, as in `OpenNap` 0.36.
const MAX_WORDS: usize = 30;

/// What a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A connection.
    Conn,
    /// The address that a connection comes from, and its network.
    Address,
    Network,
    /// A user that is logged in.
    Nick,
    /// A nick on the hotlist of a user.
    Hotlist,
    /// A file, by its owner and name.
    File,
    /// A word in the name of a file.
    Word,
}

/// The words of a file's name or of a search, hashed, each once.
#[derive(Debug, Clone, Copy)]
pub(super) struct WordKeys {
    keys: [u32; MAX_WORDS],
    len: usize,
}

/// Hashes a connection.
pub(super) fn of_conn(seed: u64, conn: u32) -> u32 {
    hash(seed, Kind::Conn, 0, &conn.to_le_bytes())
}

/// Hashes an address, and its network (/16).
pub(super) fn of_address(seed: u64, ip: Ipv4Addr) -> [u32; 2] {
    let address = ip.to_bits();
    [hash(seed, Kind::Address, address, &[]), hash(seed, Kind::Network, address >> 16, &[])]
}

/// Hashes a nick without regard to case.
pub(super) fn of_nick(seed: u64, kind: Kind, nick: Text<'_>) -> u32 {
    hash(seed, kind, 0, nick.as_bytes())
}

/// Hashes the name of a user's file.
pub(super) fn of_file(seed: u64, owner: u32, name: Text<'_>) -> u32 {
    hash(seed, Kind::File, owner, name.as_bytes())
}

impl WordKeys {
    /// The last words of a text.
    pub(super) fn of(seed: u64, text: Text<'_>) -> Self {
        let mut this = Self { keys: [0; MAX_WORDS], len: 0 };
        for word in text.as_bytes().rsplit(separates).filter(|word| !word.is_empty()) {
            let key = hash(seed, Kind::Word, 0, word);
            if this.as_slice().contains(&key) {
                continue;
            }
            let Some(free) = this.keys.get_mut(this.len) else { break };
            *free = key;
            this.len = this.len.saturating_add(1);
        }
        this
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        self.keys.get(..self.len).unwrap_or_default()
    }
}

/// Cuts at what is neither a letter nor a digit nor an apostrophe; bytes beyond ASCII are letters.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "a predicate of `split`")]
pub(super) fn separates(byte: &u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'\''
}

/// Hashes bytes in lower case.
fn hash(seed: u64, kind: Kind, owner: u32, bytes: &[u8]) -> u32 {
    let mut sip = Sip::<1, 3>::new(seed, seed.rotate_left(32));
    let kind = match kind {
        Kind::Conn => 1,
        Kind::Nick => 2,
        Kind::Hotlist => 3,
        Kind::File => 4,
        Kind::Word => 5,
        Kind::Address => 6,
        Kind::Network => 7,
    };
    sip.absorb(u64::from(owner) << 8 | kind);
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        sip.absorb(u64::from_le_bytes(chunk.map(|byte| byte.to_ascii_lowercase())));
    }
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = from.to_ascii_lowercase());
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    sip.absorb(u64::from_le_bytes(last) | len << 56);
    let [a, b, c, d, ..] = sip.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::string::String;

    use super::{Kind, of_conn, of_file, of_nick};
    use crate::Text;

    /// What is looked up by different names, in different tables or by another seed lies in different chains.
    #[test]
    fn different_keys_have_different_hashes() {
        let mut hashes = BTreeSet::new();
        let mut count = 0;
        for seed in [1, 2] {
            for (len, conn) in (0..20).zip(0_u32..) {
                let name = String::from("abcdefghijklmnopqrst");
                let name = name.get(..len).unwrap_or_default();
                let name = Text::new(name.as_bytes()).unwrap_or(Text::EMPTY);
                hashes.insert(of_nick(seed, Kind::Nick, name));
                hashes.insert(of_nick(seed, Kind::Hotlist, name));
                hashes.insert(of_file(seed, 1, name));
                hashes.insert(of_file(seed, 2, name));
                hashes.insert(of_conn(seed, conn));
                count += 5;
            }
        }
        assert_eq!(hashes.len(), count);
        let [upper, lower] = ["ANN of Green Gables", "ann OF green gables"]
            .map(|nick| of_nick(1, Kind::Nick, Text::new(nick.as_bytes()).unwrap_or(Text::EMPTY)));
        assert_eq!(upper, lower, "without regard to case");
    }
}
