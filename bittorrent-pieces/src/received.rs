//! Outcome of processing received bytes.

/// Result of `handle_bytes`: how many bytes were processed, and at most one outcome.
///
/// `consumed == 0` means: wait for more bytes, then call again with the same bytes and those behind them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the same two fields in every crate")]
pub struct Received<T> {
    /// The number of bytes to drop from the front of the receive buffer.
    pub consumed: usize,
    /// What the message was, if the caller has to know.
    pub outcome: Option<T>,
}
