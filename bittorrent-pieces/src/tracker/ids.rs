//! The connection ids of a UDP tracker's side (BEP 15), without memory for each client.

use core::net::IpAddr;
use core::time::Duration;

use sha1::{Digest, Sha1};

use super::udp::ConnectionId;

/// How long a secret is used for new ids; a tracker accepts an id for two minutes (BEP 15).
const PERIOD_SECS: u64 = 120;

/// Issues and verifies connection ids: keyed hashes of the address and of the two-minute period. Those of the
/// current and of the previous period are accepted, so an id is valid for 2 to 4 minutes.
///
/// An id is bound to the IP address and not to the port, since clients share one between sockets.
///
/// ```
/// use bittorrent_pieces::tracker::ConnectionIds;
/// use core::time::Duration;
///
/// let ids = ConnectionIds::new([7; 16]);
/// let ip = "192.0.2.1".parse().unwrap();
/// let id = ids.give(Duration::from_secs(119), ip);
/// assert!(ids.accepts(Duration::from_secs(239), ip, id));
/// assert!(!ids.accepts(Duration::from_secs(240), ip, id));
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct ConnectionIds {
    key: [u8; 16],
}

impl ConnectionIds {
    /// Creates the ids of a key. The key must be random, and a new one at each start.
    #[must_use]
    pub const fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// Returns the id for an address.
    #[must_use]
    pub fn give(&self, now: Duration, ip: IpAddr) -> ConnectionId {
        self.id(now.as_secs() / PERIOD_SECS, ip)
    }

    /// Returns whether an id was issued to this address in the current or the previous period.
    #[must_use]
    pub fn accepts(&self, now: Duration, ip: IpAddr, id: ConnectionId) -> bool {
        let period = now.as_secs() / PERIOD_SECS;
        let last = period.checked_sub(1);
        self.id(period, ip) == id || last.is_some_and(|last| self.id(last, ip) == id)
    }

    /// The secret of a period is hashed from key and period; key and period have fixed lengths, and
    /// only 8 bytes of the hash are sent, so it cannot be extended.
    fn id(&self, period: u64, ip: IpAddr) -> ConnectionId {
        let mut hasher = Sha1::new();
        hasher.update(self.key);
        hasher.update(period.to_be_bytes());
        match ip {
            IpAddr::V4(ip) => hasher.update(ip.octets()),
            IpAddr::V6(ip) => hasher.update(ip.octets()),
        }
        let digest: [u8; 20] = hasher.finalize().into();
        let id = digest.first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
        ConnectionId(id)
    }
}

impl core::fmt::Debug for ConnectionIds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ConnectionIds(..)") // the key stays secret
    }
}
