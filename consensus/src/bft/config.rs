//! What a BFT engine is built from.

use core::time::Duration;

use thiserror::Error;

use crate::error::{ConfigError, DecodeError};
use crate::id::ValidatorId;

/// Timeouts. Choose `propose` longer than a proposal takes to reach all validators and to be checked, and the others
/// longer than a vote takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BftConfig {
    /// How long round 0 waits for a proposal.
    pub propose: Duration,
    /// How long round 0 waits for more prevotes after a quorum of different ones.
    pub prevote: Duration,
    /// How long round 0 waits for more precommits after a quorum of different ones.
    pub precommit: Duration,
    /// What each round adds to the three, so that they exceed the delay of any network at last.
    pub growth: Duration,
    /// How often statements are sent again while there is no decision. A datagram may be lost.
    pub resend: Duration,
}

/// What a [`Bft`](super::Bft) is built from.
#[expect(clippy::exhaustive_structs, reason = "all of it is required")]
#[derive(Debug, Clone)]
pub struct BftSetup<'a, P, K> {
    /// The timeouts.
    pub config: BftConfig,
    /// The id of the first block of the chain.
    pub genesis: [u8; 32],
    /// The height to decide first.
    pub height: u64,
    /// The validators and their powers, in any order. At least one.
    pub validators: &'a [(ValidatorId, u64)],
    /// Chooses the proposer of each height and round.
    pub selector: P,
    /// Signs for this validator. If its id is not among the validators the engine only observes.
    pub keys: K,
}

/// Why an engine cannot continue from what was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResumeError {
    /// The setup is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The bytes are malformed.
    #[error("malformed state: {0}")]
    Decode(DecodeError),
    /// The state belongs to another chain or to another key.
    #[error("the state belongs to another chain or validator")]
    OtherValidator,
    /// The validator has signed at a greater height already.
    #[error("votes were cast at height {0}; resume there")]
    LaterHeight(u64),
}

impl BftConfig {
    /// Returns timeouts for a network in which a message takes up to `delay`: 3, 2 and 2 times the delay, growing by one
    /// delay each round, and a repetition every 5.
    #[must_use]
    pub const fn new(delay: Duration) -> Self {
        Self {
            propose: delay.saturating_mul(3),
            prevote: delay.saturating_mul(2),
            precommit: delay.saturating_mul(2),
            growth: delay,
            resend: delay.saturating_mul(5),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let timeouts = [self.propose, self.prevote, self.precommit, self.growth, self.resend];
        if timeouts.contains(&Duration::ZERO) {
            return Err(ConfigError::ZeroTimeout);
        }
        Ok(())
    }
}
