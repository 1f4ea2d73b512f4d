//! What every machine of the family calls a connection, and what it returns for bytes.

use core::fmt;

/// Names a connection. The caller chooses the number. `Display` is `conn 7`.
#[expect(clippy::exhaustive_structs, reason = "a number of the caller")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConnId(pub u32);

/// Result of `handle_bytes`: at most one message.
#[expect(clippy::exhaustive_structs, reason = "the same two fields in every crate")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Received<T> {
    /// The number of bytes to remove from the front of the stream. 0 means: wait for more bytes.
    pub consumed: usize,
    /// The outcome of the message, if it has one.
    pub outcome: Option<T>,
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {}", self.0)
    }
}
