//! Tokens: an announce must come from an address that was answered before (BEP 5).

use core::net::IpAddr;
use core::time::Duration;

use sha1::{Digest as _, Sha1};

use crate::id::InfoHash;

/// How often the secret changes (BEP 5).
const PERIOD_SECS: u64 = 300;

/// Eight bytes that only the holder of the key can compute.
pub type Token = [u8; 8];

/// Issues and verifies tokens without memory: a token is a keyed hash of the address, the torrent and the
/// five-minute period. Those of the current and of the previous period are accepted, so a token is valid for 5
/// to 10 minutes. It is bound to the IP address and not to the port.
///
/// ```
/// use bittorrent_pieces::InfoHash;
/// use bittorrent_pieces::dht::Tokens;
/// use core::time::Duration;
///
/// let tokens = Tokens::new([7; 16]);
/// let ip = "192.0.2.1".parse().unwrap();
/// let token = tokens.give(Duration::from_secs(299), ip, InfoHash([1; 20]));
/// assert!(tokens.accepts(Duration::from_secs(599), ip, InfoHash([1; 20]), &token));
/// assert!(!tokens.accepts(Duration::from_secs(600), ip, InfoHash([1; 20]), &token));
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct Tokens {
    key: [u8; 16],
}

impl Tokens {
    /// Creates the tokens of a key. The key must be random, and a new one at each start.
    #[must_use]
    pub const fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// Returns the token for an address.
    #[must_use]
    pub fn give(&self, now: Duration, ip: IpAddr, torrent: InfoHash) -> Token {
        self.token(now.as_secs() / PERIOD_SECS, ip, torrent)
    }

    /// Returns whether a token was issued to this address in the current or the previous period.
    #[must_use]
    pub fn accepts(&self, now: Duration, ip: IpAddr, torrent: InfoHash, token: &[u8]) -> bool {
        let period = now.as_secs() / PERIOD_SECS;
        let previous = period.checked_sub(1);
        let same = |period| self.token(period, ip, torrent) == *token;
        same(period) || previous.is_some_and(same)
    }

    fn token(&self, period: u64, ip: IpAddr, torrent: InfoHash) -> Token {
        let mut hasher = Sha1::new();
        hasher.update(self.key);
        hasher.update(period.to_be_bytes());
        hasher.update(torrent.0);
        match ip {
            IpAddr::V4(ip) => hasher.update(ip.octets()),
            IpAddr::V6(ip) => hasher.update(ip.octets()),
        }
        let digest: [u8; 20] = hasher.finalize().into();
        digest.first_chunk().copied().unwrap_or_default()
    }
}

impl core::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Tokens(..)") // the key stays secret
    }
}
