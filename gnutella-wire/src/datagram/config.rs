//! The configuration of the datagrams of a servent.

use core::net::SocketAddrV4;
use core::time::Duration;

use crate::error::ConfigError;
use crate::id::ServentId;

/// How a servent behaves over UDP. Begin with [`new`](Self::new) and change what differs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DatagramConfig {
    /// The identifier of the servent. A ping with it is a test of reachability that this servent asked
    /// for, not a question.
    pub servent: ServentId,
    /// Where the servent accepts connections and datagrams; pongs carry it.
    pub address: SocketAddrV4,
    /// How many files it shares; pongs carry it.
    pub files: u32,
    /// Their total size in kilobytes; pongs carry it.
    pub kilobytes: u32,
    /// 16 random bytes that nobody else knows: query keys are made from them.
    pub secret: [u8; 16],
    /// Numbers own messages. It should differ per start.
    pub seed: u64,
    /// Whether it answers queries by datagram (GUESS). Ultrapeers do.
    pub answers_queries: bool,
    /// How long a query key is given out; it stays valid for as long again. At least a second; 8 to 12
    /// hours in `LimeWire`.
    pub key_period: Duration,
    /// The interval between two questions of one search: 20 ms at least in the specification. More than 0.
    pub interval: Duration,
    /// How long a host may take to answer before it is asked again. More than 0.
    pub timeout: Duration,
    /// How often a host is asked for a key before it is removed, and how many queries in a row it may leave unanswered
    /// before it is asked for another key. At least 1.
    pub max_attempts: u8,
    /// The number of hits after which a search ends: 200 at most in the specification. Of one address at most a quarter
    /// of it counts.
    pub results: u16,
}

impl DatagramConfig {
    /// The numbers of the specification and of gtk-gnutella.
    #[must_use]
    pub const fn new(servent: ServentId, address: SocketAddrV4, secret: [u8; 16]) -> Self {
        Self {
            servent,
            address,
            files: 0,
            kilobytes: 0,
            secret,
            seed: 0,
            answers_queries: false,
            key_period: Duration::from_secs(12 * 3_600),
            interval: Duration::from_millis(200),
            timeout: Duration::from_secs(20),
            max_attempts: 3,
            results: 200,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let durations = [("interval", self.interval), ("timeout", self.timeout)];
        if let Some((field, _)) = durations.into_iter().find(|(_, span)| span.is_zero()) {
            return Err(ConfigError::ZeroDuration { field });
        }
        if self.key_period < Duration::from_secs(1) {
            return Err(ConfigError::ZeroDuration { field: "key_period in seconds" });
        }
        if self.max_attempts == 0 {
            return Err(ConfigError::Zero { field: "max_attempts" });
        }
        Ok(())
    }
}
