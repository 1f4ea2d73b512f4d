//! The configuration of a node.

use core::time::Duration;

use thiserror::Error;

use crate::compact::Family;
use crate::dht::id::NodeId;

/// The configuration of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DhtConfig {
    /// Our id; see [`NodeId::for_address`]. [`DhtNode::set_id`](super::DhtNode::set_id) changes it.
    pub id: NodeId,
    /// The secret of our tokens. It must be random, and a new one at each start.
    pub key: [u8; 16],
    /// The seed of transaction ids, samples and refreshes. It must be secret: a node that knows it can forge
    /// responses.
    pub seed: u64,
    /// The version of IP of the socket.
    pub family: Family,
    /// Send queries but answer none: for nodes that cannot be reached (BEP 43).
    pub read_only: bool,
    /// Announce only to nodes whose id fits their address (BEP 42), and let only them end a lookup. Such nodes
    /// are preferred in any case; on the public network many honest nodes have other ids.
    pub enforce_ids: bool,
    /// How long a node may take to answer; more than zero. 4 s suit the public network.
    pub patience: Duration,
}

impl DhtConfig {
    /// Returns the usual configuration: IPv4, answering, ids not enforced, patience of 4 s, the seed from the
    /// key.
    #[must_use]
    pub const fn new(id: NodeId, key: [u8; 16]) -> Self {
        let seed = match key.last_chunk() {
            Some(seed) => u64::from_be_bytes(*seed),
            None => 0,
        };
        let patience = Duration::from_secs(4);
        Self { id, key, seed, family: Family::V4, read_only: false, enforce_ids: false, patience }
    }

    pub(super) fn validate(&self, lookups: usize) -> Result<(), ConfigError> {
        if self.patience.is_zero() {
            return Err(ConfigError::Patience);
        }
        if lookups == 0 {
            return Err(ConfigError::Lookups);
        }
        Ok(())
    }
}

impl core::fmt::Debug for DhtConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut out = f.debug_struct("DhtConfig"); // key and seed stay secret
        out.field("id", &self.id).field("family", &self.family);
        out.field("read_only", &self.read_only).field("enforce_ids", &self.enforce_ids);
        out.field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// A configuration that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The patience is zero.
    #[error("the patience is zero")]
    Patience,
    /// The node needs a lookup for itself now and then.
    #[error("1 lookup slot needed")]
    Lookups,
}
