//! What a pool works on, and how it shares that out.

use core::num::NonZeroU64;
use core::time::Duration;

use crate::error::ConfigError;
use crate::puzzle::{HashFunction, NonceField};
use crate::target::{ByteOrder, Target};

/// The work of a pool: a message whose nonce is searched.
#[expect(clippy::exhaustive_structs, reason = "the fields are those of a lease")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Job<'a> {
    /// The function that makes the digest.
    pub function: HashFunction,
    /// How the digest becomes a number.
    pub order: ByteOrder,
    /// The message. The content of the nonce field is ignored.
    pub message: &'a [u8],
    /// The position and encoding of the nonce.
    pub nonce: NonceField,
    /// The target that solves the job.
    pub target: Target,
    /// The target of a share, a proof of effort. It is easier than `target`; if not, `target` is used.
    pub share: Target,
}

/// Configuration of a [`Pool`](super::Pool).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PoolConfig {
    /// The number of nonces of a lease. The slowest worker should try them in well less than
    /// `lease_timeout`, and they should hold about 16 shares or more, so that a worker can prove that it
    /// tried them.
    pub lease: NonZeroU64,
    /// The time after which a lease without a new share is returned and given to another worker.
    pub lease_timeout: Duration,
    /// The time after which a connection that earned nothing is closed. It should be longer than
    /// `lease_timeout`; a connection that waits for a lease is not closed.
    pub idle_timeout: Duration,
}

impl PoolConfig {
    /// Creates a configuration whose `idle_timeout` is twice the `lease_timeout`.
    #[must_use]
    pub const fn new(lease: NonZeroU64, lease_timeout: Duration) -> Self {
        Self { lease, lease_timeout, idle_timeout: lease_timeout.saturating_mul(2) }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.lease_timeout.is_zero() {
            return Err(ConfigError::ZeroLeaseTimeout);
        }
        if self.idle_timeout.is_zero() {
            return Err(ConfigError::ZeroIdleTimeout);
        }
        Ok(())
    }
}
