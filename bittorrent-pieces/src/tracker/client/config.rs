//! The configuration of a client.

use thiserror::Error;

use crate::compact::Family;

/// The maximum length of the path of a tracker's URL in bytes: an announce fits in one datagram.
pub const MAX_PATH_LEN: usize = 1_200;

/// The configuration of a client of a UDP tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpConfig<P = &'static [u8]> {
    /// The seed of transaction ids. It must be secret: a host that guesses an id can forge a response.
    pub seed: u64,
    /// The version of IP of the socket: it decides the length of peers in responses.
    pub family: Family,
    /// Path and query of the tracker's URL, sent with each announce (BEP 41); may be empty.
    pub path: P,
}

impl UdpConfig {
    /// Returns the configuration for IPv4 and a URL without a path.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, family: Family::V4, path: &[] }
    }
}

impl<P> UdpConfig<P> {
    /// Replaces the path, which may be owned or borrowed.
    #[must_use]
    pub fn with_path<Q: AsRef<[u8]>>(self, path: Q) -> UdpConfig<Q> {
        UdpConfig { seed: self.seed, family: self.family, path }
    }
}

impl<P: AsRef<[u8]>> UdpConfig<P> {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let len = self.path.as_ref().len();
        if len > MAX_PATH_LEN { Err(ConfigError::Path(len)) } else { Ok(()) }
    }
}

/// A configuration that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The path is longer than [`MAX_PATH_LEN`].
    #[error("a path of {0} bytes does not fit in a datagram")]
    Path(usize),
}
