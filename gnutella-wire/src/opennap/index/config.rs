//! How an index behaves.

use core::time::Duration;

use crate::error::ConfigError;
use crate::opennap::frame::MAX_DATA;

/// How an index behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IndexConfig {
    /// How long a connection may take to log in. More than 0.
    pub login_timeout: Duration,
    /// How long a user may be silent before it is pinged, and then how long the answer may take.
    /// More than 0.
    pub idle: Duration,
    /// How long a sharer may take to answer that a file is wanted; the user who wants it then receives
    /// 609. It may come up to as long again later. More than 0.
    pub request_timeout: Duration,
    /// How many files one user may share, so that no user fills the index alone.
    pub max_files: u32,
    /// How many connections of one address are accepted; [`u32::MAX`] for any number.
    pub max_per_address: u32,
    /// How many connections of one network (/16) are accepted; [`u32::MAX`] for any number. A connection takes time in
    /// proportion to it.
    pub max_per_network: u32,
    /// The longest data accepted, in bytes; [`MAX_DATA`](crate::opennap::MAX_DATA) is customary.
    pub max_data: u16,
    /// Keys the table that users fill. Choose it at random, so that no user can choose keys that collide.
    pub seed: u64,
}

impl IndexConfig {
    /// 30 seconds to log in, pings after two minutes, a minute for sharers to answer, 500 files a user, 32
    /// connections of an address and 1,024 of a network, 2,048 bytes a message.
    pub const CUSTOMARY: Self = Self {
        login_timeout: Duration::from_secs(30),
        idle: Duration::from_secs(120),
        request_timeout: Duration::from_secs(60),
        max_files: 500,
        max_per_address: 32,
        max_per_network: 1_024,
        max_data: MAX_DATA,
        seed: 0,
    };

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let durations = [
            ("login_timeout", self.login_timeout),
            ("idle", self.idle),
            ("request_timeout", self.request_timeout),
        ];
        let zero = durations.into_iter().find(|(_, duration)| duration.is_zero());
        zero.map_or(Ok(()), |(field, _)| Err(ConfigError::ZeroDuration { field }))
    }
}
