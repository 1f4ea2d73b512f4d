//! What both sides compute from the secret and the info-hash.

use core::fmt;

use sha1::{Digest, Sha1};

use super::group::KEY_LEN;
use crate::hex::Hex;
use crate::id::InfoHash;

/// The hash by which a dialling peer names the torrent: SHA-1 of `req2` and the info-hash.
///
/// A client of many torrents keeps a map from these to its torrents, with both hashes of a hybrid torrent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct ObfuscatedHash(pub [u8; 20]);

impl ObfuscatedHash {
    /// Returns the hash that names a torrent.
    #[must_use]
    pub fn of(torrent: InfoHash) -> Self {
        Self(hash(&[b"req2", &torrent.0]))
    }
}

impl fmt::Debug for ObfuscatedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObfuscatedHash({:?})", Hex(&self.0))
    }
}

impl fmt::Display for ObfuscatedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// The secret of both sides.
#[derive(Clone)]
pub(super) struct Secret(pub(super) [u8; KEY_LEN]);

impl Secret {
    /// Returns the hash that shows where the padding of the dialling side ends.
    pub(super) fn synchronization(&self) -> [u8; 20] {
        hash(&[b"req1", &self.0])
    }

    /// Hides or reveals the hash of the torrent, which is the same.
    pub(super) fn mask(&self, hash_of_torrent: [u8; 20]) -> [u8; 20] {
        let mut masked = hash(&[b"req3", &self.0]);
        for (byte, other) in masked.iter_mut().zip(hash_of_torrent) {
            *byte ^= other;
        }
        masked
    }

    /// Returns the key with which the dialling side sends.
    pub(super) fn key_of_dialler(&self, torrent: InfoHash) -> [u8; 20] {
        hash(&[b"keyA", &self.0, &torrent.0])
    }

    /// Returns the key with which the accepting side sends.
    pub(super) fn key_of_acceptor(&self, torrent: InfoHash) -> [u8; 20] {
        hash(&[b"keyB", &self.0, &torrent.0])
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 20] {
    let mut hasher = Sha1::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encryption::vectors::{bytes, value};

    #[test]
    fn hashes_are_those_of_the_vectors() {
        let common = |name| bytes::<20>(value("common", name));
        let secret = Secret(bytes(value("common", "s")));
        let torrent = InfoHash(common("skey"));
        assert_eq!(secret.synchronization(), common("hash_req1_s"));
        assert_eq!(ObfuscatedHash::of(torrent).0, common("hash_req2_skey"));
        assert_eq!(secret.mask([0; 20]), common("hash_req3_s"));
        assert_eq!(secret.mask(common("hash_req2_skey")), common("req2_xor_req3"));
        assert_eq!(secret.key_of_dialler(torrent), common("key_a"));
        assert_eq!(secret.key_of_acceptor(torrent), common("key_b"));
    }

    #[test]
    fn a_secret_enters_hashes_with_its_leading_zeros() {
        let short = |name| bytes::<20>(value("leading_zero_secret", name));
        let secret = Secret(bytes(value("leading_zero_secret", "s")));
        let torrent = InfoHash(bytes(value("common", "skey")));
        assert_eq!(secret.synchronization(), short("hash_req1_s"));
        assert_eq!(secret.key_of_dialler(torrent), short("key_a"));
    }
}
