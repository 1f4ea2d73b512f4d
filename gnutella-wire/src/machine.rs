//! What the machines of this crate have in common: connections, received bytes, transmitted bytes.

use core::fmt;
use core::time::Duration;

use thiserror::Error;

/// Returns a deadline, later than now; `None` at the end of time.
#[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
pub(crate) fn after(now: Duration, wait: Duration) -> Option<Duration> {
    now.checked_add(wait.max(Duration::from_millis(1)))
}

/// Returns the earliest of some points in time.
#[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
pub(crate) fn earliest(times: &mut dyn Iterator<Item = Duration>) -> Option<Duration> {
    let mut first = None;
    for at in times {
        if first.is_none_or(|first| at < first) {
            first = Some(at);
        }
    }
    first
}

/// Names a connection. The caller chooses the numbers, for example the index of the socket, and may
/// use one again once the connection that had it is closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number of the caller")]
pub struct ConnId(pub u32);

/// Result of `handle_bytes`: at most one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two parts of every result of handle_bytes")]
pub struct Received<T> {
    /// How many bytes to remove from the front of the receive buffer. 0 means: wait for more bytes.
    pub consumed: usize,
    /// What the consumed bytes were, if the application has anything to do with them.
    pub outcome: Option<T>,
}

/// A message of the machine itself: write the first `len` bytes of the buffer to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "where to, and how much")]
pub struct Transmit {
    /// Where to.
    pub conn: ConnId,
    /// The length of the message, in bytes.
    pub len: usize,
}

/// The connection is unknown: the caller's mistake. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("connection {0} is not open")]
#[expect(clippy::exhaustive_structs, reason = "there is only one way to be unknown")]
pub struct NotConnected(pub ConnId);

/// A connection was not accepted. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConnectError {
    /// A connection of this name is open.
    #[error("{0} is already open")]
    InUse(ConnId),
    /// Every slot is in use, or as many neighbours of this role as the configuration allows.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// How many slots there are.
        capacity: usize,
    },
    /// As many connections of this address, or of its network, are open as the configuration allows.
    #[error("{limit} connections of this address or network are open")]
    Crowded {
        /// How many are allowed.
        limit: u32,
    },
    /// A transfer does not expect this connection, or no longer.
    #[error("{0} is not expected")]
    NotExpected(ConnId),
}

impl<T> Received<T> {
    /// Waits for more bytes.
    pub(crate) const WAIT: Self = Self { consumed: 0, outcome: None };

    pub(crate) const fn skip(consumed: usize) -> Self {
        Self { consumed, outcome: None }
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {}", self.0)
    }
}
