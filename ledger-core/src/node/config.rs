//! The configuration of a node.

use core::time::Duration;

use crate::error::ConfigError;
use crate::spec::Rules;

/// How a [`Node`](super::Node) uses its memory and time. Nodes of one chain may differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NodeConfig {
    /// The number of blocks that can be taken back: 6 for a few known validators, 100 for work. Deeper blocks are final
    /// for this node. [`journal_len`](Self::journal_len) and [`headers_len`](Self::headers_len) say what it costs.
    pub max_depth: u32,
    /// A block is reported as [`Confirmed`](super::Event::Confirmed) once it is the last but this many minus one. From 1
    /// to `max_depth + 1`.
    pub confirmations: u32,
    /// How long to wait for a body after [`Event::Need`](super::Event::Need), before its branch is given up. Longer than
    /// a body takes over the slowest connection, retries with other peers included.
    pub body_timeout: Duration,
    /// How long a branch rests that was given up for a missing body, before it is tried again: a sixteenth of it once a
    /// peer sends one of its headers, all of it otherwise. Several times `body_timeout`, so that a withheld body occupies
    /// the node for a small part of the time only.
    pub retry_interval: Duration,
    /// How long a header is kept whose parent is unknown, and how far in the future a header may lie that is kept
    /// until its time.
    pub orphan_timeout: Duration,
    /// Decides where ids lie in the index. Random and secret, so that no peer can slow down the look-ups.
    pub seed: u64,
}

/// The timers of a [`Node`](super::Node).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "all timers of the machine")]
pub enum Timer {
    /// A body is missing. Starts with `Need`, ends with the body; when it fires, the branch is given up.
    Body,
    /// A branch was given up for a missing body. Starts then, and is shorter once a header of such a branch is received;
    /// when it fires, all such branches are tried again.
    Retry,
    /// A header waits for its parent. Starts when it is kept; when it fires, the header is dropped.
    Orphan,
    /// A header waits for its time, which is part of the header's refusal. When it fires, the header is checked again.
    Early,
}

impl NodeConfig {
    /// Returns a configuration that can take back `max_depth` blocks, with a secret random `seed`.
    ///
    /// A block is confirmed after 6 blocks, or at the greatest depth if that is less. Bodies have 30 seconds, orphans 60;
    /// a branch that was given up is tried again after two minutes.
    #[must_use]
    pub const fn new(max_depth: u32, seed: u64) -> Self {
        Self {
            max_depth,
            confirmations: if max_depth < 6 { max_depth.saturating_add(1) } else { 6 },
            body_timeout: Duration::from_secs(30),
            retry_interval: Duration::from_secs(120),
            orphan_timeout: Duration::from_secs(60),
            seed,
        }
    }

    /// Returns the number of journal slots that suffice to change over between branches of `max_depth` blocks that make
    /// all the writes the rules allow.
    #[must_use]
    pub fn journal_len(&self, rules: &Rules) -> usize {
        let depth = usize::try_from(self.max_depth).unwrap_or(usize::MAX);
        let blocks = depth.saturating_mul(2).saturating_add(1);
        blocks.saturating_mul(writes_of(rules))
    }

    /// Returns the number of header slots that suffice to change over between two branches of `max_depth` blocks.
    #[must_use]
    pub fn headers_len(&self) -> usize {
        let depth = usize::try_from(self.max_depth).unwrap_or(usize::MAX);
        depth.saturating_mul(2).saturating_add(2)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let confirmations = self.confirmations;
        let most = self.max_depth.saturating_add(1);
        if confirmations == 0 || confirmations > most {
            return Err(ConfigError::WrongConfirmations { confirmations, most });
        }
        if self.body_timeout.is_zero()
            || self.retry_interval.is_zero()
            || self.orphan_timeout.is_zero()
        {
            return Err(ConfigError::ZeroTimeout);
        }
        Ok(())
    }
}

/// Returns the journal slots that one block may need, the bookkeeping entry included.
pub(super) fn writes_of(rules: &Rules) -> usize {
    usize::try_from(rules.max_writes).unwrap_or(usize::MAX).saturating_add(1)
}
