//! Tokens: whoever announces must have been answered at its address (BEP 5).

use core::net::IpAddr;
use core::time::Duration;

use sha1::{Digest as _, Sha1};

use crate::InfoHash;

/// How often the secret changes (BEP 5).
const PERIOD_SECS: u64 = 300;

/// Eight bytes that only who knows the key can make.
pub type Token = [u8; 8];

/// Gives out tokens and knows them again, without memory: a keyed hash of the address, the torrent and the
/// five-minute period, of which the current and the last one count. A token is accepted for 5 to 10
/// minutes. It is bound to the IP address and not to the port.
///
/// ```
/// use bittorrent_pieces::InfoHash;
/// use bittorrent_pieces::dht::Tokens;
/// use core::time::Duration;
///
/// let (tokens, ip, torrent) = (Tokens::new([7; 16]), "192.0.2.1".parse().unwrap(), InfoHash([1; 20]));
/// let token = tokens.give(Duration::from_secs(299), ip, torrent);
/// assert!(tokens.accepts(Duration::from_secs(599), ip, torrent, &token));
/// assert!(!tokens.accepts(Duration::from_secs(600), ip, torrent, &token));
/// ```
#[derive(Clone, Copy)]
pub struct Tokens {
    key: [u8; 16],
}

impl Tokens {
    /// Creates tokens that only who knows `key` can make. It must be random, and another at each start.
    #[must_use]
    pub const fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// Returns the token to give to an address.
    #[must_use]
    pub fn give(&self, now: Duration, ip: IpAddr, torrent: InfoHash) -> Token {
        self.token(now.as_secs() / PERIOD_SECS, ip, torrent)
    }

    /// Returns whether a token was given to this address in the last five minutes, or at most ten.
    #[must_use]
    pub fn accepts(&self, now: Duration, ip: IpAddr, torrent: InfoHash, token: &[u8]) -> bool {
        let period = now.as_secs() / PERIOD_SECS;
        let last = period.checked_sub(1);
        let same = |period| self.token(period, ip, torrent) == *token;
        same(period) || last.is_some_and(same)
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
