//! What a download is of, and how it behaves.

use core::net::SocketAddrV4;
use core::time::Duration;

use crate::error::ConfigError;
use crate::head::HeadLimits;
use crate::huge::{Sha1, TigerRoot};

/// Which file is wanted, as a hit or a magnet link names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what is known of a file")]
pub struct FileInfo<'a> {
    /// The size, in bytes.
    pub size: u64,
    /// The SHA-1 hash. Without it nothing can be checked at the end, no alternate locations are
    /// followed, and files are requested by index and name.
    pub sha1: Option<Sha1>,
    /// The root of the Tiger tree, if a hit or a link has it. Otherwise the root that a source
    /// announces is used until the SHA-1 hash disproves it.
    pub root: Option<TigerRoot>,
    /// The name, as it is. Used only without `sha1`; at most 255 bytes.
    pub name: &'a [u8],
}

/// How a download behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DownloadConfig {
    /// The own address as others reach it, sent as `X-Node`; none behind a firewall.
    pub address: Option<SocketAddrV4>,
    /// How many sources are connected at a time. More than 0.
    pub max_connections: u16,
    /// The least that is requested at once, in bytes, unless fewer are missing in a row.
    pub min_request: u64,
    /// The most that is requested at once, in bytes. In between, a request takes about ten seconds.
    pub max_request: u64,
    /// How long a connection attempt may take.
    pub dial_timeout: Duration,
    /// How long a push may take until the source connects.
    pub push_timeout: Duration,
    /// How long the head of an answer may take.
    pub head_timeout: Duration,
    /// How long a body may pause.
    pub stall_timeout: Duration,
    /// How long an unused connection is kept for the next request.
    pub keep_alive: Duration,
    /// The wait after a failure; it doubles with each further one.
    pub retry: Duration,
    /// The wait for a busy source that does not say how long.
    pub busy_retry: Duration,
    /// The most that a source may ask to wait.
    pub max_retry: Duration,
    /// After this many failures in a row a source is given up.
    pub max_failures: u8,
    /// How long the head of an answer may be.
    pub head: HeadLimits,
}

impl DownloadConfig {
    /// Eight connections; requests of 256 KiB to 4 MiB; the waits of gtk-gnutella and LimeWire.
    pub const CUSTOMARY: Self = Self {
        address: None,
        max_connections: 8,
        min_request: 256 << 10,
        max_request: 4 << 20,
        dial_timeout: Duration::from_secs(15),
        push_timeout: Duration::from_secs(30),
        head_timeout: Duration::from_secs(30),
        stall_timeout: Duration::from_secs(30),
        keep_alive: Duration::from_secs(60),
        retry: Duration::from_secs(5),
        busy_retry: Duration::from_secs(60),
        max_retry: Duration::from_secs(3_600),
        max_failures: 4,
        head: HeadLimits::GTKG,
    };

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let durations = [
            ("dial_timeout", self.dial_timeout),
            ("push_timeout", self.push_timeout),
            ("head_timeout", self.head_timeout),
            ("stall_timeout", self.stall_timeout),
            ("keep_alive", self.keep_alive),
            ("retry", self.retry),
            ("busy_retry", self.busy_retry),
            ("max_retry", self.max_retry),
        ];
        if let Some((field, _)) = durations.into_iter().find(|(_, duration)| duration.is_zero()) {
            return Err(ConfigError::ZeroDuration { field });
        }
        if self.max_connections == 0 {
            return Err(ConfigError::Zero { field: "max_connections" });
        }
        Ok(())
    }
}

impl Default for DownloadConfig {
    /// [`CUSTOMARY`](Self::CUSTOMARY).
    fn default() -> Self {
        Self::CUSTOMARY
    }
}
