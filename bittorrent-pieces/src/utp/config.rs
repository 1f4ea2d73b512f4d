//! The configuration of an endpoint.

use thiserror::Error;

use super::slot::MAX_LEN;
use super::storage::UtpParts;

/// The configuration of an endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UtpConfig {
    /// The secret by which answers to SYNs are recognised. It must be random, and a new one at each start.
    pub key: [u8; 16],
    /// The seed of connection ids and sequence numbers. It must be secret: a sender that knows it can forge packets.
    pub seed: u64,
    /// Whether connections are accepted.
    pub accept: bool,
    /// The number of connections that are accepted from one network (IPv4 /24, IPv6 /64); more than zero. Local
    /// addresses are not limited.
    pub per_network: usize,
}

impl UtpConfig {
    /// Returns the usual configuration: it accepts eight connections from a network. The seed comes from the key.
    #[must_use]
    pub const fn new(key: [u8; 16]) -> Self {
        let seed = match key.last_chunk() {
            Some(seed) => u64::from_be_bytes(*seed),
            None => 0,
        };
        Self { key, seed, accept: true, per_network: 8 }
    }

    pub(super) fn validate(&self, parts: &UtpParts<'_>) -> Result<(), ConfigError> {
        let conns = parts.conns.len();
        if self.per_network == 0 {
            return Err(ConfigError::PerNetwork);
        }
        if parts.packets.len() < conns || parts.send.len() < conns {
            return Err(ConfigError::Send(conns));
        }
        let received = conns.saturating_mul(MAX_LEN);
        if parts.receive.len() < received {
            return Err(ConfigError::Receive(received));
        }
        Ok(())
    }
}

impl core::fmt::Debug for UtpConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut out = f.debug_struct("UtpConfig"); // key and seed stay secret
        out.field("accept", &self.accept).field("per_network", &self.per_network);
        out.finish_non_exhaustive()
    }
}

/// A configuration or storage that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// No connection of a network would be accepted.
    #[error("per_network must not be zero")]
    PerNetwork,
    /// A connection needs at least one packet slot and one byte to send.
    #[error("{0} packet slots and bytes to send needed")]
    Send(usize),
    /// A connection needs at least [`MAX_LEN`](super::MAX_LEN) bytes to receive.
    #[error("{0} bytes to receive needed")]
    Receive(usize),
}
