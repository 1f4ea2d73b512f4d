//! How a web seed behaves.

use core::time::Duration;

use crate::error::ConfigError;
use crate::id::{InfoHash, PeerId};

/// What the URL of a web seed stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "the two kinds of BEP 17 and BEP 19")]
pub enum WebSeedKind {
    /// A web server that has the files, `url-list` (BEP 19).
    Files,
    /// A script that returns pieces by their number, `httpseeds` (BEP 17).
    Pieces,
}

/// How a web seed behaves. [`WebSeedConfig::new`] has values that fit most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WebSeedConfig {
    /// What the URL stands for.
    pub kind: WebSeedKind,
    /// The torrent.
    pub info_hash: InfoHash,
    /// The id under which the torrent sees the web seed. It must not be that of the torrent itself.
    pub peer_id: PeerId,
    /// The most bytes of one request, but a block is always requested whole; not zero. A request also ends with its
    /// file, and covers only blocks that the torrent requested.
    pub max_range: u32,
    /// The most bytes that are skipped of a server that sends a whole file instead of a range.
    pub max_skip: u64,
    /// How long a response may make no progress; not zero.
    pub timeout: Duration,
    /// How long the web seed pauses after a failure, each time twice as long up to an hour; not zero. A server that
    /// names a time itself (`Retry-After`) is asked again after that, within an hour.
    pub retry: Duration,
    /// The most redirections in a row that are followed.
    pub max_redirects: u8,
    /// How long after its last message the web seed sends the torrent a keepalive; not zero, and less than
    /// [`Config::silence`](crate::Config::silence).
    pub keep_alive: Duration,
}

impl WebSeedConfig {
    /// Returns the configuration that fits most: requests of up to 4 MiB, 1 MiB skipped, 20 s without progress, a pause
    /// of 30 s, 5 redirections, a keepalive after 100 s.
    #[must_use]
    pub const fn new(kind: WebSeedKind, info_hash: InfoHash, peer_id: PeerId) -> Self {
        Self {
            kind,
            info_hash,
            peer_id,
            max_range: 4 << 20,
            max_skip: 1 << 20,
            timeout: Duration::from_secs(20),
            retry: Duration::from_secs(30),
            max_redirects: 5,
            keep_alive: Duration::from_secs(100),
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.max_range == 0 {
            return Err(ConfigError::Zero("max_range"));
        }
        let spans =
            [("timeout", self.timeout), ("retry", self.retry), ("keep_alive", self.keep_alive)];
        let zero = spans.into_iter().find(|(_, span)| span.is_zero());
        zero.map_or(Ok(()), |(name, _)| Err(ConfigError::Zero(name)))
    }
}
