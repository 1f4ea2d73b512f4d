//! How uploads behave.

use core::time::Duration;

use crate::error::ConfigError;
use crate::head::HeadLimits;

/// How uploads behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UploadConfig {
    /// How many uploads run at a time. More than 0.
    pub slots: u16,
    /// How many of them one address may have. More than 0.
    pub slots_per_host: u16,
    /// How many connections one address may have. More than 0.
    pub connections_per_host: u16,
    /// How many connections wait for a slot.
    pub queue: u16,
    /// The bandwidth for all uploads together, in bytes per second; none is without a limit. Not 0.
    pub bytes_per_second: Option<u64>,
    /// How much of a file is sent at once, in bytes. More than 0.
    pub chunk: u32,
    /// The least time between two requests of a connection that waits for a slot.
    pub poll_min: Duration,
    /// A connection that waits for a slot and does not ask again within this time loses its place. At
    /// least `poll_min`.
    pub poll_max: Duration,
    /// When a client that cannot wait in the queue is to try again.
    pub retry_after: Duration,
    /// How long a connection may be without a request.
    pub request_timeout: Duration,
    /// How long the receiver may take for a chunk.
    pub send_timeout: Duration,
    /// How long a request may be.
    pub head: HeadLimits,
}

impl UploadConfig {
    /// Four slots, one for each address, a queue of ten, and the times of LimeWire and Shareaza.
    pub const CUSTOMARY: Self = Self {
        slots: 4,
        slots_per_host: 1,
        connections_per_host: 4,
        queue: 10,
        bytes_per_second: None,
        chunk: 16 << 10,
        poll_min: Duration::from_secs(45),
        poll_max: Duration::from_secs(120),
        retry_after: Duration::from_secs(600),
        request_timeout: Duration::from_secs(60),
        send_timeout: Duration::from_secs(60),
        head: HeadLimits::GTKG,
    };

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let durations = [
            ("poll_min", self.poll_min),
            ("poll_max", self.poll_max),
            ("request_timeout", self.request_timeout),
            ("send_timeout", self.send_timeout),
        ];
        if let Some((field, _)) = durations.into_iter().find(|(_, duration)| duration.is_zero()) {
            return Err(ConfigError::ZeroDuration { field });
        }
        let numbers = [
            ("slots", u64::from(self.slots)),
            ("slots_per_host", u64::from(self.slots_per_host)),
            ("connections_per_host", u64::from(self.connections_per_host)),
            ("chunk", u64::from(self.chunk)),
            ("bytes_per_second", self.bytes_per_second.unwrap_or(1)),
        ];
        let zero = numbers.into_iter().find(|(_, number)| *number == 0);
        zero.map_or(Ok(()), |(field, _)| Err(ConfigError::Zero { field }))
    }
}

impl Default for UploadConfig {
    /// [`CUSTOMARY`](Self::CUSTOMARY).
    fn default() -> Self {
        Self::CUSTOMARY
    }
}
