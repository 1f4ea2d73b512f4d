//! How a book chooses, and its limits.

use core::time::Duration;

use crate::error::ConfigError;

/// How a [`PeerBook`](super::PeerBook) chooses peers, and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PeerBookConfig {
    /// For draws and for the spread of retries. It should be secret and differ from run to run.
    pub seed: u64,
    /// A torrent with fewer connections than this is hungry: the book asks for more addresses
    /// ([`BookEvent::AskSources`](super::BookEvent::AskSources)). At least 1.
    pub wanted: u16,
    /// The book dials no more peers once this many connections are open or being made. The rest of the connection
    /// slots is for peers that dial us.
    pub dialled: u16,
    /// The most dials in progress at a time, at least 1.
    pub dials: u16,
    /// The least time between two dials; not zero.
    pub dial_interval: Duration,
    /// A dial that takes longer counts as failed; not zero.
    pub dial_timeout: Duration,
    /// How long after a failure a peer is dialled again; not zero. It doubles with each failure in a row.
    pub retry: Duration,
    /// The longest such wait.
    pub max_retry: Duration,
    /// How long a hungry torrent waits before it asks again for addresses; not zero. It doubles with each
    /// request, until a peer that sent blocks is lost.
    pub ask: Duration,
    /// The longest such wait.
    pub max_ask: Duration,
    /// How long the first ban of an address lasts. It doubles with each further one. Bans are forgotten when as
    /// much time again has passed.
    pub ban: Duration,
    /// The most connections with one address, dialled and accepted.
    pub per_address: u16,
    /// The most connections with one network: an IPv4 /24 or an IPv6 /64. A local address is a network of its own.
    pub per_network: u16,
    /// The most connections with one local address (private, link-local or loopback), in place of both limits
    /// above: several peers on one such address are common.
    pub per_local_address: u16,
}

impl PeerBookConfig {
    /// Returns the configuration that fits most: hungry below 20 connections, 40 dialled, 10 dials at a time and
    /// 20 a second, retries from 10 s to 10 minutes, requests for addresses from 5 s to 5 minutes, bans from one
    /// hour, 3 connections with an address, 8 with a network, 40 with a local address.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            wanted: 20,
            dialled: 40,
            dials: 10,
            dial_interval: Duration::from_millis(50),
            dial_timeout: Duration::from_secs(20),
            retry: Duration::from_secs(10),
            max_retry: Duration::from_secs(600),
            ask: Duration::from_secs(5),
            max_ask: Duration::from_secs(300),
            ban: Duration::from_secs(3_600),
            per_address: 3,
            per_network: 8,
            per_local_address: 40,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let counts = [("wanted", self.wanted), ("dials", self.dials)];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(ConfigError::Zero(name));
        }
        let spans = [
            ("dial_interval", self.dial_interval),
            ("dial_timeout", self.dial_timeout),
            ("retry", self.retry),
            ("ask", self.ask),
        ];
        let zero = spans.into_iter().find(|(_, span)| span.is_zero());
        zero.map_or(Ok(()), |(name, _)| Err(ConfigError::Zero(name)))
    }
}
