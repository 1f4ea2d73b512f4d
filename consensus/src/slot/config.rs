//! What an FFG machine is built from.

use core::time::Duration;

use crate::error::ConfigError;
use crate::id::ValidatorId;

/// When slots begin and how long they last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FfgConfig {
    /// When slot 0 begins, on the clock of the calls. The same moment on all nodes.
    pub start: Duration,
    /// How long a slot lasts. Choose three times what a block needs to reach all validators.
    pub slot: Duration,
}

/// What an [`Ffg`](super::Ffg) is built from.
#[expect(clippy::exhaustive_structs, reason = "all of it is required")]
#[derive(Debug, Clone)]
pub struct FfgSetup<'a, P, K> {
    /// The times.
    pub config: FfgConfig,
    /// The id of the first block of the chain: the checkpoint of slot 0, which is final.
    pub genesis: [u8; 32],
    /// The validators and their stakes, in any order. At least one.
    pub validators: &'a [(ValidatorId, u64)],
    /// Chooses the proposer of each slot.
    pub selector: P,
    /// Signs for this validator. If its id is not among the validators the machine only observes.
    pub keys: K,
}

impl FfgConfig {
    /// Returns slots of this length, of which slot 0 begins at time 0.
    #[must_use]
    pub const fn new(slot: Duration) -> Self {
        Self { start: Duration::ZERO, slot }
    }

    /// A slot has three parts, which must differ.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.slot < Duration::from_nanos(3) { Err(ConfigError::ZeroTimeout) } else { Ok(()) }
    }
}
